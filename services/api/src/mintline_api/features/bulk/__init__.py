"""Many mints in one request: validated as a whole, authorized once, and built together."""
