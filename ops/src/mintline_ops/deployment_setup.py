"""Set up a deployment: its keys, its contract, its collection. Results complete the document of `infra/`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mintline.aws.authorization_key_items import AuthorizationKeyItems, AuthorizationKeyStore
from mintline.aws.authorization_keys import AuthorizationKeySecrets
from mintline.aws.dynamo import Dynamo
from mintline.aws.key_stores import DynamoKeys, SecretsManagerKeys
from mintline.aws.session import AwsCalls, open_client
from mintline.chain.gas import GasBound
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.errors import Misconfigured
from mintline.key_stores import KeyStore, KeyStores
from mintline.key_subjects import ISSUER, TREASURY, relayer
from mintline.records.collections import Collection
from mintline.records.keys import scoped
from mintline.settings import ServiceSettings
from mintline_ops import deployment_file, migrations, platform_keys
from mintline_ops.collection import CollectionTerms, Deployer
from mintline_ops.deployment_file import Described
from mintline_ops.deployments import settings_of
from mintline_ops.keystore import KeystoreAccount, open_keystore
from mintline_ops.migrations import Migrated

if TYPE_CHECKING:
    from types_aiobotocore_kms import KMSClient

PATIENCE = 600.0
"""Seconds for a set-up transaction to be mined."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """The contract that was deployed."""

    contract: str
    block: int
    admin: str


@dataclass(frozen=True, slots=True)
class Pool:
    """A deployment's relayers, by address, and those of them that were made just now."""

    relayers: list[str]
    created: list[str]


@dataclass(frozen=True, slots=True)
class Granted:
    """The relayers that were given their role at a contract, by address; the others had it before."""

    contract: str
    granted: list[str]
    factory: str | None = None
    at_factory: list[str] = field(default_factory=list)
    """Those that were given it at the factory."""


@dataclass(frozen=True, slots=True)
class BaseUri:
    """The API's address that a contract's URIs begin with."""

    contract: str
    url: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A contract's row; `registered` is False if it had one before."""

    contract: str
    registered: bool


@dataclass(frozen=True, slots=True)
class About:
    """What a collection's row and its metadata say."""

    name: str
    symbol: str
    description: str
    deployed_block: int
    image: str | None = None
    """The URL of an image, which marketplaces show."""
    sponsored: bool | None = None
    """Whether users may have a relayer pay for their mints; None leaves it as it is, or not sponsored."""


@dataclass(frozen=True, slots=True)
class Administrator:
    """The account that administers a deployment's contract, and the node that it sends through."""

    document: Path
    rpc_url: str
    keystore: Path
    password: str
    max_gas: int

    @asynccontextmanager
    async def deployer(self, described: Described) -> AsyncIterator[Deployer]:
        """Open the account; raises Misconfigured when the node is on another chain."""
        account = open_keystore(self.keystore, self.password)
        rpc = Rpc([self.rpc_url], timeout=30.0)
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
                gas=GasBound("--max-gas", self.max_gas),
            )
        finally:
            await rpc.aclose()


async def make_keys(document: Path, endpoint_url: str | None) -> dict[str, Any]:
    """Make those of the platform's keys that the document lacks, enter them into it, and return them."""
    described = deployment_file.read(document)
    async with AsyncExitStack() as stack:
        keys = await _make_keys(stack, described, endpoint_url)
    with deployment_file.changing(document) as changed:
        changed["chain"].update(keys)
    return keys


async def read_intake_key(document: Path, endpoint_url: str | None) -> str:
    """Enter the intake key's public half into the document, and return it."""
    described = deployment_file.read(document)
    settings = settings_of(described.prefix, described.region, endpoint_url)
    async with AsyncExitStack() as stack:
        kms = await open_client(stack, "kms", settings, calls=AwsCalls())
        key = await platform_keys.read_intake_key(kms, prefix=described.prefix)
    with deployment_file.changing(document) as changed:
        changed["chain"]["intake_key"] = key
    return key


