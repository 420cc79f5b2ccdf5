"""One package per resource of the API."""
