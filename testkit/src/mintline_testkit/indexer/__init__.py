"""The indexer's ports in memory."""
