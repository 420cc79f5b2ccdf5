"""A sponsored mint: a relayer mints it in a batch with others of its collection, and pays."""

from __future__ import annotations

from mintline.authorizations import Authorization
from mintline.errors import Deferred
from mintline.records import Mint
from mintline.transaction_records import address_of, carried_by
from mintline_builder.kinds.base import LAGGING_NODE_WAIT, Built, OperationKind
from mintline_builder.kinds.redemption import buildable


class BatchKind(OperationKind[Mint]):
    """`batch`: no voucher, so no deadline. What it does for all mints of a batch is in `Batches`."""

    renewable = True

    async def build(self, operation: Mint, authorization: Authorization) -> Built[Mint]:
        """Wait until the mint is in a batch that is sealed and sent on."""
        self.context.batches.relayers.require()
        _, metadata = buildable(operation, authorization, self.context)
        joined = self.context.gatherer.join(operation, metadata, envelope=authorization.envelope)
        return Built(await joined)

    async def renew(self, operation: Mint, authorization: Authorization) -> Built[Mint]:
        """Wait until the mint is in another batch, since another transaction used the nonce of its own.

        Or since that failed on chain, for which one line is enough: the others go on.
        """
        self.context.batches.relayers.require()
        spent = carried_by(operation)
        assert spent is not None
        if await self.context.chain.transaction_count(address_of(spent.sender_id)) <= spent.nonce:
            raise Deferred("the node does not know yet that the nonce is used", retry_after=LAGGING_NODE_WAIT)
        return Built(await self.context.gatherer.join(operation, None, envelope=authorization.envelope))

    async def send_on(self, built: Built[Mint], authorization: Authorization) -> None:
        """Finish the mint's batch if its claims were cut off, and have it signed."""
        del authorization
        place = carried_by(built.operation)
        if place is not None:
            await self.context.batches.send_on(place)

    async def aclose(self) -> None:
        """Wait for the batches under way."""
        await self.context.gatherer.aclose()
        await self.context.batches.aclose()


KIND = BatchKind
