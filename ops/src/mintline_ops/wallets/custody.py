"""Open what the work on wallets needs: of the local stack, or of a deployment on AWS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mintline.aws.authorization_key_items import AuthorizationKeyItems, AuthorizationKeyStores
from mintline.aws.authorization_keys import AuthorizationKeySecrets
from mintline.aws.dynamo import Dynamo
from mintline.aws.key_stores import DynamoKeys, SecretsManagerKeys
from mintline.aws.session import AwsCalls, open_client
from mintline.key_stores import KeyStores
from mintline.settings import ServiceSettings
from mintline_ops.aws_clients import operator_client
from mintline_ops.tables import table_of_deployment, table_of_local_stack
from mintline_ops.wallets.dynamo import DynamoBelongings, DynamoWalletRecords

if TYPE_CHECKING:
    from types_aiobotocore_secretsmanager import SecretsManagerClient


@dataclass(frozen=True, slots=True)
class Custody:
    """The wallets of one deployment, what they own, and where their keys are."""

    records: DynamoWalletRecords
    belongings: DynamoBelongings
    stores: KeyStores
    authorization_keys: AuthorizationKeyStores


def _custody(dynamo: Dynamo, secretsmanager: SecretsManagerClient, prefix: str) -> Custody:
    return Custody(
        DynamoWalletRecords(dynamo),
        DynamoBelongings(dynamo),
        KeyStores(SecretsManagerKeys(secretsmanager, prefix=prefix), DynamoKeys(dynamo)),
        AuthorizationKeyStores(
            AuthorizationKeySecrets(secretsmanager, prefix=prefix), AuthorizationKeyItems(dynamo)
        ),
    )


@asynccontextmanager
async def custody_of_local_stack(info: Mapping[str, Any]) -> AsyncIterator[Custody]:
    """Open the custody of the local stack that `info`, its run file, describes."""
    async with table_of_local_stack(info) as dynamo, operator_client("secretsmanager", info) as client:
        yield _custody(dynamo, client, info["prefix"])


@asynccontextmanager
async def custody_of_deployment(settings: ServiceSettings) -> AsyncIterator[Custody]:
    """Open the custody of any deployment, with credentials from AWS's usual chain."""
    async with table_of_deployment(settings) as dynamo, AsyncExitStack() as stack:
        client = await open_client(stack, "secretsmanager", settings, calls=AwsCalls())
        yield _custody(dynamo, client, settings.resource_prefix)
