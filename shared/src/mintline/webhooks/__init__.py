"""Webhooks: what the API, which manages them, and the notifier, which delivers, have in common."""
