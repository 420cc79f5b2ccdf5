"""What must hold, at every moment and at the end; each breach is one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from mintline.messages import IssueVoucher, SignMint, SignTopUp
from mintline.records import CANCELLED, Mint, Token, position, scoped, token_ref
from mintline.refusals import RefusalCode
from mintline.resources import BROADCAST, BUILD, SIGN
from mintline.states import MintStatus, TransactionState
from mintline.transaction_records import Place, Transaction, carried_by
from mintline_broadcaster.ports import SignedTransaction
from mintline_harness.simulation.chain import Block, Sent, SimulatedChain
from mintline_harness.simulation.coverage import Reached
from mintline_harness.simulation.queues import SimulatedQueues
from mintline_harness.simulation.tables import CHAIN_ID, CONTRACT, Tables
from mintline_indexer.store_port import TokenKey
from mintline_signer.protocol import Sign

ENDS = frozenset({MintStatus.FINALIZED, MintStatus.REJECTED, MintStatus.REVERTED})


class Breach(Exception):  # noqa: N818 - it is the harness that found it, not the code that failed
    """An invariant does not hold."""


@dataclass(slots=True)
class Watch:
    """Looks on while a schedule runs; raises Breach from `end` at the latest."""

    tables: Tables
    chain: SimulatedChain
    queues: SimulatedQueues
    breaches: list[str] = field(default_factory=list)
    meanings: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    """What the enclave has signed for each nonce, no-ops apart."""
    nonces: dict[str, set[int]] = field(default_factory=dict)
    """The nonces that the enclave has signed each mint for."""
    accepted: set[str] = field(default_factory=set)
    """The mints whose clients were told so."""
    rejections: dict[str, int] = field(default_factory=dict)
    """The block that was final when a mint was rejected."""
    refused: set[str] = field(default_factory=set)
    """The mints that the enclave refused something for."""
    reached: Reached = field(default_factory=Reached)

    def broken(self, what: str) -> None:
        """Note a breach."""
        self.breaches.append(what)

    # --- at every moment ---

    def moved(self, before: Mint, after: Mint) -> None:
        """Note how a mint moved, and what was final when it was rejected."""
        self.reached.moved(before, after)
        if before.token_id != after.token_id:
            self.broken(f"{after.mint_id} was token {before.token_id} and is {after.token_id}")
        if before.status is not after.status and after.status is MintStatus.REJECTED:
            self.rejections[after.mint_id] = self.chain.finalized
            self._hold_to_refusals(before, after)

    def _hold_to_refusals(self, before: Mint, after: Mint) -> None:
        """Hold that no mint which was built ends as refused by the enclave, unless it was."""
        code = after.problem.code if after.problem else ""
        said = code in set(RefusalCode) and before.status is not MintStatus.ACCEPTED
        if said and after.mint_id not in self.refused:
            self.broken(f"{after.mint_id} was rejected for {code}, which no enclave has said of it")

    def refusing(self, request: Sign, code: str) -> None:
        """Note that the enclave refused to sign."""
        self.reached.refusals[code] += 1
        if isinstance(request.intent, SignMint | IssueVoucher):
            self.refused.add(request.intent.mint_id)

    def signing(self, request: Sign) -> None:
        """Hold a signature that the enclave gives against those it gave before."""
        intent = request.intent
        match intent:
            case SignMint():
                meaning = intent.mint_id
                self._hold_to_one_nonce(intent)
            case SignTopUp():
                meaning = f"top-up of {intent.recipient} with {intent.value}"
            case _:
                return
        place = (intent.signer.address, intent.nonce)
        meanings = self.meanings.setdefault(place, set())
        meanings.add(meaning)
        if len(meanings) > 1:
            self.broken(f"nonce {place} was signed for {' and for '.join(sorted(meanings))}")

    def _hold_to_one_nonce(self, intent: SignMint) -> None:
        """Hold that a mint gets another nonce only once another transaction has its own for good."""
        final = self.chain.blocks[self.chain.finalized].state.nonces.get(intent.signer.address, 0)
        nonces = self.nonces.setdefault(intent.mint_id, set())
        unspent = {nonce for nonce in nonces if nonce >= final} - {intent.nonce}
        if unspent and intent.nonce >= final:
            self.broken(f"{intent.mint_id} was signed for nonces {sorted(unspent)} and {intent.nonce}")
        nonces.add(intent.nonce)

    def sending(self, sent: Sent) -> None:
        """Hold what reaches a node against what was written down before."""
        record = self.tables.signed.get(sent.hash)
        if record is None or record.raw != sent.raw:
            self.broken(f"{sent.place} was sent before its bytes were on record")
            return
        if record.mint_id is not None:
            attempts = self.tables.mints[record.mint_id].attempts
        else:
            attempts = self.tables.transactions[_place(record)].attempts
        if all(attempt.tx_hash != sent.hash for attempt in attempts):
            self.broken(f"{sent.place} was sent before its attempt was on record")

    def mined(self, block: Block) -> None:
        """Hold a block's state against the mints: no mint has two tokens, no two mints one nonce."""
        copies = Counter(block.state.minted.values())
        for digest, count in copies.items():
            if count > 1:
                self.broken(f"block {block.number} holds {count} tokens of one mint ({digest.hex()[:8]}…)")
        self._one_each()

    def _one_each(self) -> None:
        users: dict[tuple[str, int], str] = {}
        tokens: dict[int | None, str] = {}
        for _, mint in self.tables.mints.items():  # noqa: PERF102 - the values are a scan, and lag
            if (twin := tokens.setdefault(mint.token_id, mint.mint_id)) != mint.mint_id:
                self.broken(f"token {mint.token_id} belongs to {twin} and to {mint.mint_id}")
            if mint.nonce is None or mint.sender is None:
                continue
            place = (mint.sender.address, mint.nonce)
            other = users.setdefault(place, mint.mint_id)
            if other != mint.mint_id:
                self.broken(f"nonce {place} belongs to {other} and to {mint.mint_id}")

    # --- once the faults are over ---

    def unfinished(self) -> list[str]:
        """Return what still has to happen: empty when the line has come to rest."""
        waiting = [
            f"{mint.mint_id} is {mint.status}"
            for mint in self.tables.standing()
            if not _ended(mint, self.chain)
        ]
        waiting += [
            f"nonce {place} is {transaction.state}"
            for place, transaction in self.tables.transactions.items()
            if transaction.state is not TransactionState.FINAL
        ]
        waiting += [
            f"{queue.name} holds {self.queues.waiting(queue)}"
            for queue in (BUILD, SIGN, BROADCAST)
            if self.queues.waiting(queue)
        ]
        # A stranger's, or a user's own, may wait for ever, behind one that a reorg took.
        sent = (self.tables.signed.get(sent.hash) for sent in self.chain.pool.values())
        ours = sum(record is not None and record.kind != "self_redeem" for record in sent)
        waiting += [f"{ours} transactions are pending"] if ours else []
        waiting += list(self._gaps())
        progress = self.tables.store.progress
        if progress is None or progress.head.number < self.chain.finalized:
            waiting.append("the index lags behind the final block")
        elif self.chain.by_hash.get(progress.head.hash) not in self.chain.blocks[progress.head.number :][:1]:
            waiting.append(f"the index stands on block {progress.head.number} of an abandoned branch")
        return waiting

    def indexed(self, number: int) -> bool:
        """Tell whether the index has come as far as the block of that number, or its successor's there."""
        progress = self.tables.store.progress
        return progress is not None and progress.head.number >= number

    def _gaps(self) -> Iterator[str]:
        nonces = self.chain.head.state.nonces
        for address, account in self.tables.builder.accounts.items():
            used, following = nonces.get(address, 0), account.next_nonce or 0
            if used < following:
                yield f"{address} has used {used} of {following} nonces"

    def end(self) -> None:
        """Check what must hold at rest; raises Breach with everything that does not."""
        for mint_id in self.accepted - self.tables.mints.keys():
            self.broken(f"{mint_id} was accepted and is not on record")
        minted = Counter(self.chain.head.state.minted.values())
        for mint in self.tables.standing():
            self._hold_to_chain(mint, minted[mint.metadata_digest])
        for _, transaction in self.tables.transactions.items():  # noqa: PERF102 - as above
            self._hold_transaction_to_chain(transaction)
        self._hold_index_to_chain()
        if self.breaches:
            raise Breach("; ".join(dict.fromkeys(self.breaches)))

    def _hold_to_chain(self, mint: Mint, tokens: int) -> None:
        expected = int(mint.status is MintStatus.FINALIZED)
        if tokens != expected and not (tokens == 1 and self._made_too_late(mint)):
            self.broken(f"{mint.mint_id} is {mint.status} and has {tokens} tokens")
        if mint.status in (MintStatus.FINALIZED, MintStatus.REVERTED):
            block = self.chain.where.get(mint.tx_hash or b"")
            if block is None or block.hash != mint.block_hash:
                self.broken(f"{mint.mint_id} names a transaction that its block does not hold")
        if mint.status in (MintStatus.REJECTED, MintStatus.REVERTED) and mint.problem is None:
            self.broken(f"{mint.mint_id} is {mint.status} without a reason")

    def _hold_transaction_to_chain(self, transaction: Transaction) -> None:
        """Hold what a record says has its nonce against what has it."""
        hashes = {attempt.tx_hash for attempt in transaction.own_attempts}
        mined = [tx_hash for tx_hash in hashes if tx_hash in self.chain.where]
        if not transaction.operations:
            return
        filled = transaction.outcome == "filled"
        if filled == bool(mined):
            self.broken(
                f"nonce {transaction.place} is {transaction.outcome}, mined are {len(mined)} of its own"
            )
        if not filled and mined != [transaction.tx_hash]:
            self.broken(f"nonce {transaction.place} names a transaction that is not the mined one")
        for mint_id in transaction.operations if filled else ():
            mint = self.tables.ledger.standing(mint_id)
            carried = mint is not None and carried_by(mint) == transaction.place
            if carried and mint is not None and mint.status in (MintStatus.BUILT, MintStatus.SUBMITTED):
                self.broken(f"{mint_id} is still carried by nonce {transaction.place}, which another has")

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
            outcome.minted is not None
            and outcome.minted.token_id == mint.token_id
            and outcome.sent.hash not in self.tables.signed
            for block in self.chain.blocks[decided + 1 :]
            for outcome in block.outcomes
        )

    def _hold_index_to_chain(self) -> None:
        """Compare ownership and transfers with a replay of the chain up to the indexed head."""
        store = self.tables.store
        assert store.progress is not None
        head = self.chain.by_hash.get(store.progress.head.hash)
        if head is None:
            self.broken(f"the index stands on block {store.progress.head.number} of a node's own branch")
            return
        mint_ids = {mint.token_id: mint_id for mint_id, mint in self.tables.mints.items()}
        tokens: dict[TokenKey, Token] = {}
        events: set[tuple[str, str]] = set()
        for block in self.chain.blocks[: head.number + 1]:
            index = 0
            for outcome in block.outcomes:
                if (made := outcome.minted) is None:
                    continue
                key = TokenKey(CONTRACT, made.token_id)
                stored = store.token_table.get(key)
                # What a stranger made may have no mint in the index, and has no other.
                unknown = outcome.sent.hash not in self.tables.signed and (
                    stored is None or stored.mint_id is None
                )
                tokens[key] = Token(
                    chain_id=CHAIN_ID,
                    contract=CONTRACT,
                    token_id=made.token_id,
                    owner=made.to,
                    metadata_digest=made.digest,
                    mint_id=None if unknown else mint_ids[made.token_id],
                    minted_block=block.number,
                    block_number=block.number,
                    tx_hash=outcome.sent.hash,
                )
                events.add((token_ref(CHAIN_ID, CONTRACT, made.token_id), position(block.number, index)))
                index += 2
        if tokens != store.token_table:
            self.broken("ownership is not a replay of the chain")
        elif events != store.transfer_table.keys():
            self.broken("the transfers are not a replay of the chain's")


def _place(record: SignedTransaction) -> Place:
    return Place(scoped(record.chain_id, record.sender), record.nonce)


def _ended(mint: Mint, chain: SimulatedChain) -> bool:
    if mint.status is MintStatus.REVERTED:
        return mint.block_number is not None and mint.block_number <= chain.finalized
    return mint.status in ENDS
