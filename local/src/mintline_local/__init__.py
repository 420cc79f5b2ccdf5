"""The whole line on one machine: emulators, supervisor, and the mintline command."""
