"""Mintline on AWS, as CDK stacks."""
