"""A mint that its user's wallet in custody pays for: it redeems a voucher."""

from __future__ import annotations

import asyncio
from typing import NoReturn

from mintline.authorizations import Authorization
from mintline.errors import Deferred
from mintline.records.operations import Mint
from mintline_builder.funding_policy import FundingCheck
from mintline_builder.kinds.base import LAGGING_NODE_WAIT, Built, OwnWalletKind
from mintline_builder.kinds.redemption import buildable, redemption_gas, voucher_deadline


class MintKind(OwnWalletKind[Mint]):
    """`mint`."""

    renewable = True

    async def build(self, operation: Mint, authorization: Authorization) -> Built[Mint]:
        """Check funds, simulate, publish the metadata, and reserve a nonce."""
        context, wallet = self.context, operation.wallet
        token_id, metadata = buildable(operation, authorization, context)
        fees, deadline = await asyncio.gather(context.fees(), voucher_deadline(context))
        gas = await context.simulator.usual_gas(operation.contract, wallet)
        funding = await context.funds.check(wallet, gas * fees.max_fee_per_gas)
        if not funding.sufficient:
            await self._wait_unless_doomed(operation, funding, deadline)
        with context.funds.held(wallet):
            gas, _ = await asyncio.gather(
                self._gas(operation, deadline),
                context.funds.top_up_ahead(wallet, funding, trace=operation.trace),
            )
            if metadata is not None:
                await context.metadata.put(operation.contract, token_id, metadata, operation.metadata_digest)
            return await self.reserve(operation, gas=gas, fees=fees, floor=funding.mined, deadline=deadline)

    async def renew(self, operation: Mint, authorization: Authorization) -> Built[Mint]:
        """Reserve another nonce, with another deadline, gas and fees.

        Should the mint be on chain after all, its token is, and the simulation says so.
        """
        del authorization
        context, wallet = self.context, operation.wallet
        assert operation.nonce is not None
        fees, deadline = await asyncio.gather(context.fees(), voucher_deadline(context))
        gas = await self._gas(operation, deadline)
        funding = await context.funds.check(wallet, gas * fees.max_fee_per_gas)
        if funding.mined <= operation.nonce:
            raise Deferred("the node does not know yet that the nonce is used", retry_after=LAGGING_NODE_WAIT)
        if not funding.sufficient:
            await self._wait_unless_doomed(operation, funding, deadline)
        with context.funds.held(wallet):
            return await self.reserve(operation, gas=gas, fees=fees, floor=funding.mined, deadline=deadline)

    async def _gas(self, mint: Mint, deadline: int) -> int:
        return await redemption_gas(mint, mint.wallet, deadline, self.context, sponsored=True)

    async def _wait_unless_doomed(self, mint: Mint, funding: FundingCheck, deadline: int) -> NoReturn:
        """Start a top-up, unless a simulation tells that the mint cannot succeed."""
        await self._gas(mint, deadline)
        await self.wait_for_funds(mint, funding)


KIND = MintKind
