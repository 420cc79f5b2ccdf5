"""`mintline audit`: check what enclaves put on record; without a network, unless it is in a bucket."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from mintline.attestation.chain import AWS_ROOT
from mintline.attestation.registers import POLICY_REGISTER
from mintline.audit.kms_log import NoKmsLog, modules_in
from mintline.audit.records import HASH_BYTES, NO_HASH
from mintline.audit.trail import RecordChain, Report, verify_trail
from mintline_cli.attest import expected, fingerprint
from mintline_cli.execution import execute, stop
from mintline_cli.options import REGION, EndpointUrl, Json, Region
from mintline_cli.output import Screen
from mintline_ops.audit_bucket import SCHEME, Fetched, fetch_trail

app = typer.Typer(help="The enclaves' audit trail.", no_args_is_help=True)


@app.callback()
def audit() -> None:
    """Group the commands about the audit trail."""


@app.command("verify")
def verify_place(
    place: Annotated[
        str,
        typer.Argument(
            help="The folder of the trail, or one that holds several; or s3://BUCKET, or s3://BUCKET/PREFIX."
        ),
    ],
    *,
    region: Region = REGION,
    endpoint_url: EndpointUrl = None,
    pcr0: Annotated[
        list[str] | None, typer.Option(help="An image's measurement, in hex; repeatable.")
    ] = None,
    pcr16: Annotated[
        list[str] | None, typer.Option(help="A policy document's measurement, in hex; repeatable.")
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="The trusted root (PEM); AWS's root G1 by default.")
    ] = None,
    kms_log: Annotated[
        list[Path] | None,
        typer.Option(
            help="CloudTrail's events of the wallets' key: their enclaves must be here; repeatable."
        ),
    ] = None,
    after: Annotated[
        list[str] | None,
        typer.Option(help="The hash of a record kept elsewhere that a life here may follow; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify an audit trail: every chain whole from its start, signed, by the key of an attested enclave.

    Name the images and policy documents that KMS admitted: another enclave's records say nothing of wallets.

    Example: mintline audit verify s3://shop-audit-trail --pcr0 PCR0 --pcr16 PCR16
    """
    measured = [(0, value) for value in pcr0 or []] + [(POLICY_REGISTER, value) for value in pcr16 or []]
    allowed = expected([f"{register}={value}" for register, value in measured])
    trusted = AWS_ROOT if root is None else fingerprint(root)
    known = [_hash(value) for value in after or []]
    modules = [module_id for path in kms_log or [] for module_id in _modules_in(path)]
    screen = Screen(as_json=as_json)
    with ExitStack() as stack:
        folder, fetched = Path(place), Fetched()
        if place.startswith(SCHEME):
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="mintline-audit-")))
            fetched = execute(fetch_trail(place, folder, region=region, endpoint_url=endpoint_url))
            _show_fetched(fetched, screen)
        try:
            report = verify_trail(
                folder,
                root=trusted,
                pcr0=allowed.get(0, ()),
                pcr16=allowed.get(POLICY_REGISTER, ()),
                known=known,
                modules=modules,
                names=fetched.names,
            )
        except OSError as error:
            stop(f"{error.filename}: {error.strerror}")
        report.breaks += fetched.faults
    _show_report(report, screen)
    if not report.sound:
        faults = [*report.breaks, *(_of(chain, fault) for chain in report.chains for fault in chain.breaks)]
        stop(f"{place}: the trail is broken: {'; '.join(faults)}", answered=True)


def _show_fetched(fetched: Fetched, screen: Screen) -> None:
    screen.stage("fetched", f"{fetched.files} files")
    if fetched.hidden:
        screen.stage("hidden", f"{fetched.hidden} objects that somebody tried to delete")


def _show_report(report: Report, screen: Screen) -> None:
    screen.stage("lives", str(report.lives))
    _show_chains(report, screen)
    for name in report.torn:
        screen.say(f"{name}: its last batch was cut short, and given to another file")
    screen.result(_plain(report))


def _show_chains(report: Report, screen: Screen) -> None:
    for chain in report.chains:
        screen.say(f"{chain.key.hex()[:16]}  {chain.module_id or 'not attested'}", style="bold")
        if chain.module_id:
            screen.stage("pcr0", chain.pcr0.hex())
            screen.stage("pcr16", chain.pcr16.hex() or "none")
        screen.stage("records", f"{len(chain.records)}, {_time(chain.first_at)} to {_time(chain.last_at)}")
        for outcome, count in sorted(chain.outcomes.items()):
            screen.stage(outcome, str(count))
        if chain.follows:
            screen.stage("follows", "none" if chain.follows == NO_HASH else chain.follows.hex())
        screen.stage("ends with", chain.head.hex())
        if chain.successor:
            screen.stage("handed over", f"to {chain.successor.hex()[:16]}")


def _hash(text: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != HASH_BYTES:
        raise typer.BadParameter(f"{text!r}: expected a record's hash, 64 hex digits", param_hint="--after")
    return value


def _modules_in(path: Path) -> set[str]:
    try:
        return modules_in(path.read_text())
    except OSError as error:
        stop(f"{path}: {error.strerror}")
    except (NoKmsLog, UnicodeDecodeError) as fault:
        stop(f"{path}: no log of KMS: {fault}")


def _of(chain: RecordChain, fault: str) -> str:
    return f"chain {chain.key.hex()[:16]}: {fault}"


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")


def _plain(report: Report) -> dict[str, Any]:
    """Return the report, for programs; bytes in hex."""
    return {
        "verified": report.sound,
        "lives": report.lives,
        "outcomes": dict(sorted(report.outcomes.items())),
        "chains": [
            {
                "key": chain.key.hex(),
                "module_id": chain.module_id,
                "pcr0": chain.pcr0.hex(),
                "pcr16": chain.pcr16.hex(),
                "records": len(chain.records),
                "first": _time(chain.first_at),
                "last": _time(chain.last_at),
                "follows": chain.follows.hex() or None,
                "head": chain.head.hex(),
                "outcomes": dict(sorted(chain.outcomes.items())),
                "successor": chain.successor.hex() or None,
                "breaks": chain.breaks,
            }
            for chain in report.chains
        ],
        "breaks": report.breaks,
        "torn": report.torn,
    }
