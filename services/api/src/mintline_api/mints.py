"""Mints: accepting them once, and showing them to the one who asked for them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import structlog

from mintline.authorizations import Authorization
from mintline.errors import Unreadable
from mintline.messages import BuildMint
from mintline.records import Mint, Wallet, canonical_json, digest_of
from mintline.states import MintStatus
from mintline_api.gas import GasBudget
from mintline_api.inputs import MintRequest
from mintline_api.nudges import Nudges
from mintline_api.ports import Line, LinkStore, MintStore
from mintline_api.problems import KEY_REUSED, UNKNOWN_MINT, WALLET_DELETED, Refused
from mintline_api.rates import Rates
from mintline_api.self_custody import own_wallet
from mintline_api.token_ids import TokenIds
from mintline_api.tokens import Collections
from mintline_api.view import rfc3339
from mintline_api.wallets import WalletDirectory

log = structlog.get_logger()

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ID_CHARACTERS = 26
_ID_BYTES = 17
_PAGES_PER_REQUEST = 5
_FILTER_WINDOW = 100


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted mint; `replayed` when the idempotency key had already made it."""

    mint: Mint
    replayed: bool


@dataclass(frozen=True, slots=True)
class MintPage:
    """Some of a user's mints; `after` continues the list, None at its end."""

    mints: tuple[Mint, ...]
    after: str | None


def mint_id_from(seed: bytes) -> str:
    """Return the mint id that 17 or more bytes give: 130 bits in Crockford's base 32."""
    bits = int.from_bytes(seed[:_ID_BYTES], "big") >> (8 * _ID_BYTES - 5 * _ID_CHARACTERS)
    digits = (_CROCKFORD[bits >> shift & 31] for shift in range(5 * (_ID_CHARACTERS - 1), -1, -5))
    return "mint_" + "".join(digits)


def keyed_mint_id(chain_id: int, sub: str, key: str) -> str:
    """Return the id that a user's idempotency key stands for, on any copy of the api, for ever."""
    named = canonical_json(["mint", chain_id, sub, key])
    return mint_id_from(hashlib.sha256(named.encode()).digest())


async def accept_mint(
    request: MintRequest,
    *,
    sub: str,
    authorize: Callable[[Mint], bytes],
    token_ids: TokenIds,
    key: str | None,
    trace: str,
    default_collection: str,
    collections: Collections,
    wallets: WalletDirectory,
    links: LinkStore,
    chain_id: int,
    mints: MintStore,
    line: Line,
    now: int,
    entropy: Callable[[int], bytes],
    nudges: Nudges | None = None,
    rates: Rates | None = None,
    gas: GasBudget | None = None,
) -> Accepted:
    """Create the mint and put it on the line; a key's second request gets the first one's mint.

    The id is made of the key, so one conditional put is both the lock and the creation. What would refuse a
    new mint refuses no second request: its collection and wallets may be others by then.
    Once the mint is on record it is accepted, whatever becomes of its message: the sweep sends it then.
    The token id is the mint's for life, and part of what `authorize` has the enclaves sign for. It is given
    back if the request made no mint, and not if that is unknown. `now` is in Unix milliseconds.
    Raises Refused for an unknown contract, for a wallet that is being deleted or is not linked, or when the
    key named another body. `rates` and `gas` refuse new mints beyond what a user has; no replay is counted.
    """
    send = partial(_send, line=line, nudges=nudges or Nudges())
    contract = request.contract or default_collection
    mint_id = keyed_mint_id(chain_id, sub, key) if key else mint_id_from(entropy(_ID_BYTES))
    asked = canonical_json(request.model_dump(mode="json", exclude_none=True))
    request_digest = hashlib.sha256(asked.encode()).hexdigest()
    permit: int | None = None
    try:
        await collections.known(contract)
        wallet, to = await _wallets_of(request, sub=sub, wallets=wallets, links=links)
        if gas is not None and wallet is not None:
            await gas.check(wallet.address)
        if rates is not None:
            permit = await rates.take(sub)
    except Refused:
        existing = await mints.get(mint_id) if key else None
        if existing is None:
            raise
        return await _replay(existing, request_digest, send=send)
    metadata = canonical_json(request.metadata.model_dump(mode="json", exclude_none=True))
    token_id = await token_ids.take(contract)
    try:
        mint = Mint(
            mint_id=mint_id,
            sub=sub,
            status=MintStatus.ACCEPTED,
            chain_id=chain_id,
            contract=contract,
            to=to,
            custody="custodial" if wallet else "self",
            sender=wallet.key() if wallet else None,
            metadata_digest=digest_of(metadata),
            request_digest=request_digest,
            trace=trace,
            token_id=token_id,
            created_at=now,
            updated_at=now,
        )
        authorization = Authorization(envelope=authorize(mint), metadata=metadata)
    except BaseException:
        token_ids.give_back(contract, token_id)
        _uncount(sub, rates, permit)
        raise
    existing = await mints.create(mint, authorization)
    if existing is not None and not _is_this_try(existing, mint):
        if (existing.contract, existing.token_id) != (contract, token_id):
            token_ids.give_back(contract, token_id)
        _uncount(sub, rates, permit)
        return await _replay(existing, request_digest, send=send)
    mint = existing or mint
    if mint.status is MintStatus.ACCEPTED:
        await send(mint)
    log.info("mint_accepted", mint_id=mint_id)
    return Accepted(mint, replayed=False)


