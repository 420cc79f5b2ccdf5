"""Transfers and burns over HTTP: accepted once, refused at once where that is known, shown, and stopped."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.authorizations import key_of
from mintline.chain.calls import Call, CallReverted
from mintline.chain.collection import Revert
from mintline.clones import CloneArgs
from mintline.errors import Unavailable
from mintline.messages.parts import Clone, KeyRef
from mintline.records.collections import Collection
from mintline.records.index import Token
from mintline.records.keys import scoped
from mintline.records.operations import (
    Attempt,
    RelayedBurn,
    RelayedTransfer,
    TokenBurn,
    TokenOperation,
    TokenTransfer,
)
from mintline.records.transactions import Transaction, transaction_key_of
from mintline.states import MintStatus, TransactionState
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
SECOND = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
TRANSFERS, BURNS = "/v1/transfers", "/v1/burns"
TRANSFER: dict[str, Any] = {"token_id": "7", "to": OTHER}
BURN: dict[str, Any] = {"token_id": "7"}
BOTH = [pytest.param(TRANSFERS, TRANSFER, id="transfer"), pytest.param(BURNS, BURN, id="burn")]


async def wallet_of(harness: Harness, client: MemoryClient, sub: str = "alice") -> str:
    answered = await client.request("GET", "/v1/wallet", headers=harness.headers(sub))
    address: str = answered.json()["address"]
    return address


def give(harness: Harness, owner: str | None, token_id: int = 7, **more: object) -> None:
    token = Token(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=token_id,
        owner=owner,
        metadata_digest=None,
        mint_id=None,
        minted_block=44,
        block_number=44,
        tx_hash=bytes(32),
    ).evolve(**more)
    harness.index.tokens[token.contract, token_id] = token


async def given(harness: Harness, client: MemoryClient, *token_ids: int) -> str:
    """Have alice's wallet hold some tokens, 7 if none is named; return its address."""
    wallet = await wallet_of(harness, client)
    for token_id in token_ids or (7,):
        give(harness, wallet, token_id)
    return wallet


async def post(harness: Harness, client: MemoryClient, path: str, body: Any, **headers: str) -> Answered:
    return await client.post_json(path, body, headers=harness.headers(**headers))


async def accepted(harness: Harness, client: MemoryClient, path: str, body: Any, **headers: str) -> Any:
    answered = await post(harness, client, path, body, **headers)
    assert answered.status == 202, answered.body
    return answered.json()


def id_in(view: dict[str, Any]) -> str:
    operation_id: str = view["transfer_id"] if "transfer_id" in view else view["burn_id"]
    return operation_id


async def carried(harness: Harness, operation_id: str, *, sent: bool) -> TokenOperation:
    """Have a transaction carry an operation, and perhaps be sent."""
    operation = harness.mints.token_operations[operation_id]
    assert operation.sender is not None
    place = transaction_key_of(operation.sender, 3)
    attempt = Attempt(tx_hash=b"\x09" * 32, max_fee_per_gas=2, max_priority_fee_per_gas=1, at=1)
    fees = {"max_fee_per_gas": "2", "max_priority_fee_per_gas": "1"}
    harness.mints.transactions[place] = Transaction.model_validate(
        {
            "sender_id": place.sender_id,
            "nonce": 3,
            "signer": operation.sender,
            "kind": operation.kind,
            "operations": (operation_id,),
            "gas": 90_000,
            "fees": fees,
            "meaning": bytes(32),
            "state": TransactionState.SUBMITTED if sent else TransactionState.RESERVED,
            "attempts": (attempt,) if sent else (),
            "reserved_at": 1,
            "updated_at": 1,
        }
    )
    built = operation.evolve(status=MintStatus.BUILT, nonce=3, built_at=1)
    harness.mints.token_operations[operation_id] = built
    return built


@pytest.mark.parametrize(("path", "body"), BOTH)
async def test_post__when_a_key_repeats_it__then_it_is_one_operation_authorized_once(
    harness: Harness, client: MemoryClient, path: str, body: dict[str, Any]
) -> None:
    await given(harness, client)
    first = await post(harness, client, path, body, idempotency_key="k")
    again = await post(harness, client, path, body, idempotency_key="k")

    assert (first.status, again.status) == (202, 202)
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    view = first.json()
    assert first.headers["location"] == f"{path}/{id_in(view)}" == view["links"]["self"]
    record = await harness.mints.operation(id_in(view))
    assert record is not None
    assert (record.status, record.asked_by, record.contract) == (MintStatus.ACCEPTED, "alice", CONTRACT)
    assert key_of(record) in harness.mints.authorizations
    # The second request puts it on the line once more: the first message may be lost.
    assert [message.mint_id for _, message in harness.line.sent] == [id_in(view)] * 2
    other = await post(harness, client, path, {**body, "contract": CONTRACT}, idempotency_key="k")
    assert (other.status, other.json()["code"]) == (422, "idempotency-key-reused")


