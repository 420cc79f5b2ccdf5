"""Holders of a collection, and transfers of a collection or a wallet, by indexes of their own."""
