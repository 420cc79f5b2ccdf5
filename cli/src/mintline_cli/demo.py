"""`mintline demo`: mint NFTs as a user and as a backend, and check them against the API, the chain and S3."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
from eth_abi.abi import decode, encode

from mintline.aws.objects import read_object
from mintline.aws.packs import read_packed
from mintline.chain import collection
from mintline.chain.calls import Call
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.errors import Rejected
from mintline.eth import selector, to_checksum_address
from mintline.object_keys import metadata_object_key
from mintline.records.keys import scoped
from mintline.resources import METADATA
from mintline.set_aside import SetAside
from mintline_cli.execution import execute
from mintline_cli.options import State
from mintline_cli.output import Screen
from mintline_cli.stack import needing_devstack
from mintline_client.api import Api
from mintline_client.minting import follow
from mintline_client.models import MintView
from mintline_client.sign_in import demo_client_token, sign_in
from mintline_ops import run_file
from mintline_ops.aws_clients import operator_client
from mintline_ops.run_file import DEFAULT_STATE
from mintline_ops.tables import table_of_local_stack

IMAGE = (
    "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCAx"
    "MDAgMTAwIj48cmVjdCB3aWR0aD0iMTAwIiBoZWlnaHQ9IjEwMCIgZmlsbD0iIzEyMzI0YSIvPjxjaXJjbGUgY3g9IjUwIiBjeT0i"
    "NTAiIHI9IjMwIiBmaWxsPSIjNmVlN2I3Ii8+PC9zdmc+"
)
"""A green disc on a dark square."""
METADATA_OF_DEMO: dict[str, Any] = {
    "name": "First light",
    "description": "Minted by the demo: from a POST to a wallet in a few seconds.",
    "image": IMAGE,
    "attributes": [
        {"trait_type": "Origin", "value": "make demo"},
        {"trait_type": "Level", "value": 1, "display_type": "number", "max_value": 10},
    ],
}


def demo(*, state: State = DEFAULT_STATE) -> None:
    """Mint an NFT as a user and one as a backend, check both, and print JSON on stdout.

    Progress goes to stderr.

    Example: mintline demo
    """
    screen = Screen(as_json=True)

    async def mint_one() -> dict[str, Any]:
        running = run_file.running(state)
        if running is not None:
            screen.say(f"using the local stack at {running['api_url']}")
            return await demonstrate(running, screen)
        with needing_devstack():
            from mintline_cli import local_stack  # noqa: PLC0415 - operators install the CLI without it
        screen.say("starting the local stack")
        async with local_stack.started(screen, state) as stack:
            return await demonstrate(stack.info, screen)

    screen.result(execute(mint_one()))


class Mismatch(Rejected):
    """The chain, S3 and the API do not agree."""

    def __init__(self, what: str, *, expected: object, actual: object) -> None:
        super().__init__("mismatch", f"{what}: expected {expected}, found {actual}")


async def demonstrate(info: Mapping[str, Any], screen: Screen) -> dict[str, Any]:
    """Mint as the demo user and as the demo client, check both; raises MintlineError.

    Returns what the demo prints.
    """
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)))
        rpc = Rpc([info["rpc_url"]])
        stack.push_async_callback(rpc.aclose)
        node = Node(rpc)
        user = info["cognito"]
        tokens = await sign_in(http, info, username=user["username"], password=user["password"])
        screen.stage("signed in", f"as {user['username']}")
        own = await _mint(Api(http, info["api_url"], tokens.access_token), {}, info, node, screen)
        seconds = round(time.monotonic() - started, 2)
        given = await _mint_for_somebody(http, info, node, screen)
    return {**_summary(own), "seconds": seconds, "sponsored": given}


async def _mint_for_somebody(
    http: aiohttp.ClientSession, info: Mapping[str, Any], node: Node, screen: Screen
) -> dict[str, Any]:
    """Mint as a company's backend does, to an e-mail address that nobody has used; a relayer pays."""
    tokens = await demo_client_token(http, info)
    email = f"{uuid.uuid4().hex[:8]}@example.com"
    screen.stage("signed in", f"as the machine client demo-backend, which mints for {email}")
    api = Api(http, info["api_url"], tokens.access_token)
    mint = await _mint(api, {"recipient": {"email": email}}, info, node, screen)
    balance, nonce = await node.balance(mint["to"]), await node.transaction_count(mint["to"])
    agree("the balance of the wallet, in wei", balance, 0)
    agree("the transactions of the wallet", nonce, 0)
    screen.stage("wallet", f"{mint['to']}: balance {balance}, nonce {nonce}; a relayer paid")
    return {**_summary(mint), "email": email, "wallet_balance": balance, "wallet_nonce": nonce}


