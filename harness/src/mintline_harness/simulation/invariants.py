"""What must hold, at every moment and at the end; each breach is one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from mintline.aws.lines import EXTERNAL_ID_USED
from mintline.kinds import meaning_of, operation_ids
from mintline.messages.intents import AnyIntent, IssueVoucher, SignNoop, SignRelayed
from mintline.records.keys import scoped
from mintline.records.operations import Mint, Operation, RelayedTokenOperation, TokenOperation
from mintline.records.problems import CANCELLED, TOKEN_TAKEN
from mintline.records.transactions import Transaction, TransactionKey, address_of, carried_by
from mintline.refusals import RefusalCode
from mintline.states import MintStatus
from mintline_broadcaster.ports import SignedTransaction
from mintline_builder.simulation import RECIPIENT_REFUSED
from mintline_harness.simulation.chain import Block, Outcome, Sent, SimulatedChain
from mintline_harness.simulation.contract import Effect
from mintline_harness.simulation.coverage import Reached
from mintline_harness.simulation.index_invariants import broken_index
from mintline_harness.simulation.items import ItemEffect
from mintline_harness.simulation.line_invariants import broken_requests, lone_unserved, wrong_lines
from mintline_harness.simulation.mining import TURNING
from mintline_harness.simulation.queues import SimulatedQueues
from mintline_harness.simulation.tables import Tables
from mintline_indexer.kinds.token_operation import SIGNATURE_USED
from mintline_signer.protocol import Sign


class Breach(Exception):  # noqa: N818 - it is the harness that found it, not the code that failed
    """An invariant does not hold."""


@dataclass(slots=True)
class InvariantChecker:
    """Checks the invariants while a schedule runs; raises Breach from `end` at the latest."""

    tables: Tables
    chain: SimulatedChain
    queues: SimulatedQueues
    breaches: list[str] = field(default_factory=list)
    meanings: dict[tuple[str, int], dict[bytes, tuple[str, tuple[str, ...]]]] = field(default_factory=dict)
    """What the enclave has signed for each nonce, no-ops apart."""
    places: dict[str, set[tuple[str, int]]] = field(default_factory=dict)
    """The nonces that the enclave has signed each operation for, with their senders."""
    accepted: set[str] = field(default_factory=set)
    """The operations whose clients were told so."""
    rejections: dict[str, int] = field(default_factory=dict)
    """The block that was final when an operation was rejected."""
    refused: set[str] = field(default_factory=set)
    """The operations that the enclave refused something for."""
    signatures: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Counter and deadline of what holders signed, by the request."""
    turns_may_be_lost: Callable[[], bool] = lambda: True
    """Tells whether anything in the schedule may have made a signature's counter void."""
    turned_away: set[str] = field(default_factory=set)
    """The requests for many mints whose clients were told that nothing was done."""
    reached: Reached = field(default_factory=Reached)

    def broken(self, what: str) -> None:
        """Note a breach."""
        self.breaches.append(what)

    # --- at every moment ---

    def moved(self, before: Operation, after: Operation) -> None:
        """Note how an operation moved, and what was final when it was rejected."""
        self.reached.moved(before, after)
        if before.token_id != after.token_id:
            self.broken(f"{after.operation_id} was token {before.token_id} and is {after.token_id}")
        if before.status is not after.status and after.status is MintStatus.REJECTED:
            self.rejections[after.operation_id] = self.chain.finalized
            self._hold_to_refusals(before, after)

    def _hold_to_refusals(self, before: Operation, after: Operation) -> None:
        """Hold that no mint which was built ends as refused by the enclave, unless it was."""
        code = after.problem.code if after.problem else ""
        from_signer = code in set(RefusalCode) and before.status is not MintStatus.ACCEPTED
        if from_signer and after.operation_id not in self.refused:
            self.broken(f"{after.operation_id} was rejected for {code}, which no enclave has said of it")

    def refusing(self, request: Sign, code: str) -> None:
        """Note that the enclave refused to sign."""
        self.reached.refusals[code] += 1
        self.refused.update(operation_ids(request.intent))

    def signing(self, request: Sign) -> None:
        """Hold a signature that the enclave gives against those it gave before."""
        intent = request.intent
        if isinstance(intent, IssueVoucher | SignNoop):
            return
        for wrong in wrong_lines(intent, self.tables):
            self.broken(wrong)
        place = (intent.signer.address, intent.nonce)
        meanings = self.meanings.setdefault(place, {})
        meanings[meaning_of(intent)] = (intent.type, operation_ids(intent))
        if len(meanings) > 1 and not _one_batch(meanings.values()):
            meanings_text = " and for ".join(f"{kind} of {' '.join(ids)}" for kind, ids in meanings.values())
            self.broken(f"nonce {place} was signed for {meanings_text}")
        if isinstance(intent, SignRelayed):
            self._hold_to_one_signature(intent)
        for operation_id in operation_ids(intent):
            self._hold_to_one_nonce(operation_id, intent)

    def _hold_to_one_nonce(self, operation_id: str, intent: AnyIntent) -> None:
        """Hold that a mint gets another nonce only once another transaction has its own for good.

        A transfer or a burn never gets one: the chain does not know that two of them are one request.
        """
        place = (intent.signer.address, intent.nonce)
        places = self.places.setdefault(operation_id, set())
        others = places - {place}
        if operation_id in self.tables.mints:
            others = {other for other in others if not self._spent(*other)}
        if others and not self._spent(*place):
            self.broken(f"{operation_id} was signed for nonces {sorted(others)} and {place}")
        places.add(place)

    def _spent(self, sender: str, nonce: int) -> bool:
        """Tell whether a nonce is used for good."""
        return nonce < self.chain.blocks[self.chain.finalized].state.nonces.get(sender, 0)

    def sending(self, sent: Sent) -> None:
        """Hold what reaches a node against what was written down before."""
        record = self.tables.signed.get(sent.hash)
        if record is None or record.raw != sent.raw:
            self.broken(f"{sent.place} was sent before its bytes were on record")
            return
        if record.mint_id is not None:
            attempts = self.tables.mints[record.mint_id].attempts
        else:
            transaction = self.tables.transactions[_place(record)]
            attempts = transaction.attempts
            if transaction.claiming and record.kind != "sign_noop":
                self.broken(f"{sent.place} was sent before all that it carries was claimed")
        if all(attempt.tx_hash != sent.hash for attempt in attempts):
            self.broken(f"{sent.place} was sent before its attempt was on record")

    def mined(self, block: Block) -> None:
        """Hold a block's state against the records: no mint has two tokens, no two mints have one token."""
        copies = Counter(block.state.tokens.minted.values())
        for digest, count in copies.items():
            if count > 1:
                self.broken(f"block {block.number} holds {count} tokens of one mint ({digest.hex()[:8]}…)")
        tokens: dict[tuple[str, int | None], str] = {}
        for _, mint in self.tables.mints.items():  # noqa: PERF102 - the values are a scan, and lag
            number = mint.contract, mint.token_id
            if (twin := tokens.setdefault(number, mint.mint_id)) != mint.mint_id:
                self.broken(f"token {mint.token_id} belongs to {twin} and to {mint.mint_id}")
        self._hold_lists()

    def _hold_lists(self) -> None:
        """Hold that what a transaction says it carries, and what says that it is carried by it, is the same.

        So an operation is in one live transaction at most. One that is still claiming may name too many; one
        whose nonce is spent, or for a no-op, lets go of what it named.
        """
        transactions = self.tables.transactions
        for operation in self.tables.stored():
            place = carried_by(operation)
            if place is None or operation.status is not MintStatus.BUILT:
                continue
            carrier = transactions.get(place)
            if carrier is None or operation.operation_id not in carrier.operations:
                self.broken(f"{operation.operation_id} says that nonce {place} carries it, which does not")
        for place, transaction in transactions.items():
            if transaction.claiming or transaction.filling_at is not None:
                continue
            if self._spent(address_of(place.sender_id), place.nonce):
                continue
            for operation_id in transaction.operations:
                named = self.tables.operation(operation_id)
                if named is None or carried_by(named) != place:
                    self.broken(f"nonce {place} names {operation_id}, which it does not carry")

    def _hold_to_one_signature(self, intent: SignRelayed) -> None:
        """Hold that a request has one signature of its holder's: two could both be carried out."""
        signed = (intent.counter, intent.deadline)
        if self.signatures.setdefault(intent.request_id, signed) != signed:
            self.broken(
                f"{intent.request_id} was signed as {self.signatures[intent.request_id]} and {signed}"
            )

    # --- once the faults are over ---

    def end(self) -> None:
        """Check what must hold at rest; raises Breach with everything that does not."""
        for operation_id in self.accepted:
            if self.tables.operation(operation_id) is None:
                self.broken(f"{operation_id} was accepted and is not on record")
        minted = Counter(self.chain.head.state.tokens.minted.values())
        done = {outcome.sent.place: outcome for block in self.chain.blocks for outcome in block.outcomes}
        for operation in self.tables.standing():
            if isinstance(operation, Mint):
                chain_mints = (
                    self._of_item(operation) if operation.item_id else minted[operation.metadata_digest]
                )
                self._hold_mint_to_chain(operation, chain_mints)
            elif isinstance(operation, TokenOperation):
                self._hold_token_to_chain(operation, done)
            self._hold_end(operation)
        for _, transaction in self.tables.transactions.items():  # noqa: PERF102 - as above
            self.reached.ended(transaction)
            self._hold_transaction_to_chain(transaction)
        self.breaches += broken_index(self.tables, self.chain)
        self.breaches += broken_requests(self.tables, self.turned_away)
        self.breaches += lone_unserved(self.tables)
        if self.breaches:
            raise Breach("; ".join(dict.fromkeys(self.breaches)))

    def _of_item(self, mint: Mint) -> int:
        """Return whether a mint's serial is used, for what the mint is of: a rival's use is no mint's."""
        assert mint.token_id is not None
        wanted = ItemEffect(
            mint.item_id or 0, mint.quantity or 0, None, mint.to, mint.token_id, mint.metadata_digest
        )
        return int(self.chain.head.state.items.used.get(mint.token_id) == wanted)

    def _hold_mint_to_chain(self, mint: Mint, tokens: int) -> None:
        expected = int(mint.status is MintStatus.FINALIZED)
        if tokens != expected and not (tokens == 1 and self._made_too_late(mint)):
            self.broken(f"{mint.mint_id} is {mint.status} and has {tokens} tokens")
        if mint.custody == "sponsored" and mint.status is MintStatus.REJECTED:
            self._hold_to_own_fault(mint)

    def _hold_to_own_fault(self, mint: Mint) -> None:
        """Hold that no sponsored mint is rejected for what another line of its batch is at fault for."""
        code = None if mint.problem is None else mint.problem.code
        of_item = mint.item_id is not None
        taken = self.chain.ever_used if of_item else self.chain.ever_minted
        if of_item and code == RECIPIENT_REFUSED[0] and mint.to in (TURNING, *self.chain.collection.refusing):
            return
        if code == TOKEN_TAKEN.code and mint.token_id not in taken:
            self.broken(f"{mint.mint_id} is rejected since its token is taken, which it never was")
        elif code not in (CANCELLED.code, TOKEN_TAKEN.code, EXTERNAL_ID_USED.code):
            self.broken(f"{mint.mint_id} is rejected with {code}, which is no fault of its own")

    def _hold_token_to_chain(
        self, operation: TokenOperation, done: Mapping[tuple[str, int], Outcome]
    ) -> None:
        """Hold that a transfer or a burn happened once if it is finalized, and never otherwise."""
        moved = operation.holder.address, operation.recipient
        quantity = operation.quantity if isinstance(operation, RelayedTokenOperation) else None
        token = (Effect(operation.token_id, *moved),)
        item = None if quantity is None else (ItemEffect(operation.token_id, quantity, *moved),)
        outcomes = [done[place] for place in self.places.get(operation.operation_id, ()) if place in done]
        times = sum(
            outcome.effects == token if item is None else outcome.item_effects == item for outcome in outcomes
        )
        if times != int(operation.status is MintStatus.FINALIZED):
            self.broken(f"{operation.operation_id} is {operation.status} and happened {times} times")
        void = operation.problem is not None and operation.problem.code == SIGNATURE_USED.code
        if void and not self.turns_may_be_lost():
            self.broken(f"{operation.operation_id} had a counter that another one of its wallet's used")

    def _hold_end(self, operation: Operation) -> None:
        """Hold that an end names its transaction, or a reason."""
        about = f"{operation.operation_id} is {operation.status}"
        if operation.status in (MintStatus.FINALIZED, MintStatus.REVERTED):
            block = self.chain.where.get(operation.tx_hash or b"")
            if block is None or block.hash != operation.block_hash:
                self.broken(f"{about} and names a transaction that its block does not hold")
        if operation.status in (MintStatus.REJECTED, MintStatus.REVERTED) and operation.problem is None:
            self.broken(f"{about} without a reason")

    def _hold_transaction_to_chain(self, transaction: Transaction) -> None:
        """Hold what a record says has its nonce against what has it."""
        hashes = {attempt.tx_hash for attempt in transaction.own_attempts}
        mined = [tx_hash for tx_hash in hashes if tx_hash in self.chain.where]
        if not transaction.operations:
            return
        filled = transaction.outcome == "filled"
        if filled == bool(mined):
            self.broken(
                f"nonce {transaction.key} is {transaction.outcome}, mined are {len(mined)} of its own"
            )
        if not filled and mined != [transaction.tx_hash]:
            self.broken(f"nonce {transaction.key} names a transaction that is not the mined one")
        for operation_id in transaction.operations if filled or transaction.to_be_split else ():
            operation = self.tables.ledger.operation(operation_id)
            if operation is None or carried_by(operation) != transaction.key:
                continue
            if operation.status in (MintStatus.BUILT, MintStatus.SUBMITTED):
                self.broken(
                    f"{operation_id} is still carried by nonce {transaction.key}, which did nothing for it"
                )

    def _made_too_late(self, mint: Mint) -> bool:
        """Tell whether a stranger redeemed the voucher of a mint after its end had been decided.

        That is a cancellation's, or that of the mint's own transaction, which the chain has and which failed.
        """
        if mint.status is MintStatus.REVERTED:
            decided = mint.block_number
        elif mint.problem is not None and mint.problem.code == CANCELLED.code:
            decided = self.rejections[mint.mint_id]
        else:
            return False
        assert decided is not None
        return any(
            (effect.token_id, effect.digest) == (mint.token_id, mint.metadata_digest)
            and outcome.sent.hash not in self.tables.signed
            for block in self.chain.blocks[decided + 1 :]
            for outcome in block.outcomes
            for effect in outcome.effects
        )


def _one_batch(meanings: Collection[tuple[str, tuple[str, ...]]]) -> bool:
    """Tell whether these are one batch, which lost those of its operations that ended before it was sent."""
    longest, *others = sorted(meanings, key=lambda meaning: -len(meaning[1]))
    kinds = {kind for kind, _ in meanings}
    nested = all(set(ids) <= set(longest[1]) for _, ids in others)
    return kinds == {"sign_batch"} and nested


def _place(record: SignedTransaction) -> TransactionKey:
    return TransactionKey(scoped(record.chain_id, record.sender), record.nonce)
