"""Compares what was accepted, what was minted and what is indexed: pure, over everything that was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mintline.records.index import Token
from mintline.records.operations import Mint
from mintline_indexer.chain_port import (
    Event,
    ItemMintedEvent,
    ItemTransferEvent,
    MintedEvent,
)
from mintline_indexer.reconciler.books import ENDED_BADLY, SETTLED, Books, Minted
from mintline_indexer.reconciler.findings import Finding, Kind
from mintline_indexer.reconciler.item_balances import wrong_balances
from mintline_indexer.reconciler.operations import findings_of_token_operations, on_its_way
from mintline_indexer.reconciler.tokens import findings_of_index, findings_of_minted
from mintline_indexer.store_port import TokenKey


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What came out; `counts` are of the range."""

    counts: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def differences(self) -> list[Finding]:
        """What is wrong."""
        return [finding for finding in self.findings if finding.is_difference]


def reconcile(books: Books) -> Reconciliation:
    """Explain every mint and token that is not accepted, minted and indexed alike."""
    minted = _minted(books.events)
    in_range = {key: minting for key, minting in minted.items() if books.covers(minting.event.block_number)}
    by_token: dict[TokenKey, list[Mint]] = {}
    by_transaction: dict[bytes, dict[int | None, Mint]] = {}
    for mint in books.mints:
        if mint.token_id is not None:
            by_token.setdefault(TokenKey(mint.contract, mint.token_id), []).append(mint)
        for attempt in mint.attempts:
            by_transaction.setdefault(attempt.tx_hash, {})[mint.token_id] = mint
    tokens = {TokenKey(token.contract, token.token_id): token for token in books.tokens}
    findings = [
        *_of_mints(books, minted),
        *findings_of_minted(books, minted, tokens, by_token, by_transaction),
        *findings_of_index(books, minted, tokens, by_token),
        *findings_of_token_operations(books),
        *_of_balances(books),
        *books.unreadable,
    ]
    counts = Counter({"accepted": len(books.mints), "minted": len(in_range)})
    counts["indexed"] = _indexed(books, in_range, tokens)
    counts["burned"] = sum(minting.owner(books.last) is None for minting in in_range.values())
    counts.update(f"mints_{mint.status.value}" for mint in books.mints)
    counts.update(f"{operation.kind}s_{operation.status.value}" for operation in books.token_operations)
    counts.update(finding.kind.value for finding in findings)
    return Reconciliation(dict(counts), tuple(findings))


def _indexed(books: Books, in_range: Mapping[TokenKey, Minted], tokens: Mapping[TokenKey, Token]) -> int:
    """Count what was minted in the range and is in the index: tokens, and the mints of items that it has."""
    own = (token for token in books.tokens if token.standard != "erc1155")
    of_items = (minting.event for minting in in_range.values() if isinstance(minting.event, ItemMintedEvent))
    return sum(books.covers(token.minted_block) for token in own) + sum(
        TokenKey(event.contract, event.token_id) in tokens for event in of_items
    )


def _minted(events: Iterable[Event]) -> dict[TokenKey, Minted]:
    minted: dict[TokenKey, Minted] = {}
    for event in events:
        if isinstance(event, ItemTransferEvent):
            continue
        if isinstance(event, ItemMintedEvent):
            minted[TokenKey(event.contract, event.serial)] = Minted(event, digest=event.metadata_digest)
            continue
        key = TokenKey(event.contract, event.token_id)
        if isinstance(event, MintedEvent):
            if key in minted:
                minted[key].digest = event.metadata_digest
        elif event.sender is None:
            minted[key] = Minted(event, [event])
        elif key in minted:
            minted[key].moves.append(event)
    return minted


def _of_mints(books: Books, minted: Mapping[TokenKey, Minted]) -> Iterator[Finding]:
    for mint in books.mints:
        key = None if mint.token_id is None else TokenKey(mint.contract, mint.token_id)
        on_chain = minted.get(key) if key is not None else None
        about: dict[str, Any] = {
            "mint_id": mint.mint_id,
            "contract": mint.contract,
            "token_id": mint.token_id,
        }
        if mint.status in SETTLED:
            if on_chain is None and mint.block_number is not None and books.covers(mint.block_number):
                detail = f"{mint.status.value} in block {mint.block_number}"
                yield Finding(Kind.LOST, detail, block=mint.block_number, **about)
        elif mint.status not in ENDED_BADLY and on_chain is None:
            yield on_its_way(mint, books, about)


def _of_balances(books: Books) -> Iterator[Finding]:
    for wrong in wrong_balances(books.held):
        contract, token_id, holder = wrong.key
        detail = f"{holder or 'the supply'}: {wrong.indexed}, not {wrong.on_chain}"
        yield Finding(
            Kind.WRONG_BALANCE, detail, contract=contract, token_id=token_id, block=books.held.block
        )
