"""HTTP: what every request and response passes through, whatever the feature."""
