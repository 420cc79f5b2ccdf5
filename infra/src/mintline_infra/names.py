"""What AWS lets a deployment's names be."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

RESERVED_WORDS = ("amazon", "aws", "cognito")
"""In no prefix of a Cognito domain, wherever they stand in it.

Source: Amazon Cognito developer guide, "Using the Amazon Cognito domain for user sign-in".
"""
RESERVED_STARTS = ("amzn", "sthree-", "xn--")
"""What no bucket's and no Systems Manager document's name begins with.

Sources: Amazon S3 user guide, "General purpose bucket naming rules"; Systems Manager API, CreateDocument.
"""
_PREFIX = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def _prefix(text: str) -> str:
    """Refuse what one of the services that are named after it would refuse in the middle of a deployment."""
    if not text[:1].isalpha():
        raise ValueError("begin with a letter: CloudFormation's stacks and ECR's repositories do")
    if text.endswith("-"):
        raise ValueError("end with a letter or digit: ECR and Cognito take no name that ends with a hyphen")
    if "--" in text:
        raise ValueError("no two hyphens in a row: ECR takes no such repository")
    if not _PREFIX.fullmatch(text):
        raise ValueError("lower-case letters, digits and hyphens alone: S3 takes no others")
    for word in RESERVED_WORDS:
        if word in text:
            raise ValueError(f"it has {word!r}, which Cognito reserves: choose another")
    for start in RESERVED_STARTS:
        if text.startswith(start):
            raise ValueError(f"it begins with {start!r}, which AWS reserves: choose another")
    return text


Prefix = Annotated[str, Field(min_length=3, max_length=40), AfterValidator(_prefix)]
"""What begins every name of a deployment: names of buckets, stacks, roles, queues, tables, a login page."""
