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

READERS = {
    "broadcaster": ("notifier",),
    "signer": ("broadcaster",),
    "builder": ("signer", "notifier"),
    "indexer": ("broadcaster", "notifier"),
    "api": ("builder", "broadcaster", "indexer", "notifier", RECONCILER),
}
"""Which stacks have to be deployed before one that writes what they read."""


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
    identity = None
    if deployment.pool:
        identity = IdentityStack(app, named("identity"), deployment, env)
        identity.add_stack_dependency(access, "it adds to the api's role")
    cdk.Tags.of(app).add("mintline:deployment", deployment.prefix)
    if (minting := deployment.chain.minting) is None:
        return
    environment = Environment(deployment, env, data, platform, minting)
    api = ApiStack(app, named("api"), environment, identity=identity)
    for stack in _services(app, environment, api):
        stack.add_stack_dependency(access, "its tasks take on their role")
    canary = CanaryStack(app, named("canary"), deployment, env, data=data)
    MonitoringStack(app, named("watch"), environment, api=api, canary=canary)


def _services(app: cdk.App, environment: Environment, api: ApiStack) -> list[cdk.Stack]:
    """Declare the services, those that read messages and records before those that write them.

    So a new message meets a reader that knows it, and a reader that fails to come up rolls back before
    anything wrote for it. The broadcaster also writes to queues of the signer and the builder: a copy that
    does not know a message leaves it to one that does (`message_unsupported`).
    """

    def named(stack: str) -> str:
        return f"{environment.deployment.prefix}-{stack}"

    running: dict[str, cdk.Stack] = {
        "broadcaster": broadcaster(app, named("broadcaster"), environment),
        "signer": SignerStack(app, named("signer"), environment),
        "builder": builder(app, named("builder"), environment),
        "indexer": IndexerStack(app, named("indexer"), environment),
        "notifier": NotifierStack(app, named("notifier"), environment),
        RECONCILER: ReconcilerStack(app, named(RECONCILER), environment),
        "api": api,
    }
    for writer, readers in READERS.items():
        for reader in readers:
            running[writer].add_stack_dependency(running[reader], f"a new {reader} reads what it writes")
    return [*running.values()]
