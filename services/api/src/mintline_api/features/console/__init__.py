"""The browser application at /console."""
