"""What happened to a drop between two of its versions."""

from __future__ import annotations

from mintline.drop_records import Drop, DropStatus
from mintline_notifier.deriving.base import Fact

STEPS = 20
"""A running drop's progress is an event each time that another twentieth of its lines has ended."""
_RUNS = (DropStatus.RUNNING, DropStatus.PAUSED, DropStatus.COMPLETED, DropStatus.CANCELLED)


def steps(old: Drop | None, new: Drop) -> list[Fact]:
    """Return what happened to a drop; None: it was not there before."""
    before = old.status if old else DropStatus.DRAFT
    derived: list[Fact] = []

    def step(kind: str, at: int | None, *facts: object) -> None:
        derived.append(Fact(f"drop.{kind}", at or new.updated_at, (new.drop_id, *facts)))

    if before is DropStatus.DRAFT and new.status is not DropStatus.DRAFT and new.upload.refused:
        step("lines_refused", None, "upload")
    if before is DropStatus.PREPARING and new.status is not DropStatus.PREPARING and new.unresolved:
        step("lines_refused", None, "preparation")
    if new.started_at is not None and (old is None or old.started_at is None):
        step("started", new.started_at)
    elif before is DropStatus.PAUSED and new.status is DropStatus.RUNNING:
        step("resumed", None, new.version)
    if new.status in _RUNS and (done := _twentieths(new)) > (_twentieths(old) if old else 0):
        step("progressed", None, done, new.version)
    if before is not DropStatus.PAUSED and new.status is DropStatus.PAUSED:
        step("paused", None, new.version)
    if before is not DropStatus.COMPLETED and new.status is DropStatus.COMPLETED:
        step("completed", new.ended_at)
    if before is not DropStatus.CANCELLED and new.status is DropStatus.CANCELLED:
        step("cancelled", new.cancelled_at)
    return derived


def history(drop: Drop) -> list[Fact]:
    """Return what happened to a drop as far as it says so itself."""
    facts: list[Fact] = []
    if drop.started_at is not None:
        facts.append(Fact("drop.started", drop.started_at, (drop.drop_id,)))
    if drop.status is DropStatus.PAUSED:
        facts.append(Fact("drop.paused", drop.updated_at, (drop.drop_id, drop.version)))
    if drop.status is DropStatus.COMPLETED:
        facts.append(Fact("drop.completed", drop.ended_at or drop.updated_at, (drop.drop_id,)))
    if drop.status is DropStatus.CANCELLED:
        facts.append(Fact("drop.cancelled", drop.cancelled_at or drop.updated_at, (drop.drop_id,)))
    return facts


def _twentieths(drop: Drop) -> int:
    return drop.done * STEPS // drop.lines if drop.lines else 0
