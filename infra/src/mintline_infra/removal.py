"""What becomes of a resource that holds something when its stack goes."""

from __future__ import annotations

import aws_cdk as cdk

RETAIN = cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
"""Kept, but by the creation that fails: what has a fixed name would stand in the way of the next one.

Source: CloudFormation template reference, DeletionPolicy, `RetainExceptOnCreate`.
"""
