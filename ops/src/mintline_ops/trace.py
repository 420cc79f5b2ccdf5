"""One mint's timeline: what its record says and what the services logged of it, in one order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mintline.aws import operations
from mintline.aws.dynamo import Dynamo
from mintline.aws.errors import AwsRefused
from mintline.errors import Misconfigured, Rejected, Unreadable
from mintline.records.operations import Mint
from mintline.set_aside import SetAside
from mintline.states import MintStatus

RECORD = "record"
_COMMON = frozenset({"timestamp", "service", "event", "level", "mint_id", "trace"})


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """Something that happened to a mint; `source` is a service, or `record`."""

    at: datetime
    source: str
    event: str
    level: str = field(default="info", compare=False)
    details: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the moment as JSON values."""
        at = self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "at": at,
            "source": self.source,
            "event": self.event,
            "level": self.level,
            "details": dict(self.details),
        }


async def read_mint(dynamo: Dynamo, mint_id: str) -> Mint:
    """Return a mint as it stands.

    Raises Rejected if there is none, Unreadable if it is not valid, Misconfigured if there is no such table.
    """
    try:
        mint = await operations.read_mint(dynamo, mint_id, SetAside())
    except AwsRefused as error:
        raise Misconfigured(f"cannot read the table of mints: {error.code}") from None
    except Unreadable as error:
        where = "see docs/set-aside.md"
        raise Unreadable(f"the record of {mint_id} cannot be read: {error}; {where}") from None
    if mint is None:
        raise Rejected("mint_unknown", f"there is no mint {mint_id}")
    return mint


def timeline(mint: Mint, logs: Iterable[Path]) -> list[Moment]:
    """Return everything known of a mint, oldest first."""
    return sorted([*recorded(mint), *(moment for log in logs for moment in logged(mint, log))])


def recorded(mint: Mint) -> Iterator[Moment]:
    """Yield what a mint's record tells."""

    def moment(at: int, event: str, **details: Any) -> Moment:
        known = {name: value for name, value in details.items() if value is not None}
        return Moment(datetime.fromtimestamp(at / 1000, UTC), RECORD, event, details=known)

    yield moment(mint.created_at, "accepted", sender=mint.wallet, to=mint.to, contract=mint.contract)
    if mint.built_at is not None:
        token_id = None if mint.token_id is None else str(mint.token_id)
        yield moment(mint.built_at, "built", token_id=token_id, nonce=mint.nonce, gas=mint.gas)
    if mint.issued_at is not None:
        yield moment(mint.issued_at, "issued", deadline=mint.deadline)
    for number, attempt in enumerate(mint.attempts):
        fee = str(attempt.max_fee_per_gas)
        event = "submitted" if attempt.at == mint.submitted_at else "attempted"
        yield moment(
            attempt.at, event, tx_hash="0x" + attempt.tx_hash.hex(), attempt=number, max_fee_per_gas=fee
        )
    if mint.submitted_at is not None and all(attempt.at != mint.submitted_at for attempt in mint.attempts):
        yield moment(mint.submitted_at, "submitted")
    if mint.cancel_requested_at is not None:
        yield moment(mint.cancel_requested_at, "cancel_requested")
    if mint.mined_at is not None:
        tx_hash = None if mint.tx_hash is None else "0x" + mint.tx_hash.hex()
        event = "mined" if mint.problem is None else "reverted"
        yield moment(mint.mined_at, event, block=mint.block_number, tx_hash=tx_hash, **_problem(mint))
    elif mint.problem is not None:
        event = "rejected" if mint.status is MintStatus.REJECTED else "transaction_refused"
        yield moment(mint.updated_at, event, **_problem(mint))
    if mint.finalized_at is not None:
        yield moment(mint.finalized_at, "finalized")


def _problem(mint: Mint) -> dict[str, str]:
    return {} if mint.problem is None else {"code": mint.problem.code, "reason": mint.problem.reason}


def logged(mint: Mint, log: Path) -> Iterator[Moment]:
    """Yield the lines of a log that name the mint or carry its trace; lines that are not JSON are skipped."""
    trace = mint.trace.split("-")[1] if mint.trace.count("-") == 3 else ""
    needles = [needle.encode() for needle in (mint.mint_id, trace) if needle]
    with log.open("rb") as lines:
        for line in lines:
            # Most lines are of other mints: parsed is only what can be of this one.
            if any(needle in line for needle in needles) and (moment := _moment(line)) is not None:
                yield moment


def _moment(line: bytes) -> Moment | None:
    try:
        entry = json.loads(line)
        at = datetime.fromisoformat(entry["timestamp"])
        source, event = str(entry["service"]), str(entry["event"])
    except (ValueError, LookupError, TypeError):
        return None
    details = {name: value for name, value in entry.items() if name not in _COMMON}
    return Moment(at, source, event, level=str(entry.get("level", "info")), details=details)


def log_files(places: Iterable[Path]) -> list[Path]:
    """Return the logs in files and folders, earlier runs' (`.log.1`) included; raises Misconfigured."""
    paths: list[Path] = []
    for place in places:
        if place.is_dir():
            paths += sorted([*place.glob("*.log"), *place.glob("*.log.1")])
        elif place.is_file():
            paths.append(place)
        else:
            raise Misconfigured(f"there is no log at {place}")
    return paths


def report(mint: Mint, moments: Iterable[Moment]) -> dict[str, Any]:
    """Return the timeline as JSON values."""
    return {
        "mint_id": mint.mint_id,
        "status": mint.status.value,
        "trace": mint.trace,
        "events": [moment.to_json() for moment in moments],
    }


def describe(moment: Moment, start: datetime) -> str:
    """Return a moment in one line for people: seconds since `start`, who, what, details."""
    details = " ".join(f"{name}={_short(value)}" for name, value in moment.details.items() if value != "")
    seconds = (moment.at - start).total_seconds()
    return f"{seconds:+9.3f} s  {moment.source:<15} {moment.event:<22} {details}".rstrip()


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
