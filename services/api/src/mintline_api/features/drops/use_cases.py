"""Making drops, and moving them on as their client asks: prepare, start, pause, resume, cancel.

Each change is a conditional write on the drop's version, so that of two at once one is done first and the
other sees it. What takes long is done by a runner (`mintline_api.features.drops.runner`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from mintline.canonical_json import canonical_json
from mintline.drop_records import ENDED, Drop, DropStatus
from mintline.errors import Conflict, Unavailable, Unreadable
from mintline.operation_ids import ID_BYTES, keyed_operation_id, operation_id_from
from mintline.records.problems import Problem
from mintline_api.features.collections.minting import MintGate
from mintline_api.features.drops.models import DropRequest
from mintline_api.features.drops.ports import DropStore
from mintline_api.features.drops.problems import (
    DROP_EMPTY,
    DROP_ENDED,
    DROP_NOT_PAUSED,
    DROP_NOT_PREPARED,
    DROP_NOT_RUNNING,
    DROP_STARTED,
    UNKNOWN_DROP,
)
from mintline_api.features.operations.problems import KEY_REUSED
from mintline_api.features.pages import PageRequest
from mintline_api.http.problems import ProblemType, RequestRefused
from mintline_api.limits.client_budgets import ClientBudgets

log = structlog.get_logger()

KIND = "drop"
_TRIES = 10
BY_CLIENT = Problem(code="paused-by-client", reason="The client paused it. It goes on with a resume.")

Change = Callable[[Drop], Drop | None]
"""Returns the drop as it is to be, None if it is so already; raises RequestRefused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateDrop:
    """Asks for a drop; `now` is in Unix milliseconds."""

    request: DropRequest
    client_id: str
    key: str | None
    """The idempotency key."""
    trace: str
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIntake:
    """What it takes to make a drop."""

    chain_id: int
    default_collection: str
    gate: MintGate
    budgets: ClientBudgets
    store: DropStore
    entropy: Callable[[int], bytes]


async def create_drop(command: CreateDrop, *, intake: DropIntake) -> tuple[Drop, bool]:
    """Create a drop without lines; the second value tells whether the key had made it before.

    Raises RequestRefused for an unknown contract, for one in which the client may not mint now, and for a
    key that named another body.
    """
    contract = command.request.contract or intake.default_collection
    collection = await intake.gate.pass_(contract, client_id=command.client_id, now=command.now)
    await intake.budgets.check_collection(command.client_id, collection)
    body = canonical_json(command.request.model_dump(mode="json", exclude_none=True))
    digest = hashlib.sha256(body.encode()).hexdigest()
    if command.key is None:
        drop_id = operation_id_from(KIND, intake.entropy(ID_BYTES))
    else:
        drop_id = keyed_operation_id(KIND, intake.chain_id, command.client_id, command.key)
    drop = Drop(
        drop_id=drop_id,
        version=0,
        client_id=command.client_id,
        chain_id=intake.chain_id,
        contract=contract,
        items=collection.standard == "erc1155",
        name=command.request.name,
        status=DropStatus.DRAFT,
        request_digest=digest,
        trace=command.trace,
        created_at=command.now,
        updated_at=command.now,
    )
    existing = await intake.store.create(drop)
    if existing is None or existing == drop:
        log.info("drop_created", drop_id=drop_id)
        return drop, False
    if existing.request_digest != digest:
        raise RequestRefused(
            KEY_REUSED, f"This Idempotency-Key made {drop_id} with another body: send a new key."
        )
    return existing, True


async def get_drop(drop_id: str, *, client_id: str, store: DropStore) -> Drop:
    """Return a drop of the client's; any other is as unknown as none."""
    drop = await store.get(drop_id)
    if drop is None or drop.client_id != client_id:
        raise RequestRefused(UNKNOWN_DROP, "Drop not found.")
    return drop


@dataclass(frozen=True, slots=True)
class DropPage:
    """Some of a client's drops; `after` continues the list, None at its end."""

    drops: tuple[Drop, ...]
    after: str | None


async def list_drops(client_id: str, page: PageRequest, *, store: DropStore) -> DropPage:
    """Return a page of a client's drops, newest first; one whose record is unreadable is left out."""
    listed = await store.ids_of(client_id, limit=page.limit, after=page.after)
    drops = [await _readable(drop_id, store) for _, drop_id in listed.items]
    after = listed.items[-1][0] if listed.more and listed.items else None
    return DropPage(tuple(drop for drop in drops if drop is not None), after)


async def _readable(drop_id: str, store: DropStore) -> Drop | None:
    with suppress(Unreadable):
        return await store.get(drop_id)
    return None


