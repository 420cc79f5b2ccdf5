"""Whether a collection can be made or changed, and what gas that needs, before anything is reserved for it.

The node runs the very call, by the relayer that is to make it, with that relayer's balance overridden.
"""

from __future__ import annotations

from mintline.chain.calls import Call, CallReverted, Override
from mintline.chain.gas import GasBound
from mintline.clone_calls import change_calldata, deployment_calldata
from mintline.errors import Rejected, Unavailable
from mintline.messages.parts import Clone, CollectionChange
from mintline.records.problems import ALREADY_CREATED, Problem
from mintline_builder.ports import ChainReader
from mintline_builder.waiting import RELAYER_NOT_ALLOWED, Waiting, gas_limit

_PAUSED = Problem(code="already_paused", reason="The collection is paused already.")
_NOT_PAUSED = Problem(code="not_paused", reason="The collection is not paused.")
_FROZEN = Problem(code="collection_frozen", reason="The collection's metadata is frozen for good.")
_ITEM_CAP = Problem(
    code="item_cap_refused",
    reason="More tokens of the item were minted than the cap, or the item has a lower cap already.",
)
_CHANGE_REFUSALS = {
    "EnforcedPause": _PAUSED,
    "ExpectedPause": _NOT_PAUSED,
    "Frozen": _FROZEN,
    "InvalidItemCap": _ITEM_CAP,
}
_NOT_ALLOWED = "AccessControlUnauthorizedAccount"


class CollectionSimulator:
    """Simulates calls of factories and of what they made; `deploy_gas` and `change_gas` bound the limits."""

    def __init__(self, chain: ChainReader, *, deploy_gas: GasBound, change_gas: GasBound) -> None:
        self._chain = chain
        self._deploy_gas = deploy_gas
        self._change_gas = change_gas

    async def deployment(self, clone: Clone, *, relayer: str) -> int:
        """Return the gas limit with which a relayer has a collection made.

        Raises Waiting if the factory does not take the relayer, and Rejected if it refuses, as it does to
        make a collection that is on chain. Refusals take a majority of the nodes, as every estimate's do.
        """
        await self._require_code(clone.factory)
        call = Call(sender=relayer, to=clone.factory, data=deployment_calldata(clone))
        try:
            needed = await self._estimate(call, self._deploy_gas)
        except CallReverted as reverted:
            _raise_unless_allowed(reverted)
            if reverted.revert is not None and reverted.revert.name == "AlreadyCreated":
                raise Rejected(ALREADY_CREATED.code, ALREADY_CREATED.reason) from reverted
            raise Rejected(
                "deployment_refused", f"The factory refuses the collection: {_said(reverted)}."
            ) from reverted
        return gas_limit(self._deploy_gas, needed, "A deployment")

    async def change(self, change: CollectionChange, *, contract: str, relayer: str) -> int:
        """Return the gas limit with which a relayer changes a collection; raises as `deployment` does."""
        await self._require_code(contract)
        call = Call(sender=relayer, to=contract, data=change_calldata(change))
        try:
            needed = await self._estimate(call, self._change_gas)
        except CallReverted as reverted:
            _raise_unless_allowed(reverted)
            known = _CHANGE_REFUSALS.get(reverted.revert.name) if reverted.revert else None
            if known is not None:
                raise Rejected(known.code, known.reason) from reverted
            raise Rejected(
                "change_refused", f"The collection refuses the change: {_said(reverted)}."
            ) from reverted
        return gas_limit(self._change_gas, needed, "A change of a collection")

    async def _require_code(self, contract: str) -> None:
        if not await self._chain.code(contract):
            # It is on record, so it is the node that lacks it, or a reorg has taken it back for now.
            raise Unavailable(f"the node has no code at {contract}")

    async def _estimate(self, call: Call, bound: GasBound) -> int:
        rich = {call.sender: Override(balance=2**127)}
        return await self._chain.estimate_gas(call, rich, most=bound.largest_estimate)


def _raise_unless_allowed(reverted: CallReverted) -> None:
    if reverted.revert is not None and reverted.revert.name == _NOT_ALLOWED:
        raise Waiting(RELAYER_NOT_ALLOWED) from reverted


def _said(reverted: CallReverted) -> str:
    return str(reverted.revert) if reverted.revert else "it reverts without a reason"
