"""Gives every open nonce of a deployment of before 0059 its transaction record.

Until then a mint's own record held nonce, gas, fees, attempts and outcome, an account its top-up, and the
table of attempts what else was sent. Each item is moved by one conditional write, so the work may be cut off
anywhere, and be done again: what is moved already is passed over. It is done while no service runs.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter

from mintline.aws.dynamo import Clause, ConditionFailed, Dynamo, Item, Put, TransactionCancelled, Update
from mintline.aws.operations import created
from mintline.aws.records import from_item, to_item
from mintline.kinds import meaning_of
from mintline.kinds.mint import sign_mint
from mintline.messages.intents import AnyIntent, SignNoop, SignTopUp
from mintline.messages.parts import Fees, KeyRef
from mintline.records.operations import Attempt, Mint
from mintline.records.transactions import TopUpPayload, Transaction, transaction_key_of
from mintline.resources import ACCOUNTS, MINTS, TRANSACTIONS
from mintline.states import MintStatus, TransactionState

_INTENT: TypeAdapter[AnyIntent] = TypeAdapter(AnyIntent)
_READ_OFF = ("gas", "fees", "submitted_at", "swept_at", "sweeps", "open_shard")
"""What an open mint's record held, and its transaction's holds now."""
_MOVED = frozenset({MintStatus.BUILT, MintStatus.SUBMITTED, MintStatus.REJECTED})
"""Mints that get a transaction; the others of that time keep their outcome on their own record."""


def _integer(item: Item, name: str) -> int:
    value = item[name]
    assert isinstance(value, int)
    return value


async def move_mint(dynamo: Dynamo, item: Item) -> int:
    """Give an open custodial mint's nonce its record; the mint is read off that from now on."""
    if "open_shard" not in item or "nonce" not in item or "sender" not in item or "gas" not in item:
        return 0
    mint = from_item(Mint, item)
    record = _of_mint(mint)
    if mint.status not in _MOVED:
        # Its outcome stays on its record, and its nonce is closed once that is final.
        return await _created(dynamo, record)
    earlier = [to_item(attempt) for attempt in mint.attempts if not _of_nonce(attempt, mint)]
    stored = MintStatus.REJECTED if mint.status is MintStatus.REJECTED else MintStatus.BUILT
    update = Update(
        MINTS,
        {"mint_id": mint.mint_id},
        set={"status": stored.value, "attempts": [*earlier]},
        remove=_READ_OFF,
        where=(
            Clause("still_there", "status", "eq", (mint.status.value,)),
            Clause("its_nonce", "nonce", "eq", (record.nonce,)),
        ),
    )
    try:
        await dynamo.transact([created(record), update])
    except TransactionCancelled:
        return 0
    return 1


def _of_nonce(attempt: Attempt, mint: Mint) -> bool:
    return attempt.nonce in (None, mint.nonce)


def _of_mint(mint: Mint) -> Transaction:
    assert mint.sender is not None
    assert mint.nonce is not None
    assert mint.gas is not None
    assert mint.fees is not None
    attempts = tuple(attempt for attempt in mint.attempts if _of_nonce(attempt, mint))
    filling = mint.cancel_requested_at
    if mint.status is MintStatus.REJECTED:
        filling = mint.updated_at
    return Transaction(
        sender_id=transaction_key_of(mint.sender, mint.nonce).sender_id,
        nonce=mint.nonce,
        signer=mint.sender,
        kind="mint",
        operations=(mint.mint_id,),
        gas=mint.gas,
        fees=mint.fees,
        meaning=meaning_of(sign_mint(mint)),
        first_attempt=len(mint.attempts) - len(attempts),
        deadline=mint.deadline,
        trace=mint.trace,
        state=TransactionState.SUBMITTED if attempts else TransactionState.RESERVED,
        attempts=attempts,
        filling_at=filling,
        reserved_at=mint.built_at or mint.created_at,
        updated_at=mint.updated_at,
        submitted_at=mint.submitted_at,
        swept_at=mint.swept_at,
        sweeps=mint.sweeps,
    )


