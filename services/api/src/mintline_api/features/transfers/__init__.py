"""Transfers and burns of tokens that wallets in custody hold."""
