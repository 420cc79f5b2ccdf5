"""Tokens, their owners and their metadata, as the index has them."""
