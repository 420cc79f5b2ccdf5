"""The API's ports in memory, and the whole API over them."""
