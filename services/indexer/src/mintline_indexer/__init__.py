"""Follows the chain: ownership, outcomes, reorgs."""
