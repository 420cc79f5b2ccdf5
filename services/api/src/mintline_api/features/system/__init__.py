"""Health, readiness, and the documents about the API."""
