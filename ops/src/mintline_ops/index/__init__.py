"""Rebuild a deployment's index from the chain, and repair the stored one."""
