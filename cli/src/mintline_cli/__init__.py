"""The `mintline` command: one module for each group of commands."""
