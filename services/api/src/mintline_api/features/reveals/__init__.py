"""Metadata that was committed to when its collection was created, and is revealed later."""
