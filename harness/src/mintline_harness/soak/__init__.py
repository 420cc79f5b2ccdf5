"""The stack at a steady load for long enough to tell whether any service grows."""