async def _mint(
    api: Api, recipient: Mapping[str, Any], info: Mapping[str, Any], node: Node, screen: Screen
) -> MintView:
    accepted = await api.post(
        "/v1/mints", {**recipient, "metadata": METADATA_OF_DEMO}, idempotency_key=f"demo-{uuid.uuid4()}"
    )
    with screen.waiting("minting"):
        mint = await follow(
            api, accepted, passed=lambda stage, seconds: screen.stage(stage, f"{seconds:5.2f} s")
        )
    with screen.waiting("checking"):
        await check_api(api, mint)
        await check_chain(node, mint, info["api_url"])
        await check_storage(info, mint)
    screen.stage("checked", "owner on chain, digest against S3 and the Minted event, metadata by the API")
    return mint


def _summary(mint: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "mint_id": mint["mint_id"],
        "token_id": mint["token_id"],
        "contract": mint["contract"],
        "owner": mint["to"],
        "tx_hash": mint["tx_hash"],
        "block": mint["block_number"],
        "status": mint["status"],
    }


def agree(what: str, actual: object, expected: object) -> None:
    """Raise Mismatch unless the two are equal."""
    if actual != expected:
        raise Mismatch(what, expected=expected, actual=actual)


async def check_api(api: Api, mint: Mapping[str, Any]) -> None:
    """Check the owner and the metadata that the API gives."""
    path = f"{mint['contract']}/{mint['token_id']}"
    token = await api.get(f"/v1/tokens/{path}")
    agree("the API's owner", token["owner"], mint["to"])
    content = await api.get_bytes(f"/v1/metadata/{path}")
    agree("the digest of the API's metadata", digest(content), mint["metadata_digest"])
    metadata = json.loads(content)
    agree("the API's metadata", {key: metadata.get(key) for key in METADATA_OF_DEMO}, METADATA_OF_DEMO)


async def check_chain(node: Node, mint: Mapping[str, Any], api_url: str) -> None:
    """Check the owner, the token's URI and the event on chain, past any reorg."""
    contract, token_id = mint["contract"], int(mint["token_id"])

    async def call_contract(signature: str, kind: str) -> Any:
        data = selector(signature) + encode(["uint256"], [token_id])
        result = await node.call(Call(sender=mint["to"], to=contract, data=data), at="finalized")
        return decode([kind], result)[0]

    owner = to_checksum_address(await call_contract("ownerOf(uint256)", "address"))
    agree("the owner on chain", owner, mint["to"])
    uri = f"{api_url}/v1/metadata/{contract}/{token_id}"
    agree("the token's URI", await call_contract("tokenURI(uint256)", "string"), uri)
    receipt = await node.receipt(bytes.fromhex(mint["tx_hash"][2:]))
    agree("the transaction's block", receipt and receipt.block_number, mint["block_number"])
    logs = await node.logs(block_hash=bytes.fromhex(mint["block_hash"][2:]), addresses=[contract])
    minted = [event for event in map(collection.decode_minted, logs) if event and event.token_id == token_id]
    agree(
        "the digest in the Minted event",
        [(event.to, "0x" + event.metadata_digest.hex()) for event in minted],
        [(mint["to"], mint["metadata_digest"])],
    )


async def check_storage(info: Mapping[str, Any], mint: Mapping[str, Any]) -> None:
    """Check the digest of what S3 holds: in a pack if the mint was accepted together with others."""
    contract, token_id = mint["contract"], int(mint["token_id"])
    bucket = METADATA.bucket_name(info["prefix"])
    collection_id = scoped(info["chain_id"], contract)
    async with operator_client("s3", info) as s3, table_of_local_stack(info) as dynamo:
        content = await read_packed(dynamo, collection_id, token_id, SetAside(), s3=s3, bucket=bucket)
        if content is None:
            key = metadata_object_key(info["chain_id"], contract, token_id)
            content = await read_object(s3, bucket, key)
    stored = None if content is None else digest(content)
    agree("the digest of what S3 has", stored, mint["metadata_digest"])


def digest(content: bytes) -> str:
    """Return a SHA-256 as the API writes it."""
    return "0x" + hashlib.sha256(content).hexdigest()