@pytest.mark.parametrize(("path", "body"), BOTH)
async def test_post__when_a_key_repeats_it_after_the_token_moved__then_the_first_answer_stands(
    harness: Harness, client: MemoryClient, path: str, body: dict[str, Any]
) -> None:
    await given(harness, client)
    first = await accepted(harness, client, path, body, idempotency_key="k")
    give(harness, None if path == BURNS else OTHER)

    again = await accepted(harness, client, path, body, idempotency_key="k")

    assert id_in(again) == id_in(first)
    assert (await post(harness, client, path, body, idempotency_key="l")).status in (403, 409)


async def test_transfer_and_burn__when_accepted__then_the_wallet_in_custody_sends_them_in_order(
    harness: Harness, client: MemoryClient
) -> None:
    wallet = await given(harness, client, 7, 8)
    sent = await accepted(harness, client, TRANSFERS, TRANSFER)
    burnt = await accepted(harness, client, BURNS, {"token_id": "8"})
    transfer, burn = [await harness.mints.operation(id_in(view)) for view in (sent, burnt)]
    assert isinstance(transfer, TokenTransfer)
    assert isinstance(burn, TokenBurn)
    assert (transfer.to, transfer.token_id, burn.token_id) == (OTHER, 7, 8)
    assert transfer.sender == burn.sender == harness.wallets.items[scoped(CHAIN_ID, "alice")].key()
    assert [group for group, _ in harness.line.sent] == [wallet] * 2
    assert (sent["wallet"], sent["to"], sent["token_id"]) == (wallet, OTHER, "7")
    # They are no mints.
    assert (await harness.mints.ids_of("alice", limit=9, after=None)).items == ()
    response = await client.request("GET", f"/v1/mints/{id_in(sent)}", headers=harness.headers())
    assert response.status == 404


@pytest.mark.parametrize(("path", "body"), BOTH)
async def test_read__when_it_is_another_users_or_of_another_kind__then_it_is_as_unknown_as_none(
    harness: Harness, client: MemoryClient, path: str, body: dict[str, Any]
) -> None:
    await given(harness, client)
    view = await accepted(harness, client, path, body)
    own = await client.request("GET", f"{path}/{id_in(view)}", headers=harness.headers())
    assert own.json() == view
    other = BURNS if path == TRANSFERS else TRANSFERS
    code = "unknown-transfer" if path == TRANSFERS else "unknown-burn"
    for target, headers in (
        (f"{path}/{id_in(view)}", harness.headers("bob")),
        (f"{path}/{id_in(view)}x", harness.headers()),
        (f"{path}/{id_in(view)}/cancel", harness.headers("bob")),
    ):
        method = "POST" if target.endswith("cancel") else "GET"
        answered = await client.request(method, target, headers=headers)
        assert (answered.status, answered.json()["code"]) == (404, code)
    wrong = await client.request("GET", f"{other}/{id_in(view)}", headers=harness.headers())
    assert wrong.status == 404


@pytest.mark.parametrize(("path", "body"), BOTH)
@pytest.mark.parametrize(
    ("owner", "refusal"),
    [
        pytest.param(OTHER, (403, "not-token-owner"), id="held by another"),
        pytest.param(None, (409, "token-burned"), id="burned"),
        pytest.param("", (404, "unknown-token"), id="never minted"),
    ],
)
async def test_post__when_the_wallet_does_not_hold_the_token__then_it_is_refused_and_nothing_is_kept(
    harness: Harness,
    client: MemoryClient,
    *,
    path: str,
    body: dict[str, Any],
    owner: str | None,
    refusal: tuple[int, str],
) -> None:
    await wallet_of(harness, client)
    if owner != "":
        give(harness, owner)

    answered = await post(harness, client, path, body)

    assert (answered.status, answered.json()["code"]) == refusal
    assert answered.json()["errors"][0]["pointer"] == "#/token_id"
    assert harness.mints.token_operations == {}
    assert harness.mints.authorizations == {}
    assert harness.line.sent == []


@pytest.mark.parametrize(("path", "body"), BOTH)
async def test_post__when_the_contract_is_not_ours__then_it_is_refused(
    harness: Harness, client: MemoryClient, path: str, body: dict[str, Any]
) -> None:
    answered = await post(harness, client, path, {**body, "contract": SECOND})
    assert (answered.status, answered.json()["code"]) == (404, "unknown-contract")


