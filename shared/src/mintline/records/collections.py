"""Contracts that are minted into, or indexed alone."""

from __future__ import annotations

from typing import Literal, assert_never

from pydantic import Field

from mintline.fields import Address, Bytes32
from mintline.frozen import Frozen
from mintline.messages.parts import Clone, CollectionChange
from mintline.reveals import Reveal


class CloneState(Frozen):
    """What of a clone can be changed, as it is on chain."""

    paused: bool = False
    frozen: bool = False
    """Its metadata is for good."""
    royalty_receiver: Address | None = None
    royalty_bps: int | None = None
    """None while the royalty is the one of its arguments."""

    def after(self, change: CollectionChange) -> CloneState:
        """Return the state that a change leaves."""
        match change.action:
            case "pause" | "unpause":
                return self.evolve(paused=change.action == "pause")
            case "freeze":
                return self.evolve(frozen=True)
            case "set_royalty":
                return self.evolve(royalty_receiver=change.receiver, royalty_bps=change.bps)
            case "refresh_contract_uri" | "refresh_metadata" | "cap_item":
                return self
            case _:
                assert_never(change.action)


class PendingChange(Frozen):
    """A change of a clone that has not ended: another one has to wait for it."""

    operation_id: str
    change: CollectionChange
    mined: bool = False
    """Whether it is in a block: a reorg takes that back."""


class RegisteredContract(Frozen):
    """A contract that Mintline mints into, without the counter of its token ids.

    `status`, `deployed_block`, `state`, `pending` and `pausing` of a clone follow, by the indexer, from the
    operations of its deployment and its changes (`mintline.records.collection_state`).
    """

    collection_id: str
    chain_id: int
    contract: Address
    name: str
    symbol: str
    deployed_block: int
    standard: Literal["erc721", "erc1155"] = "erc721"
    sponsored: bool = False
    """Whether users may have a relayer pay for their mints; a machine client's are always paid for by one."""
    clone: Clone | None = None
    """What it was made of by a factory, if one made it; its `operation_id` is the deployment."""
    status: Literal["deploying", "ready", "failed"] = "ready"
    """Nothing is minted in one that is not `ready`; until then `deployed_block` is one before its own."""
    deployment_final: bool = False
    """Whether a clone's deployment is in a final block, or failed for good: nothing moves `status` again."""
    state: CloneState = CloneState()
    """By the changes that are final."""
    pending: PendingChange | None = None
    """The one change under way: written by the api with its operation, if there is no other."""
    pausing: PendingChange | None = None
    """A pause that did not wait for `pending`, a change of another member: written in the same way."""
    metadata_digest: Bytes32 | None = None
    """SHA-256 of its own metadata, part of its key in S3; None in records of operators' making."""
    metadata_versions: bool = False
    """Whether the metadata of any of its tokens was replaced (`mintline.metadata_versions`)."""
    reveal: Reveal | None = None
    """What it reveals later, if it was created with a commitment."""
    read_only: bool = False
    """Whether it is indexed alone: others deployed it, and nothing is minted in it."""
    created_at: int | None = None
    """Unix milliseconds; None in records of operators' making."""

    @property
    def standing(self) -> CloneState:
        """The state with the changes that are mined, and not final yet."""
        state = self.state
        for change in self.changes:
            state = state.after(change.change) if change.mined else state
        return state

    @property
    def changes(self) -> tuple[PendingChange, ...]:
        """Those that have not ended: `pending` and `pausing`, which change different members."""
        return tuple(change for change in (self.pending, self.pausing) if change is not None)


class Collection(RegisteredContract):
    """The whole record of a contract: with its counter, whose damage must not stop what does not count."""

    next_token_id: int = Field(ge=0)
    """A number in DynamoDB, unlike other token ids: the api leases ids by adding to it."""
