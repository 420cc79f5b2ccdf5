"""The collections that this API mints into and indexes."""
