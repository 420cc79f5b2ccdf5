"""Delete a key in custody, after a waiting time in which that can be undone.

::

    mark the record ──▶ wait until no api knows it otherwise ──▶ look again ──▶ have the stores delete the key
       1                                                            2             3

From 1 on nothing is accepted for the wallet. What was accepted before shows at 2, and unmarks the record.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mintline.clock import DAY
from mintline.errors import Rejected
from mintline.key_stores import MAX_DELETION_DAYS, MIN_DELETION_DAYS, KeyStores
from mintline.records.keys import scoped
from mintline.records.wallets import WALLET_CACHE_SECONDS, Wallet
from mintline_ops.wallets.ports import Belongings, WalletRecords

_MOST = 100


async def delete(
    wallet_id: str,
    *,
    days: int,
    force: bool,
    records: WalletRecords,
    belongings: Belongings,
    stores: KeyStores,
    now: Callable[[], int],
    sleep: Callable[[float], Awaitable[None]],
) -> Wallet:
    """Destroy a wallet's key in `days` (7 to 30), and return its record; safe to repeat.

    `now` gives Unix milliseconds. Raises Rejected for a wallet that owns tokens, unless `force` accepts that
    nobody will ever move them, and for one with mints or transactions under way: without their key they would
    never end.
    """
    if not MIN_DELETION_DAYS <= days <= MAX_DELETION_DAYS:
        raise Rejected("bad_delay", f"between {MIN_DELETION_DAYS} and {MAX_DELETION_DAYS} days")
    wallet = await _known(wallet_id, records)
    cut_off = wallet.deletes_at is not None
    if not cut_off:
        await _check(wallet, belongings, force=force)
        at = now() + days * DAY * 1000
        await records.mark_deleting(wallet, at=at)
        wallet = wallet.evolve(deletes_at=at)
    assert wallet.deletes_at is not None
    # Marks are whole days ahead, so this is since when it stands, or a day or more less.
    marked = (now() - wallet.deletes_at) % (DAY * 1000) / 1000
    if marked < WALLET_CACHE_SECONDS + 1:
        await sleep(WALLET_CACHE_SECONDS + 1 - marked)
    try:
        await _check(wallet, belongings, force=force)
    except Rejected:
        # One that was cut off may have reached the stores: only `undelete` takes that back.
        if not cut_off:
            await records.unmark_deleting(wallet)
        raise
    left = -(-(wallet.deletes_at - now()) // (DAY * 1000))
    # Not before the record says, whenever an interrupted deletion is taken up again.
    left = min(MAX_DELETION_DAYS, max(MIN_DELETION_DAYS, left))
    for key in [wallet, *await _before(wallet, records)]:
        for store, reference in stores.everywhere(key.key()):
            await store.schedule_deletion(reference, days=left)
    return wallet


async def undelete(wallet_id: str, *, records: WalletRecords, stores: KeyStores) -> Wallet:
    """Keep a wallet whose key was to be destroyed, and return its record; safe to repeat.

    Raises Rejected if the key is gone.
    """
    wallet = await _known(wallet_id, records)
    if wallet.deletes_at is None:
        return wallet
    for reference in (wallet.secret_id, wallet.previous_secret_id):
        if reference is not None:
            await stores.holding(reference).restore(reference)
    await records.unmark_deleting(wallet)
    return wallet.evolve(deletes_at=None)


async def _known(wallet_id: str, records: WalletRecords) -> Wallet:
    wallet = await records.get(wallet_id)
    if wallet is None:
        raise Rejected("wallet_unknown", f"there is no wallet {wallet_id}")
    if not wallet.ready:
        raise Rejected("wallet_unready", f"the wallet {wallet_id} has not been finished by the api yet")
    if wallet.reassigned_to is not None:
        raise Rejected(
            "wallet_reassigned", f"{wallet.address} was reassigned to {wallet.reassigned_to}; name that"
        )
    return wallet


async def _before(wallet: Wallet, records: WalletRecords) -> list[Wallet]:
    """Return the records of those who had the wallet before: their wrapped keys are of the same key."""
    before: list[Wallet] = []
    while wallet.reassigned_from is not None:
        former = await records.get(scoped(wallet.chain_id, wallet.reassigned_from))
        if former is None:
            break
        before.append(former)
        wallet = former
    return before


async def _check(wallet: Wallet, belongings: Belongings, *, force: bool) -> None:
    under_way = await belongings.open_operation(wallet)
    if under_way is not None:
        raise Rejected("mint_under_way", f"{under_way} of {wallet.address} has not ended")
    if force:
        return
    owned = await belongings.tokens(wallet, most=_MOST)
    if owned:
        some = f"{owned} or more tokens" if owned == _MOST else f"{owned} token{'s' * (owned > 1)}"
        raise Rejected("tokens_owned", f"{wallet.address} owns {some}, which nobody could ever move again")
