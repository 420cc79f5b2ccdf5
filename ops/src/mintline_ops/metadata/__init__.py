"""Tokens' metadata in the bucket: packs, and objects of one token each."""