async def test_post__when_the_token_is_of_another_collection__then_the_same_id_here_does_not_count(
    harness: Harness, client: MemoryClient
) -> None:
    wallet = await wallet_of(harness, client)
    harness.index.collections[SECOND] = Collection(
        collection_id=scoped(CHAIN_ID, SECOND),
        chain_id=CHAIN_ID,
        contract=SECOND,
        name="Second",
        symbol="TWO",
        deployed_block=1,
        next_token_id=9,
    )
    give(harness, wallet, contract=SECOND)

    assert (await post(harness, client, BURNS, BURN)).json()["code"] == "unknown-token"
    view = await accepted(harness, client, BURNS, {**BURN, "contract": SECOND.lower()})
    assert view["contract"] == SECOND


async def test_transfer__when_the_recipient_cannot_be_meant__then_it_is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    wallet = await given(harness, client)
    for to in (CONTRACT, wallet, wallet.lower()):
        answered = await post(harness, client, TRANSFERS, {**TRANSFER, "to": to})
        assert (answered.status, answered.json()["code"]) == (422, "invalid-recipient")
        assert answered.json()["errors"][0]["pointer"] == "#/to"
    zero = await post(harness, client, TRANSFERS, {**TRANSFER, "to": "0x" + "00" * 20})
    assert (zero.status, zero.json()["code"]) == (400, "invalid-body")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (TRANSFERS, {"token_id": "7"}),
        (TRANSFERS, {"token_id": "7", "to": "0x12"}),
        (TRANSFERS, {"token_id": "7", "to": None}),
        (TRANSFERS, {"token_id": "7", "to": [OTHER]}),
        (TRANSFERS, {"to": OTHER}),
        (TRANSFERS, {"token_id": str(2**256), "to": OTHER}),
        (TRANSFERS, {**TRANSFER, "amount": "1"}),
        (BURNS, {}),
        (BURNS, {"token_id": "-1"}),
        (BURNS, {"token_id": "07"}),
        (BURNS, {"token_id": "0x7"}),
        (BURNS, {"token_id": "7", "to": OTHER}),
        (BURNS, {"token_id": "7", "contract": "collection"}),
        (BURNS, []),
    ],
)
async def test_post__when_the_body_is_not_valid__then_nothing_is_kept(
    harness: Harness, client: MemoryClient, path: str, body: Any
) -> None:
    await given(harness, client)
    answered = await post(harness, client, path, body)
    assert (answered.status, answered.json()["code"]) == (400, "invalid-body")
    assert harness.mints.token_operations == {}
    assert harness.mints.authorizations == {}


@pytest.mark.parametrize("sent", [False, True], ids=["built", "sent"])
async def test_post__when_the_token_is_being_moved_already__then_it_is_refused_and_named(
    harness: Harness, client: MemoryClient, *, sent: bool
) -> None:
    await given(harness, client, 7, 8)
    first = id_in(await accepted(harness, client, TRANSFERS, TRANSFER))
    await carried(harness, first, sent=sent)

    for path, body in ((TRANSFERS, TRANSFER), (BURNS, BURN)):
        answered = await post(harness, client, path, body)
        assert (answered.status, answered.json()["code"]) == (409, "token-operation-pending")
        assert first in answered.json()["detail"]
    await accepted(harness, client, BURNS, {"token_id": "8"})


@pytest.mark.parametrize(
    ("revert", "status"),
    [
        pytest.param(Revert("ERC721InvalidReceiver", {"receiver": OTHER}), 422, id="takes none"),
        pytest.param(Revert("EnforcedPause", {}), 202, id="paused: it waits"),
        pytest.param(Revert("ERC721IncorrectOwner", {}), 202, id="the chain is ahead of the index"),
        pytest.param(None, 202, id="a node that says nothing"),
    ],
)
async def test_transfer__when_the_recipients_code_is_asked__then_only_its_own_refusal_counts(
    harness: Harness,
    client: MemoryClient,
    monkeypatch: pytest.MonkeyPatch,
    revert: Revert | None,
    status: int,
) -> None:
    wallet = await given(harness, client)
    assert harness.chain is not None
    harness.chain.codes[OTHER] = b"\x60\x00"
    calls: list[Call] = []

    async def call(call: Call) -> bytes:
        calls.append(call)
        raise CallReverted(revert, "no")

    monkeypatch.setattr(harness.chain, "call", call)
    answered = await post(harness, client, TRANSFERS, TRANSFER)

    assert answered.status == status
    assert [(call.sender, call.to) for call in calls] == [(wallet, CONTRACT)]
    if status == 422:
        assert answered.json()["code"] == "recipient-refused"
        assert harness.mints.token_operations == {}


