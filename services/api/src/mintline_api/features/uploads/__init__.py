"""Files that metadata names: taken in, checked, and served to everyone."""
