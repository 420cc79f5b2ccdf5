"""Proofs that a token was minted: made from a node's answers, checked against any node of the chain."""