async def test_transfer__when_no_node_answers__then_it_is_accepted_and_left_to_the_builder(
    harness: Harness, client: MemoryClient
) -> None:
    await given(harness, client)
    assert harness.chain is not None
    harness.chain.failure = Unavailable("no node")
    await accepted(harness, client, TRANSFERS, TRANSFER)


async def test_post__when_it_asks_to_wait__then_it_answers_once_the_token_moved(
    harness: Harness, client: MemoryClient
) -> None:
    await given(harness, client)
    passes = 0

    async def mine() -> None:
        nonlocal passes
        passes += 1
        if passes == 2:
            [(operation_id, record)] = harness.mints.token_operations.items()
            harness.mints.token_operations[operation_id] = record.evolve(
                status=MintStatus.MINED, tx_hash=b"\x01" * 32
            )

    harness.meanwhile = mine
    answered = await post(harness, client, BURNS, BURN, prefer="wait=5")
    assert answered.headers["preference-applied"] == "wait"
    assert (answered.json()["status"], answered.json()["tx_hash"]) == ("mined", "0x" + "01" * 32)


@pytest.mark.parametrize(("path", "body"), BOTH)
async def test_cancel__when_it_was_not_sent__then_it_ends_at_once(
    harness: Harness, client: MemoryClient, path: str, body: dict[str, Any]
) -> None:
    await given(harness, client)
    operation_id = id_in(await accepted(harness, client, path, body))

    for _ in range(2):
        answered = await client.request("POST", f"{path}/{operation_id}/cancel", headers=harness.headers())
        assert answered.status == 200
        assert (answered.json()["status"], answered.json()["problem"]["code"]) == ("rejected", "cancelled")
    # The token may be moved again.
    await accepted(harness, client, path, body)


async def test_cancel__when_it_was_sent__then_a_no_op_competes_and_the_line_is_told(
    harness: Harness, client: MemoryClient
) -> None:
    await given(harness, client)
    operation_id = id_in(await accepted(harness, client, TRANSFERS, TRANSFER))
    sent = await carried(harness, operation_id, sent=True)

    answered = await client.request("POST", f"{TRANSFERS}/{operation_id}/cancel", headers=harness.headers())

    assert (answered.status, answered.json()["status"]) == (202, "submitted")
    assert answered.json()["timeline"]["cancel_requested_at"] is not None
    assert [review.mint_id for review in harness.line.reviews] == [operation_id]
    assert sent.sender is not None
    assert harness.mints.transactions[transaction_key_of(sent.sender, 3)].filling_at is not None


@pytest.mark.parametrize("status", [MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REVERTED])
async def test_cancel__when_it_is_on_chain__then_it_is_refused(
    harness: Harness, client: MemoryClient, status: MintStatus
) -> None:
    await given(harness, client)
    operation_id = id_in(await accepted(harness, client, BURNS, BURN))
    record = harness.mints.token_operations[operation_id]
    harness.mints.token_operations[operation_id] = record.evolve(status=status)
    answered = await client.request("POST", f"{BURNS}/{operation_id}/cancel", headers=harness.headers())
    assert (answered.status, answered.json()["code"]) == (409, "not-cancellable")


@pytest.mark.parametrize(("path", "body"), BOTH)
async def test_post__when_the_token_lacks_the_scope__then_it_is_refused(
    harness: Harness, client: MemoryClient, path: str, body: dict[str, Any]
) -> None:
    await given(harness, client)
    claims = harness.pool.claims("alice", now=harness.now)
    claims["scope"] = claims["scope"].replace("mintline/tokens:transfer", "")
    headers = {"Authorization": f"Bearer {harness.pool.sign(claims)}"}
    answered = await client.post_json(path, body, headers=headers)
    assert (answered.status, answered.json()["code"]) == (403, "insufficient-scope")
    assert "mintline/tokens:transfer" in answered.json()["detail"]


CLONE = Clone(
    factory="0x" + "f1" * 20,
    implementation="0x" + "c1" * 20,
    principal="client",
    operation_id="deploy_1",
    args=CloneArgs(name="Second", symbol="TWO"),
)
RELAYER = KeyRef(
    address="0x" + "4" * 40, subject="platform:relayer-1", chain_id=CHAIN_ID, secret_id="relayer"
)


