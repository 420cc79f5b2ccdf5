"""Vouchers in their users' hands: issued once, carried by the user's own wallet, expired at last."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from coincurve import PrivateKey

from mintline.chain.gas import GasBound
from mintline.chain.send_facts import SendFact
from mintline.errors import Rejected, Throttled
from mintline.eth import (
    ETHER,
    GWEI,
    Transaction,
    address_of_public_key,
    keccak256,
    redeem_calldata,
    to_checksum_address,
)
from mintline.messages.intents import IssueVoucher
from mintline.messages.parts import Fees, KeyRef, Voucher
from mintline.messages.signed import SelfRedeem, SigningRefused, VoucherIssued
from mintline.raw_transactions import decode
from mintline.records.index import Transfer
from mintline.records.operations import MAX_OWN_TRANSACTIONS, Mint
from mintline.records.problems import TOKEN_TAKEN
from mintline.refusals import problem_of
from mintline.states import MintStatus
from mintline_broadcaster.fees import FeeCaps
from mintline_broadcaster.handlers import refuse
from mintline_broadcaster.noops import Noops
from mintline_broadcaster.on_record import OutcomeRefused
from mintline_broadcaster.ports import Final
from mintline_broadcaster.settle_from_index import settle_from_index
from mintline_broadcaster.vouchers import expire, expired, issue, refuse_voucher, relay
from mintline_testkit.broadcaster.store import MemoryTransactionStore
from mintline_testkit.broadcaster.vouchers import MemoryVoucherStore
from mintline_testkit.chain import Decoded, FakeChain
from mintline_testkit.constants import CONTRACT

NOW = 1_700_000_000_000
DEADLINE = NOW // 1000 + 3600
KEYS = {name: PrivateKey(name.encode().ljust(32, b"k")) for name in ("user", "other")}
USER, STRANGER = (address_of_public_key(key.public_key.format(compressed=False)) for key in KEYS.values())
OTHER = to_checksum_address(b"\x22" * 20)
ISSUER = KeyRef(address=OTHER, subject="platform:issuer", chain_id=31337, secret_id="issuer")
VOUCHER = Voucher(token_id=7, to=USER, metadata_digest=bytes(32), deadline=DEADLINE)
SIGNATURE = bytes(range(65))
REQUEST = IssueVoucher(
    signer=ISSUER, chain_id=31337, mint_id="m1", contract=CONTRACT, voucher=VOUCHER, subject="alice"
)
ISSUED = VoucherIssued(intent=REQUEST, signature=SIGNATURE)


def transaction(
    nonce: int = 0, *, fees: int = 10 * GWEI, tip: int = GWEI, gas: int = 120_000, **changes: Any
) -> SelfRedeem:
    raw = signed(nonce, fees=fees, tip=tip, gas=gas)
    fields: dict[str, Any] = {
        "mint_id": "m1",
        "chain_id": 31337,
        "sender": USER,
        "nonce": nonce,
        "fees": Fees(max_fee_per_gas=fees, max_priority_fee_per_gas=tip),
        "raw": raw,
        "tx_hash": keccak256(raw),
    }
    return SelfRedeem(**fields | changes)


def signed(
    nonce: int = 0,
    *,
    fees: int = 10 * GWEI,
    tip: int = GWEI,
    gas: int = 120_000,
    by: str = "user",
    signature: bytes = SIGNATURE,
    voucher: Voucher = VOUCHER,
    **changes: Any,
) -> bytes:
    """Return the transaction that redeems the voucher, or another one that is as well signed."""
    data = redeem_calldata(**voucher.model_dump(), signature=signature)
    means: dict[str, Any] = {"chain_id": 31337, "to": CONTRACT, "value": 0, "data": data, **changes}
    body = Transaction(nonce=nonce, max_priority_fee_per_gas=tip, max_fee_per_gas=fees, gas=gas, **means)
    created = KEYS[by].sign_recoverable(body.signing_hash(), hasher=None)
    return body.signed(
        created[64], int.from_bytes(created[:32], "big"), int.from_bytes(created[32:64], "big")
    )


def decoded(raw: bytes) -> Decoded:
    read = decode(raw)
    body = read.transaction
    fees = Fees(max_fee_per_gas=body.max_fee_per_gas, max_priority_fee_per_gas=body.max_priority_fee_per_gas)
    return Decoded(read.sender, body.nonce, body.gas, fees)


def made_in_block(block: int, recipient: str) -> Transfer:
    """Return the transfer that made the voucher's token."""
    return Transfer(
        chain_id=31337,
        contract=CONTRACT,
        token_id=7,
        sender=None,
        recipient=recipient,
        block_number=block,
        block_hash=bytes([block]) * 32,
        log_index=0,
        tx_hash=b"\x07" * 32,
        timestamp=DEADLINE,
    )


