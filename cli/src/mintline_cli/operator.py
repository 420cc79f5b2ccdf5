"""`mintline operator`: found a deployment. Each command completes the document that `infra/` deploys from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from mintline.aws.dynamo import Dynamo
from mintline.aws.key_stores import DynamoKeys, SecretsManagerKeys
from mintline.aws.session import AwsCalls, open_client
from mintline.chain.gas import GasBound
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.errors import Misconfigured
from mintline.key_stores import KeyStores
from mintline.records import Collection, scoped
from mintline_cli.execution import execute
from mintline_cli.options import Deployment, EndpointUrl, Json, deployment
from mintline_cli.output import Screen
from mintline_ops import deployment_file, migrations
from mintline_ops import platform_keys as founding
from mintline_ops.collection import MAX_GAS, Deployer, Terms
from mintline_ops.deployment_file import Described
from mintline_ops.keystore import KeystoreAccount, open_keystore
from mintline_ops.migrations import Migrated
from mintline_ops.platform_keys import ISSUER, RELAYER, TREASURY

app = typer.Typer(help="Set up a deployment: its keys, its contract, its collection.", no_args_is_help=True)

PATIENCE = 600.0
"""Seconds for a set-up transaction to be mined."""

KEYS = {
    "intake_key": "intake    {}: the signing policy's authorization.intake_keys must have it",
    "issuer": "issuer    {[address]}",
    "treasury": "treasury  {[address]}: it pays for the gas of users' wallets, so send it ether",
    "relayer": (
        "relayer   {[address]}: it pays for sponsored mints, so send it ether; "
        "the signing policy's relayers must have it"
    ),
}
"""What is said of each key that was made, by its name in the document."""

Url = Annotated[str | None, typer.Option(help="Where the API is; the document's public_url by default.")]
RpcUrl = Annotated[str, typer.Option("--rpc", help="A node of the deployment's chain.")]
MaxGas = Annotated[
    int,
    typer.Option(
        min=1,
        envvar="MINTLINE_MAX_DEPLOYMENT_GAS",
        help="The highest gas limit of a transaction; the node's estimate and a margin decide within it.",
    ),
]
Keystore = Annotated[Path, typer.Option(help="The administrator's key: an encrypted keystore file.")]
Password = Annotated[
    str,
    typer.Option(
        envvar="MINTLINE_KEYSTORE_PASSWORD", prompt=True, hide_input=True, help="The file's password."
    ),
]


@app.command()
def keys(*, document: Deployment, endpoint_url: EndpointUrl = None, as_json: Json = False) -> None:
    """Make those of the platform's keys that the document lacks, and enter them into it.

    The wallets' key wraps them. Keys that the document has are left alone.
    """
    screen = Screen(as_json=as_json)

    async def make() -> dict[str, Any]:
        described = deployment_file.read(document)
        async with AsyncExitStack() as stack:
            made = await _keys(stack, described, endpoint_url)
        with deployment_file.changing(document) as changed:
            changed["chain"].update(made)
        return made

    made = execute(make())
    for name, text in KEYS.items():
        if name in made:
            screen.say(text.format(made[name]))
    if not made:
        screen.say(f"{document} has every key already")
    screen.result(made)


@app.command("intake-key")
def intake_key(*, document: Deployment, endpoint_url: EndpointUrl = None, as_json: Json = False) -> None:
    """Enter the intake key's public half into the document of a deployment that has its other keys."""
    screen = Screen(as_json=as_json)

    async def read() -> dict[str, Any]:
        described = deployment_file.read(document)
        settings = deployment(described.prefix, described.region, endpoint_url)
        async with AsyncExitStack() as stack:
            kms = await open_client(stack, "kms", settings, calls=AwsCalls())
            found = {"intake_key": await founding.read_intake_key(kms, prefix=described.prefix)}
        with deployment_file.changing(document) as changed:
            changed["chain"].update(found)
        return found

    found = execute(read())
    screen.say(f"the signing policy's authorization.intake_keys must have {found['intake_key']}")
    screen.result(found)


