"""A factory makes a collection."""

from __future__ import annotations

from mintline.authorizations import Authorization
from mintline.errors import Deferred
from mintline.records.operations import CollectionDeployment
from mintline.records.transactions import address_of, carried_by
from mintline_builder.kinds.base import LAGGING_NODE_WAIT, Built
from mintline_builder.kinds.collection import CollectionKind


class DeployKind(CollectionKind[CollectionDeployment]):
    """`deploy`: its address follows from the request, so that it may get another nonce."""

    renewable = True

    async def gas(self, operation: CollectionDeployment, relayer: str) -> int:
        """Return the gas limit of `createCollection`."""
        return await self.context.collection_simulator.deployment(operation.clone, relayer=relayer)

    async def renew(
        self, operation: CollectionDeployment, authorization: Authorization
    ) -> Built[CollectionDeployment]:
        """Reserve another nonce, of whichever relayer, with another gas limit and fees."""
        del authorization
        spent = carried_by(operation)
        assert spent is not None
        self.context.batches.relayers.require()
        if await self.context.chain.transaction_count(address_of(spent.sender_id)) <= spent.nonce:
            raise Deferred("the node does not know yet that the nonce is used", retry_after=LAGGING_NODE_WAIT)
        return await self.reserve(operation)


KIND = DeployKind
