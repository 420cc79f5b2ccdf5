from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Protocol

import aiohttp
import pytest

from mintline.aws.dynamo import Dynamo, Item, Put
from mintline.aws.key_stores import open_key_stores
from mintline.aws.keys import encryption_context
from mintline.aws.queues import Queues
from mintline.aws.records import from_item, token_place
from mintline.aws.session import AwsCalls, open_client
from mintline.key_stores import StoreName
from mintline.messages.codec import decode
from mintline.messages.work import BuildMint
from mintline.object_keys import metadata_object_key
from mintline.records.collections import Collection
from mintline.records.operations import Mint
from mintline.records.wallets import Wallet
from mintline.resources import BUILD, CHECKPOINTS, METADATA, MINTS, TOKENS, TRANSFERS, WALLET_KEY, WALLETS
from mintline.settings import ServiceSettings
from mintline_api.features.operations.message_groups import group_of
from mintline_client.sign_in import Tokens
from mintline_testkit.constants import CHAIN_ID, CONTRACT

pytestmark = pytest.mark.integration

BODY = {"metadata": {"name": "Aurora #1", "image": "https://example.com/1.png"}}
OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


class Process(Protocol):
    url: str
    admin_url: str
    http: aiohttp.ClientSession
    lines: list[dict[str, Any]]

    async def stop(self) -> int: ...

    async def request(self, method: str, path: str, **arguments: Any) -> tuple[int, Any]: ...


class UserPool(Protocol):
    client_id: str

    async def sign_in(self, name: str) -> Tokens: ...


Start = Callable[[Mapping[str, str]], Awaitable[Process]]


async def test_mint__when_posted__is_on_record_and_on_the_queue(
    api: Process, cognito: UserPool, dynamo: Dynamo, queues: Queues
) -> None:
    token = (await cognito.sign_in("alice")).access_token

    status, view = await api.request("POST", "/v1/mints", token=token, body=BODY)

    assert status == 202
    item = await dynamo.get(MINTS, {"mint_id": view["mint_id"]})
    assert item is not None
    mint = from_item(Mint, item)
    assert (mint.status, mint.contract, mint.to) == ("accepted", CONTRACT, view["wallet"])
    (received,) = await queues.receive(BUILD, wait=5)
    message = decode(received.body)
    assert isinstance(message, BuildMint)
    assert (message.mint_id, received.group) == (mint.mint_id, group_of(mint))
    assert await api.request("GET", f"/v1/mints/{mint.mint_id}", token=token) == (200, view)


@pytest.mark.parametrize("store", ["secretsmanager", "dynamodb"])
async def test_wallet__when_first_asked_for__has_a_key_that_kms_unwraps_for_its_owner_alone(
    *,
    store: StoreName,
    environment: dict[str, str],
    start: Start,
    cognito: UserPool,
    dynamo: Dynamo,
    aws_settings: ServiceSettings,
    stack: AsyncExitStack,
) -> None:
    api = await start({**environment, "MINTLINE_WALLET_STORE": store})
    token = (await cognito.sign_in("alice")).access_token

    status, view = await api.request("GET", "/v1/wallet", token=token)

    assert status == 200
    kms = await open_client(stack, "kms", aws_settings, calls=AwsCalls())
    stores = await open_key_stores(stack, aws_settings, dynamo, calls=AwsCalls())
    secret_id = stores.named(store).reference(CHAIN_ID, view["address"])
    body = await stores.named(store).read(secret_id)
    assert (body.address, body.chain_id) == (view["address"], CHAIN_ID)
    item = await dynamo.get(WALLETS, {"wallet_id": f"{CHAIN_ID}#{body.subject}"})
    assert item is not None
    wallet = from_item(Wallet, item)
    assert (wallet.ready, wallet.wrapped, wallet.secret_id) == (True, None, secret_id)
    await kms.decrypt(
        CiphertextBlob=body.wrapped, EncryptionContext=encryption_context(body.subject, CHAIN_ID)
    )
    with pytest.raises(kms.exceptions.InvalidCiphertextException):
        await kms.decrypt(
            CiphertextBlob=body.wrapped, EncryptionContext=encryption_context("mallory", CHAIN_ID)
        )


async def _logged(api: Process, event: str) -> list[dict[str, Any]]:
    """Return the lines of an event, which may come just behind the answer."""
    for _ in range(200):
        if entries := [line for line in api.lines if line["event"] == event]:
            return entries
        await asyncio.sleep(0.05)
    return []


