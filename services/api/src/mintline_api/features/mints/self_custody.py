"""Mints by the user's own wallet: the transaction to sign, and the signed one on its way back.

The voucher is good for anyone and always lands at the mint's recipient, so nothing here guards the token. The
checks keep the user from a transaction that does something else, or that cannot succeed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from mintline.chain.answers import FeeMarket
from mintline.errors import MintlineError
from mintline.eth import GWEI
from mintline.messages.parts import Fees
from mintline.messages.signed import SelfRedeem
from mintline.raw_transactions import SignedTransaction, decode
from mintline.records.operations import MAX_OWN_TRANSACTIONS, Mint
from mintline.states import MintStatus
from mintline.views.self_custody import UnsignedTransaction
from mintline.vouchers import calldata
from mintline_api.chain import ChainReader, is_contract
from mintline_api.features.mints.problems import MALFORMED_TRANSACTION, NOT_WAITING, TRANSACTION_MISMATCH
from mintline_api.features.operations.ports import Outbox
from mintline_api.http.problems import Fault, RequestRefused

log = structlog.get_logger()

CHAIN_SECONDS = 5.0
"""How long a response waits for what only the chain knows."""

MAX_FEE = 10_000 * GWEI
"""Wei per gas above which a fee is a slip: no block ever asked a tenth of it."""
_WAITING = (MintStatus.ISSUED, MintStatus.SUBMITTED)


async def unsigned_transaction(
    mint: Mint, chain: ChainReader | None, *, within: float = CHAIN_SECONDS
) -> UnsignedTransaction | None:
    """Return what the user's wallet may sign now, None if there is nothing to sign.

    A chain that does not answer `within` seconds leaves out what only it knows.
    """
    if mint.custody != "self" or mint.status not in _WAITING or mint.voucher_signature is None:
        return None
    assert mint.gas is not None
    without_fees = UnsignedTransaction(
        chain_id=hex(mint.chain_id), to=mint.contract, data=calldata(mint), gas=hex(mint.gas)
    )
    if chain is None:
        return without_fees
    try:
        async with asyncio.timeout(min(CHAIN_SECONDS, within)):
            code, nonce, market = await asyncio.gather(
                chain.code(mint.to), chain.transaction_count(mint.to), chain.fees()
            )
    except (MintlineError, TimeoutError) as error:
        log.warning("chain_not_read", reason=f"{type(error).__name__}: {error}")
        return without_fees
    fees = {
        "max_fee_per_gas": hex(2 * market.base_fee + market.tip),
        "max_priority_fee_per_gas": hex(market.tip),
    }
    if is_contract(code):
        return without_fees.model_copy(update=fees)
    return without_fees.model_copy(update={**fees, "from_": mint.to, "nonce": hex(nonce)})


async def _chain_time(chain: ChainReader | None, now: int) -> int:
    """Return the chain's time in Unix seconds, or ours (`now`, milliseconds) where no node answers."""
    if chain is None:
        return now // 1000
    try:
        return await chain.time()
    except MintlineError as error:
        log.warning("chain_not_read", reason=f"{type(error).__name__}: {error}")
        return now // 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitTransaction:
    """A user's signed transaction for a mint; `now` is in Unix milliseconds."""

    raw: bytes
    mint: Mint
    now: int


async def submit_signed_transaction(
    command: SubmitTransaction, *, chain: ChainReader | None, outbox: Outbox
) -> SignedTransaction:
    """Send a user's signed transaction to the chain, having checked that it redeems the voucher.

    Raises RequestRefused with every fault that was found.
    """
    raw, mint, now = command.raw, command.mint, command.now
    if mint.custody != "self" or mint.status not in _WAITING or mint.deadline is None:
        raise RequestRefused(NOT_WAITING, f"The mint is {mint.status.value}, by {mint.custody} custody.")
    if mint.deadline < await _chain_time(chain, now):
        raise RequestRefused(NOT_WAITING, "The voucher's deadline is past: the contract would refuse it.")
    try:
        signed = decode(raw)
    except ValueError as error:
        fault = Fault(str(error), pointer="#/raw")
        raise RequestRefused(MALFORMED_TRANSACTION, f"#/raw: {error}.", faults=[fault]) from None
    known = any(attempt.tx_hash == signed.tx_hash for attempt in mint.attempts)
    if not known and len(mint.attempts) >= MAX_OWN_TRANSACTIONS:
        raise RequestRefused(NOT_WAITING, f"The mint has had {MAX_OWN_TRANSACTIONS} transactions.")
    # One that is on record may be repeated, whatever has become of its nonce.
    faults = [*_mismatches(signed, mint), *([] if known else await _untimely(signed, chain))]
    if faults:
        raise RequestRefused(
            TRANSACTION_MISMATCH,
            f"The transaction does not redeem the voucher as it should: {faults[0]}.",
            faults=[Fault(fault, pointer="#/raw") for fault in faults],
        )
    transaction = signed.transaction
    message = SelfRedeem(
        trace=mint.trace,
        mint_id=mint.mint_id,
        chain_id=mint.chain_id,
        sender=signed.sender,
        nonce=transaction.nonce,
        fees=Fees(
            max_fee_per_gas=transaction.max_fee_per_gas,
            max_priority_fee_per_gas=transaction.max_priority_fee_per_gas,
        ),
        raw=raw,
        tx_hash=signed.tx_hash,
    )
    await outbox.redeem(message, at=now)
    log.info("transaction_posted", mint_id=mint.mint_id, tx_hash="0x" + signed.tx_hash.hex())
    return signed


def _mismatches(signed: SignedTransaction, mint: Mint) -> list[str]:
    """Return in what a transaction differs from the one that redeems the mint's voucher."""
    transaction, least_gas = signed.transaction, (mint.gas or 0) // 2
    checks = (
        (signed.sender == mint.to, f"it is signed by {signed.sender}, not by {mint.to}"),
        (
            transaction.chain_id == mint.chain_id,
            f"it is for chain {transaction.chain_id}, not {mint.chain_id}",
        ),
        (transaction.to == mint.contract, f"it calls {transaction.to}, not the collection {mint.contract}"),
        (transaction.data == calldata(mint), "its data is not the call that redeems this mint's voucher"),
        (transaction.value == 0, "it sends ether, which the contract does not take"),
        (
            transaction.gas >= least_gas,
            f"its gas limit of {transaction.gas} cannot do; the redemption takes {mint.gas}",
        ),
        (
            transaction.max_priority_fee_per_gas <= transaction.max_fee_per_gas,
            "its priority fee is above its whole fee",
        ),
        (transaction.max_fee_per_gas <= MAX_FEE, f"its fee is above {MAX_FEE // GWEI} gwei a unit of gas"),
    )
    return [wrong for fits, wrong in checks if not fits]


async def _untimely(signed: SignedTransaction, chain: ChainReader | None) -> list[str]:
    """Return why the chain would not take a transaction now; nothing if the chain cannot be asked."""
    if chain is None:
        return []
    answers: tuple[int, FeeMarket]
    try:
        answers = await asyncio.gather(chain.transaction_count(signed.sender), chain.fees())
    except MintlineError:
        return []
    nonce, market = answers
    transaction = signed.transaction
    faults = []
    if transaction.nonce < nonce:
        faults.append(f"its nonce {transaction.nonce} is used; the wallet's next is {nonce}")
    if transaction.max_fee_per_gas < market.base_fee:
        faults.append(f"its fee is below the base fee of {market.base_fee} wei")
    return faults
