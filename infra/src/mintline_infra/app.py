"""The stacks of one deployment, in the order in which they depend on each other."""

from __future__ import annotations

from dataclasses import dataclass

import aws_cdk as cdk

from mintline_infra.access import AccessStack
from mintline_infra.data import DataStack
from mintline_infra.deployment import Deployment


@dataclass(frozen=True, slots=True)
class Stacks:
    """All stacks of a deployment."""

    access: AccessStack
    data: DataStack


def build(app: cdk.App, deployment: Deployment) -> Stacks:
    """Declare every stack. Looks nothing up: the same deployment gives the same templates anywhere."""
    # Logs are delivered by a bucket policy, not by the access control lists of old.
    app.node.set_context("@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy", True)  # noqa: FBT003 - a flag
    env = cdk.Environment(account=deployment.account, region=deployment.region)
    access = AccessStack(app, f"{deployment.prefix}-access", deployment, env)
    data = DataStack(app, f"{deployment.prefix}-data", deployment, env)
    data.add_stack_dependency(access, "a key policy may only name principals that exist")
    cdk.Tags.of(app).add("mintline:deployment", deployment.prefix)
    return Stacks(access, data)
