"""What `tokenURI` and `contractURI` point to."""
