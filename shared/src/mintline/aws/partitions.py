"""The partition of AWS that a region is in: what its ARNs begin with, and the domain of its services.

Source: AWS general reference, "Amazon Resource Names" and "AWS service endpoints".
"""

from __future__ import annotations

OTHERS = {
    "cn-": ("aws-cn", "amazonaws.com.cn"),
    "us-gov-": ("aws-us-gov", "amazonaws.com"),
}
"""By what a region's name begins with; all other regions are in `aws`."""


def partition(region: str) -> str:
    """Return the partition of a region: `aws`, `aws-cn` or `aws-us-gov`."""
    return _of(region)[0]


def domain(region: str) -> str:
    """Return the domain of a region's services, such as `amazonaws.com`."""
    return _of(region)[1]


def _of(region: str) -> tuple[str, str]:
    matching = (value for start, value in OTHERS.items() if region.startswith(start))
    return next(matching, ("aws", "amazonaws.com"))
