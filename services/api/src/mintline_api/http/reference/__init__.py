"""/docs: the API reference, and every problem on one page."""
