"""Prepares drops: users, wallets and token ids for their lines, and the Merkle tree over them.

::

    each part:  cap ─▶ users, wallets ─▶ token ids ─▶ object of prepared lines ─▶ part and drop, in one write
                             1              2                   3                         4

A process that dies before 4 leaves nothing that counts: who takes over finds the users and wallets of 1, and
leases other token ids. The lines as they were uploaded are deleted after 4, with the e-mail addresses in
them. Lines beyond the collection's supply cap are refused before anything is made for them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mintline.canonical_json import digest_of
from mintline.drop_records import Drop, DropPart, DropStatus, ResolvedLine
from mintline.lines import Line, LinesRequest
from mintline.merkle import merkle_root
from mintline.records.problems import Problem
from mintline_api.features.collections.minting import MintGate
from mintline_api.features.collections.problems import COLLECTION_FULL
from mintline_api.features.drops.csv_lines import row_for
from mintline_api.features.drops.leases import Leased
from mintline_api.features.drops.lines import (
    LineFault,
    RefusedLine,
    StoredLine,
    as_json,
    from_ndjson,
    to_ndjson,
)
from mintline_api.features.drops.pacing import Pace
from mintline_api.features.drops.ports import LineObjects
from mintline_api.features.drops.use_cases import moved
from mintline_api.features.mints.problems import UNKNOWN_RECIPIENT
from mintline_api.features.mints.token_ids import TokenIds
from mintline_api.features.users.use_cases import UserDirectory
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.http.problems import RequestRefused

log = structlog.get_logger()

AT_ONCE = 16
"""Recipients that are looked up, or made, at a time."""
NOBODY = Problem(code="drop-empty", reason="No line of the drop has a recipient that can be found.")
NO_ROOM = Problem(
    code=COLLECTION_FULL.slug,
    reason="The collection's supply cap leaves no token for any line. Make a drop of another collection.",
)


@dataclass(frozen=True, slots=True)
class _Found:
    """Who a line is for, if that could be found out; `made` if a user was made for it.

    `over_cap` if it is refused for the supply cap.
    """

    line: ResolvedLine | RefusedLine
    made: bool = False
    over_cap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What it takes to prepare drops."""

    objects: LineObjects
    users: UserDirectory
    wallets: WalletDirectory
    token_ids: TokenIds
    gate: MintGate
    pace: Pace
    """Of the lines that take requests to the user pool."""

    async def run(self, held: Leased) -> None:
        """Prepare a drop from where it stands, until it is done or its client cancels it.

        Raises Retryable, and is to be repeated then.
        """
        async for part in held.store.parts(held.drop.drop_id, first=held.drop.prepared_parts):
            if held.drop.status is not DropStatus.PREPARING:
                return
            await self._part(held, part)
        roots = [part.root async for part in held.store.parts(held.drop.drop_id) if part.root is not None]
        now = held.now()

        def done(drop: Drop) -> Drop | None:
            if drop.status is not DropStatus.PREPARING:
                return None
            if not roots:
                why = NO_ROOM if drop.over_cap else NOBODY
                return moved(drop, now=now, status=DropStatus.CANCELLED, ended_at=now, paused=why)
            return moved(drop, now=now, status=DropStatus.PREPARED, root=merkle_root(roots))

        drop = await held.update(done)
        log.info("drop_prepared", drop_id=drop.drop_id, lines=drop.lines, unresolved=drop.unresolved)

    async def _part(self, held: Leased, part: DropPart) -> None:
        drop = held.drop
        stored: list[StoredLine] = []
        if part.lines_key is not None:
            stored = list(from_ndjson(await self.objects.get(part.lines_key), StoredLine))
        room = await self.gate.left_beside_drops(drop.contract, drop_id=drop.drop_id, reserved=drop.lines)
        found = await self._resolve_within(drop, stored, room)
        lines = [each.line for each in found if isinstance(each.line, ResolvedLine)]
        refused = [each.line for each in found if isinstance(each.line, RefusedLine)]
        made = sum(each.made for each in found)
        over_cap = sum(each.over_cap for each in found)
        prepared = await self._prepared(drop, part, lines, refused)
        now = held.now()

        def commit(present: Drop) -> Drop | None:
            if present.status is not DropStatus.PREPARING or present.prepared_parts != part.number:
                return None
            return moved(
                present,
                now=now,
                prepared_parts=part.number + 1,
                chunks=present.chunks + (prepared.chunk is not None),
                lines=present.lines + len(lines),
                unresolved=present.unresolved + len(refused),
                over_cap=present.over_cap + over_cap,
                users_made=present.users_made + made,
            )

        await held.update(commit, prepared)
        if part.lines_key is not None and held.drop.prepared_parts > part.number:
            await self.objects.delete(part.lines_key)

    async def _prepared(
        self, drop: Drop, part: DropPart, lines: Sequence[ResolvedLine], refused: Sequence[RefusedLine]
    ) -> DropPart:
        """Store a part's prepared lines, with token ids of their own, and return its record."""
        changes: dict[str, object] = {"lines_key": None, "lines": len(lines), "unresolved": len(refused)}
        if refused:
            body = to_ndjson(refused)
            # By its content: a process that lost its lease replaces nothing.
            content = hashlib.sha256(body).hexdigest()
            key = f"{drop.drop_id}/{part.number:06d}-{content}.unresolved"
            await self.objects.put(key, body)
            changes["unresolved_key"] = key
        if lines:
            first = await self.token_ids.take_run(drop.contract, len(lines))
            leaves = request_of(drop).leaves(
                [line_of(line) for line in lines], chunk=drop.chunks, first_token_id=first
            )
            key = f"{drop.drop_id}/{part.number:06d}-{first}.prepared"
            await self.objects.put(key, to_ndjson(lines))
            changes |= {
                "chunk": drop.chunks,
                "prepared_key": key,
                "first_token_id": first,
                "root": merkle_root(leaves),
            }
        return part.evolve(**changes)

    async def _resolve_within(
        self, drop: Drop, lines: Sequence[StoredLine], room: int | None
    ) -> list[_Found]:
        """Find the recipients of the first lines for which there is room; the others are refused."""
        if room is None:
            return await self._resolve(drop, lines)
        found: list[_Found] = []
        while room and len(found) < len(lines):
            some = await self._resolve(drop, lines[len(found) : len(found) + room])
            room -= sum(isinstance(each.line, ResolvedLine) for each in some)
            found += some
        return [*found, *(_Found(_over_cap(drop, line), over_cap=True) for line in lines[len(found) :])]

    async def _resolve(self, drop: Drop, lines: Sequence[StoredLine]) -> list[_Found]:
        places = asyncio.Semaphore(AT_ONCE)

        async def one(line: StoredLine) -> _Found:
            async with places:
                return await self._find(drop, line)

        return await asyncio.gather(*map(one, lines))

    async def _find(self, drop: Drop, line: StoredLine) -> _Found:
        """Return a line with its recipient's address; one that cannot be found is refused."""
        try:
            if line.address is not None:
                return _Found(_resolved(line, drop.client_id, line.address))
            await self.pace.wait()
            if line.email is not None:
                ensured = await self.users.ensure(self.users.email(line.email, pointer="#/recipient/email"))
                wallet = await self.wallets.usable(ensured.user.sub)
                return _Found(_resolved(line, wallet.sub, wallet.address), made=ensured.created)
            wallet = await self.wallets.usable(await self._known(line.user or ""))
            return _Found(_resolved(line, wallet.sub, wallet.address))
        except RequestRefused as refused:
            pointer = "#/recipient/email" if line.email is not None else "#/recipient/user"
            return _Found(_handed_back(drop, line, LineFault(pointer=pointer, detail=refused.detail)))

    async def _known(self, sub: str) -> str:
        """Return the `sub` of a user of the pool; raises RequestRefused if the pool has none."""
        if await self.users.known(sub) is None:
            raise RequestRefused(UNKNOWN_RECIPIENT, "The user pool has no user with this sub.")
        return sub


