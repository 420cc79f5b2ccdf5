"""The codes with which AWS throttles requests. The stacks in `infra/`, without botocore, read them too."""

from __future__ import annotations

THROTTLES = frozenset(
    {
        "KmsThrottled",
        "LimitExceededException",
        "OverLimit",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""AWS's codes that ask for fewer requests; on AWS an alarm counts the log lines that end with one."""
