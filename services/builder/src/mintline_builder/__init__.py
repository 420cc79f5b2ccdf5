"""Turns an accepted mint into an unsigned transaction."""
