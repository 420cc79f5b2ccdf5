"""A self-custody mint: its voucher is to be issued, and its user's own wallet redeems it and pays."""

from __future__ import annotations

import structlog

from mintline.authorizations import Authorization
from mintline.clock import to_ms
from mintline.kinds import dedup_id
from mintline.kinds.voucher import issue_voucher
from mintline.records.operations import Mint
from mintline.resources import SIGN
from mintline_builder.claims import VoucherClaim
from mintline_builder.kinds.base import Built, OperationKind
from mintline_builder.kinds.redemption import buildable, redemption_gas, voucher_deadline

log = structlog.get_logger(__name__)


class VoucherKind(OperationKind[Mint]):
    """`voucher`: no fees, no nonce, and no transaction of ours."""

    async def build(self, operation: Mint, authorization: Authorization) -> Built[Mint]:
        """Simulate, publish the metadata, and set the voucher's deadline."""
        context = self.context
        token_id, metadata = buildable(operation, authorization, context)
        deadline = await voucher_deadline(context)
        gas = await redemption_gas(operation, operation.to, deadline, context, sponsored=False)
        if metadata is not None:
            await context.metadata.put(operation.contract, token_id, metadata, operation.metadata_digest)
        claim = VoucherClaim(operation.mint_id, deadline, gas, to_ms(context.clock()))
        await context.operations.build_voucher(operation, claim)
        return Built(operation.evolve(**claim.update()))

    async def send_on(self, built: Built[Mint], authorization: Authorization) -> None:
        """Have the voucher issued."""
        operation = built.operation
        request = issue_voucher(operation, self.context.config.issuer, authorization.envelope)
        await self.context.outbox.send(SIGN, request, group=operation.mint_id, dedup=dedup_id(request))
        log.info("mint_built", nonce=None, token_id=str(operation.token_id))


KIND = VoucherKind