async def deploy(administrator: Administrator, *, terms: CollectionTerms, url: str | None) -> Deployed:
    """Deploy the collection's contract, and enter it into the document."""
    document = administrator.document
    described = deployment_file.read(document)
    if described.chain.issuer is None:
        raise Misconfigured(f"{document}: chain.issuer is missing: run `mintline operator keys` first")
    async with administrator.deployer(described) as deployer:
        deployed = await deployer.deploy(
            issuer=described.chain.issuer.address,
            relayers=[key.address for key in described.chain.pool],
            api_url=api_url_of(document, described, url),
            terms=terms,
        )
    with deployment_file.changing(document) as changed:
        changed["chain"]["default_collection"] = deployed.contract
    return Deployed(deployed.contract, deployed.block, deployer.admin)


async def make_relayers(document: Path, count: int, endpoint_url: str | None) -> Pool:
    """Make relayers' keys until the document has `count`, and enter them into it; raises Misconfigured.

    Each is entered before the next is made, so that a run that was cut off is continued by another.
    """
    described = deployment_file.read(document)
    pool = [*described.chain.pool]
    if count < len(pool):
        raise Misconfigured(
            f"{document}: chain has {len(pool)} relayers: pass --count {len(pool)} or more, or remove one as "
            "docs/ceremonies.md says"
        )
    created: list[str] = []
    async with AsyncExitStack() as stack:
        settings = settings_of(described.prefix, described.region, endpoint_url)
        kms, store = await _key_clients(stack, described, settings)
        taken = {key.subject for key in pool}
        subjects = (name for number in range(1, 100) if (name := relayer(number)) not in taken)
        while len(pool) < count:
            key = await platform_keys.create_platform_key(
                kms, store, prefix=described.prefix, subject=next(subjects), chain_id=described.chain.chain_id
            )
            pool.append(key)
            created.append(key.address)
            with deployment_file.changing(document) as changed:
                changed["chain"]["relayers"] = [key.model_dump(mode="json") for key in pool]
                changed["chain"].pop("relayer", None)
    return Pool([key.address for key in pool], created)


async def grant_relayers(administrator: Administrator) -> Granted:
    """Let the document's relayers mint batches at its contract, and use its factory if it has one."""
    document = administrator.document
    described = deployment_file.read(document)
    contract, factory = _contract(document, described), described.chain.factory
    pool = [key.address for key in described.chain.pool]
    async with administrator.deployer(described) as deployer:
        granted = await deployer.grant_relayers(contract, pool)
        if factory is None:
            return Granted(contract, granted)
        return Granted(
            contract, granted, factory.address, await deployer.grant_relayers(factory.address, pool)
        )


def name_relayers(document: Path, policy: Path) -> None:
    """Have a policy document name the deployment's relayers; the enclave checks the rest of it."""
    pool = deployment_file.read(document).chain.pool
    with deployment_file.changing(policy) as changed:
        changed["relayers"] = [{"address": key.address, "subject": key.subject} for key in pool]


async def set_base_uri(administrator: Administrator, *, url: str | None) -> BaseUri:
    """Make the URIs of the contract, and of the factory's collections, lead to the API at `url`.

    Or at the document's address.
    """
    document = administrator.document
    described = deployment_file.read(document)
    contract, api_url = _contract(document, described), api_url_of(document, described, url)
    async with administrator.deployer(described) as deployer:
        await deployer.set_base_uri(contract, api_url)
        if described.chain.factory is not None:
            await deployer.set_factory_uri(described.chain.factory.address, api_url)
    return BaseUri(contract, api_url)


async def register(document: Path, about: About, endpoint_url: str | None) -> Registered:
    """Give the document's contract its row, and publish its metadata.

    Of a row that is there only whether it is sponsored is changed, if that is given.
    """
    described = deployment_file.read(document)
    contract, chain_id = _contract(document, described), described.chain.chain_id
    settings = settings_of(described.prefix, described.region, endpoint_url)
    async with AsyncExitStack() as stack:
        dynamo = Dynamo(await open_client(stack, "dynamodb", settings, calls=AwsCalls()), described.prefix)
        stack.push_async_callback(dynamo.aclose)
        s3 = await open_client(stack, "s3", settings, calls=AwsCalls())
        await platform_keys.publish_collection(
            s3,
            prefix=described.prefix,
            chain_id=chain_id,
            contract=contract,
            about={
                "name": about.name,
                "symbol": about.symbol,
                "description": about.description,
                "image": about.image,
            },
        )
        new = await platform_keys.register_collection(
            dynamo,
            Collection(
                collection_id=scoped(chain_id, contract),
                chain_id=chain_id,
                contract=contract,
                name=about.name,
                symbol=about.symbol,
                deployed_block=about.deployed_block,
                sponsored=bool(about.sponsored),
                next_token_id=1,
            ),
            keeps_sponsored=about.sponsored is None,
        )
    return Registered(contract, new)


