"""Thin async adapters for the AWS services that Mintline uses."""
