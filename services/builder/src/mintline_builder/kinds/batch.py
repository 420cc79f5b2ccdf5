"""A sponsored mint: a relayer mints it in a batch with others of its collection, and pays."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mintline.authorizations import Authorization
from mintline.errors import Deferred, MintlineError, Rejected
from mintline.records.operations import Mint
from mintline.records.transactions import TransactionKey, address_of, carried_by
from mintline_builder.gatherer import BatchLine, FailedBatch
from mintline_builder.kinds.base import LAGGING_NODE_WAIT, Built, OperationKind, require_chain, unauthorized
from mintline_builder.kinds.redemption import buildable


class BatchKind(OperationKind[Mint]):
    """`batch`: no voucher, so no deadline. What it does for all mints of a batch is in `Batches`."""

    renewable = True

    async def build(self, operation: Mint, authorization: Authorization) -> Built[Mint]:
        """Wait until the mint is in a batch that is sealed and sent on."""
        self.context.batches.relayers.require()
        metadata = self._metadata(operation, authorization)
        joined = self.context.gatherer.join(operation, metadata, envelope=authorization.envelope)
        return Built(await joined)

    def _metadata(self, mint: Mint, authorization: Authorization) -> str | None:
        """Return the metadata that is still to be published; raises Rejected for a mint that lacks it."""
        if mint.request is None and mint.item_id is None:
            return buildable(mint, authorization, self.context)[1]
        # Of a line of a request for many it is in a pack, and of an item on record: stored before the mint.
        require_chain(mint, self.context.config)
        if not authorization.envelope:
            raise unauthorized()
        return None

    async def build_lines(
        self, mints: Sequence[Mint], authorization: Authorization
    ) -> list[Mint | MintlineError]:
        """Have accepted lines of a request put into batches of their own, as few as take them.

        Returns each as it then stands, or the error that kept it out of a batch, in order. Raises what
        concerns all of them.
        """
        self.context.batches.relayers.require()
        lines = [BatchLine(mint, self._metadata(mint, authorization)) for mint in mints]
        room = self.context.batches.room(mints[0].contract)
        parts = [lines[start : start + room] for start in range(0, len(lines), room)]
        outcomes = await asyncio.gather(*map(self._assemble, parts))
        return [outcome for part in outcomes for outcome in part]

    async def _assemble(self, lines: Sequence[BatchLine]) -> list[Mint | MintlineError]:
        try:
            await self.context.batches.assemble(lines)
        except MintlineError as error:
            for line in lines:
                line.fail(error)
        outcomes: list[Mint | MintlineError] = []
        for line in lines:
            line.fail(Deferred("left out of a batch", retry_after=LAGGING_NODE_WAIT))
            stopped = line.outcome.exception()
            if stopped is None:
                outcomes.append(line.outcome.result())
            elif isinstance(stopped, MintlineError):
                outcomes.append(stopped)
            else:
                raise stopped
        return outcomes

    async def renew(self, operation: Mint, authorization: Authorization) -> Built[Mint]:
        """Wait until the mint is in another batch, since another transaction used the nonce of its own.

        Or since that failed on chain, for which one line is enough: the others go on.
        """
        self.context.batches.relayers.require()
        spent = carried_by(operation)
        assert spent is not None
        if await self.context.chain.transaction_count(address_of(spent.sender_id)) <= spent.nonce:
            raise Deferred("the node does not know yet that the nonce is used", retry_after=LAGGING_NODE_WAIT)
        failed = None if operation.item_id is None else await self._failed(spent)
        if failed is not None and failed.size == 1:
            await self._require_recipient(operation)
        joined = self.context.gatherer.join(operation, None, envelope=authorization.envelope, failed=failed)
        return Built(await joined)

    async def _failed(self, spent: TransactionKey) -> FailedBatch | None:
        """Return the batch that had a nonce, if it failed on chain; None if something else had the nonce."""
        batch = await self.context.accounts.transaction(spent)
        if batch is None or not batch.to_be_split:
            return None
        return FailedBatch(spent, len(batch.operations))

    async def _require_recipient(self, mint: Mint) -> None:
        """Raise Rejected if the recipient has code, which failed a batch that had this mint alone.

        That it accepts in simulations alone is no reason to pay for it again and again.
        """
        if await self.context.chain.code(mint.to):
            raise Rejected(
                "recipient_refused",
                "The recipient is a contract that accepted the tokens in a simulation, and not on chain.",
            )

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