@app.command()
def deploy(
    *,
    document: Deployment,
    rpc_url: RpcUrl,
    keystore: Keystore,
    password: Password,
    name: Annotated[str, typer.Option(help="The collection's name.")],
    symbol: Annotated[str, typer.Option(help="Its symbol.")],
    royalty_bps: Annotated[int, typer.Option(min=0, max=10_000, help="Royalty, in 1/10,000 of a price.")] = 0,
    url: Url = None,
    max_gas: MaxGas = MAX_GAS,
    as_json: Json = False,
) -> None:
    """Deploy the collection's contract; the keystore's account administers it."""
    screen = Screen(as_json=as_json)

    async def send() -> dict[str, Any]:
        described = deployment_file.read(document)
        if described.chain.issuer is None:
            raise Misconfigured(f"{document}: chain.issuer is missing: run `mintline operator keys` first")
        async with _deployer(described, rpc_url, keystore, password, max_gas) as deployer:
            deployed = await deployer.deploy(
                issuer=described.chain.issuer.address,
                relayer=described.chain.relayer.address if described.chain.relayer is not None else None,
                api_url=_api_url(document, described, url),
                terms=Terms(name, symbol, royalty_bps),
            )
        with deployment_file.changing(document) as changed:
            changed["chain"]["default_collection"] = deployed.contract
        return {"contract": deployed.contract, "block": deployed.block, "admin": deployer.admin}

    sent = execute(send())
    screen.say(f"contract {sent['contract']}, deployed in block {sent['block']} by {sent['admin']}")
    screen.result(sent)


@app.command("grant-relayer")
def grant_relayer(
    *,
    document: Deployment,
    rpc_url: RpcUrl,
    keystore: Keystore,
    password: Password,
    max_gas: MaxGas = MAX_GAS,
    as_json: Json = False,
) -> None:
    """Let the document's relayer mint batches at a contract that was deployed before it was made."""
    screen = Screen(as_json=as_json)

    async def send() -> dict[str, Any]:
        described = deployment_file.read(document)
        contract, relayer = _contract(document, described), described.chain.relayer
        if relayer is None:
            raise Misconfigured(f"{document}: chain.relayer is missing: run `mintline operator keys` first")
        async with _deployer(described, rpc_url, keystore, password, max_gas) as deployer:
            granted = await deployer.grant_relayer(contract, relayer.address)
        return {"contract": contract, "relayer": relayer.address, "granted": granted}

    sent = execute(send())
    screen.say(
        f"{sent['relayer']} may mint batches at {sent['contract']}" + ("" if sent["granted"] else " already")
    )
    screen.result(sent)


@app.command()
def repoint(
    *,
    document: Deployment,
    rpc_url: RpcUrl,
    keystore: Keystore,
    password: Password,
    url: Url = None,
    max_gas: MaxGas = MAX_GAS,
    as_json: Json = False,
) -> None:
    """Make the contract's URIs lead to the API at another address."""
    screen = Screen(as_json=as_json)

    async def send() -> dict[str, Any]:
        described = deployment_file.read(document)
        contract, api_url = _contract(document, described), _api_url(document, described, url)
        async with _deployer(described, rpc_url, keystore, password, max_gas) as deployer:
            await deployer.repoint(contract, api_url)
        return {"contract": contract, "url": api_url}

    sent = execute(send())
    screen.say(f"the tokens of {sent['contract']} point to {sent['url']}")
    screen.result(sent)


@app.command()
def register(
    *,
    document: Deployment,
    name: Annotated[str, typer.Option(help="The collection's name.")],
    symbol: Annotated[str, typer.Option(help="Its symbol.")],
    description: Annotated[str, typer.Option(help="What it is, for marketplaces.")],
    block: Annotated[int, typer.Option(min=0, help="The block that deployed its contract.")],
    endpoint_url: EndpointUrl = None,
    as_json: Json = False,
) -> None:
    """Give the document's contract its row, from which it is minted and indexed, and publish its metadata."""
    screen = Screen(as_json=as_json)

    async def write() -> dict[str, Any]:
        described = deployment_file.read(document)
        contract, chain_id = _contract(document, described), described.chain.chain_id
        settings = deployment(described.prefix, described.region, endpoint_url)
        async with AsyncExitStack() as stack:
            dynamo = Dynamo(
                await open_client(stack, "dynamodb", settings, calls=AwsCalls()), described.prefix
            )
            stack.push_async_callback(dynamo.aclose)
            s3 = await open_client(stack, "s3", settings, calls=AwsCalls())
            about = {"name": name, "symbol": symbol, "description": description}
            await founding.publish_collection(
                s3, prefix=described.prefix, chain_id=chain_id, contract=contract, about=about
            )
            new = await founding.register_collection(
                dynamo,
                Collection(
                    collection_id=scoped(chain_id, contract),
                    chain_id=chain_id,
                    contract=contract,
                    name=name,
                    symbol=symbol,
                    deployed_block=block,
                    next_token_id=1,
                ),
            )
        return {"contract": contract, "registered": new}

    written = execute(write())
    screen.say(
        f"{written['contract']} is registered"
        if written["registered"]
        else f"{written['contract']} was registered before; its row stays, its metadata is new"
    )
    screen.result(written)


