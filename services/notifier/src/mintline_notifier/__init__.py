"""Turns changes of records into events, in the log of each principal who may see them."""