async def _created(dynamo: Dynamo, record: Transaction) -> int:
    try:
        await dynamo.write(created(record))
    except ConditionFailed:
        return 0
    return 1


async def record_attempt(dynamo: Dynamo, item: Item) -> int:
    """Record what was sent for a nonce that carries no mint, or a no-op in a mint's place."""
    if "open_chain" not in item or "intent" not in item:
        return 0
    first = _INTENT.validate_python(item["intent"])
    attempts = (_attempt(item, first),)
    place = transaction_key_of(first.signer, first.nonce)
    key: Item = {"sender_id": place.sender_id, "nonce": place.nonce}
    stored = await dynamo.get(TRANSACTIONS, key)
    known = _bare(first, attempts[0].at) if stored is None else from_item(Transaction, stored)
    missing = [
        attempt for attempt in attempts if all(attempt.tx_hash != old.tx_hash for old in known.attempts)
    ]
    if not missing:
        return 0
    fills = next((attempt.at for attempt in missing if attempt.fills), None)
    # Open again if its account called it settled: the index of open attempts kept it until it was final.
    record = known.evolve(
        state=TransactionState.SUBMITTED,
        outcome=None,
        attempts=tuple(sorted((*known.attempts, *missing), key=lambda attempt: attempt.at)),
        filling_at=known.filling_at or fills,
        submitted_at=known.submitted_at or missing[0].at,
        updated_at=max(known.updated_at, missing[-1].at),
    )
    put = created(record)
    await dynamo.write(put if stored is None else Put(put.table, put.item))
    return 1


def _bare(first: AnyIntent, at: int) -> Transaction:
    place = transaction_key_of(first.signer, first.nonce)
    top_up = None
    if isinstance(first, SignTopUp):
        top_up = TopUpPayload(recipient=first.recipient, value=first.value)
    return Transaction(
        sender_id=place.sender_id,
        nonce=place.nonce,
        signer=first.signer,
        kind="noop" if top_up is None else "top_up",
        top_up=top_up,
        gas=first.gas,
        fees=first.fees,
        meaning=meaning_of(first),
        trace=first.trace,
        reserved_at=at,
        updated_at=at,
    )


def _attempt(item: Item, intent: AnyIntent) -> Attempt:
    fees: Fees = intent.fees
    return Attempt(
        tx_hash=bytes.fromhex(str(item["tx_hash"])[2:]),
        max_fee_per_gas=fees.max_fee_per_gas,
        max_priority_fee_per_gas=fees.max_priority_fee_per_gas,
        at=_integer(item, "at"),
        nonce=intent.nonce,
        fills=True if isinstance(intent, SignNoop) else None,
    )


async def record_top_up(dynamo: Dynamo, item: Item, treasury: KeyRef) -> int:
    """Replace the top-up on an account by which of the treasury's transactions it is."""
    held: Any = item.get("top_up")
    if not isinstance(held, dict):
        return 0
    chain_id, _, wallet = str(item["account_id"]).partition("#")
    sender = held["treasury"]
    signer = treasury if sender == treasury.address else treasury.evolve(address=sender)
    intent = SignTopUp(
        signer=signer,
        chain_id=int(chain_id),
        nonce=held["nonce"],
        gas=held["gas"],
        fees=Fees.model_validate(held["fees"]),
        recipient=wallet,
        value=held["value"],
    )
    record = _bare(intent, held["at"])
    assert record.top_up is not None
    count = held.get("wallet_count", 0)
    record = record.evolve(top_up=record.top_up.evolve(recipient_count=count))
    put = created(record)
    if "topping_chain" not in item:
        put = Put(put.table, to_item(record.evolve(state=TransactionState.FINAL, outcome="succeeded")))
    with suppress(ConditionFailed):
        await dynamo.write(put)
    await dynamo.write(
        Update(
            ACCOUNTS,
            {"account_id": item["account_id"]},
            set={"top_up_treasury": sender, "top_up_nonce": intent.nonce},
            remove=("top_up", "topping_chain"),
            where=(Clause("on_record", "account_id", "exists"),),
        )
    )
    return 1
