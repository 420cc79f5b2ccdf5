"""The broadcaster's ports in memory."""
