"""New versions of a token's metadata."""
