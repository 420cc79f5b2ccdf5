"""Restore a deployment's tables to a point in time: copies beside them, then what they lack put back.

A record is also the lock of what it is about: of a request, a nonce, a wallet. So a restore adds what a table
lacks, replaces what differs where that is asked for, and removes nothing (docs/decisions/0130).
"""