async def change_drop(
    drop_id: str, change: Change, *, store: DropStore, client_id: str | None = None
) -> Drop:
    """Change a drop as it is at that moment; return it as it is then.

    `client_id`: whose it must be. Raises RequestRefused, or Unavailable if it kept moving.
    """
    for _ in range(_TRIES):
        drop = await store.get(drop_id)
        if drop is None or client_id not in (None, drop.client_id):
            raise RequestRefused(UNKNOWN_DROP, "Drop not found.")
        changed = change(drop)
        if changed is None:
            return drop
        try:
            await store.replace(changed)
        except Conflict:
            continue
        if changed.status is not drop.status:
            log.info("drop_moved", drop_id=drop_id, status=changed.status.value)
        return changed
    raise Unavailable("the drop kept moving")


def moved(drop: Drop, *, now: int, **changes: object) -> Drop:
    """Return the next version of a drop; `now` is in Unix milliseconds."""
    return drop.evolve(version=drop.version + 1, updated_at=now, **changes)


def prepare(now: int) -> Change:
    """Have users, wallets and token ids made; harmless for a drop that is prepared, or being prepared."""

    def change(drop: Drop) -> Drop | None:
        if drop.status in (DropStatus.PREPARING, DropStatus.PREPARED):
            return None
        if drop.status in ENDED:
            raise _ended(drop)
        if drop.status is not DropStatus.DRAFT:
            raise _refused(DROP_STARTED, drop, "is prepared, and was started")
        if not drop.upload.accepted:
            raise _refused(DROP_EMPTY, drop, "has no accepted line")
        return moved(drop, now=now, status=DropStatus.PREPARING)

    return change


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorized:
    """A client's authorization of a drop: its token, sealed under the drop's root."""

    root: bytes
    envelope: bytes
    until: int
    """When the token expires, in Unix milliseconds."""


def check_startable(drop: Drop) -> None:
    """Raise RequestRefused unless a drop can be started."""
    if drop.status in ENDED:
        raise _ended(drop)
    if drop.status in (DropStatus.DRAFT, DropStatus.PREPARING):
        raise _refused(DROP_NOT_PREPARED, drop, f"is {drop.status.value}, and has to be prepared first")
    if drop.status is not DropStatus.PREPARED:
        raise _refused(DROP_STARTED, drop, f"was started before, and is {drop.status.value}")


def start(authorized: Authorized, *, now: int) -> Change:
    """Have a prepared drop's lines minted."""

    def change(drop: Drop) -> Drop:
        check_startable(drop)
        return _running(drop, authorized, now=now, started_at=now)

    return change


def check_resumable(drop: Drop) -> None:
    """Raise RequestRefused unless a drop can be resumed."""
    if drop.status in ENDED:
        raise _ended(drop)
    if drop.status is not DropStatus.PAUSED:
        raise _refused(DROP_NOT_PAUSED, drop, f"is {drop.status.value}")


def resume(authorized: Authorized, *, now: int) -> Change:
    """Have a paused drop go on, under the authorization that is sealed now."""

    def change(drop: Drop) -> Drop:
        check_resumable(drop)
        return _running(drop, authorized, now=now)

    return change


def _running(drop: Drop, authorized: Authorized, *, now: int, **changes: object) -> Drop:
    if drop.root != authorized.root:
        raise Unavailable("the drop was prepared again meanwhile")
    return moved(
        drop,
        now=now,
        status=DropStatus.RUNNING,
        envelope=authorized.envelope,
        authorized_until=authorized.until,
        running_since=now,
        done_before=drop.done,
        paused=None,
        resumes_at=None,
        **changes,
    )


def pause(now: int) -> Change:
    """Hand on no more lines until the drop is resumed; harmless for one that its client paused."""

    def change(drop: Drop) -> Drop | None:
        if drop.status is DropStatus.PAUSED:
            return None if drop.resumes_at is None else paused(drop, BY_CLIENT, now=now)
        if drop.status in ENDED:
            raise _ended(drop)
        if drop.status is not DropStatus.RUNNING:
            raise _refused(DROP_NOT_RUNNING, drop, f"is {drop.status.value}")
        return paused(drop, BY_CLIENT, now=now)

    return change


def paused(drop: Drop, problem: Problem, *, now: int, resumes_at: int | None = None) -> Drop:
    """Return a drop that hands on no more lines; `resumes_at`: when it goes on by itself."""
    return moved(drop, now=now, status=DropStatus.PAUSED, paused=problem, resumes_at=resumes_at)


def cancel(now: int) -> Change:
    """Hand on no more lines, ever; harmless for a cancelled drop. What was handed on is minted."""

    def change(drop: Drop) -> Drop | None:
        if drop.status is DropStatus.CANCELLED:
            return None
        if drop.status is DropStatus.COMPLETED:
            raise _ended(drop)
        ended = now if drop.settled_chunks == drop.fed_chunks and drop.lease is None else None
        return moved(
            drop,
            now=now,
            status=DropStatus.CANCELLED,
            cancelled_at=now,
            ended_at=ended,
            paused=None,
            resumes_at=None,
        )

    return change


def _ended(drop: Drop) -> RequestRefused:
    return _refused(DROP_ENDED, drop, f"is {drop.status.value}")


def _refused(kind: ProblemType, drop: Drop, what: str) -> RequestRefused:
    return RequestRefused(kind, f"The drop {drop.drop_id} {what}.")
