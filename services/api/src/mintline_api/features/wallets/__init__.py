"""Wallets in custody, one per user."""
