"""The contracts that the API knows, as all features look them up."""
