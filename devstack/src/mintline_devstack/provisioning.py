"""Make a local stack's resources at its first start, and find them again at every later one.

Queues, tables, buckets and keys come from their declaration. What depends on chance (keys, user pool,
contract address) is remembered in the state folder; both emulators must still know it, else it is damaged.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import get_args

from pydantic import SecretStr

from mintline.aws.authorization_keys import AuthorizationKeySecrets
from mintline.aws.clients import AppClients, ClientRegistry, DynamoClients
from mintline.aws.dynamo import Dynamo
from mintline.aws.provision import provision
from mintline.clock import unix_ms
from mintline.errors import Misconfigured, Rejected
from mintline.key_stores import StoreName
from mintline.key_subjects import ISSUER, TREASURY, relayer
from mintline.messages.parts import KeyRef
from mintline.records.clients import ClientBudget
from mintline.records.collections import Collection
from mintline.records.keys import scoped
from mintline.resources import WALLET_KEY
from mintline.scopes import MACHINE_SCOPES
from mintline_devstack.collection_image import COLLECTION_IMAGE
from mintline_devstack.emulator_clients import EmulatorClients
from mintline_devstack.emulators import CHAIN_ID, PREFIX
from mintline_devstack.known import DemoClient, Known, KnownFactory, load_known
from mintline_devstack.operators import ensure_operator
from mintline_devstack.ports import Listeners
from mintline_devstack.run_marker import leave_mark, missing_mark
from mintline_devstack.sign_in import configure_sign_in, console_urls, create_pool, pool_exists, read_jwks
from mintline_devstack.state_folder import StateFolder, write_json
from mintline_ops import platform_keys
from mintline_ops.collection import NAME, SYMBOL, DeployedFactory
from mintline_ops.migrations import migrate
from mintline_ops.run_file import corrupt

DEMO_CLIENT = "demo-backend"
RELAYERS = 2
"""Keys that send sponsored mints."""


def wallet_store() -> StoreName:
    """Return the store that the caller's `MINTLINE_WALLET_STORE` picks for new keys; raises Misconfigured."""
    named = os.environ.get("MINTLINE_WALLET_STORE", "secretsmanager")
    for store in get_args(StoreName):
        if store == named:
            picked: StoreName = store
            return picked
    raise Misconfigured(f"MINTLINE_WALLET_STORE: expected {' or '.join(get_args(StoreName))}, not {named!r}")


async def set_up(state: StateFolder, ports: Listeners, clients: EmulatorClients) -> Known:
    """Bring the emulators to where the services can start, and return what they need to know."""
    provisioned = await provision(clients.aws, PREFIX)
    known = load_known(state)
    if known is None or not await _still_known(state, known, clients):
        known = await _first_time(ports, clients)
    await migrate(clients.dynamo, treasury=known.treasury)
    if known.api_url != ports.url("api"):
        await clients.accounts.admin.set_base_uri(known.contract, ports.url("api"))
        if known.factory is not None:
            await clients.accounts.admin.set_factory_uri(known.factory.address, ports.url("api"))
        known = known.evolve(api_url=ports.url("api"))
    await configure_sign_in(clients.cognito, known.pool, console=console_urls(ports))
    first, *others = await _relayers_of(known, clients)
    known = known.evolve(
        relayer=first,
        more_relayers=tuple(others),
        factory=await _factory_of(known, clients, relayers=[key.address for key in (first, *others)]),
        demo_client=await _demo_client_of(known, clients),
        operator=await ensure_operator(
            clients.cognito,
            known.operator,
            user_pool_id=known.pool.user_pool_id,
            console=console_urls(ports),
        ),
        authorization_key=known.authorization_key
        or await platform_keys.create_authorization_key(
            clients.aws.kms,
            AuthorizationKeySecrets(clients.secretsmanager, prefix=PREFIX),
            prefix=PREFIX,
            chain_id=CHAIN_ID,
        ),
        wallet_key=provisioned.key_arns[WALLET_KEY.name],
        jwks=await read_jwks(clients, ports, known.pool),
        intake_key=await platform_keys.read_intake_key(clients.aws.kms, prefix=PREFIX),
    )
    mark, *_ = await asyncio.gather(
        leave_mark(clients.secretsmanager, clients.node, prefix=PREFIX),
        clients.accounts.fund(
            treasury=known.treasury.address, relayers=[key.address for key in known.relayers]
        ),
        _register(clients.dynamo, known),
        _publish_collection(clients, known),
    )
    known = known.evolve(last_run=mark)
    write_json(state.known, known.model_dump(mode="json"))
    return known


