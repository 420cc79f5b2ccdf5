"""botocore's descriptions of AWS, without what no client here uses."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from botocore.loaders import JSONFileLoader, Loader

ENDPOINTS = "endpoints"
USED = frozenset(
    {
        "sqs",
        "dynamodb",
        "streams.dynamodb",
        "s3",
        "kms",
        "secretsmanager",
        "cognito-idp",
        # AWS's usual chain of credentials asks these.
        "sts",
        "oidc",
        "portal.sso",
    }
)
"""The services whose endpoints are kept, by the names that the list of endpoints has for them.

botocore gives any other the endpoint that its name, region and partition make."""


class _FewEndpoints(JSONFileLoader):
    """Reads the files, and leaves out the endpoints of some 300 services: 7 MB of every process."""

    def load_file(self, file_path: str) -> Any:
        """Return what a file holds, or None if there is none."""
        loaded = super().load_file(file_path)
        if loaded is not None and PurePath(file_path).name == ENDPOINTS:
            for partition in loaded["partitions"]:
                services = partition["services"]
                partition["services"] = {name: services[name] for name in services if name in USED}
        return loaded


def model_loader() -> Loader:
    """Return a loader for sessions' component `data_loader`; it keeps what it has read."""
    return Loader(file_loader=_FewEndpoints())
