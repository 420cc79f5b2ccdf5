"""Records that are locks: each is written once, or in turns, by the holder of what it names."""

from __future__ import annotations

from mintline.frozen import Frozen


class ExternalId(Frozen):
    """A mint's external id, as a lock: no other mint of the same principal can have it."""

    external_ref: str
    """`{asked_by}#{external_id}`."""
    mint_id: str


class SignatureTurn(Frozen):
    """Whose turn it is among what one wallet signs for one collection: the lock, one at a time.

    A signature names the wallet's counter in the collection, so a second one would have to guess it.
    """

    operation_id: str
    """The operation that had the latest turn; the next one has it once that has ended or is mined."""
    counter: int
    """What that operation's signature names."""
