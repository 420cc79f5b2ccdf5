"""Mints: accepted, followed, cancelled, and handed to the user's own wallet."""