def _is_this_try(existing: Mint, mint: Mint) -> bool:
    """Tell whether a record is the one that this request wrote, by a try whose answer was lost.

    What it compares stays as it was created. A token id alone would not do: a counter may have been set back.
    """
    return (existing.contract, existing.token_id, existing.created_at, existing.trace) == (
        mint.contract,
        mint.token_id,
        mint.created_at,
        mint.trace,
    )


async def _wallets_of(
    request: MintRequest, *, sub: str, wallets: WalletDirectory, links: LinkStore
) -> tuple[Wallet | None, str]:
    """Return the wallet in custody that sends the mint, None with self-custody, and where it goes."""
    if request.custody == "self":
        return None, await own_wallet(request.to, sub=sub, links=links)
    wallet = await wallets.of(sub)
    if wallet.deletes_at is not None:
        raise Refused(WALLET_DELETED, f"The wallet's key is destroyed at {rfc3339(wallet.deletes_at)}.")
    return wallet, request.to or wallet.address


def _uncount(sub: str, rates: Rates | None, permit: int | None) -> None:
    """Give a write back that was counted and made nothing."""
    if rates is not None and permit is not None:
        rates.give_back(sub, permit)


async def _replay(mint: Mint, request_digest: str, *, send: Callable[[Mint], Awaitable[None]]) -> Accepted:
    """Return what a key made before; raises Refused if that was from another body.

    A mint that is still `accepted` is put on the line again: a process may have died between the two writes.
    """
    if mint.request_digest != request_digest:
        raise Refused(KEY_REUSED, f"This Idempotency-Key made {mint.mint_id} from another body.")
    if mint.status is MintStatus.ACCEPTED:
        await send(mint)
    log.info("mint_replayed", mint_id=mint.mint_id)
    return Accepted(mint, replayed=True)


async def _send(mint: Mint, *, line: Line, nudges: Nudges) -> None:
    message = BuildMint(mint_id=mint.mint_id, trace=mint.trace)
    await nudges.send(line.build(message, sender=mint.wallet), mint_id=mint.mint_id)


async def get_mint(mint_id: str, *, sub: str, mints: MintStore) -> Mint:
    """Return the caller's mint; another user's is as unknown as none."""
    mint = await mints.get(mint_id)
    if mint is None or mint.sub != sub:
        raise Refused(UNKNOWN_MINT, "There is no such mint of yours.")
    return mint


async def _readable(mint_id: str, mints: MintStore) -> Mint | None:
    """Return a mint; None for an unreadable record, which must not hide the user's others."""
    try:
        return await mints.get(mint_id)
    except Unreadable:
        return None


async def list_mints(
    sub: str,
    *,
    status: MintStatus | None,
    limit: int,
    after: str | None,
    mints: MintStore,
) -> MintPage:
    """Return up to `limit` of the user's mints, newest first, those in `status` if one is given.

    A mint whose record is unreadable is left out. The filter looks at a bounded number of mints, so a page
    may be short, even empty, and still have a next.
    """
    found: list[Mint] = []
    window = limit if status is None else _FILTER_WINDOW
    for _ in range(_PAGES_PER_REQUEST):
        page = await mints.ids_of(sub, limit=window, after=after)
        read = await asyncio.gather(*(_readable(mint_id, mints) for _, mint_id in page.items))
        for (position, _), mint in zip(page.items, read, strict=True):
            after = position
            if mint is None or mint.sub != sub or (status is not None and mint.status is not status):
                continue
            found.append(mint)
            if len(found) == limit:
                last = page.items[-1][0]
                return MintPage(tuple(found), after if page.more or position != last else None)
        if not page.more:
            return MintPage(tuple(found), None)
    return MintPage(tuple(found), after)
