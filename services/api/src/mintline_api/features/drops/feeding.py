"""Hands a drop's chunks to the pipeline, one after another.

::

    room, budget ─▶ counted lines of the part ─▶ chunk, mints (accept_lines) ─▶ part and drop ─▶ message
           1                 2                             3                           4             5

A part is handed on only if the drop has reserved it of the collection's supply cap, next to what is minted
and what other drops reserved.
A process that dies between 1 and 2 leaves up to 250 lines that are counted and will be counted again. One
that dies between 3 and 4 leaves mints on record, which the sweep sends on: who takes over creates those that
are missing, and no other. If the message of 5 is lost, the sweep sends one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mintline.drop_records import Drop, DropPart, DropStatus, ResolvedLine
from mintline.errors import Unreadable
from mintline.merkle import merkle_path, merkle_root
from mintline.records.clients import Client
from mintline.records.problems import Problem
from mintline.states import MintStatus
from mintline_api.auth.clients import ClientDirectory
from mintline_api.features.bulk.use_cases import LinesIntake, accept_lines, send_lines
from mintline_api.features.collections.minting import MintGate
from mintline_api.features.collections.problems import COLLECTION_FULL
from mintline_api.features.drops.leases import Leased
from mintline_api.features.drops.line_requests import line_of, request_of
from mintline_api.features.drops.lines import from_ndjson
from mintline_api.features.drops.ports import LineObjects
from mintline_api.features.drops.reservations import Reservations, Room
from mintline_api.features.drops.standards import check_standard
from mintline_api.features.drops.use_cases import moved, paused
from mintline_api.http.problems import RequestRefused
from mintline_api.limits.client_budgets import ClientBudgets, budgeted
from mintline_api.metrics import Metrics

log = structlog.get_logger()

AUTHORIZATION_EXPIRED = Problem(
    code="authorization-expired",
    reason="The token that authorized the drop has expired. Resume it with a fresh one.",
)
CLIENT_DISABLED = Problem(
    code="client-disabled", reason="The machine client is disabled. Enable it, then resume the drop."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeding:
    """What it takes to hand chunks on. `grace_ms`: how long past its token's expiry a drop goes on."""

    objects: LineObjects
    intake: LinesIntake
    gate: MintGate
    reservations: Reservations
    budgets: ClientBudgets
    clients: ClientDirectory
    metrics: Metrics
    grace_ms: int

    async def check(self, held: Leased) -> bool:
        """Tell whether a running drop may hand on lines now; pause it if it may not."""
        drop, now = held.drop, held.now()
        if drop.authorized_until is None or now >= drop.authorized_until + self.grace_ms:
            await self._pause(held, AUTHORIZATION_EXPIRED)
            return False
        try:
            # How much the supply cap allows is for `room` to say.
            collection = await self.gate.pass_(drop.contract, client_id=drop.client_id, now=now, count=0)
            check_standard(drop, collection)
        except RequestRefused as refused:
            await self._pause(held, Problem(code=refused.kind.slug, reason=refused.detail))
            return False
        client: Client | None = await self.clients.client(drop.client_id)
        if client is not None and client.disabled_at is not None:
            await self._pause(held, CLIENT_DISABLED)
            return False
        return True

    async def room(self, held: Leased) -> Room | None:
        """Reserve what the supply cap allows of a drop; return for how many more tokens. None: no cap.

        Single mints on their way are in no reservation: the chain decides about those. The drop is paused if
        too many others have reservations. Raises Unavailable if no node answers.
        """
        try:
            return await self.reservations.claim(held.drop, self.gate)
        except RequestRefused as refused:
            await self._pause(held, Problem(code=refused.kind.slug, reason=refused.detail))
            return Room(0, 0)

    async def pause_full(self, held: Leased, *, left: int, part: DropPart) -> None:
        """Pause a drop whose next part the collection's supply cap does not allow; it reserves none then."""
        others = (await self.gate.others(held.drop.contract, drop_id=held.drop.drop_id)).tokens
        lines = f"{part.lines} lines"
        if held.drop.items:
            lines += f", of {part.item_tokens} tokens,"
        tokens = "no token" if not left else f"{left} token{'s' if left > 1 else ''}"
        beside = f" beside {others} that other running drops have reserved" if others else ""
        reason = (
            f"The supply cap of {held.drop.contract} leaves {tokens}{beside}, and the drop's next {lines} "
            "are handed on together. Cancel the drop; lines that were not handed on can go into "
            "another one."
        )
        await self.reservations.give_back(held.drop)
        await self._pause(held, Problem(code=COLLECTION_FULL.slug, reason=reason))

    async def feed(self, held: Leased, part: DropPart, roots: Sequence[bytes]) -> DropPart | None:
        """Hand a part on and return it; None if its client's budget has no room: the drop is paused then.

        `roots` are those of all chunks. Raises LeaseLost, Retryable, and Unreadable for a part that is not
        what was authorized.
        """
        counted = await self._count(held, part)
        if counted is None:
            return None
        drop = held.drop
        lines = list(from_ndjson(await self.objects.get(part.prepared_key or ""), ResolvedLine))
        assert part.chunk is not None
        assert part.first_token_id is not None
        request, plain = request_of(drop), [line_of(line) for line in lines]
        leaves = request.leaves(plain, chunk=part.chunk, first_token_id=part.first_token_id)
        if len(lines) != part.lines or merkle_root(leaves) != part.root or roots[part.chunk] != part.root:
            raise Unreadable(f"drop {drop.drop_id}: part {part.number} is not what was prepared")
        chunk = request.chunk(
            plain,
            leaves=leaves,
            first_token_id=part.first_token_id,
            envelope=drop.envelope,
            created_at=held.now(),
            number=part.chunk,
            chunks=len(roots),
            count=drop.lines,
            path=merkle_path(roots, part.chunk),
        )
        # What is of an item has its metadata stored already. The lines tell, whose root is authorized: the
        # record of a drop may have lost it.
        texts = [line.metadata for line in lines if line.metadata is not None]
        metadata = texts if len(texts) == len(lines) else None
        kept = await accept_lines(chunk, metadata, intake=self.intake)
        if kept.envelope != drop.envelope:
            # An earlier try's, before the drop was resumed with another token.
            await held.store.renew(drop.drop_id, part.chunk, drop.envelope)
        now = held.now()
        fed = counted.evolve(fed_at=now)

        def commit(present: Drop) -> Drop | None:
            if present.fed_chunks != part.chunk:
                return None
            return moved(
                present,
                now=now,
                fed_chunks=present.fed_chunks + 1,
                fed=present.fed + part.lines,
                fed_item_tokens=present.fed_item_tokens + part.item_tokens,
            )

        await held.update(commit, fed)
        await send_lines(kept.request_id, kept.chunk, trace=kept.trace, intake=self.intake)
        self.metrics.stages.reached(MintStatus.ACCEPTED, count=part.lines)
        log.info("drop_chunk_fed", drop_id=drop.drop_id, chunk=part.chunk, lines=part.lines)
        return fed

    async def renew(self, held: Leased, parts: Sequence[DropPart]) -> None:
        """Give chunks that were handed on the authorization that the drop has now."""
        for part in parts:
            if part.chunk is not None:
                await held.store.renew(held.drop.drop_id, part.chunk, held.drop.envelope)

    async def _count(self, held: Leased, part: DropPart) -> DropPart | None:
        """Count a part's lines against the client's budget, as many at a time as it has room for.

        Returns the part as it is then; None if there is no room for all: the drop is paused until there is.
        """
        amount = part.lines - part.counted
        while part.counted < part.lines:
            amount = min(amount, part.lines - part.counted)
            try:
                collection = await self.gate.registry.known(held.drop.contract)
                permit = await self.budgets.take(held.drop.client_id, budgeted(collection), amount)
            except RequestRefused as refused:
                if amount > 1 and "Retry-After" in refused.headers:
                    amount = (amount + 1) // 2
                    continue
                await self._pause_for_budget(held, refused)
                return None
            part = part.evolve(counted=part.counted + permit.mints)
            await held.save(part)
        return part

    async def _pause_for_budget(self, held: Leased, refused: RequestRefused) -> None:
        seconds = refused.headers.get("Retry-After")
        resumes_at = None if seconds is None else held.now() + int(seconds) * 1000
        problem = Problem(code=refused.kind.slug, reason=refused.detail)
        await self._pause(held, problem, resumes_at=resumes_at)

    @staticmethod
    async def _pause(held: Leased, problem: Problem, *, resumes_at: int | None = None) -> None:
        now = held.now()

        def change(drop: Drop) -> Drop | None:
            if drop.status is not DropStatus.RUNNING:
                return None
            return paused(drop, problem, now=now, resumes_at=resumes_at)

        drop = await held.update(change)
        log.warning("drop_paused", drop_id=drop.drop_id, reason=problem.code)