@dataclass
class Harness:
    now: int = NOW
    store: MemoryTransactionStore = field(default_factory=MemoryTransactionStore)
    chain: FakeChain = field(
        default_factory=lambda: FakeChain(decode=decoded, default_balance=ETHER, yields=True)
    )

    def __post_init__(self) -> None:
        self.vouchers = MemoryVoucherStore(self.store)

    def put(self, status: MintStatus = MintStatus.BUILT, **changes: Any) -> Mint:
        fields: dict[str, Any] = {
            "mint_id": "m1",
            "sub": "alice",
            "status": status,
            "chain_id": 31337,
            "contract": CONTRACT,
            "to": USER,
            "custody": "self",
            "metadata_digest": bytes(32),
            "request_digest": "00",
            "created_at": NOW,
            "updated_at": NOW,
            "token_id": 7,
            "deadline": DEADLINE,
            "gas": 100_000,
            "voucher_signature": SIGNATURE if status is not MintStatus.BUILT else None,
        }
        mint = Mint(**fields | changes)
        self.store.mints[mint.mint_id] = mint
        return mint

    @property
    def mint(self) -> Mint:
        return self.store.mints["m1"]

    @property
    def problem(self) -> str | None:
        """The code of what the user is told."""
        return self.mint.problem.code if self.mint.problem else None

    async def issue(self, message: VoucherIssued = ISSUED) -> None:
        await issue(message, vouchers=self.vouchers, now=self.now)

    async def relay(self, message: SelfRedeem) -> None:
        await relay(message, store=self.store, vouchers=self.vouchers, chain=self.chain, now=self.now)


@pytest.fixture
def line() -> Harness:
    return Harness()


async def test_voucher__when_it_is_the_mints_own__then_its_user_can_have_it(line: Harness) -> None:
    line.put()

    await line.issue()

    assert line.mint.status is MintStatus.ISSUED
    assert (line.mint.voucher_signature, line.mint.issued_at) == (SIGNATURE, NOW)


@pytest.mark.parametrize(
    "status", [MintStatus.ISSUED, MintStatus.SUBMITTED, MintStatus.MINED, MintStatus.REJECTED]
)
async def test_voucher__when_delivered_again__then_nothing_moves(line: Harness, status: MintStatus) -> None:
    before = line.put(status, voucher_signature=SIGNATURE)

    await line.issue()

    assert line.mint == before


@pytest.mark.parametrize(
    "changes",
    [
        {"token_id": 8},
        {"deadline": DEADLINE + 1},
        {"to": OTHER},
        {"metadata_digest": bytes(31) + b"1"},
        {"contract": OTHER},
        {"custody": "custodial"},
        {"token_id": None},
    ],
)
async def test_voucher__when_it_is_not_the_mints_own__then_it_is_poison(
    line: Harness, changes: dict[str, Any]
) -> None:
    before = line.put(**changes)

    with pytest.raises(Rejected, match="unknown"):
        await line.issue()

    assert line.mint == before


