"""Checks records, chain and index for consistency, block range by block range, on a schedule."""
