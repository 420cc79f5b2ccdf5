"""Webhooks, for machine clients: where their events are sent."""