async def test_voucher__when_there_is_no_such_mint__then_it_is_poison(line: Harness) -> None:
    with pytest.raises(Rejected, match="mint_unknown"):
        await line.issue()


async def test_voucher__when_the_enclave_refuses_it__then_the_mint_ends_and_no_nonce_is_filled(
    line: Harness,
) -> None:
    line.put()
    refusal = SigningRefused(intent=REQUEST, code="policy_voucher_ttl", reason="Visit evil.example.")

    class NoOutbox:
        async def send(self, *_: Any, **__: Any) -> None:
            raise AssertionError("there is no nonce to fill")

    gas = GasBound("MINTLINE_MAX_TRANSFER_GAS", 500_000)
    noops = Noops(chain=line.chain, outbox=NoOutbox(), caps=FeeCaps(1, 1), gas=gas)
    await refuse(refusal, store=line.store, chain=line.chain, outbox=NoOutbox(), noops=noops, now=NOW)

    assert line.mint.status is MintStatus.REJECTED
    assert line.mint.problem == problem_of("policy_voucher_ttl")


async def test_transaction__when_the_node_takes_it__then_the_mint_is_submitted(line: Harness) -> None:
    line.put(MintStatus.ISSUED)
    message = transaction(nonce=0)

    await line.relay(message)

    assert line.mint.status is MintStatus.SUBMITTED
    assert line.mint.submitted_at == NOW
    [attempt] = line.mint.attempts
    assert (attempt.tx_hash, attempt.max_fee_per_gas, attempt.nonce) == (message.tx_hash, 10 * GWEI, 0)
    recorded = line.store.signed[message.tx_hash]
    assert (recorded.kind, recorded.mint_id, recorded.sender) == ("self_redeem", "m1", USER)


async def test_transaction__when_delivered_again__then_it_is_one_attempt(line: Harness) -> None:
    line.put(MintStatus.ISSUED)
    for _ in range(3):
        await line.relay(transaction())
        line.now += 1000

    assert line.mint.status is MintStatus.SUBMITTED
    assert len(line.mint.attempts) == 1
    assert len(line.chain.pool) == 1


