"""One synthesis, shared by all tests; none of it needs an account, credentials or a network."""

from __future__ import annotations

import pytest

from mintline_infra.deployment import Deployment
from synthesis import Templates, described, synthesized


@pytest.fixture(scope="session")
def deployment() -> Deployment:
    return described()


@pytest.fixture(scope="session")
def templates(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Templates:
    return synthesized(deployment, tmp_path_factory.mktemp("cdk"))
