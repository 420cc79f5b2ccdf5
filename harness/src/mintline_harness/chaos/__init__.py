"""The real processes under load, while everything that they depend on is broken at random."""
