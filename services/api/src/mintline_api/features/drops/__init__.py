"""Drops: many mints from one uploaded list of lines."""
