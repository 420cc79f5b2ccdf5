"""What the broadcaster sends back up the line: replacements, calls for gas money and for nonces."""

from __future__ import annotations

from mintline.intents import dedup_id, group_of
from mintline.messages import AnyIntent, Fees, FundWallet, RenewNonce, SignMint, SignTopUp
from mintline.queueing import SendingPort
from mintline.records import Mint
from mintline.resources import BUILD, SIGN
from mintline_broadcaster.ports import Ledger

MINUTE = 60_000


async def sign_again(
    intent: AnyIntent, fees: Fees, mint: Mint | None, *, ledger: Ledger, outbox: SendingPort
) -> None:
    """Have the same intent signed with other fees, as its next attempt; `mint` is the one that it is for."""
    following = intent.evolve(fees=fees, attempt=intent.attempt + 1)
    if isinstance(following, SignMint) and mint is not None:
        following = following.evolve(authorization=await ledger.envelope(mint))
    await outbox.send(SIGN, following, group=group_of(following), dedup=dedup_id(following))


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