def request_of(drop: Drop) -> LinesRequest:
    """Return the request for many mints that a drop is."""
    return LinesRequest(
        request_id=drop.drop_id,
        asked_by=drop.client_id,
        client_id=drop.client_id,
        chain_id=drop.chain_id,
        contract=drop.contract,
        trace=drop.trace,
    )


def line_of(line: ResolvedLine) -> Line:
    """Return a line as it is authorized and minted."""
    return Line(line.sub, line.to, digest_of(line.metadata), line.external_id, line.tags)


def _resolved(line: StoredLine, sub: str, to: str) -> ResolvedLine:
    return ResolvedLine(
        line=line.line,
        sub=sub,
        to=to,
        metadata=line.metadata,
        external_id=line.external_id,
        tags=line.tags,
    )


def _over_cap(drop: Drop, line: StoredLine) -> RefusedLine:
    detail = f"the supply cap of {drop.contract} leaves no token for this line"
    return _handed_back(drop, line, LineFault(pointer="#", detail=detail, code=COLLECTION_FULL.slug))


def _handed_back(drop: Drop, line: StoredLine, fault: LineFault) -> RefusedLine:
    """Return a line that is refused after it was accepted, made up again from what is stored of it."""
    return RefusedLine(
        line=line.line,
        errors=(fault,),
        text=row_for(line, drop.upload.columns) if drop.upload.format == "csv" else as_json(line),
        columns=drop.upload.columns,
    )
