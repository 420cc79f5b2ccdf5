"""The builder's ports in memory."""
