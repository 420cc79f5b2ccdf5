"""The HTTP face of the api: operations, what reads requests, what writes answers, and the documents."""
