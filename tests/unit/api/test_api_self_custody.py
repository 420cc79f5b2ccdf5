"""Self-custody over HTTP: from the linked wallet to its own transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from mintline.errors import Unavailable
from mintline.eth import GWEI, redeem_calldata, to_checksum_address, voucher_hash
from mintline.raw_transactions import decode
from mintline.records.keys import scoped
from mintline.records.operations import Attempt, Mint
from mintline.records.problems import Problem
from mintline.records.wallets import Link
from mintline.states import MintStatus
from mintline.vouchers import voucher_of
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.user_pool import START, OwnWallet

WALLET = OwnWallet(7)
OTHER = OwnWallet(8)
ISSUER = OwnWallet(99)
DEADLINE = int(START) + 3600
METADATA = {"name": "Aurora #1", "image": "https://example.com/1.png"}


def link(harness: Harness, wallet: OwnWallet = WALLET, sub: str = "alice") -> None:
    link = Link(
        link_id=scoped(CHAIN_ID, wallet.address),
        sub=sub,
        chain_id=CHAIN_ID,
        address=wallet.address,
        kind="account",
        nonce=f"nonce-{wallet.key}",
        linked_at=wallet.key,
    )
    harness.links.items[link.link_id] = link


async def post(harness: Harness, client: MemoryClient, **fields: Any) -> Answered:
    headers = harness.headers(prefer=fields.pop("prefer", "foo"))
    if key := fields.pop("key", None):
        headers["idempotency-key"] = key
    body = {"metadata": METADATA, "custody": "self", **fields}
    return await client.post_json("/v1/mints", body, headers=headers)


async def issued(harness: Harness, client: MemoryClient, **changes: Any) -> Mint:
    """Return a mint whose voucher is issued, as the line would have left it."""
    link(harness)
    mint_id = (await post(harness, client)).json()["mint_id"]
    return issue(harness, mint_id, **changes)


def issue(harness: Harness, mint_id: str, **changes: Any) -> Mint:
    built = harness.mints.items[mint_id].model_copy(
        update={"token_id": 2**200, "deadline": DEADLINE, "gas": 120_000, "built_at": 1}
    )
    digest = voucher_hash(chain_id=CHAIN_ID, contract=CONTRACT, **voucher_of(built).model_dump())
    update = {"status": MintStatus.ISSUED, "issued_at": 2, "voucher_signature": ISSUER.sign(digest)}
    harness.mints.items[mint_id] = built.model_copy(update=update | changes)
    return harness.mints.items[mint_id]


async def shown(harness: Harness, client: MemoryClient, mint: Mint, **headers: str) -> Any:
    response = await client.request("GET", f"/v1/mints/{mint.mint_id}", headers=harness.headers(**headers))
    assert response.status == 200
    return response.json()


def sign(transaction: dict[str, Any], wallet: OwnWallet = WALLET, **changes: Any) -> str:
    fields = {name: value for name, value in transaction.items() if name != "from"} | changes
    signed = Account.sign_transaction(fields, wallet.key.to_bytes(32, "big"))
    return "0x" + bytes(signed.raw_transaction).hex()


async def send(harness: Harness, client: MemoryClient, mint: Mint, raw: str, **headers: str) -> Answered:
    path = f"/v1/mints/{mint.mint_id}/transaction"
    return await client.post_json(path, {"raw": raw}, headers=harness.headers(**headers))


async def test_mint__when_by_self_custody__goes_to_the_only_linked_wallet(
    harness: Harness, client: MemoryClient
) -> None:
    link(harness)

    response = await post(harness, client)

    assert response.status == 202
    view = response.json()
    assert (view["custody"], view["to"], view["wallet"]) == ("self", WALLET.address, WALLET.address)
    assert view["self_custody"] is None
    mint = harness.mints.items[view["mint_id"]]
    assert (mint.custody, mint.sender, mint.chain_id) == ("self", None, CHAIN_ID)
    assert [message.mint_id for _, message in harness.line.sent] == [mint.mint_id]
    assert harness.wallets.items == {}


async def test_mint__when_several_wallets_are_linked__wants_to_know_which(
    harness: Harness, client: MemoryClient
) -> None:
    link(harness)
    link(harness, OTHER)

    unnamed = await post(harness, client)
    named = await post(harness, client, to=OTHER.address)

    assert (unnamed.status, unnamed.json()["code"]) == (422, "wallet-not-linked")
    assert named.json()["to"] == OTHER.address


async def test_mint__when_the_wallet_is_not_the_callers__is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    link(harness, OTHER, sub="bob")

    for fields in ({}, {"to": OTHER.address}, {"to": WALLET.address}):
        response = await post(harness, client, **fields)
        assert (response.status, response.json()["code"]) == (422, "wallet-not-linked")
    assert harness.mints.items == {}


async def test_mint__when_its_wallet_is_linked_no_more__is_given_to_its_key_all_the_same(
    harness: Harness, client: MemoryClient
) -> None:
    link(harness)
    first = await post(harness, client, key="k")
    harness.links.items.clear()

    now_linked: tuple[dict[str, Any], ...] = ({}, {"wallet": OTHER}, {"sub": "bob"})
    for linked in now_linked:
        if linked:
            link(harness, **linked)
        other = await post(harness, client, key="l", to=WALLET.address)
        again = await post(harness, client, key="k")
        assert (other.status, other.json()["code"]) == (422, "wallet-not-linked")
        assert (again.status, again.json()) == (202, first.json())
        assert again.headers["idempotent-replayed"] == "true"

    other = await post(harness, client, key="k", to=WALLET.address)
    assert (other.status, other.json()["code"]) == (422, "idempotency-key-reused")
    assert len(harness.mints.items) == 1


async def test_voucher__when_issued__is_shown_with_all_that_a_wallet_needs(
    harness: Harness, client: MemoryClient
) -> None:
    assert harness.chain is not None
    mint = await issued(harness, client)
    harness.chain.counts[WALLET.address] = 5

    view = (await shown(harness, client, mint))["self_custody"]

    assert mint.voucher_signature is not None
    assert view["voucher"] == {
        "token_id": str(2**200),
        "to": WALLET.address,
        "metadata_digest": "0x" + mint.metadata_digest.hex(),
        "deadline": DEADLINE,
        "expires_at": "2026-11-23T02:50:54.000Z",
        "signature": "0x" + mint.voucher_signature.hex(),
    }
    signable = encode_typed_data(full_message=view["typed_data"])
    assert Account.recover_message(signable, signature=view["voucher"]["signature"]) == ISSUER.address
    assert view["transaction"] == {
        "type": "0x2",
        "chainId": hex(CHAIN_ID),
        "from": WALLET.address,
        "to": CONTRACT,
        "value": "0x0",
        "data": "0x"
        + redeem_calldata(**voucher_of(mint).model_dump(), signature=mint.voucher_signature).hex(),
        "gas": hex(120_000),
        "maxFeePerGas": hex(2 * GWEI + GWEI // 10),
        "maxPriorityFeePerGas": hex(GWEI // 10),
        "nonce": "0x5",
    }


async def test_voucher__when_the_mint_is_listed__comes_without_a_transaction(
    harness: Harness, client: MemoryClient
) -> None:
    await issued(harness, client)

    (item,) = (await client.request("GET", "/v1/mints", headers=harness.headers())).json()["items"]

    assert item["self_custody"]["voucher"]["deadline"] == DEADLINE
    assert item["self_custody"]["transaction"] is None


@pytest.mark.parametrize("silent", [True, False])
async def test_transaction__when_the_chain_cannot_be_asked__lacks_only_what_it_knows(
    harness: Harness,
    silent: bool,  # noqa: FBT001 - a table
) -> None:
    assert harness.chain is not None
    harness.chain.failure = Unavailable("no endpoint")
    if not silent:
        harness.chain = None
    async with MemoryClient(harness.app()) as client:
        mint = await issued(harness, client)
        transaction = (await shown(harness, client, mint))["self_custody"]["transaction"]

    assert set(transaction) == {"type", "chainId", "to", "value", "data", "gas"}


async def test_transaction__when_the_wallet_is_a_contract__names_no_sender(
    harness: Harness, client: MemoryClient
) -> None:
    assert harness.chain is not None
    mint = await issued(harness, client)
    harness.chain.codes[WALLET.address] = b"\x60\x80"

    transaction = (await shown(harness, client, mint))["self_custody"]["transaction"]

    assert {"from", "nonce"} & set(transaction) == set()
    assert "maxFeePerGas" in transaction


@pytest.mark.parametrize("status", [MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REJECTED])
async def test_transaction__when_there_is_nothing_to_sign_any_more__is_null(
    harness: Harness, client: MemoryClient, status: MintStatus
) -> None:
    mint = await issued(harness, client, status=status)

    view = (await shown(harness, client, mint))["self_custody"]

    assert view["transaction"] is None
    assert view["voucher"]["deadline"] == DEADLINE


async def test_transaction__when_signed_as_it_is__is_carried_to_the_chain(
    harness: Harness, client: MemoryClient
) -> None:
    mint = await issued(harness, client)
    raw = sign((await shown(harness, client, mint))["self_custody"]["transaction"])

    response = await send(harness, client, mint, raw)

    assert response.status == 202, response.body
    [(_, message)] = harness.line.redeemed
    signed = decode(bytes.fromhex(raw[2:]))
    assert (message.mint_id, message.sender, message.nonce) == (mint.mint_id, WALLET.address, 0)
    assert (message.raw, message.tx_hash) == (signed.raw, signed.tx_hash)
    assert message.fees.max_fee_per_gas == signed.transaction.max_fee_per_gas


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chainId": 1}, "for chain 1"),
        ({"to": OTHER.address}, "not the collection"),
        ({"data": b"\x01"}, "not the call"),
        ({"data": b""}, "not the call"),
        ({"value": 1}, "ether"),
        ({"gas": 59_999}, "gas limit"),
        ({"maxFeePerGas": 3 * GWEI, "maxPriorityFeePerGas": 4 * GWEI}, "priority fee"),
        ({"maxFeePerGas": 10_001 * GWEI}, "gwei"),
        ({"maxFeePerGas": GWEI - 1, "maxPriorityFeePerGas": 0}, "base fee"),
        ({"nonce": 4}, "next is 5"),
    ],
)
async def test_transaction__when_it_does_something_else_or_cannot_succeed__is_refused_with_the_reason(
    harness: Harness, client: MemoryClient, changes: dict[str, Any], message: str
) -> None:
    assert harness.chain is not None
    mint = await issued(harness, client)
    harness.chain.counts[WALLET.address] = 5
    transaction = (await shown(harness, client, mint))["self_custody"]["transaction"]

    response = await send(harness, client, mint, sign(transaction, **changes))

    assert (response.status, response.json()["code"]) == (422, "transaction-mismatch")
    assert message in response.json()["errors"][0]["detail"]
    assert harness.line.redeemed == []


async def test_transaction__when_another_wallet_signed_it__is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    mint = await issued(harness, client)
    transaction = (await shown(harness, client, mint))["self_custody"]["transaction"]

    response = await send(harness, client, mint, sign(transaction, OTHER))

    assert OTHER.address in response.json()["detail"]


async def test_transaction__when_it_is_anothers_voucher__is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    mint = await issued(harness, client)
    twin = issue(harness, (await post(harness, client)).json()["mint_id"], token_id=7)
    assert twin.mint_id != mint.mint_id
    transaction = (await shown(harness, client, twin))["self_custody"]["transaction"]

    response = await send(harness, client, mint, sign(transaction))

    assert "not the call" in response.json()["detail"]


@pytest.mark.parametrize("raw", ["0x", "0x02", "0xzz", "hello", "0x" + "00" * 9000])
async def test_transaction__when_it_is_none__is_refused(
    harness: Harness, client: MemoryClient, raw: str
) -> None:
    response = await send(harness, client, await issued(harness, client), raw)

    assert response.status == 400
    assert response.json()["errors"][0]["pointer"] == "#/raw"


@pytest.mark.parametrize(
    "changes",
    [
        {"status": MintStatus.BUILT},
        {"status": MintStatus.MINED},
        {"status": MintStatus.REJECTED},
        {"custody": "custodial"},
        {"deadline": int(START) - 1},
        {
            "attempts": tuple(
                Attempt(tx_hash=bytes([n]) * 32, max_fee_per_gas=1, max_priority_fee_per_gas=1, at=n)
                for n in range(50)
            )
        },
    ],
)
async def test_transaction__when_the_mint_does_not_wait_for_one__is_refused(
    harness: Harness, client: MemoryClient, changes: dict[str, Any]
) -> None:
    mint = await issued(harness, client)
    raw = sign((await shown(harness, client, mint))["self_custody"]["transaction"])
    harness.mints.items[mint.mint_id] = mint.model_copy(update=changes)

    response = await send(harness, client, mint, raw)

    assert (response.status, response.json()["code"]) == (409, "not-waiting")
    assert harness.line.redeemed == []


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        pytest.param("0x", "#/raw: expected at least 1 bytes, not 0.", id="empty"),
        pytest.param("0x" + "00" * 8193, "#/raw: expected at most 8192 bytes, not 8193.", id="long"),
        pytest.param("0xzz", "#/raw: expected 0x and an even number of hex digits.", id="no hex"),
        pytest.param("0x02 f8", "#/raw: expected 0x and an even number of hex digits.", id="spaced"),
        pytest.param(5, "#/raw: expected 0x and an even number of hex digits.", id="a number"),
    ],
)
async def test_transaction__when_it_is_no_hex_of_its_size__says_what_is_expected(
    harness: Harness, client: MemoryClient, raw: Any, detail: str
) -> None:
    mint = await issued(harness, client)

    response = await send(harness, client, mint, raw)

    assert (response.status, response.json()["detail"]) == (400, detail)


async def test_transaction__when_repeated_after_it_was_mined__is_harmless(
    harness: Harness, client: MemoryClient
) -> None:
    assert harness.chain is not None
    mint = await issued(harness, client)
    raw = sign((await shown(harness, client, mint))["self_custody"]["transaction"])
    attempt = Attempt(
        tx_hash=decode(bytes.fromhex(raw[2:])).tx_hash, max_fee_per_gas=1, max_priority_fee_per_gas=1, at=1
    )
    harness.mints.items[mint.mint_id] = mint.model_copy(update={"attempts": (attempt,)})
    harness.chain.counts[WALLET.address] = 1

    assert (await send(harness, client, mint, raw)).status == 202


async def test_transaction__when_the_mint_is_another_users__is_unknown(
    harness: Harness, client: MemoryClient
) -> None:
    mint = await issued(harness, client)
    path = f"/v1/mints/{mint.mint_id}/transaction"

    response = await client.post_json(path, {"raw": "0x02"}, headers=harness.headers("bob"))

    assert (response.status, response.json()["code"]) == (404, "unknown-mint")


def at(harness: Harness, seconds: float, change: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def meanwhile() -> None:
        if harness.now >= START + seconds:
            change()

    return meanwhile


async def test_post__when_the_client_prefers_to_wait__answers_with_the_voucher(
    harness: Harness, client: MemoryClient
) -> None:
    link(harness)

    def issues() -> None:
        issue(harness, next(iter(harness.mints.items)))

    harness.meanwhile = at(harness, 1.0, issues)

    response = await post(harness, client, prefer="respond-async, wait=10")

    assert response.headers["preference-applied"] == "wait"
    assert response.json()["status"] == "issued"
    assert response.json()["self_custody"]["transaction"]["nonce"] == "0x0"
    assert 1 <= harness.now - START <= 1.6


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [("wait=3", 3), ("wait=99999", 10), ("wait=0", 0), ("wait", 0), ("wait=-1", 0), ("wait=x", 0)],
)
async def test_post__when_nothing_happens__answers_at_the_time_preferred_or_at_once(
    harness: Harness, client: MemoryClient, prefer: str, seconds: int
) -> None:
    link(harness)

    response = await post(harness, client, prefer=prefer)

    assert response.json()["status"] == "accepted"
    assert harness.now - START == pytest.approx(seconds, abs=0.01)
    assert ("preference-applied" in response.headers) is (seconds > 0)


async def test_get__when_the_client_prefers_to_wait__answers_at_the_next_news(
    harness: Harness, client: MemoryClient
) -> None:
    mint = await issued(harness, client)

    def mined() -> None:
        harness.mints.items[mint.mint_id] = mint.model_copy(update={"status": MintStatus.MINED})

    harness.meanwhile = at(harness, 2.0, mined)

    assert (await shown(harness, client, mint, prefer="wait=10"))["status"] == "mined"
    assert harness.now - START < 3


async def test_get__when_the_mint_is_at_its_end__does_not_wait(
    harness: Harness, client: MemoryClient
) -> None:
    mint = await issued(harness, client, status=MintStatus.FINALIZED)

    await shown(harness, client, mint, prefer="wait=10")

    assert harness.now == START


async def test_transaction__when_the_client_prefers_to_wait__answers_with_what_the_node_said(
    harness: Harness, client: MemoryClient
) -> None:
    mint = await issued(harness, client)
    raw = sign((await shown(harness, client, mint))["self_custody"]["transaction"])
    attempt = Attempt(
        tx_hash=decode(bytes.fromhex(raw[2:])).tx_hash, max_fee_per_gas=1, max_priority_fee_per_gas=1, at=1
    )
    problem = Problem(code="insufficient_funds", reason="Your wallet cannot pay for it.")

    def refused() -> None:
        update = {"attempts": (attempt,), "problem": problem}
        harness.mints.items[mint.mint_id] = mint.model_copy(update=update)

    harness.meanwhile = at(harness, 0.5, refused)
    response = await send(harness, client, mint, raw, prefer="wait=5")

    assert response.json()["status"] == "issued"
    assert response.json()["problem"]["code"] == "insufficient_funds"
    assert response.json()["attempts"][0]["tx_hash"] == "0x" + attempt.tx_hash.hex()
    assert harness.now - START < 1.5


def test_addresses__when_those_of_the_tests_are_compared__then_they_are_distinct() -> None:
    assert len({WALLET.address, OTHER.address, ISSUER.address, to_checksum_address(CONTRACT)}) == 4