async def test_transaction__when_the_process_died_before_the_send__then_it_is_on_record_already(
    line: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.put(MintStatus.ISSUED)
    seen: list[tuple[bool, int]] = []

    async def dies(_: bytes) -> Any:
        seen.append((transaction().tx_hash in line.store.signed, len(line.mint.attempts)))
        raise RuntimeError("killed")

    monkeypatch.setattr(line.chain, "send_raw", dies)
    with pytest.raises(RuntimeError):
        await line.relay(transaction())

    assert seen == [(True, 1)]
    assert line.mint.status is MintStatus.ISSUED


def poor(line: Harness) -> SelfRedeem:
    line.chain.default_balance = 1
    return transaction()


def used(line: Harness) -> SelfRedeem:
    line.chain.use_nonce(USER)
    return transaction()


def cheap(line: Harness) -> SelfRedeem:
    line.chain.minimum_tip = 2 * GWEI
    return transaction()


def tight(_: Harness) -> SelfRedeem:
    return transaction(gas=20_000)


def huge(line: Harness) -> SelfRedeem:
    return transaction(gas=line.chain.block_gas + 1)


@pytest.mark.parametrize(
    ("arrange", "fact"),
    [
        (poor, SendFact.INSUFFICIENT_FUNDS),
        (used, SendFact.NONCE_TOO_LOW),
        (cheap, SendFact.UNDERPRICED),
        (tight, SendFact.INTRINSIC_GAS),
        (huge, SendFact.EXCEEDS_BLOCK_GAS),
    ],
)
async def test_transaction__when_the_node_refuses_it__then_the_user_reads_why_and_the_voucher_waits(
    line: Harness, arrange: Any, fact: SendFact
) -> None:
    line.put(MintStatus.ISSUED)

    await line.relay(arrange(line))

    assert line.mint.status is MintStatus.ISSUED
    assert line.problem == fact.value
    assert len(line.mint.attempts) == 1


async def test_transaction__when_signed_again_after_a_refusal__then_the_problem_is_gone(
    line: Harness,
) -> None:
    line.put(MintStatus.ISSUED)
    await line.relay(used(line))
    await line.relay(transaction(nonce=1))

    assert line.mint.status is MintStatus.SUBMITTED
    assert line.problem is None
    assert [attempt.nonce for attempt in line.mint.attempts] == [0, 1]


async def test_transaction__when_a_better_one_follows__then_both_are_attempts(line: Harness) -> None:
    line.put(MintStatus.ISSUED)
    await line.relay(transaction())
    await line.relay(transaction(fees=10 * GWEI + 1, tip=GWEI + 1))
    assert line.problem == "replacement_underpriced"

    await line.relay(transaction(fees=20 * GWEI, tip=2 * GWEI))

    assert line.mint.status is MintStatus.SUBMITTED
    assert line.problem is None
    assert len(line.mint.attempts) == 3


async def test_transaction__when_it_is_mined_already__then_it_is_no_problem(line: Harness) -> None:
    line.put(MintStatus.ISSUED)
    await line.relay(transaction())
    line.chain.mine()

    await line.relay(transaction())

    assert line.problem is None


async def test_transaction__when_the_pool_is_full__then_it_is_sent_again_later(line: Harness) -> None:
    line.put(MintStatus.ISSUED)
    line.chain.pool_size = 0
    line.chain.counts[USER] = 0

    with pytest.raises(Throttled):
        await line.relay(transaction(nonce=1))

    assert line.problem is None


@pytest.mark.parametrize("status", [MintStatus.MINED, MintStatus.FINALIZED, MintStatus.REJECTED])
async def test_transaction__when_the_mint_is_at_its_end__then_it_is_not_sent(
    line: Harness, status: MintStatus
) -> None:
    before = line.put(status)

    await line.relay(transaction())

    assert line.mint == before
    assert line.chain.sends == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"tx_hash": bytes(32)}, "hash_mismatch"),
        ({"sender": OTHER}, "mint_unknown"),
        ({"mint_id": "m2"}, "mint_unknown"),
    ],
)
async def test_transaction__when_it_is_not_the_mints__then_it_is_poison(
    line: Harness, changes: dict[str, Any], code: str
) -> None:
    line.put(MintStatus.ISSUED)

    with pytest.raises(Rejected, match=code):
        await line.relay(transaction(**changes))

    assert line.chain.sends == []


OTHERS: dict[str, dict[str, Any]] = {
    "another chain": {"chain_id": 1},
    "another contract": {"to": OTHER},
    "another token": {"voucher": VOUCHER.evolve(token_id=8)},
    "another recipient": {"voucher": VOUCHER.evolve(to=OTHER)},
    "other metadata": {"voucher": VOUCHER.evolve(metadata_digest=b"\x01" * 32)},
    "another deadline": {"voucher": VOUCHER.evolve(deadline=DEADLINE + 1)},
    "another voucher's signature": {"signature": bytes(65)},
    "another wallet's": {"by": "other"},
    "ether along with it": {"value": 1},
    "no call": {"data": b""},
}


@pytest.mark.parametrize("what", OTHERS)
async def test_transaction__when_its_bytes_are_not_what_the_record_says__then_it_changes_nothing(
    line: Harness, what: str
) -> None:
    """A message may claim anything of its bytes; what is on record decides."""
    before = line.put(MintStatus.ISSUED)
    raw = signed(**OTHERS[what])

    with pytest.raises(OutcomeRefused) as caught:
        await line.relay(transaction().evolve(raw=raw, tx_hash=keccak256(raw)))

    assert (caught.value.code, caught.value.mint_id) == ("raw_mismatch", "m1")
    assert (line.mint, line.store.signed, line.chain.sends) == (before, {}, [])


