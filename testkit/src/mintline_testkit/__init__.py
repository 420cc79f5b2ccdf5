"""Test doubles, factories and harnesses: for tests and simulations, never in production."""
