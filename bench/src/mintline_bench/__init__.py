"""Drives the running line over HTTP, measures it, and checks the chain afterwards."""