async def cloned(harness: Harness, client: MemoryClient, *token_ids: int, soulbound: bool = False) -> str:
    """Have alice's wallet hold tokens of a collection that a factory made; return its address."""
    wallet = await wallet_of(harness, client)
    args = CLONE.args.model_copy(update={"soulbound": soulbound})
    harness.index.collections[SECOND] = Collection(
        collection_id=scoped(CHAIN_ID, SECOND),
        chain_id=CHAIN_ID,
        contract=SECOND,
        name="Second",
        symbol="TWO",
        deployed_block=1,
        next_token_id=9,
        clone=CLONE.model_copy(update={"args": args}),
    )
    for token_id in token_ids or (7,):
        give(harness, wallet, token_id, contract=SECOND)
    return wallet


@pytest.mark.parametrize(("path", "body"), BOTH)
async def test_post__when_a_factory_made_the_collection__then_the_wallet_signs_and_a_relayer_pays(
    harness: Harness, client: MemoryClient, path: str, body: dict[str, Any]
) -> None:
    wallet = await cloned(harness, client)
    request_body = {**body, "contract": SECOND}
    view = await accepted(harness, client, path, request_body, idempotency_key="k")
    again = await accepted(harness, client, path, request_body, idempotency_key="k")

    assert again == view
    assert (view["paid_by"], view["wallet"], view["nonce"]) == ("relayer", wallet, None)
    record = harness.mints.token_operations[id_in(view)]
    assert isinstance(record, RelayedTransfer if path == TRANSFERS else RelayedBurn)
    assert (record.sender, record.wallet) == (None, harness.wallets.items[scoped(CHAIN_ID, "alice")].key())
    assert key_of(record) in harness.mints.authorizations
    assert {group for group, _ in harness.line.sent} == {f"{wallet}#{SECOND}"}
    shown = await client.request("GET", f"{path}/{id_in(view)}", headers=harness.headers())
    assert shown.json() == view
    others = await client.request("GET", f"{path}/{id_in(view)}", headers=harness.headers("bob"))
    assert others.status == 404

    # Its own token elsewhere moves by its own transaction, and says so.
    give(harness, wallet)
    assert (await accepted(harness, client, path, body))["paid_by"] == "wallet"

    stopped = await client.request("POST", f"{path}/{id_in(view)}/cancel", headers=harness.headers())
    assert (stopped.status, stopped.json()["status"]) == (200, "rejected")


async def test_post__when_a_relayer_moves_the_token_already__then_it_is_refused_and_named(
    harness: Harness, client: MemoryClient
) -> None:
    wallet = await cloned(harness, client, 7, 8)
    request_body = {**TRANSFER, "contract": SECOND}
    first = id_in(await accepted(harness, client, TRANSFERS, request_body))
    record = harness.mints.token_operations[first]
    assert isinstance(record, RelayedTransfer)
    harness.mints.token_operations[first] = record.evolve(sender=RELAYER, counter=0, deadline=9)
    await carried(harness, first, sent=True)
    harness.mints.token_operations[first] = harness.mints.token_operations[first].evolve(sender=RELAYER)

    for path, body in ((TRANSFERS, request_body), (BURNS, {**BURN, "contract": SECOND})):
        answered = await post(harness, client, path, body)
        assert (answered.status, answered.json()["code"]) == (409, "token-operation-pending")
        assert f"The transfer {first} of token 7" in answered.json()["detail"]
    assert (await accepted(harness, client, BURNS, {"token_id": "8", "contract": SECOND}))["wallet"] == wallet


async def test_transfer__when_the_tokens_are_soulbound__then_they_can_only_be_burned(
    harness: Harness, client: MemoryClient
) -> None:
    await cloned(harness, client, soulbound=True)
    answered = await post(harness, client, TRANSFERS, {**TRANSFER, "contract": SECOND})
    assert (answered.status, answered.json()["code"]) == (409, "token-soulbound")
    await accepted(harness, client, BURNS, {**BURN, "contract": SECOND})


@pytest.mark.parametrize(("path", "body"), BOTH)
async def test_post__when_a_machine_client_asks__then_it_is_refused_whoever_would_pay(
    harness: Harness, client: MemoryClient, path: str, body: dict[str, Any]
) -> None:
    await cloned(harness, client)
    await given(harness, client)
    for contract in (SECOND, CONTRACT):
        headers = harness.client_headers()
        answered = await client.post_json(path, {**body, "contract": contract}, headers=headers)
        assert (answered.status, answered.json()["code"]) == (403, "not-for-clients")
    assert harness.mints.token_operations == {}
