"""What the api talks to: AWS, the chain, and what all of its features share."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp

from mintline.aws.dead_letters import DeadLetters
from mintline.aws.dynamo import Dynamo
from mintline.aws.key_stores import open_key_stores
from mintline.aws.notices import DynamoNotices
from mintline.aws.queues import Queues
from mintline.aws.session import open_client
from mintline.chain.node import Node
from mintline.clock import unix_ms
from mintline.key_stores import KeyStores
from mintline.notices import Notices
from mintline.proofs.block_reader import BlockReader
from mintline.rpc_factory import open_rpc
from mintline_api.auth.access_tokens import Issuer
from mintline_api.auth.clients import ClientDirectory
from mintline_api.auth.intake_sessions import IntakeSessions
from mintline_api.auth.jwks import HttpJwks, KeySet, check_any
from mintline_api.auth.store import DynamoClientRecords, KmsIntake
from mintline_api.auth.user_pool import HttpUserInfo
from mintline_api.features.bulk.store import Packs
from mintline_api.features.mints.packing import MetadataPacker
from mintline_api.features.mints.store import DynamoMints, DynamoTokenIds
from mintline_api.features.mints.token_ids import TokenIds
from mintline_api.features.tokens.store import DynamoIndex
from mintline_api.limits.client_budgets import ClientBudgets
from mintline_api.limits.store import DynamoClientUse
from mintline_api.metrics import Metrics
from mintline_api.settings import PoolSettings, Settings

if TYPE_CHECKING:
    from types_aiobotocore_cognito_idp import CognitoIdentityProviderClient
    from types_aiobotocore_kms import KMSClient
    from types_aiobotocore_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Pool:
    """The user pool, and what of it the api asks."""

    settings: PoolSettings
    keys: KeySet
    user_info: HttpUserInfo
    cognito: CognitoIdentityProviderClient


@dataclass(frozen=True, slots=True)
class Environment:
    """What the api talks to; no `chain` without an endpoint: a silent node makes few answers poorer.

    No `user_pool` where other issuers stand in its place.
    """

    dynamo: Dynamo
    queues: Queues
    dead_letters: DeadLetters
    s3: S3Client
    upload_signer: S3Client
    kms: KMSClient
    key_stores: KeyStores
    user_pool: Pool | None
    other_issuers: Sequence[Issuer]
    intake: IntakeSessions
    token_ids: TokenIds
    packs: Packs
    metadata_packer: MetadataPacker
    chain: Node | None
    blocks: BlockReader | None
    client_directory: ClientDirectory
    client_budgets: ClientBudgets

    async def check_keys(self) -> None:
        """Raise Unavailable if there are no keys to verify people's tokens with.

        They are the user pool's or, without one, those of any of the other issuers.
        """
        pool = self.user_pool
        await check_any([issuer.keys for issuer in self.other_issuers] if pool is None else [pool.keys])


async def open_environment(stack: AsyncExitStack, settings: Settings, metrics: Metrics) -> Environment:
    """Connect to all of it; everything is closed with `stack`."""
    prefix, calls = settings.resource_prefix, metrics.aws
    dynamo = Dynamo(await open_client(stack, "dynamodb", settings, calls=calls), prefix)
    stack.push_async_callback(dynamo.aclose)
    queues = Queues(await open_client(stack, "sqs", settings, calls=calls), prefix)
    stack.push_async_callback(queues.aclose)
    session = await stack.enter_async_context(aiohttp.ClientSession())
    chain = blocks = None
    if settings.rpc_urls:
        rpc = await open_rpc(stack, settings, observer=metrics.rpc, tracer=calls.tracer)
        chain, blocks = Node(rpc), BlockReader(rpc)
    kms = await open_client(stack, "kms", settings, calls=calls, endpoint_url=settings.kms_endpoint_url)
    client_directory = ClientDirectory(
        DynamoClientRecords(dynamo, set_aside=metrics.set_aside), now=time.time
    )
    s3 = await open_client(stack, "s3", settings, calls=calls)
    packs = Packs(s3, dynamo, prefix=prefix, set_aside=metrics.set_aside)
    return Environment(
        dynamo=dynamo,
        queues=queues,
        dead_letters=await _dead_letters(stack, settings, metrics),
        s3=s3,
        upload_signer=await open_client(
            stack, "s3", settings, calls=calls, endpoint_url=settings.upload_endpoint_url
        ),
        kms=kms,
        key_stores=await open_key_stores(stack, settings, dynamo, calls=calls),
        user_pool=await _pool(stack, settings, session, metrics),
        other_issuers=_other_issuers(stack, settings, session),
        intake=IntakeSessions(
            KmsIntake(kms, prefix=prefix).certify,
            intake_key=settings.intake_public_key(),
            now=unix_ms,
        ),
        token_ids=_token_ids(stack, settings, metrics, dynamo),
        packs=packs,
        metadata_packer=_packer(stack, settings, packs),
        chain=chain,
        blocks=blocks,
        client_directory=client_directory,
        client_budgets=_client_budgets(
            stack, settings, metrics, dynamo, clients=client_directory, chain=chain
        ),
    )


async def _dead_letters(stack: AsyncExitStack, settings: Settings, metrics: Metrics) -> DeadLetters:
    sqs = await open_client(stack, "sqs", settings, calls=metrics.aws, role_arn=settings.redrive_role_arn)
    return DeadLetters(sqs, settings.resource_prefix)


async def _pool(
    stack: AsyncExitStack, settings: Settings, session: aiohttp.ClientSession, metrics: Metrics
) -> Pool | None:
    if (pool := settings.user_pool()) is None:
        return None
    keys = KeySet(HttpJwks(session, pool.jwks_url), clock=time.monotonic)
    stack.push_async_callback(keys.aclose)
    cognito = await open_client(stack, "cognito-idp", settings, calls=metrics.aws)
    return Pool(pool, keys, HttpUserInfo(session, pool.userinfo_url), cognito)


def _other_issuers(
    stack: AsyncExitStack, settings: Settings, session: aiohttp.ClientSession
) -> Sequence[Issuer]:
    other_issuers = []
    for issuer in settings.other_issuers:
        its_keys = KeySet(HttpJwks(session, issuer.jwks_url), clock=time.monotonic)
        stack.push_async_callback(its_keys.aclose)
        other_issuers.append(Issuer(its_keys, issuer.rules()))
    return other_issuers


def _token_ids(stack: AsyncExitStack, settings: Settings, metrics: Metrics, dynamo: Dynamo) -> TokenIds:
    token_ids = TokenIds(
        DynamoTokenIds(dynamo, chain_id=settings.chain_id, set_aside=metrics.set_aside),
        used=(
            DynamoIndex(dynamo, chain_id=settings.chain_id, set_aside=metrics.set_aside),
            DynamoMints(dynamo, set_aside=metrics.set_aside),
        ),
        clock=time.monotonic,
        set_back=metrics.token_ids_set_back.inc,
    )
    stack.push_async_callback(token_ids.aclose)
    return token_ids


def _packer(stack: AsyncExitStack, settings: Settings, packs: Packs) -> MetadataPacker:
    packer = MetadataPacker(packs, chain_id=settings.chain_id, clock=time.monotonic)
    stack.push_async_callback(packer.aclose)
    return packer


def _client_budgets(
    stack: AsyncExitStack,
    settings: Settings,
    metrics: Metrics,
    dynamo: Dynamo,
    *,
    clients: ClientDirectory,
    chain: Node | None,
) -> ClientBudgets:
    client_budgets = ClientBudgets(
        DynamoClientUse(dynamo, set_aside=metrics.set_aside),
        clients=clients,
        chain=chain,
        now=unix_ms,
        clock=time.monotonic,
        mint_gas=settings.sponsored_mint_gas,
        notices=Notices(DynamoNotices(dynamo)),
        refused=metrics.client_budget_refused,
    )
    stack.push_async_callback(client_budgets.aclose)
    return client_budgets
