"""Linked wallets: the users' own, each proved by Sign-In with Ethereum."""
