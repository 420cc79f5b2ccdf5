"""What happens to an operation of each kind when its transaction did not succeed.

A mint ends by its token, whichever transaction minted it. Without a token, a mint that its user cancelled is
rejected, and any other gets another nonce and keeps its token id. A transfer or a burn never gets another
nonce: two signed transfers of one request could both happen, as the chain does not know the request. It is
rejected, and its user sends the request again. So is a change of a collection. One that a relayer sends by
the holder's signature is rejected once that has expired, if it was ever sent. The deployment of one gets
another nonce: its address follows from the request, so the factory makes it once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, assert_never

import structlog

from mintline import kinds
from mintline.key_subjects import PLATFORM, TREASURY
from mintline.messages.intents import AnyIntent, TransactionKind
from mintline.queue_port import SendingPort
from mintline.records.operations import Mint, Operation, RelayedTokenOperation
from mintline.records.problems import CANCELLED, TOKEN_OPERATION_CANCELLED, Problem
from mintline.records.transactions import Transaction, carried_by
from mintline.states import MintStatus
from mintline_broadcaster.intents import ask_for_nonce
from mintline_broadcaster.ports import ChainClient, Final, MintMoved, TransactionStore
from mintline_broadcaster.settle_from_index import may_be_minted, settle_from_index

NONCE_TAKEN = Problem(
    code="nonce_taken",
    reason="The transaction was not sent. Send the request again, with another Idempotency-Key.",
)
SIGNATURE_EXPIRED = Problem(
    code="signature_expired",
    reason="The transaction was not mined before the wallet's signature expired. Read who holds the token, "
    "and send the request again, with another Idempotency-Key.",
)
RELAYED_CANCELLED = Problem(
    code="cancelled",
    reason="The transaction was stopped after it had been sent, and the wallet's signature has expired. Read "
    "who holds the token: somebody else may have sent the signature before.",
)
_CARRIED = (MintStatus.BUILT, MintStatus.SUBMITTED, MintStatus.MINED)

log = structlog.get_logger(__name__)


def depends_on(operation: Operation, transaction: Transaction) -> bool:
    """Tell whether an operation is still carried by a transaction, and not at its end."""
    return carried_by(operation) == transaction.key and operation.status in _CARRIED


def alone_in(transaction: Transaction) -> Transaction | None:
    """Return a transaction that carries one operation, which ends with it; None if it carries more."""
    return transaction if len(transaction.operations) == 1 else None


def mints_of(transaction: Transaction) -> tuple[str, ...]:
    """Return the ids of the mints that a transaction carries."""
    return transaction.operations if _mints(transaction.kind) else ()


def minted_by(intent: AnyIntent) -> tuple[str, ...]:
    """Return the ids of the mints that an intent is for."""
    match intent.type:
        case "sign_mint" | "sign_batch":
            return kinds.operation_ids(intent)
        case "sign_transfer" | "sign_burn" | "sign_top_up" | "sign_noop":
            return ()
        case "sign_relayed_transfer" | "sign_relayed_burn" | "sign_deploy" | "sign_administer":
            return ()
        case _:
            assert_never(intent.type)


def _mints(kind: TransactionKind) -> bool:
    match kind:
        case "mint" | "batch":
            return True
        case "transfer" | "burn" | "relayed_transfer" | "relayed_burn":
            return False
        case "deploy" | "administer" | "top_up" | "noop":
            return False
        case _:
            assert_never(kind)


def payer_of(intent: AnyIntent) -> Literal["wallet", "treasury", "relayer"]:
    """Return who pays for a transaction. The treasury is funded by an operator alone."""
    match intent.type:
        case "sign_top_up":
            return "treasury"
        case "sign_batch" | "sign_deploy" | "sign_administer":
            return "relayer"
        case "sign_relayed_transfer" | "sign_relayed_burn":
            return "relayer"
        case "sign_mint" | "sign_transfer" | "sign_burn":
            return "wallet"
        case "sign_noop":
            if intent.signer.subject == TREASURY:
                return "treasury"
            return "relayer" if intent.signer.subject.startswith(PLATFORM) else "wallet"
        case _:
            assert_never(intent.type)


def gets_another_nonce(operation: Operation) -> bool:
    """Tell whether an operation may be signed again under another nonce, once its own is used for good."""
    match operation.kind:
        case "mint" | "deploy":
            return operation.cancel_requested_at is None
        case "transfer" | "burn" | "relayed_transfer" | "relayed_burn" | "administer":
            return False
        case _:
            assert_never(operation.kind)


def expired(operation: RelayedTokenOperation, *, final_time: int) -> bool:
    """Tell whether the contract takes the holder's signature in no block after the final one.

    `final_time` is that block's timestamp, in Unix seconds.
    """
    return operation.deadline is None or operation.deadline < final_time


def _unsent(operation: RelayedTokenOperation, *, sent: bool) -> Problem:
    """Return why one ends whose transaction was not mined; `sent` tells whether that had been sent."""
    if operation.cancel_requested_at is not None:
        return RELAYED_CANCELLED if sent else TOKEN_OPERATION_CANCELLED
    return SIGNATURE_EXPIRED if sent else NONCE_TAKEN


def event_of(operation: Operation, what: str) -> str:
    """Return the name of a log line on what happened to an operation."""
    return f"{operation.kind}_{what}"


def about(operation: Operation) -> dict[str, object]:
    """Return what identifies an operation in a log line."""
    return {f"{operation.kind}_id": operation.operation_id}


@dataclass(slots=True, kw_only=True)
class NonceRelease:
    """Releases operations from a transaction whose nonce is consumed in a final block.

    No step rests on one node alone.
    """

    transaction: Transaction
    final: Final
    """Read before the records were: nothing at or below it can be undone any more."""
    store: TransactionStore
    chain: ChainClient
    outbox: SendingPort
    now: int
    """Unix milliseconds."""
    _did_it: bool | None = field(default=None, init=False)

    async def release(self, operation: Operation) -> None:
        """Release one operation that still depends on it; may be repeated."""
        match operation.kind:
            case "mint":
                assert isinstance(operation, Mint)
                await self._release_mint(operation)
            case "deploy":
                await self._release_deployment(operation)
            case "transfer" | "burn" | "administer":
                await self._release_token(operation)
            case "relayed_transfer" | "relayed_burn":
                assert isinstance(operation, RelayedTokenOperation)
                await self._release_relayed(operation)
            case _:
                assert_never(operation.kind)

    async def _release_mint(self, mint: Mint) -> None:
        """Settle it by its token; if an attempt of ours succeeded, the index is behind."""
        ended = await settle_from_index(
            mint,
            self.final,
            store=self.store,
            chain=self.chain,
            now=self.now,
            carried=alone_in(self.transaction),
        )
        if ended:
            log.warning("mint_front_run", **self._about(mint))
        elif await self._succeeded() or (
            # Of an item's mint it is known by now that its serial is not used.
            mint.item_id is None and await may_be_minted(mint, self.final, chain=self.chain)
        ):
            log.info("mint_waits_for_index", **self._about(mint))
        elif mint.status is MintStatus.MINED:
            log.error("mint_without_token", **self._about(mint))
        elif gets_another_nonce(mint):
            if self.transaction.to_be_split:
                log.info("mint_leaves_failed_batch", **self._about(mint))
            else:
                log.warning("nonce_taken", **self._about(mint))
            await ask_for_nonce(mint, outbox=self.outbox)
        elif await self._reject(mint, CANCELLED):
            log.info("mint_cancelled", **self._about(mint))

    async def _release_deployment(self, operation: Operation) -> None:
        """Let it have another nonce: its address is the same, so the factory makes it once."""
        if await self._succeeded():
            log.info("operation_waits_for_index", **self._about(operation))
        else:
            log.warning("nonce_taken", **self._about(operation))
            await ask_for_nonce(operation, outbox=self.outbox)

    async def _release_token(self, operation: Operation) -> None:
        if await self._succeeded():
            log.info("operation_waits_for_index", **self._about(operation))
        elif operation.cancel_requested_at is not None:
            if await self._reject(operation, TOKEN_OPERATION_CANCELLED):
                log.info("operation_cancelled", **self._about(operation))
        elif await self._reject(operation, NONCE_TAKEN):
            log.warning("nonce_taken", **self._about(operation))

    async def _release_relayed(self, operation: RelayedTokenOperation) -> None:
        """Reject it, once nobody can carry out the holder's signature any more.

        A transaction that was sent has shown it, and anyone may send it again until its deadline: until then
        the token may yet move.
        """
        sent = bool(self.transaction.own_attempts)
        if await self._succeeded():
            log.info("operation_waits_for_index", **self._about(operation))
        elif sent and not expired(operation, final_time=self.final.timestamp):
            log.info("signature_not_expired", deadline=operation.deadline, **self._about(operation))
        elif await self._reject(operation, _unsent(operation, sent=sent)):
            log.warning("operation_released", **self._about(operation))

    async def _reject(self, operation: Operation, problem: Problem) -> bool:
        try:
            await self.store.reject(operation, problem, at=self.now, carried=alone_in(self.transaction))
        except MintMoved:
            return False
        return True

    async def _succeeded(self) -> bool:
        """Tell whether a node has the receipt of an attempt of ours that did what it was for."""
        if self._did_it is None:
            receipts = [
                await self.chain.receipt(attempt.tx_hash) for attempt in self.transaction.own_attempts
            ]
            self._did_it = any(receipt is not None and receipt.status for receipt in receipts)
        return self._did_it

    def _about(self, operation: Operation) -> dict[str, object]:
        transaction = self.transaction
        return {**about(operation), "sender": transaction.signer.address, "nonce": transaction.nonce}