async def test_wallet__when_the_alias_leads_to_another_kms_key__then_none_is_made_and_an_error_is_logged(
    *,
    api: Process,
    cognito: UserPool,
    aws_settings: ServiceSettings,
    aws_prefix: str,
    stack: AsyncExitStack,
) -> None:
    kms = await open_client(stack, "kms", aws_settings, calls=AwsCalls())
    other = (await kms.create_key(Description="not the deployment's"))["KeyMetadata"]["Arn"]
    await kms.update_alias(AliasName=WALLET_KEY.alias(aws_prefix), TargetKeyId=other)
    tokens = await cognito.sign_in("alice")

    status, problem = await api.request("GET", "/v1/wallet", token=tokens.access_token)

    assert (status, problem["title"]) == (503, "Temporarily unavailable")
    (logged,) = await _logged(api, "kms_key_mismatch")
    assert (logged["level"], logged["answered"]) == ("error", other)
    dynamodb = await open_client(stack, "dynamodb", aws_settings, calls=AwsCalls())
    assert (await dynamodb.scan(TableName=WALLETS.table_name(aws_prefix)))["Items"] == []


async def test_two_processes__when_asked_at_once__agree_on_wallet_and_mint(
    environment: dict[str, str], collection: Collection, cognito: UserPool, start: Start
) -> None:
    token = (await cognito.sign_in("alice")).access_token
    both = await asyncio.gather(start(environment), start(environment))

    wallets = await asyncio.gather(
        *(process.request("GET", "/v1/wallet", token=token) for process in both for _ in range(10))
    )
    mints = await asyncio.gather(
        *(
            process.request("POST", "/v1/mints", token=token, headers={"Idempotency-Key": "one"}, body=BODY)
            for process in both
            for _ in range(10)
        )
    )

    assert len({json.dumps(wallet) for wallet in wallets}) == 1
    assert {status for status, _ in mints} == {202}
    assert len({view["mint_id"] for _, view in mints}) == 1
    (first, _) = both
    _, page = await first.request("GET", "/v1/mints", token=token)
    assert len(page["items"]) == 1


async def test_cognito__when_it_gives_other_tokens__is_refused_for_what_they_are(
    api: Process, cognito: UserPool
) -> None:
    tokens = await cognito.sign_in("alice")

    _, as_id = await api.request("GET", "/v1/wallet", token=tokens.id_token)
    _, altered = await api.request("GET", "/v1/wallet", token=tokens.access_token[:-8] + "AAAAAAAA")

    assert as_id["code"] == "not-an-access-token"
    assert altered["code"] == "bad-signature"