async def migrate(document: Path, endpoint_url: str | None) -> list[Migrated]:
    """Bring the tables of an earlier version to this one's form, and return the steps that were taken."""
    described = deployment_file.read(document)
    if (treasury := described.chain.treasury) is None:
        raise Misconfigured(f"{document}: chain.treasury is missing: make the keys first")
    settings = settings_of(described.prefix, described.region, endpoint_url)
    async with AsyncExitStack() as stack:
        client = await open_client(stack, "dynamodb", settings, calls=AwsCalls())
        dynamo = Dynamo(client, described.prefix)
        stack.push_async_callback(dynamo.aclose)
        return await migrations.migrate(dynamo, treasury=treasury)


async def _make_keys(stack: AsyncExitStack, described: Described, endpoint_url: str | None) -> dict[str, Any]:
    """Make the keys that the document lacks, and return them as it holds them."""
    prefix, chain = described.prefix, described.chain
    settings = settings_of(prefix, described.region, endpoint_url)
    kms, store = await _key_clients(stack, described, settings)
    keys: dict[str, Any] = {}
    platform = (
        ("issuer", ISSUER, chain.issuer is not None),
        ("treasury", TREASURY, chain.treasury is not None),
        ("relayer", relayer(1), bool(chain.pool)),
    )
    for name, subject, present in platform:
        if not present:
            key = await platform_keys.create_platform_key(
                kms, store, prefix=prefix, subject=subject, chain_id=chain.chain_id
            )
            keys[name] = key.model_dump(mode="json")
    if chain.authorization_key is None:
        keeping = await _authorization_key_store(stack, described, settings)
        authorization_key = await platform_keys.create_authorization_key(
            kms, keeping, prefix=prefix, chain_id=chain.chain_id
        )
        keys["authorization_key"] = {
            "public_key": authorization_key.public_key,
            "secrets": [authorization_key.secret_id],
        }
    if chain.intake_key is None:
        keys["intake_key"] = await platform_keys.read_intake_key(kms, prefix=prefix)
    return keys


async def _authorization_key_store(
    stack: AsyncExitStack, described: Described, settings: ServiceSettings
) -> AuthorizationKeyStore:
    """Open a new authorization key's store: a small deployment's signer does not reach Secrets Manager."""
    calls = AwsCalls()
    if described.size == "small":
        dynamo = Dynamo(await open_client(stack, "dynamodb", settings, calls=calls), described.prefix)
        stack.push_async_callback(dynamo.aclose)
        return AuthorizationKeyItems(dynamo)
    client = await open_client(stack, "secretsmanager", settings, calls=calls)
    return AuthorizationKeySecrets(client, prefix=described.prefix)


async def _key_clients(
    stack: AsyncExitStack, described: Described, settings: ServiceSettings
) -> tuple[KMSClient, KeyStore]:
    calls = AwsCalls()
    kms = await open_client(stack, "kms", settings, calls=calls)
    secretsmanager = await open_client(stack, "secretsmanager", settings, calls=calls)
    dynamo = Dynamo(await open_client(stack, "dynamodb", settings, calls=calls), described.prefix)
    stack.push_async_callback(dynamo.aclose)
    stores = KeyStores(SecretsManagerKeys(secretsmanager, prefix=described.prefix), DynamoKeys(dynamo))
    return kms, stores.named(described.wallet_store)


def _contract(document: Path, described: Described) -> str:
    if described.chain.default_collection is None:
        raise Misconfigured(f"{document}: chain.default_collection is missing: deploy the contract first")
    return described.chain.default_collection


def api_url_of(document: Path, described: Described, url: str | None) -> str:
    """Return the API's address for URIs: `url`, else the document's; raises Misconfigured without."""
    chosen = url or described.public_url
    if chosen is None:
        raise Misconfigured(f"{document}: public_url is null: name the API's address by --url")
    return chosen.rstrip("/")
