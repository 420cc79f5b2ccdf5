"""`mintline wallets migrate | prune-copies | rewrap | reassign | delete | undelete`."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from mintline.clock import DAY, unix_ms
from mintline.key_stores import StoreName
from mintline.records.keys import scoped
from mintline.records.wallets import Wallet
from mintline_cli.wallets_target import WalletsTarget, on_wallets
from mintline_ops.wallets.custody import Custody
from mintline_ops.wallets.deletion import delete as delete_wallet
from mintline_ops.wallets.deletion import undelete as undelete_wallet
from mintline_ops.wallets.migration import migrate as migrate_wallets
from mintline_ops.wallets.migration import prune_copies as prune
from mintline_ops.wallets.reassignment import Reassignment
from mintline_ops.wallets.rewrap import rewrap as rewrap_keys
from mintline_ops.wallets.summary import Summary
from mintline_signer.host.audit_files import AuditFiles
from mintline_signer.host.enclave_client import EnclaveClient

app = typer.Typer(help="Work on keys in custody; none of it shows one.", no_args_is_help=True)
T = TypeVar("T")

Chain = Annotated[int | None, typer.Option(help="That deployment's chain.")]
Concurrency = Annotated[int, typer.Option(min=1, max=256, help="Wallets in work at a time.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
EnclaveAddress = Annotated[
    str | None, typer.Option("--enclave", help="A deployment's enclave, from its host: vsock://CID:PORT.")
]
AuditFolder = Annotated[Path | None, typer.Option("--audit", help="The folder of that host's audit trail.")]
Sub = Annotated[str, typer.Argument(metavar="SUB", help="The user: `sub` of the user pool.")]

_DURATION = re.compile(r"([0-9]{1,4})([dh])")


class Store(Enum):
    """A store to move to."""

    DYNAMODB = "dynamodb"
    SECRETSMANAGER = "secretsmanager"


@app.command()
@on_wallets
def migrate(
    target: WalletsTarget,
    *,
    to: Annotated[Store, typer.Option(help="The store that shall hold every key.")],
    concurrency: Concurrency = 16,
    dry_run: DryRun = False,
) -> None:
    """Move wrapped keys to another store, while mints go on; interrupted, it goes on when run again.

    Example: mintline wallets migrate --to dynamodb --dry-run
    """
    store: StoreName = to.value

    async def work(custody: Custody) -> Summary:
        return await migrate_wallets(
            to=store,
            records=custody.records,
            stores=custody.stores,
            now=unix_ms,
            concurrency=concurrency,
            dry_run=dry_run,
        )

    _show(target, target.execute(work), {"to": store})


@app.command("prune-copies")
@on_wallets
def prune_copies(
    target: WalletsTarget,
    *,
    older_than: Annotated[
        str, typer.Option(help="Copies that a migration left that long ago: 1d, 12h.")
    ] = "1d",
    days: Annotated[int, typer.Option(min=7, max=30, help="Days in which the stores can undo it.")] = 7,
    concurrency: Concurrency = 16,
    dry_run: DryRun = False,
) -> None:
    """Delete the copies that migrations left in the store before.

    Example: mintline wallets prune-copies --older-than 30d --dry-run
    """
    age = seconds(older_than, "--older-than")

    async def work(custody: Custody) -> Summary:
        return await prune(
            records=custody.records,
            stores=custody.stores,
            now=unix_ms,
            older_than=age,
            days=days,
            concurrency=concurrency,
            dry_run=dry_run,
        )

    _show(target, target.execute(work), {})


@app.command()
@on_wallets
def rewrap(
    target: WalletsTarget,
    *,
    to: Annotated[str, typer.Option(help="The KMS key that the enclave's policy names: its ARN.")],
    enclave: EnclaveAddress = None,
    audit: AuditFolder = None,
    concurrency: Concurrency = 16,
    dry_run: DryRun = False,
) -> None:
    """Have the enclave rewrap every key under another KMS key; it shows none on the way.

    Example: mintline wallets rewrap --to KEY_ARN --dry-run
    """
    address, trail = target.enclave(enclave, audit)

    async def work(custody: Custody) -> Summary:
        async with (
            AuditFiles(trail) as files,
            EnclaveClient(address, credentials=None, authorization_keys=None, audit=files) as client,
        ):
            return await rewrap_keys(
                to=to,
                stores=custody.stores,
                authorization_keys=custody.authorization_keys,
                enclave=client,
                concurrency=concurrency,
                dry_run=dry_run,
            )

    _show(target, target.execute(work), {"to": to})


@app.command()
@on_wallets
def reassign(
    target: WalletsTarget,
    old: Annotated[str, typer.Argument(metavar="OLD_SUB", help="The user whose `sub` is gone.")],
    new: Annotated[
        str, typer.Argument(metavar="NEW_SUB", help="The user's new `sub`, without a wallet yet.")
    ],
    *,
    enclave: EnclaveAddress = None,
    audit: AuditFolder = None,
    chain_id: Chain = None,
) -> None:
    """Give a wallet to its user's new `sub`, as the enclave's policy names it; interrupted, run it again.

    Example: mintline wallets reassign OLD_SUB NEW_SUB
    """
    address, trail = target.enclave(enclave, audit)
    chain = target.chain(chain_id)
    screen = target.screen

    async def work(custody: Custody) -> Wallet:
        with screen.waiting("waiting until every API process knows the new owner"):
            async with (
                AuditFiles(trail) as files,
                EnclaveClient(address, credentials=None, authorization_keys=None, audit=files) as client,
            ):
                return await Reassignment(
                    chain_id=chain,
                    old=old,
                    new=new,
                    records=custody.records,
                    belongings=custody.belongings,
                    stores=custody.stores,
                    enclave=client,
                    sleep=asyncio.sleep,
                ).run()

    wallet = target.execute(work)
    screen.say(f"{wallet.address} is {new}'s")
    screen.result({"from": old, "to": new, "address": wallet.address})


@app.command()
@on_wallets
def delete(
    target: WalletsTarget,
    sub: Sub,
    *,
    after: Annotated[
        str, typer.Option(help="When the key is destroyed: between 7d and 30d from now.")
    ] = "30d",
    force: Annotated[
        bool, typer.Option("--force", help="Even if it owns tokens, which can then never be moved.")
    ] = False,
    chain_id: Chain = None,
) -> None:
    """Destroy a user's key after a waiting time, in which `undelete` can stop it; nothing is minted then.

    Example: mintline wallets delete SUB --after 30d
    """
    days, rest = divmod(seconds(after, "--after"), DAY)
    if rest:
        raise typer.BadParameter(f"{after!r}: whole days", param_hint="--after")
    screen = target.screen

    async def sleep(delay: float) -> None:
        with screen.waiting(f"waiting {delay:.0f} s until no API process caches the wallet as usable"):
            await asyncio.sleep(delay)

    async def work(custody: Custody) -> Wallet:
        return await delete_wallet(
            scoped(target.chain(chain_id), sub),
            days=days,
            force=force,
            records=custody.records,
            belongings=custody.belongings,
            stores=custody.stores,
            now=unix_ms,
            sleep=sleep,
        )

    wallet = target.execute(work)
    assert wallet.deletes_at is not None
    at = datetime.fromtimestamp(wallet.deletes_at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    screen.say(f"the key of {wallet.address} is destroyed at {at}")
    screen.result({"sub": sub, "address": wallet.address, "deletes_at": at})


@app.command()
@on_wallets
def undelete(
    target: WalletsTarget,
    sub: Sub,
    *,
    chain_id: Chain = None,
) -> None:
    """Keep a user's key that was to be destroyed.

    Example: mintline wallets undelete SUB
    """
    screen = target.screen

    async def work(custody: Custody) -> Wallet:
        wallet_id = scoped(target.chain(chain_id), sub)
        return await undelete_wallet(wallet_id, records=custody.records, stores=custody.stores)

    wallet = target.execute(work)
    screen.say(f"the key of {wallet.address} is kept")
    screen.result({"sub": sub, "address": wallet.address, "deletes_at": None})


def _show(target: WalletsTarget, summary: Summary, more: dict[str, str]) -> None:
    """Show what came of it; ends the command with an error if some wallets came to nothing."""
    screen = target.screen
    for outcome, count in sorted(summary.counts.items()):
        screen.stage(outcome, str(count))
    for failure in summary.failures:
        screen.stage("failed", f"{failure['wallet']}: {failure['reason']}", style="red")
    screen.result({**more, **summary.report()})
    if summary.failures:
        raise typer.Exit(1)


def seconds(text: str, option: str) -> int:
    """Return a duration such as `30d` or `12h`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{text!r}: expected days or hours, such as 30d or 12h", param_hint=option)
    return int(match[1]) * (DAY if match[2] == "d" else 3600)
