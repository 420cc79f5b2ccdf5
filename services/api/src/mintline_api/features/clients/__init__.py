"""Machine clients, for operators' backends, and for each client itself."""
