"""Sends signed transactions and reports what the node said."""
