"""What a reconciliation finds, and what each kind of finding means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from mintline.text import bounded


class Kind(StrEnum):
    """What a finding is; see `MEANING`."""

    IN_FLIGHT = "in_flight"
    WAITING = "waiting"
    AWAITS_WALLET = "awaits_wallet"
    NOT_INDEXED_YET = "not_indexed_yet"
    FOREIGN = "foreign"
    STUCK = "stuck"
    UNDECIDED = "undecided"
    LOST = "lost"
    DOUBLED = "doubled"
    REUSED_ID = "reused_id"
    MISJUDGED = "misjudged"
    UNSETTLED = "unsettled"
    NOT_INDEXED = "not_indexed"
    PHANTOM = "phantom"
    WRONG_OWNER = "wrong_owner"
    WRONG_RECIPIENT = "wrong_recipient"
    WRONG_METADATA = "wrong_metadata"
    WRONG_ITEM = "wrong_item"
    WRONG_TRANSACTION = "wrong_transaction"
    WRONG_MINT = "wrong_mint"
    TRANSFER_MISSING = "transfer_missing"
    WRONG_BALANCE = "wrong_balance"
    UNREADABLE = "unreadable"

    @property
    def is_alarming(self) -> bool:
        """Whether somebody has to look: a difference, or a token that somebody else made."""
        return self is Kind.FOREIGN or self not in HARMLESS


MEANING: Mapping[Kind, str] = {
    Kind.IN_FLIGHT: "on its way",
    Kind.WAITING: "waits for what its record says",
    Kind.AWAITS_WALLET: "waits for its user's own wallet",
    Kind.NOT_INDEXED_YET: "minted above the index's head",
    Kind.FOREIGN: "made by no mint on record: by a holder of a role, or its mint's record is gone",
    Kind.STUCK: "has not moved for longer than it may",
    Kind.UNDECIDED: "its id is used on chain, and nothing has told for too long by what",
    Kind.LOST: "recorded as mined, but its token is not on chain",
    Kind.DOUBLED: "more than one token, or a token with more than one mint",
    Kind.REUSED_ID: "has a token id that was given out before, as after a counter that was set back",
    Kind.MISJUDGED: "recorded as failed, but its token is on chain",
    Kind.UNSETTLED: "its token is indexed, but the mint does not say that it was mined",
    Kind.NOT_INDEXED: "minted below the index's head, but not in the index",
    Kind.PHANTOM: "in the index, but never minted on chain",
    Kind.WRONG_OWNER: "the index has another owner than the chain",
    Kind.WRONG_RECIPIENT: "minted to another address than was asked for",
    Kind.WRONG_METADATA: "minted with another metadata digest than was asked for",
    Kind.WRONG_ITEM: "another item, or another quantity of it, was minted than was asked for",
    Kind.WRONG_TRANSACTION: "the mint names another transaction or block than the chain",
    Kind.WRONG_MINT: "the index says that another mint made it",
    Kind.TRANSFER_MISSING: "recorded as transferred or burned, but chain or index do not have that",
    Kind.WRONG_BALANCE: "the index has another balance of an item than the chain",
    Kind.UNREADABLE: "stored, but its record cannot be read",
}
HARMLESS = frozenset({Kind.IN_FLIGHT, Kind.WAITING, Kind.AWAITS_WALLET, Kind.NOT_INDEXED_YET, Kind.FOREIGN})


@dataclass(frozen=True, slots=True)
class Finding:
    """One operation or token that is not simply done; `detail` says what was found."""

    kind: Kind
    detail: str
    mint_id: str | None = None
    """The id of the operation, of whichever kind."""
    contract: str | None = None
    token_id: int | None = None
    block: int | None = None

    @property
    def is_difference(self) -> bool:
        """Whether something is wrong."""
        return self.kind not in HARMLESS

    def to_json(self) -> dict[str, Any]:
        """Return the finding as JSON values; the token id as a decimal string."""
        token_id = None if self.token_id is None else str(self.token_id)
        return {**asdict(self), "kind": self.kind.value, "meaning": MEANING[self.kind], "token_id": token_id}


def unreadable(table: str, key: str, reason: object, *, mint_id: str | None = None) -> Finding:
    """Return the finding that a record is stored and cannot be read."""
    return Finding(Kind.UNREADABLE, f"{table} {key}: {bounded(str(reason), 300)}", mint_id=mint_id)
