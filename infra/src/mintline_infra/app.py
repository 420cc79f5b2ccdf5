"""The stacks of one deployment, in the order in which they depend on each other."""

from __future__ import annotations

import aws_cdk as cdk

from mintline_infra.access import AccessStack
from mintline_infra.canary import CanaryStack
from mintline_infra.data import DataStack
from mintline_infra.deployment import RECONCILER, Deployment
from mintline_infra.identity import IdentityStack
from mintline_infra.monitoring import MonitoringStack
from mintline_infra.platform import PlatformStack
from mintline_infra.services import (
    ApiStack,
    Environment,
    IndexerStack,
    NotifierStack,
    ReconcilerStack,
    broadcaster,
    builder,
)
from mintline_infra.signer import SignerStack


def build(app: cdk.App, deployment: Deployment) -> None:
    """Declare the stacks. Looks nothing up: the same deployment gives the same templates anywhere.

    The services' come when the deployment names the contract and the keys that they mint with, as those are
    made with what the other stacks hold.
    """
    # Logs are delivered by a bucket policy, not by the access control lists of old.
    app.node.set_context("@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy", True)  # noqa: FBT003 - a flag
    app.node.set_context("@aws-cdk/core:validateAgainstDefaultRules", True)  # noqa: FBT003 - a flag
    env = cdk.Environment(account=deployment.account, region=deployment.region)

    def named(stack: str) -> str:
        return f"{deployment.prefix}-{stack}"

    access = AccessStack(app, named("access"), deployment, env)
    data = DataStack(app, named("data"), deployment, env)
    data.add_stack_dependency(access, "a key policy may only name principals that exist")
    platform = PlatformStack(app, named("platform"), deployment, env, data=data)
    identity = IdentityStack(app, named("identity"), deployment, env)
    identity.add_stack_dependency(access, "it adds to the api's role")
    cdk.Tags.of(app).add("mintline:deployment", deployment.prefix)
    if (minting := deployment.chain.minting) is None:
        return
    environment = Environment(deployment, env, data, platform, minting)
    api = ApiStack(app, named("api"), environment, identity=identity)
    readers = [
        builder(app, named("builder"), environment),
        broadcaster(app, named("broadcaster"), environment),
    ]
    for reader in readers:
        api.add_stack_dependency(reader, "a new version of it has to read what the new api stores")
    running: list[cdk.Stack] = [
        api,
        *readers,
        IndexerStack(app, named("indexer"), environment),
        NotifierStack(app, named("notifier"), environment, public_url=api.public_url),
        ReconcilerStack(app, named(RECONCILER), environment),
        SignerStack(app, named("signer"), environment),
    ]
    for stack in running:
        stack.add_stack_dependency(access, "its tasks take on their role")
    canary = CanaryStack(app, named("canary"), deployment, env, data=data)
    MonitoringStack(app, named("watch"), environment, api=api, canary=canary)
