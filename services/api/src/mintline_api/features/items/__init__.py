"""Items of ERC-1155 collections: what requests say of them, and their metadata."""
