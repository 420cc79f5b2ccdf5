"""Move wrapped keys from one store to the other, while mints go on.

::

    copy to the new store ──▶ read it back and compare ──▶ switch the record ──▶ (later) delete the old copy

After a crash between two steps the next run continues: the records say what has been done.
The old copy stays until `prune_copies`, and a host that looks for it after that finds the new one.
"""

from __future__ import annotations

from collections.abc import Callable

from mintline.errors import Conflict, Rejected
from mintline.key_stores import KeyStore, KeyStores, StoredKey, StoreName
from mintline.records.wallets import Wallet
from mintline_ops.wallets.ports import WalletRecords, for_each
from mintline_ops.wallets.summary import Summary


async def migrate(
    *,
    to: StoreName,
    records: WalletRecords,
    stores: KeyStores,
    now: Callable[[], int],
    concurrency: int,
    dry_run: bool,
) -> Summary:
    """Move every wallet's key to the store `to`; `now` gives Unix milliseconds.

    Counts: `moved` (with `dry_run`: those that would be), `there` already, `unready` (not finished by the api
    yet), `deleting` and `reassigned` to another user (left alone).
    """
    summary = Summary()
    target = stores.named(to)

    async def migrate_wallet(wallet: Wallet) -> str:
        if not wallet.ready:
            return "unready"
        if wallet.deletes_at is not None:
            return "deleting"
        if wallet.reassigned_to is not None:
            return "reassigned"
        if target.owns(wallet.secret_id):
            return "there"
        if not dry_run:
            reference = await copy(await _own_key(wallet, stores), target)
            await records.move(wallet, to=reference, at=now())
        return "moved"

    await for_each(
        records.all(),
        lambda wallet: summary.record(wallet.address, migrate_wallet(wallet)),
        concurrency=concurrency,
    )
    return summary


async def copy(key: StoredKey, target: KeyStore) -> str:
    """Have `target` hold exactly this key, and return its reference there.

    A copy that an earlier migration left there may be scheduled for deletion, or wrapped otherwise.
    """
    reference = await target.create(key)
    try:
        there = await target.read(reference)
    except Rejected as rejected:
        if rejected.code != "key_deleting":
            raise
        await target.restore(reference)
        there = await target.read(reference)
    if there != key:
        await target.replace(reference, old=there, new=key)
        there = await target.read(reference)
    if there != key:
        raise Conflict(f"{reference} does not hold what was written to it")
    return reference


async def prune_copies(
    *,
    records: WalletRecords,
    stores: KeyStores,
    now: Callable[[], int],
    older_than: int,
    days: int,
    concurrency: int,
    dry_run: bool,
) -> Summary:
    """Have the stores delete, after `days`, what migrations more than `older_than` seconds ago left behind.

    Counts: `pruned` (with `dry_run`: those that would be), `recent`. A copy is let go of only after the key
    has been read from where it is now.
    """
    summary = Summary()

    async def prune_wallet(wallet: Wallet) -> str:
        previous, moved_at = wallet.previous_secret_id, wallet.moved_at
        if previous is None or moved_at is None:
            return "single"
        if moved_at + older_than * 1000 > now():
            return "recent"
        if not dry_run:
            await _own_key(wallet, stores)
            await stores.holding(previous).schedule_deletion(previous, days=days)
            await records.forget_copy(wallet)
        return "pruned"

    await for_each(
        records.all(),
        lambda wallet: summary.record(wallet.address, prune_wallet(wallet)),
        concurrency=concurrency,
    )
    del summary.counts["single"]
    return summary


async def _own_key(wallet: Wallet, stores: KeyStores) -> StoredKey:
    """Return the wallet's key from the very place that its record names."""
    key = await stores.holding(wallet.secret_id).read(wallet.secret_id)
    if (key.address, key.subject, key.chain_id) != (wallet.address, wallet.sub, wallet.chain_id):
        raise Rejected("key_mismatch", f"{wallet.secret_id} holds another key.")
    return key
