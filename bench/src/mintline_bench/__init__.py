"""Drives the running stack over HTTP, measures it, and checks the chain afterwards."""
