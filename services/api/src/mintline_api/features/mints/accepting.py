"""Accepting what a user asks for, once: mints, and transfers and burns of what the wallet in custody holds.

::

    idempotency key ──▶ id ──▶ authorization, then record (the lock) ──▶ message
                                    1                                       2

A process that dies between the two is overtaken by the key's next request, or by the sweep. The id is made of
the key, so one conditional put is both the lock and the creation.
"""

from __future__ import annotations

from typing import Literal

from mintline.authorizations import Authorization
from mintline.records import Mint, Wallet, canonical_json, digest_of
from mintline.states import MintStatus
from mintline_api.features.mints.models import MintRequest
from mintline_api.features.mints.self_custody import own_wallet
from mintline_api.features.operations.use_cases import (
    Accepted,
    Asked,
    Intake,
    _create,
    _digest_of,
    _made_before,
)
from mintline_api.features.wallets.problems import WALLET_DELETED
from mintline_api.http.models import rfc3339
from mintline_api.http.problems import Refused


async def accept_mint(
    request: MintRequest, asked: Asked, *, intake: Intake, sponsored: bool = False
) -> Accepted[Mint]:
    """Create the mint and put it on the line; a key's second request gets the first one's mint.

    What would refuse a new mint refuses no second request: its collection and wallets may be others by then.
    Once the mint is on record it is accepted, whatever becomes of its message: the sweep sends it then.
    The token id is the mint's for life, and part of what `authorize` has the enclaves sign for. It is given
    back if the request made no mint, and not if that is unknown.
    A `sponsored` one is paid for by a relayer.
    Raises Refused for an unknown contract, for a wallet that is being deleted or is not linked, or when the
    key named another body.
    """
    contract = request.contract or intake.default_collection
    mint_id, request_digest = intake.operation_id("mint", asked), _digest_of(request)
    try:
        await intake.collections.known(contract)
        wallet, to = await _wallets_of(request, sub=asked.sub, intake=intake)
        permit = await intake.permit(asked, paying=None if sponsored else wallet)
    except Refused:
        if (made := await _made_before(mint_id, request_digest, Mint, asked, intake)) is None:
            raise
        return made
    metadata = canonical_json(request.metadata.model_dump(mode="json", exclude_none=True))
    token_id = await intake.token_ids.take(contract)
    custody: Literal["custodial", "self", "sponsored"] = "custodial" if wallet else "self"
    try:
        mint = Mint(
            mint_id=mint_id,
            sub=asked.sub,
            status=MintStatus.ACCEPTED,
            chain_id=intake.chain_id,
            contract=contract,
            to=to,
            custody="sponsored" if sponsored else custody,
            sender=wallet.key() if wallet and not sponsored else None,
            metadata_digest=digest_of(metadata),
            request_digest=request_digest,
            trace=asked.trace,
            token_id=token_id,
            created_at=asked.now,
            updated_at=asked.now,
        )
        authorization = Authorization(envelope=asked.authorize(mint), metadata=metadata)
    except BaseException:
        intake.token_ids.give_back(contract, token_id)
        intake.give_back(permit, asked)
        raise

    def unused(existing: Mint) -> None:
        intake.give_back(permit, asked)
        if (existing.contract, existing.token_id) != (contract, token_id):
            intake.token_ids.give_back(contract, token_id)

    return await _create(mint, authorization, intake, unused=unused)


async def _wallets_of(request: MintRequest, *, sub: str, intake: Intake) -> tuple[Wallet | None, str]:
    """Return the wallet in custody that sends the mint, None with self-custody, and where it goes."""
    if request.custody == "self":
        return None, await own_wallet(request.to, sub=sub, links=intake.links)
    wallet = await _wallet_in_custody(sub, intake)
    return wallet, request.to or wallet.address


async def _wallet_in_custody(sub: str, intake: Intake) -> Wallet:
    wallet = await intake.wallets.of(sub)
    if wallet.deletes_at is not None:
        raise Refused(WALLET_DELETED, f"The wallet's key is destroyed at {rfc3339(wallet.deletes_at)}.")
    return wallet
