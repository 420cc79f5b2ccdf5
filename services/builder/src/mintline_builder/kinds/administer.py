"""A collection that a factory made is changed."""

from __future__ import annotations

from mintline.records.operations import CollectionCall
from mintline_builder.kinds.collection import CollectionKind


class AdministerKind(CollectionKind[CollectionCall]):
    """`administer`.

    It gets one nonce and no other: two signed calls of one request could both happen, and the second one
    undo a change that came after the first. If another transaction takes its nonce, it is rejected.
    """

    async def gas(self, operation: CollectionCall, relayer: str) -> int:
        """Return the gas limit of the call."""
        return await self.context.collection_simulator.change(
            operation.change, contract=operation.contract, relayer=relayer
        )


KIND = AdministerKind
