"""What the broadcaster sends back up the line: transactions to sign, calls for gas money and for nonces."""

from __future__ import annotations

from mintline import kinds
from mintline.errors import Unavailable
from mintline.kinds import dedup_id, group_of
from mintline.messages import AnyIntent, Fees, FundWallet, RenewNonce, SignNoop, SignTopUp
from mintline.queueing import SendingPort
from mintline.raw_transactions import decode
from mintline.records import Attempt, Mint
from mintline.resources import BUILD, SIGN
from mintline.transaction_records import Transaction
from mintline_broadcaster.ports import Ledger, SignedTransaction

MINUTE = 60_000


def fees_of(transaction: Transaction, attempt: Attempt | None = None) -> Fees:
    """Return an attempt's fees, or the latest one's; before there is one, those that it is to have."""
    last = attempt or (transaction.attempts[-1] if transaction.attempts else None)
    if last is None:
        return transaction.fees
    return Fees(max_fee_per_gas=last.max_fee_per_gas, max_priority_fee_per_gas=last.max_priority_fee_per_gas)


async def first_intent(transaction: Transaction, *, ledger: Ledger) -> AnyIntent:
    """Return what a reserved transaction stands for, the same each time; raises Unavailable if it has moved.

    The record of what it carries may have moved on since the transaction was read.
    """
    found = await ledger.operations(transaction.operations) if transaction.operations else {}
    operations = [found[one] for one in transaction.operations if one in found]
    authorization = b""
    if kinds.transaction_kind(transaction).authorized and operations:
        authorization = await ledger.envelope(operations[0])
    try:
        return kinds.first_intent(transaction, operations, authorization)
    except kinds.Moved as moved:
        raise Unavailable(str(moved)) from None


async def intent_again(
    transaction: Transaction, attempt: Attempt, signed: SignedTransaction, *, ledger: Ledger
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
    intent = await first_intent(transaction, ledger=ledger)
    return intent.evolve(fees=fees, attempt=signed.attempt)


async def sign(intent: AnyIntent, *, outbox: SendingPort, dedup: str = "") -> None:
    """Have an intent signed."""
    await outbox.send(SIGN, intent, group=group_of(intent), dedup=dedup or dedup_id(intent))


async def sign_again(intent: AnyIntent, fees: Fees, *, outbox: SendingPort) -> None:
    """Have the same intent signed with other fees, as its next attempt."""
    await sign(intent.evolve(fees=fees, attempt=intent.attempt + 1), outbox=outbox)


async def ask_for_nonce(mint: Mint, *, outbox: SendingPort) -> None:
    """Ask the builder for another nonce of a mint whose own was used by another transaction."""
    assert mint.nonce is not None
    message = RenewNonce(trace=mint.trace, mint_id=mint.mint_id, nonce=mint.nonce)
    await outbox.send(BUILD, message, group=mint.mint_id, dedup=f"renew:{mint.mint_id}:{mint.nonce}")


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
    value = intent.value if isinstance(intent, SignTopUp) else 0
    return intent.gas * intent.fees.max_fee_per_gas + value
