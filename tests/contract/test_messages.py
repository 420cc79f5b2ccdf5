"""Golden files: what a service wrote yesterday, its neighbour must read tomorrow.

A message that changes shape gets a new file; files are never edited, and the earlier ones can still be read.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from mintline.clones import CloneArgs
from mintline.messages import codec
from mintline.messages.codec import AnyMessage
from mintline.messages.intents import (
    BatchMint,
    IssueVoucher,
    SignAdminister,
    SignBatch,
    SignBurn,
    SignDeploy,
    SignMint,
    SignNoop,
    SignRelayedBurn,
    SignRelayedTransfer,
    SignTopUp,
    SignTransfer,
)
from mintline.messages.parts import Clone, CollectionChange, Fees, KeyRef, LineRef, Voucher
from mintline.messages.signed import Broadcast, SelfRedeem, SigningRefused, VoucherIssued
from mintline.messages.work import BuildLines, BuildMint, FinishBatch, FundWallet, RenewNonce, ReviewMint
from mintline_testkit.constants import CONTRACT

GOLDEN = Path(__file__).parent / "golden"
WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
TREASURY = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
MINT_ID = "mint_01JDBQ6V6W8XN3Y5Z7A9B1C2D3"
BULK_ID = "bulk_01JDBQ6V6W8XN3Y5Z7A9B1C2D3"

SIGN_MINT = SignMint(
    trace=TRACE,
    signer=KeyRef(
        address=WALLET,
        subject="5f9c2f0e-1d3a-4a53-9a7e-0d7e0c0c9f11",
        chain_id=31337,
        secret_id=f"mintline/wallets/31337/{WALLET}",
    ),
    chain_id=31337,
    nonce=7,
    gas=150_000,
    fees=Fees(max_fee_per_gas=3_000_000_000, max_priority_fee_per_gas=1_000_000_000),
    mint_id=MINT_ID,
    contract=CONTRACT,
    voucher=Voucher(token_id=2**255 + 1, to=WALLET, metadata_digest=bytes(range(32)), deadline=1_900_000_000),
    authorization=b"\x01" + bytes(range(8)) + b"sealed",
    built_at=1_795_398_654_201,
)
UNTIMED = SIGN_MINT.model_copy(update={"built_at": None})
UNAUTHORIZED = UNTIMED.model_copy(update={"authorization": b""})
SIGN_TOP_UP = SignTopUp(
    trace=TRACE,
    signer=KeyRef(
        address=TREASURY,
        subject="platform:treasury",
        chain_id=31337,
        secret_id=f"mintline/wallets/31337/{TREASURY}",
    ),
    chain_id=31337,
    nonce=0,
    gas=21_000,
    fees=Fees(max_fee_per_gas=3_000_000_000, max_priority_fee_per_gas=1_000_000_000),
    recipient=WALLET,
    value=10**18,
)
SIGN_NOOP = SignNoop(
    trace=TRACE,
    signer=SIGN_MINT.signer,
    chain_id=31337,
    nonce=7,
    gas=21_000,
    fees=SIGN_MINT.fees,
    attempt=1,
    mint_id=MINT_ID,
)
ISSUER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
ISSUE_VOUCHER = IssueVoucher(
    trace=TRACE,
    signer=KeyRef(
        address=ISSUER,
        subject="platform:issuer",
        chain_id=31337,
        secret_id=f"mintline/wallets/31337/{ISSUER}",
    ),
    chain_id=31337,
    mint_id=MINT_ID,
    contract=CONTRACT,
    voucher=SIGN_MINT.voucher,
    subject=SIGN_MINT.signer.subject,
    authorization=SIGN_MINT.authorization,
)
SIGN_LISTED_BATCH = SignBatch(
    trace=TRACE,
    signer=SIGN_TOP_UP.signer.model_copy(update={"subject": "platform:relayer-1"}),
    chain_id=31337,
    nonce=12,
    gas=900_000,
    fees=SIGN_MINT.fees,
    contract=CONTRACT,
    mints=(
        BatchMint(
            mint_id=MINT_ID,
            token_id=2**255 + 1,
            to=WALLET,
            metadata_digest=bytes(range(32)),
            subject=SIGN_MINT.signer.subject,
        ),
    ),
)
OWNERLESS_BATCH = SIGN_LISTED_BATCH.model_copy(
    update={"mints": tuple(mint.model_copy(update={"subject": ""}) for mint in SIGN_LISTED_BATCH.mints)}
)
CLONE = Clone(
    factory=ISSUER,
    implementation=TREASURY,
    principal="client",
    operation_id="deploy_01JDBQ6V6W8XN3Y5Z7A9B1C2D3",
    args=CloneArgs(
        name="Mintline",
        symbol="MINT",
        owner=WALLET,
        royalty_receiver=WALLET,
        royalty_bps=500,
        supply_cap=10_000,
        mint_start=1_795_398_654,
        mint_end=1_900_000_000,
        soulbound=True,
    ),
)
BATCH_OF_LONE_MINTS = SIGN_LISTED_BATCH.model_copy(update={"clone": CLONE})
LINE = LineRef(request_id=BULK_ID, chunk=3, line=17)
BATCH_OF_LINES = BATCH_OF_LONE_MINTS.model_copy(
    update={"mints": tuple(mint.model_copy(update={"request": LINE}) for mint in BATCH_OF_LONE_MINTS.mints)}
)
ITEM = {"item_id": 2**254 + 7, "quantity": 2**64 - 1}
SIGN_BATCH = BATCH_OF_LINES.model_copy(
    update={"mints": tuple(mint.model_copy(update=ITEM) for mint in BATCH_OF_LINES.mints)}
)
SIGN_TRANSFER = SignTransfer(
    trace=TRACE,
    signer=SIGN_MINT.signer,
    chain_id=31337,
    nonce=8,
    gas=90_000,
    fees=SIGN_MINT.fees,
    request_id="transfer_01JDBQ6V6W8XN3Y5Z7A9B1C2D3",
    contract=CONTRACT,
    token_id=2**255 + 1,
    to=TREASURY,
    authorization=SIGN_MINT.authorization,
    clone=CLONE,
)
SIGN_BURN = SignBurn(
    trace=TRACE,
    signer=SIGN_MINT.signer,
    chain_id=31337,
    nonce=9,
    gas=90_000,
    fees=SIGN_MINT.fees,
    request_id="burn_01JDBQ6V6W8XN3Y5Z7A9B1C2D3",
    contract=CONTRACT,
    token_id=2**255 + 1,
    authorization=SIGN_MINT.authorization,
    clone=CLONE,
)
RELAYED_TRANSFER_OF_A_TOKEN = SignRelayedTransfer(
    trace=TRACE,
    signer=SIGN_BATCH.signer,
    chain_id=31337,
    nonce=15,
    gas=120_000,
    fees=SIGN_MINT.fees,
    request_id="transfer_01JDBQ6V6W8XN3Y5Z7A9B1C2D4",
    holder=SIGN_MINT.signer,
    contract=CONTRACT,
    token_id=2**255 + 1,
    to=TREASURY,
    counter=3,
    deadline=1_800_003_600,
    clone=CLONE,
    authorization=SIGN_MINT.authorization,
)
SIGN_RELAYED_TRANSFER = RELAYED_TRANSFER_OF_A_TOKEN.model_copy(update={"quantity": 2**64 - 1})
RELAYED_BURN_OF_A_TOKEN = SignRelayedBurn(
    trace=TRACE,
    signer=SIGN_BATCH.signer,
    chain_id=31337,
    nonce=16,
    gas=120_000,
    fees=SIGN_MINT.fees,
    request_id="burn_01JDBQ6V6W8XN3Y5Z7A9B1C2D4",
    holder=SIGN_MINT.signer,
    contract=CONTRACT,
    token_id=2**255 + 1,
    counter=4,
    deadline=1_800_003_600,
    clone=CLONE,
    authorization=SIGN_MINT.authorization,
)
SIGN_RELAYED_BURN = RELAYED_BURN_OF_A_TOKEN.model_copy(update={"quantity": 3})
SIGN_DEPLOY = SignDeploy(
    trace=TRACE,
    signer=SIGN_BATCH.signer,
    chain_id=31337,
    nonce=13,
    gas=400_000,
    fees=SIGN_MINT.fees,
    request_id=CLONE.operation_id,
    contract=CONTRACT,
    clone=CLONE,
    authorization=SIGN_MINT.authorization,
)
ADMINISTER_ROYALTY = SignAdminister(
    trace=TRACE,
    signer=SIGN_BATCH.signer,
    chain_id=31337,
    nonce=14,
    gas=60_000,
    fees=SIGN_MINT.fees,
    request_id="change_01JDBQ6V6W8XN3Y5Z7A9B1C2D3",
    contract=CONTRACT,
    change=CollectionChange(action="set_royalty", receiver=WALLET, bps=250),
    clone=CLONE,
    authorization=SIGN_MINT.authorization,
)
SIGN_ADMINISTER = ADMINISTER_ROYALTY.model_copy(
    update={"change": CollectionChange(action="cap_item", item_id=2**255 + 7, cap=2**64 - 1)}
)
OWNERLESS_VOUCHER = ISSUE_VOUCHER.model_copy(update={"subject": ""})
MESSAGES: dict[str, AnyMessage] = {
    "build_mint": BuildMint(trace=TRACE, mint_id=MINT_ID, digest=bytes(range(32))),
    "build_lines": BuildLines(trace=TRACE, request_id=BULK_ID, chunk=3),
    "fund_wallet": FundWallet(trace=TRACE, wallet=WALLET, required=10**16, balance=9 * 10**15),
    "renew_nonce": RenewNonce(trace=TRACE, mint_id=MINT_ID, nonce=7),
    "finish_batch": FinishBatch(trace=TRACE, sender=WALLET, nonce=12),
    "review_mint": ReviewMint(trace=TRACE, mint_id=MINT_ID),
    "sign_mint": SIGN_MINT,
    "sign_top_up": SIGN_TOP_UP,
    "sign_noop": SIGN_NOOP,
    "sign_batch": SIGN_BATCH,
    "sign_transfer": SIGN_TRANSFER,
    "sign_burn": SIGN_BURN,
    "sign_relayed_transfer": SIGN_RELAYED_TRANSFER,
    "sign_relayed_burn": SIGN_RELAYED_BURN,
    "sign_deploy": SIGN_DEPLOY,
    "sign_administer": SIGN_ADMINISTER,
    "broadcast": Broadcast(trace=TRACE, intent=SIGN_MINT, raw=b"\x02\xf8\x01", tx_hash=bytes(31) + b"\x01"),
    "issue_voucher": ISSUE_VOUCHER,
    "voucher_issued": VoucherIssued(trace=TRACE, intent=ISSUE_VOUCHER, signature=bytes(range(65))),
    "self_redeem": SelfRedeem(
        trace=TRACE,
        mint_id=MINT_ID,
        chain_id=31337,
        sender=WALLET,
        nonce=12,
        fees=SIGN_MINT.fees,
        raw=b"\x02\xf8\x01",
        tx_hash=bytes(31) + b"\x01",
    ),
    "signing_refused": SigningRefused(
        trace=TRACE,
        intent=SIGN_BATCH,
        code="token_expired",
        reason="the authorizing token expired",
        operation_id=MINT_ID,
    ),
}
EARLIER: dict[str, AnyMessage] = {
    "sign_mint.v1.json": UNAUTHORIZED,
    "sign_mint.v1.authorized.json": UNTIMED,
    "broadcast.v1.authorized.json": Broadcast(
        trace=TRACE, intent=UNTIMED, raw=b"\x02\xf8\x01", tx_hash=bytes(31) + b"\x01"
    ),
    "broadcast.v1.json": Broadcast(
        trace=TRACE, intent=UNAUTHORIZED, raw=b"\x02\xf8\x01", tx_hash=bytes(31) + b"\x01"
    ),
    "issue_voucher.v1.json": OWNERLESS_VOUCHER,
    "voucher_issued.v1.json": VoucherIssued(
        trace=TRACE, intent=OWNERLESS_VOUCHER, signature=bytes(range(65))
    ),
    "sign_batch.v1.json": OWNERLESS_BATCH,
    "sign_batch.v1.owned.json": SIGN_LISTED_BATCH,
    "sign_batch.v1.cloned.json": BATCH_OF_LONE_MINTS,
    "sign_batch.v1.lines.json": BATCH_OF_LINES,
    "sign_administer.v1.json": ADMINISTER_ROYALTY,
    "sign_relayed_transfer.v1.json": RELAYED_TRANSFER_OF_A_TOKEN,
    "sign_relayed_burn.v1.json": RELAYED_BURN_OF_A_TOKEN,
    "signing_refused.v1.lines.json": SigningRefused(
        trace=TRACE,
        intent=BATCH_OF_LINES,
        code="token_expired",
        reason="the authorizing token expired",
        operation_id=MINT_ID,
    ),
    "signing_refused.v1.cloned.json": SigningRefused(
        trace=TRACE,
        intent=BATCH_OF_LONE_MINTS,
        code="token_expired",
        reason="the authorizing token expired",
        operation_id=MINT_ID,
    ),
    "sign_transfer.v1.json": SIGN_TRANSFER.model_copy(update={"clone": None}),
    "sign_burn.v1.json": SIGN_BURN.model_copy(update={"clone": None}),
    "signing_refused.v1.blamed.json": SigningRefused(
        trace=TRACE,
        intent=SIGN_LISTED_BATCH,
        code="token_expired",
        reason="the authorizing token expired",
        operation_id=MINT_ID,
    ),
    "signing_refused.v1.json": SigningRefused(
        trace=TRACE, intent=SIGN_NOOP, code="policy_fee_cap", reason="the fee is over the policy's cap"
    ),
    "fund_wallet.v1.json": FundWallet(trace=TRACE, wallet=WALLET, required=10**16),
    "build_mint.v1.json": BuildMint(trace=TRACE, mint_id=MINT_ID),
}
"""What was written before a field was added, and how it is read since."""
SHAPES = {
    "build_mint": "digest",
    "sign_administer": "capped",
    "sign_mint": "timed",
    "broadcast": "timed",
    "fund_wallet": "balance",
    "issue_voucher": "owned",
    "sign_batch": "items",
    "sign_burn": "cloned",
    "sign_relayed_burn": "items",
    "sign_relayed_transfer": "items",
    "sign_transfer": "cloned",
    "signing_refused": "items",
    "voucher_issued": "owned",
}
"""The names of the shapes that came after the first."""


def golden(name: str) -> Path:
    shape = f".{SHAPES[name]}" if name in SHAPES else ""
    return GOLDEN / f"{name}.v{MESSAGES[name].version}{shape}.json"


def test_message_types__when_listed__then_each_has_a_golden_file() -> None:
    union = get_args(get_args(AnyMessage)[0])
    assert {kind.model_fields["type"].default for kind in union} == set(MESSAGES)
    assert {path.name for path in GOLDEN.iterdir()} == {golden(name).name for name in MESSAGES} | set(EARLIER)


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_message__when_written__is_its_golden_file(name: str) -> None:
    written = json.dumps(json.loads(codec.encode(MESSAGES[name])), indent=2) + "\n"
    if os.environ.get("UPDATE_GOLDEN") == "1" and not golden(name).exists():
        golden(name).write_text(written)
    assert golden(name).read_text() == written


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_golden_file__when_read__is_the_message(name: str) -> None:
    assert codec.decode(golden(name).read_bytes()) == MESSAGES[name]


@pytest.mark.parametrize("name", sorted(EARLIER))
def test_golden_file__when_it_has_an_earlier_shape__is_read_all_the_same(name: str) -> None:
    assert codec.decode((GOLDEN / name).read_bytes()) == EARLIER[name]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"type":"build_mint"}',
        '{"type":"build_mint","version":"2","mint_id":"m"}',
        '{"type":"build_mint","version":0,"mint_id":"m"}',
        '{"type":5,"version":1}',
        '{"type":"Not a type","version":1}',
        '{"type":"build_mint","version":1,"mint_id":""}',
        '{"type":"build_mint","version":1,"mint_id":"%s"}' % ("m" * 65),
    ],
)
def test_decode__when_it_is_no_message__refuses(body: str) -> None:
    with pytest.raises(ValidationError):
        codec.decode(body)


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": 2**64 - 1},
        {"gas": 2**64},
        {"chain_id": 2**64},
        {"attempt": 10_001},
        {"mint_id": "m" * 65},
        {"authorization": "0x" + "00" * 8193},
        {"voucher": {**SIGN_MINT.voucher.model_dump(mode="json"), "deadline": 2**64}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_decode__when_a_field_is_beyond_what_the_line_can_carry__refuses(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(changes))):
        codec.decode(json.dumps(json.loads(codec.encode(SIGN_MINT)) | changes))


def test_mint_id_of__when_given_an_envelope__then_it_is_the_mints() -> None:
    with_mint = {name for name, message in MESSAGES.items() if codec.mint_id_of(message) == MINT_ID}
    of_none = {"fund_wallet", "finish_batch", "sign_top_up", "sign_transfer", "sign_burn"}
    of_none |= {"sign_relayed_transfer", "sign_relayed_burn", "sign_deploy", "sign_administer"}
    of_many = {"build_lines", "sign_batch", "signing_refused"}
    without = of_none | of_many
    assert with_mint == set(MESSAGES) - without
