"""What a user asks to be done with a token that the wallet in custody holds: the wallet calls, and pays."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

from mintline.authorizations import Authorization
from mintline.records.operations import OwnTokenOperation
from mintline_builder.kinds.base import Built, OwnWalletKind, require_chain, unauthorized
from mintline_builder.token_simulation import TokenCall

TokenOperationT = TypeVar("TokenOperationT", bound=OwnTokenOperation)


class TokenKind(OwnWalletKind[TokenOperationT]):
    """A call of the collection by the user's wallet.

    It gets one nonce and no other: two signed calls of one request could both happen, as the chain does not
    know the request. If another transaction takes its nonce, the broadcaster rejects it.
    """

    @abstractmethod
    def call(self, operation: TokenOperationT) -> TokenCall:
        """Return what the wallet calls."""

    async def build(self, operation: TokenOperationT, authorization: Authorization) -> Built[TokenOperationT]:
        """Simulate the very call, check funds, and reserve a nonce."""
        context, wallet = self.context, operation.sender.address
        require_chain(operation, context.config)
        if not authorization.envelope:
            raise unauthorized()
        fees = await context.fees()
        gas = await context.token_simulator.gas(self.call(operation))
        funding = await context.funds.check(wallet, gas * fees.max_fee_per_gas)
        if not funding.sufficient:
            await self.wait_for_funds(operation, funding)
        clone = await context.collections.clone(operation.contract)
        with context.funds.held(wallet):
            return await self.reserve(operation, gas=gas, fees=fees, floor=funding.mined, clone=clone)