@app.command()
def migrate(*, document: Deployment, endpoint_url: EndpointUrl = None, as_json: Json = False) -> None:
    """Bring the tables of an earlier version to this one's form; stop the services first."""
    screen = Screen(as_json=as_json)

    async def move() -> list[Migrated]:
        described = deployment_file.read(document)
        if (treasury := described.chain.treasury) is None:
            raise Misconfigured(f"{document}: chain.treasury is missing: make the keys first")
        settings = deployment(described.prefix, described.region, endpoint_url)
        async with AsyncExitStack() as stack:
            client = await open_client(stack, "dynamodb", settings, calls=AwsCalls())
            dynamo = Dynamo(client, described.prefix)
            stack.push_async_callback(dynamo.aclose)
            return await migrations.migrate(dynamo, treasury=treasury)

    done = execute(move())
    for step in done:
        screen.say(f"step {step.number}, {step.name}: {step.items} items")
    if not done:
        screen.say("the tables have this version's form already")
    screen.result({"steps": [asdict(step) for step in done]})


async def _keys(stack: AsyncExitStack, described: Described, endpoint_url: str | None) -> dict[str, Any]:
    """Make the keys that the document lacks, and return them as it holds them."""
    prefix, chain = described.prefix, described.chain
    settings = deployment(prefix, described.region, endpoint_url)
    calls = AwsCalls()
    kms = await open_client(stack, "kms", settings, calls=calls)
    secretsmanager = await open_client(stack, "secretsmanager", settings, calls=calls)
    dynamo = Dynamo(await open_client(stack, "dynamodb", settings, calls=calls), prefix)
    stack.push_async_callback(dynamo.aclose)
    store = KeyStores(SecretsManagerKeys(secretsmanager, prefix=prefix), DynamoKeys(dynamo)).named(
        described.wallet_store
    )
    made: dict[str, Any] = {}
    platform = (
        ("issuer", ISSUER, chain.issuer),
        ("treasury", TREASURY, chain.treasury),
        ("relayer", RELAYER, chain.relayer),
    )
    for name, subject, present in platform:
        if present is None:
            key = await founding.create_platform_key(
                kms, store, prefix=prefix, subject=subject, chain_id=chain.chain_id
            )
            made[name] = key.model_dump(mode="json")
    if chain.sealing is None:
        sealing = await founding.create_sealing_key(
            kms, secretsmanager, prefix=prefix, chain_id=chain.chain_id
        )
        made["sealing"] = {"public_key": sealing.public_key, "secrets": [sealing.secret_id]}
    if chain.intake_key is None:
        made["intake_key"] = await founding.read_intake_key(kms, prefix=prefix)
    return made


@asynccontextmanager
async def _deployer(
    described: Described, rpc_url: str, keystore: Path, password: str, max_gas: int
) -> AsyncIterator[Deployer]:
    """Open the administrator's account; raises Misconfigured when the node is on another chain."""
    account = open_keystore(keystore, password)
    rpc = Rpc([rpc_url], timeout=30.0)
    try:
        node = Node(rpc)
        chain_id = await node.chain_id()
        if chain_id != described.chain.chain_id:
            raise Misconfigured(
                f"the node is on chain {chain_id}, the deployment on {described.chain.chain_id}"
            )
        yield Deployer(
            node,
            KeystoreAccount(node, account, chain_id),
            patience=PATIENCE,
            gas=GasBound("--max-gas", max_gas),
        )
    finally:
        await rpc.aclose()


def _contract(document: Path, described: Described) -> str:
    if described.chain.default_collection is None:
        raise Misconfigured(f"{document}: chain.default_collection is missing: deploy the contract first")
    return described.chain.default_collection


def _api_url(document: Path, described: Described, url: str | None) -> str:
    chosen = url or described.public_url
    if chosen is None:
        raise Misconfigured(f"{document}: public_url is null: name the API's address by --url")
    return chosen.rstrip("/")