@pytest.mark.parametrize(
    "changes", [{"nonce": 5}, {"fees": Fees(max_fee_per_gas=1, max_priority_fee_per_gas=1)}]
)
async def test_transaction__when_the_message_claims_other_numbers_than_its_bytes__then_it_changes_nothing(
    line: Harness, changes: dict[str, Any]
) -> None:
    before = line.put(MintStatus.ISSUED)

    with pytest.raises(OutcomeRefused, match="raw_mismatch"):
        await line.relay(transaction().evolve(**changes))

    assert (line.mint, line.store.signed, line.chain.sends) == (before, {}, [])


async def test_transaction__when_its_bytes_are_no_transaction__then_it_changes_nothing(line: Harness) -> None:
    before = line.put(MintStatus.ISSUED)

    with pytest.raises(OutcomeRefused, match="raw_mismatch"):
        await line.relay(transaction().evolve(raw=b"\x02junk", tx_hash=keccak256(b"\x02junk")))

    assert (line.mint, line.store.signed) == (before, {})


@pytest.mark.parametrize(
    "changes",
    [
        {"authorization": b"another"},
        {"subject": "bob"},
        {"voucher": VOUCHER.evolve(token_id=8)},
        {"voucher": VOUCHER.evolve(deadline=DEADLINE + 10**6)},
    ],
    ids=["authorization", "subject", "token id", "deadline"],
)
async def test_voucher__when_the_enclave_refused_another_request_than_the_records__then_the_mint_goes_on(
    line: Harness, changes: dict[str, Any]
) -> None:
    """A queue writer can have the enclave refuse something of its own, in the mint's name."""
    before = line.put()
    message = SigningRefused(intent=REQUEST.evolve(**changes), code="authorization_missing", reason="")

    with pytest.raises(OutcomeRefused):
        await refuse_voucher(message, store=line.store, chain=line.chain, now=NOW)

    assert line.mint == before


