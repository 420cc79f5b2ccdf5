"""Webhooks: the notifier sends each principal's events to the URLs that they registered."""