async def test_lists__when_paged_over_dynamodb__give_each_item_once_in_order(
    api: Process, cognito: UserPool
) -> None:
    token = (await cognito.sign_in("alice")).access_token
    ids = []
    for _ in range(5):
        ids.append((await api.request("POST", "/v1/mints", token=token, body=BODY))[1]["mint_id"])
        await asyncio.sleep(0.002)

    seen, path = [], "/v1/mints?limit=2&status=accepted"
    for _ in range(5):
        _, page = await api.request("GET", path, token=token)
        seen += [item["mint_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        path = f"/v1/mints?limit=2&status=accepted&cursor={page['next_cursor']}"

    assert seen == ids[::-1]


async def test_tokens__when_the_indexer_wrote_them__are_served_with_their_metadata(
    api: Process, cognito: UserPool, dynamo: Dynamo, aws_settings: ServiceSettings, stack: AsyncExitStack
) -> None:
    token = (await cognito.sign_in("alice")).access_token
    text = b'{"image":"https://example.com/2.png","name":"Two"}'
    await write_index(dynamo, token_ids=(1, 2, 10), digest="0x" + hashlib.sha256(text).hexdigest())
    s3 = await open_client(stack, "s3", aws_settings, calls=AwsCalls())
    bucket = METADATA.bucket_name(aws_settings.resource_prefix)
    await s3.put_object(Bucket=bucket, Key=metadata_object_key(CHAIN_ID, CONTRACT, 2), Body=text)

    _, shown = await api.request("GET", f"/v1/tokens/{CONTRACT}/2", token=token)
    _, bare = await api.request("GET", f"/v1/tokens/{CONTRACT}/1", token=token)
    _, first = await api.request("GET", f"/v1/owners/{OWNER}/tokens?limit=2", token=token)
    path = f"/v1/owners/{OWNER}/tokens?limit=2&cursor={first['next_cursor']}"
    _, second = await api.request("GET", path, token=token)
    _, transfers = await api.request("GET", f"/v1/tokens/{CONTRACT}/2/transfers", token=token)
    status, metadata = await api.request("GET", f"/v1/metadata/{CONTRACT}/2")

    assert (shown["owner"], shown["finality"], shown["metadata"]["name"]) == (OWNER, "finalized", "Two")
    assert (bare["metadata"], bare["index"]["head_block"]) == (None, 9)
    ids = [item["token_id"] for page in (first, second) for item in page["items"]]
    assert ids == ["1", "2", "10"]
    assert second["next_cursor"] is None
    assert [(t["from"], t["to"]) for t in transfers["items"]] == [(None, OWNER)]
    assert (status, metadata) == (200, json.loads(text))


async def write_index(dynamo: Dynamo, *, token_ids: tuple[int, ...], digest: str) -> None:
    tx_hash = "0x" + "11" * 32
    checkpoint: Item = {
        "chain": str(CHAIN_ID),
        "head_number": 9,
        "head_hash": "0x" + "22" * 32,
        "head_timestamp": 1_795_398_000,
        "finalized_number": 5,
        "updated_at": 1,
        "cursor": "more than the api knows",
    }
    await dynamo.write(Put(CHECKPOINTS, checkpoint))
    for token_id in token_ids:
        key = f"{token_id:078d}"
        common: Item = {
            "chain_id": CHAIN_ID,
            "contract": CONTRACT,
            "token_id": str(token_id),
            "tx_hash": tx_hash,
        }
        token: Item = {
            **common,
            **token_place(CHAIN_ID, CONTRACT, token_id),
            "owner_id": f"{CHAIN_ID}#{OWNER}",
            "owned_key": f"{CONTRACT}#{key}",
            "owner": OWNER,
            "metadata_digest": digest,
            "minted_block": 5,
            "block_number": 5,
        }
        await dynamo.write(Put(TOKENS, token))
        transfer: Item = {
            **common,
            "token_ref": f"{CHAIN_ID}#{CONTRACT}#{token_id}",
            "position": "000000000005#000000",
            "recipient": OWNER,
            "block_number": 5,
            "block_hash": "0x" + "33" * 32,
            "log_index": 0,
            "timestamp": 1_795_398_000,
        }
        await dynamo.write(Put(TRANSFERS, transfer))


async def test_ready__when_the_user_pool_is_missing__says_so_and_serves_what_it_can(
    environment: dict[str, str], collection: Collection, start: Start
) -> None:
    lost = {**environment, "MINTLINE_COGNITO_JWKS_URL": "http://127.0.0.1:9/jwks.json"}
    process = await start(lost)

    status, ready = await process.request("GET", "/readyz")
    refused, problem = await process.request("GET", "/v1/wallet", token=FOREIGN_TOKEN)
    served, _ = await process.request("GET", f"/v1/metadata/{CONTRACT}")

    assert (status, ready["checks"]["jwks"], ready["checks"]["dynamodb"]) == (503, "unavailable", "ok")
    assert (refused, problem["code"]) == (503, "unavailable")
    assert served == 200


FOREIGN_TOKEN = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImtleSJ9.e30.AAAA"


async def test_admin__when_asked__shows_readiness_and_counts_aws_requests(
    api: Process, cognito: UserPool
) -> None:
    token = (await cognito.sign_in("alice")).access_token
    await api.request("POST", "/v1/mints", token=token, body=BODY)

    async with api.http.get(f"{api.admin_url}/readyz") as response:
        assert response.status == 200
    async with api.http.get(f"{api.admin_url}/metrics") as response:
        metrics = await response.text()

    assert 'mintline_aws_requests_total{operation="SendMessageBatch",service="sqs"} 1.0' in metrics
    assert 'mintline_http_request_seconds_count{method="POST",route="/v1/mints",status="202"} 1.0' in metrics


async def test_stop__when_a_request_is_under_way__finishes_it_first(api: Process, cognito: UserPool) -> None:
    token = (await cognito.sign_in("alice")).access_token
    requests = [
        asyncio.create_task(api.request("POST", "/v1/mints", token=token, body=BODY)) for _ in range(20)
    ]
    while not any(line["event"] == "wallet_provisioned" for line in api.lines):  # noqa: ASYNC110 - a process has no event to wait for
        await asyncio.sleep(0.001)
    code = await api.stop()

    answers = await asyncio.gather(*requests)
    assert [status for status, _ in answers] == [202] * 20
    assert code == 0
    assert api.lines[-1]["event"] == "service_stopped"
    assert "MINTLINE_CURSOR_SECRET" not in json.dumps(api.lines)
    assert "0123456789abcdef" not in json.dumps(api.lines)
    assert token not in json.dumps(api.lines)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"MINTLINE_CURSOR_SECRET": "short"}, "MINTLINE_CURSOR_SECRET"),
        ({"MINTLINE_DEFAULT_COLLECTION": "0x12"}, "MINTLINE_DEFAULT_COLLECTION"),
        ({"MINTLINE_PUBLIC_URL": "api.example.com"}, "MINTLINE_PUBLIC_URL"),
    ],
)
def test_start__when_a_setting_is_wrong__is_one_line_and_exit_2(
    environment: dict[str, str], change: dict[str, str], message: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mintline_api"],
        env={**os.environ, **environment, **change},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert (
        "short" not in done.stderr.removeprefix("api: settings: MINTLINE_CURSOR_SECRET").split("at least")[0]
    )


async def test_start__when_the_port_is_taken__is_one_line_and_exit_2(
    api: Process, environment: dict[str, str]
) -> None:
    port = api.url.rpartition(":")[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mintline_api",
        env={**os.environ, **environment, "MINTLINE_API_PORT": port},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await asyncio.wait_for(process.communicate(), 20)

    assert process.returncode == 2
    assert stderr.decode().startswith(f"api: settings: MINTLINE_API_PORT: cannot listen on 127.0.0.1:{port}")