@pytest.mark.parametrize(
    ("recipient", "digest"), [(OTHER, bytes(32)), (USER, b"\x01" * 32)], ids=["recipient", "metadata"]
)
@pytest.mark.parametrize("status", [MintStatus.ISSUED, MintStatus.SUBMITTED])
async def test_voucher__when_its_token_id_was_finally_minted_by_another__then_its_mint_is_rejected(
    line: Harness, status: MintStatus, recipient: str, digest: bytes
) -> None:
    mint = line.put(status)
    line.store.mintings[CONTRACT, 7] = made_in_block(8, recipient)
    line.store.digests[CONTRACT, 7] = digest

    assert await settle_from_index(mint, Final(7, NOW // 1000), store=line.store, chain=line.chain, now=NOW)
    assert line.mint == mint
    assert await settle_from_index(mint, Final(8, NOW // 1000), store=line.store, chain=line.chain, now=NOW)
    assert (line.mint.status, line.mint.problem) == (MintStatus.REJECTED, TOKEN_TAKEN)


async def test_transaction__when_the_mint_is_custodial__then_it_is_poison(line: Harness) -> None:
    line.put(MintStatus.SUBMITTED, custody="custodial")

    with pytest.raises(Rejected, match="mint_unknown"):
        await line.relay(transaction())


async def test_transaction__when_there_are_too_many__then_no_more_are_taken(line: Harness) -> None:
    line.put(MintStatus.ISSUED)
    for nonce in range(MAX_OWN_TRANSACTIONS):
        await line.relay(transaction(nonce))

    with pytest.raises(Rejected, match="too_many_attempts"):
        await line.relay(transaction(MAX_OWN_TRANSACTIONS))
    await line.relay(transaction(0))

    assert len(line.mint.attempts) == MAX_OWN_TRANSACTIONS


@pytest.mark.parametrize("status", [MintStatus.ISSUED, MintStatus.SUBMITTED])
async def test_voucher__when_its_deadline_is_finally_past__then_the_mint_is_rejected(
    line: Harness, status: MintStatus
) -> None:
    mint = line.put(status)

    assert not await expire(mint, Final(9, DEADLINE), store=line.store, chain=line.chain, now=NOW)
    assert line.mint.status is status
    assert await expire(mint, Final(9, DEADLINE + 1), store=line.store, chain=line.chain, now=NOW)
    assert line.mint.status is MintStatus.REJECTED
    assert line.problem == "voucher_expired"


async def test_voucher__when_it_was_redeemed_meanwhile__then_it_does_not_expire(line: Harness) -> None:
    mint = line.put(MintStatus.ISSUED)
    line.put(MintStatus.MINED)

    assert not await expire(mint, Final(9, DEADLINE + 1), store=line.store, chain=line.chain, now=NOW)
    assert line.mint.status is MintStatus.MINED


async def test_voucher__when_its_token_is_there_but_nobody_noticed__then_its_mint_ends_by_the_token(
    line: Harness,
) -> None:
    mint = line.put(MintStatus.ISSUED)
    minting = made_in_block(8, USER)
    line.store.mintings[CONTRACT, 7] = minting
    line.store.digests[CONTRACT, 7] = mint.metadata_digest

    assert not await expire(mint, Final(9, DEADLINE + 1), store=line.store, chain=line.chain, now=NOW)
    assert line.mint.status is MintStatus.FINALIZED
    assert (line.mint.tx_hash, line.mint.block_number) == (minting.tx_hash, 8)
    assert line.problem is None


@pytest.mark.parametrize(
    "changes",
    [
        {"status": MintStatus.BUILT},
        {"status": MintStatus.MINED},
        {"custody": "custodial", "status": MintStatus.SUBMITTED},
        {"deadline": None},
    ],
)
def test_mint__when_no_voucher_of_it_waits__then_none_expires(line: Harness, changes: dict[str, Any]) -> None:
    mint = line.put(MintStatus.ISSUED).model_copy(update=changes)

    assert not expired(mint, final_time=DEADLINE + 1)


REFUSED = SigningRefused(intent=REQUEST, code="policy_voucher_expired", reason="")


async def refused_late(line: Harness, final: Final) -> MintStatus:
    """Have the enclave refuse a voucher that a mint had before its record was restored."""
    line.store.indexed = final
    await refuse_voucher(REFUSED, store=line.store, chain=line.chain, now=NOW)
    return line.mint.status


async def test_voucher__when_it_is_refused_and_was_redeemed_before_a_restore__then_its_mint_ends_by_the_token(
    line: Harness,
) -> None:
    mint = line.put()
    line.store.mintings[CONTRACT, 7] = made_in_block(8, USER)
    line.store.digests[CONTRACT, 7] = mint.metadata_digest

    assert await refused_late(line, Final(7, NOW // 1000)) is MintStatus.BUILT
    assert await refused_late(line, Final(8, NOW // 1000)) is MintStatus.FINALIZED
    assert line.mint.problem is None


async def test_voucher__when_it_is_refused_and_its_token_is_anothers__then_its_mint_is_rejected(
    line: Harness,
) -> None:
    line.put()
    line.store.mintings[CONTRACT, 7] = made_in_block(8, OTHER)

    assert await refused_late(line, Final(8, NOW // 1000)) is MintStatus.REJECTED
    assert line.mint.problem == TOKEN_TAKEN


@pytest.mark.parametrize("stateless", [True, False], ids=["nobody can tell", "the chain has it"])
async def test_voucher__when_it_is_refused_and_its_token_may_be_on_chain_alone__then_its_mint_waits(
    line: Harness, *, stateless: bool
) -> None:
    line.put()
    line.chain.stateless = stateless
    line.chain.token_digests[CONTRACT, 7] = bytes(32)

    assert await refused_late(line, Final(8, NOW // 1000)) is MintStatus.BUILT
