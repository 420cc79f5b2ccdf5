"""What the broadcaster sends back up the pipeline: transactions to sign, requests for ether and nonces."""

from __future__ import annotations

from collections.abc import Sequence

from mintline import kinds
from mintline.errors import Unavailable
from mintline.kinds import dedup_id, group_of, meaning_of, transaction_of
from mintline.messages.intents import AnyIntent, SignNoop
from mintline.messages.parts import Fees
from mintline.messages.work import FinishBatch, FundWallet, RenewNonce
from mintline.queue_port import SendingPort
from mintline.raw_transactions import decode
from mintline.records.operations import Attempt, Operation
from mintline.records.transactions import Transaction
from mintline.resources import BUILD, SIGN
from mintline_broadcaster.ports import Seal, SignedTransaction, TransactionStore

MINUTE = 60_000


def fees_of(transaction: Transaction, attempt: Attempt | None = None) -> Fees:
    """Return an attempt's fees, or the latest one's; before there is one, those that it is to have."""
    last = attempt or (transaction.attempts[-1] if transaction.attempts else None)
    if last is None:
        return transaction.fees
    return Fees(max_fee_per_gas=last.max_fee_per_gas, max_priority_fee_per_gas=last.max_priority_fee_per_gas)


async def recorded_intent(transaction: Transaction, *, store: TransactionStore) -> AnyIntent:
    """Return the intent of a reserved transaction, the same each time; raises `mintline.kinds.NotCarried`."""
    return await intent_of(transaction, await _readable(transaction, store), store=store)


async def intent_of(
    transaction: Transaction, operations: Sequence[Operation], *, store: TransactionStore
) -> AnyIntent:
    """Return the same, by the operations that it names; raises `mintline.kinds.NotCarried`."""
    authorization = b""
    if kinds.transaction_kind(transaction).authorized and operations:
        authorization = await store.envelope(operations[0])
    return kinds.first_intent(transaction, operations, authorization)


async def first_intent(transaction: Transaction, *, store: TransactionStore) -> AnyIntent:
    """Return the same; raises Unavailable if the record of what it carries moved on since it was read."""
    try:
        return await recorded_intent(transaction, store=store)
    except kinds.NotCarried as moved:
        raise Unavailable(str(moved)) from None


async def operations_of(transaction: Transaction, *, store: TransactionStore) -> list[Operation]:
    """Return the operations of a transaction, in its order; raises Unavailable if one cannot be read."""
    operations = await _readable(transaction, store)
    if len(operations) < len(transaction.operations):
        raise Unavailable(f"operations of transaction {transaction.key.name} cannot be read")
    return operations


async def _readable(transaction: Transaction, store: TransactionStore) -> list[Operation]:
    operations = await store.operations(transaction.operations) if transaction.operations else {}
    return [operations[operation_id] for operation_id in transaction.operations if operation_id in operations]


def resealed(batch: Transaction, operations: Sequence[Operation]) -> tuple[Seal, AnyIntent]:
    """Return what a batch carries without all but these of its operations, and its first intent then."""
    ids = tuple(operation.operation_id for operation in operations)
    intent = kinds.first_intent(batch.evolve(operations=ids), operations)
    return Seal(ids, meaning_of(intent)), intent


async def intent_again(
    transaction: Transaction, attempt: Attempt, signed: SignedTransaction, *, store: TransactionStore
) -> AnyIntent:
    """Return the intent that an attempt carries out, whose bytes are on record; raises as above."""
    fees = fees_of(transaction, attempt)
    if attempt.fills:
        return SignNoop(
            trace=transaction.trace,
            signer=transaction.signer,
            chain_id=transaction.signer.chain_id,
            nonce=transaction.nonce,
            gas=decode(signed.raw).transaction.gas,
            fees=fees,
            attempt=signed.attempt,
        )
    intent = await first_intent(transaction, store=store)
    return intent.evolve(fees=fees, attempt=signed.attempt)


async def sign(intent: AnyIntent, *, outbox: SendingPort, dedup: str = "") -> None:
    """Have an intent signed."""
    await outbox.send(SIGN, intent, group=group_of(intent), dedup=dedup or dedup_id(intent))


async def sign_again(intent: AnyIntent, fees: Fees, *, outbox: SendingPort) -> None:
    """Have the same intent signed with other fees, as its next attempt."""
    await sign(intent.evolve(fees=fees, attempt=intent.attempt + 1), outbox=outbox)


async def ask_for_nonce(operation: Operation, *, outbox: SendingPort) -> None:
    """Ask the builder for another nonce of an operation whose own was used by another transaction."""
    assert operation.nonce is not None
    name = operation.operation_id
    message = RenewNonce(trace=operation.trace, mint_id=name, nonce=operation.nonce)
    await outbox.send(BUILD, message, group=name, dedup=f"renew:{name}:{operation.nonce}")


async def ask_to_finish(batch: Transaction, *, outbox: SendingPort, now: int) -> None:
    """Ask the builder to claim what a batch has not claimed yet, to seal it, and to have it signed."""
    address = batch.signer.address
    message = FinishBatch(trace=batch.trace, sender=address, nonce=batch.nonce)
    dedup = f"finish:{batch.key.name}:{now}"
    await outbox.send(BUILD, message, group=f"{address}#{batch.nonce}", dedup=dedup)


async def ask_for_funds(intent: AnyIntent, balance: int, *, outbox: SendingPort, now: int) -> None:
    """Ask the builder for a top-up of the sender, whose `balance` (wei) a node found too small.

    For the same transaction and balance at most once a minute.
    """
    wallet, required = intent.signer.address, cost_of(intent)
    message = FundWallet(trace=intent.trace, wallet=wallet, required=required, balance=balance)
    dedup = f"fund:{wallet}:{required}:{balance}:{now // MINUTE}"
    await outbox.send(BUILD, message, group=wallet, dedup=dedup)


def cost_of(intent: AnyIntent) -> int:
    """Return the most that an intent can take from its sender, in wei."""
    return intent.gas * intent.fees.max_fee_per_gas + transaction_of(intent).value
