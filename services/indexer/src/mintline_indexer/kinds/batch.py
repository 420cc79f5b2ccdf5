"""Sponsored mints: the own token of each was made, or the whole transaction failed."""

from __future__ import annotations

from mintline_indexer.kinds.mint import MintKind


class BatchKind(MintKind):
    """`batch`.

    One line is enough for all to fail, so a failure ends none of the mints: they read as submitted until the
    broadcaster has let each go again, and it closes the transaction (`Transaction.to_be_split`).
    """

    when_failed = None


KIND = BatchKind()
