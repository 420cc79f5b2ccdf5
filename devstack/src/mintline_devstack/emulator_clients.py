"""The emulators' clients, as the operator reaches them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from mintline.aws.dynamo import Dynamo
from mintline.aws.key_stores import DynamoKeys, SecretsManagerKeys
from mintline.aws.provision import Clients
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.key_stores import KeyStores
from mintline_devstack.emulators import PREFIX, REGION
from mintline_devstack.local_accounts import LocalAccounts, open_local_accounts
from mintline_devstack.ports import Listeners
from mintline_ops.aws_clients import AwsCredentials, AwsService, aws_client


@dataclass(frozen=True, slots=True)
class EmulatorClients:
    """The emulators, as the operator reaches them."""

    aws: Clients
    secretsmanager: Any
    stores: KeyStores
    cognito: Any
    dynamo: Dynamo
    node: Node
    accounts: LocalAccounts
    http: aiohttp.ClientSession


@asynccontextmanager
async def open_clients(ports: Listeners, operator: AwsCredentials) -> AsyncIterator[EmulatorClients]:
    """Open every client that the provisioning needs."""
    async with AsyncExitStack() as stack:

        async def client(service: AwsService) -> Any:
            endpoint = ports.url("kms_front" if service == "kms" else "ministack")
            return await stack.enter_async_context(
                aws_client(service, endpoint_url=endpoint, region=REGION, credentials=operator)
            )

        dynamodb = await client("dynamodb")
        dynamo = Dynamo(dynamodb, PREFIX)
        stack.push_async_callback(dynamo.aclose)
        rpc = Rpc([ports.url("anvil")])
        stack.push_async_callback(rpc.aclose)
        node = Node(rpc)
        secretsmanager = await client("secretsmanager")
        yield EmulatorClients(
            aws=Clients(
                sqs=await client("sqs"), dynamodb=dynamodb, s3=await client("s3"), kms=await client("kms")
            ),
            secretsmanager=secretsmanager,
            stores=KeyStores(SecretsManagerKeys(secretsmanager, prefix=PREFIX), DynamoKeys(dynamo)),
            cognito=await client("cognito-idp"),
            dynamo=dynamo,
            node=node,
            accounts=await open_local_accounts(rpc, node),
            http=await stack.enter_async_context(aiohttp.ClientSession(raise_for_status=True)),
        )