async def _still_known(state: StateFolder, known: Known, clients: EmulatorClients) -> bool:
    """Tell whether the emulators hold what is remembered; False when they hold none of it.

    They save when they end: after a power cut in the first run, say, both start empty, and so does the stack.
    """
    pool, issuer, treasury, code = await asyncio.gather(
        pool_exists(clients, known.pool.user_pool_id),
        _key_exists(clients, known.issuer),
        _key_exists(clients, known.treasury),
        clients.node.code(known.contract),
    )
    present = {"user pool": pool, "issuer key": issuer, "treasury key": treasury, "contract": bool(code)}
    if any(present.values()) and not all(present.values()):
        missing = ", ".join(name for name, there in present.items() if not there)
        raise corrupt(state.path, f"{missing} missing, because the last run did not end cleanly")
    if all(present.values()) and known.last_run is not None:
        lost = await missing_mark(clients.secretsmanager, clients.node, known.last_run)
        if lost:
            raise corrupt(state.path, f"{lost} the last run, which did not end cleanly")
    return all(present.values())


async def _key_exists(clients: EmulatorClients, key: KeyRef) -> bool:
    try:
        await clients.stores.read(key)
    except Rejected:
        return False
    return True


async def _first_time(ports: Listeners, clients: EmulatorClients) -> Known:
    subjects = (ISSUER, TREASURY, *map(relayer, range(1, RELAYERS + 1)))
    pool, (issuer, treasury, *relayers) = await asyncio.gather(
        create_pool(clients.cognito),
        asyncio.gather(*(_create_platform_key(clients, subject) for subject in subjects)),
    )
    deployed = await clients.accounts.admin.deploy(
        issuer=issuer.address,
        relayers=[key.address for key in relayers],
        api_url=ports.url("api"),
        with_factory=True,
    )
    assert deployed.factory is not None
    return Known(
        pool=pool,
        issuer=issuer,
        treasury=treasury,
        relayer=relayers[0],
        more_relayers=tuple(relayers[1:]),
        admin=clients.accounts.admin.admin,
        contract=deployed.contract,
        deployed_block=deployed.block,
        factory=KnownFactory.model_validate(deployed.factory, from_attributes=True),
        api_url=ports.url("api"),
        cursor_secret=SecretStr(secrets.token_urlsafe(48)),
    )


async def _relayers_of(known: Known, clients: EmulatorClients) -> list[KeyRef]:
    """Return the relayers' keys, which may mint batches; made here for the state of an earlier version.

    Also if both emulators have lost the run that made one: then no transaction of it is left either.
    """
    there = {key.subject: key for key in known.relayers if await _key_exists(clients, key)}
    relayers = [
        there.get(subject) or await _create_platform_key(clients, subject)
        for subject in map(relayer, range(1, RELAYERS + 1))
    ]
    await clients.accounts.admin.grant_relayers(known.contract, [key.address for key in relayers])
    return relayers


async def _factory_of(known: Known, clients: EmulatorClients, relayers: list[str]) -> KnownFactory:
    """Return the factory, which the relayers may use; made here for the state of an earlier version.

    Also if the chain has lost the run that made one: then it has no collection of it either.
    """
    admin, factory = clients.accounts.admin, known.factory
    if factory is None or not await clients.node.code(factory.implementation):
        deployed = await admin.deploy_factory(api_url=known.api_url)
    else:
        multi_token = factory.multi_token
        if multi_token is None or not await clients.node.code(multi_token):
            multi_token = await admin.deploy_multi_token(factory.address)
        deployed = DeployedFactory(factory.address, factory.implementation, multi_token)
    await admin.complete_factory(deployed, relayers)
    return KnownFactory.model_validate(deployed, from_attributes=True)


async def _demo_client_of(known: Known, clients: EmulatorClients) -> DemoClient:
    """Return the demo client; made here at the first start, and for the state of an earlier version."""
    registry = ClientRegistry(
        DynamoClients(clients.dynamo), AppClients(clients.cognito, known.pool.user_pool_id)
    )
    if known.demo_client is not None and await registry.records.get(known.demo_client.client_id):
        return known.demo_client
    client, secret = await registry.create(
        DEMO_CLIENT, scopes=MACHINE_SCOPES, budget=ClientBudget(), at=unix_ms()
    )
    return DemoClient(client_id=client.client_id, secret=secret)


async def _create_platform_key(clients: EmulatorClients, subject: str) -> KeyRef:
    store = clients.stores.named(wallet_store())
    return await platform_keys.create_platform_key(
        clients.aws.kms, store, prefix=PREFIX, subject=subject, chain_id=CHAIN_ID
    )


async def _publish_collection(clients: EmulatorClients, known: Known) -> None:
    about = {
        "name": NAME,
        "symbol": SYMBOL,
        "description": "Tokens of a local Mintline stack.",
        "image": COLLECTION_IMAGE,
    }
    await platform_keys.publish_collection(
        clients.aws.s3, prefix=PREFIX, chain_id=CHAIN_ID, contract=known.contract, about=about
    )


async def _register(dynamo: Dynamo, known: Known) -> None:
    record = Collection(
        collection_id=scoped(CHAIN_ID, known.contract),
        chain_id=CHAIN_ID,
        contract=known.contract,
        name=NAME,
        symbol=SYMBOL,
        deployed_block=known.deployed_block,
        sponsored=True,
        next_token_id=1,
    )
    await platform_keys.register_collection(dynamo, record)
