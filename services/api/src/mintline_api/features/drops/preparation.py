"""Prepares drops: users, wallets and token ids for their lines, and the Merkle tree over them.

::

    each part:  cap ─▶ users, wallets ─▶ items ─▶ token ids ─▶ object of prepared lines ─▶ part and drop
                             1             2          3                   4                      5

5 is one write. A process that dies before it leaves nothing that counts: who takes over finds the users and
wallets of 1 and the items' metadata of 2, and leases other token ids. The lines as they were uploaded are
deleted after 5, with the e-mail addresses in them. Lines beyond a cap, and those that do not fit their item's
metadata, are refused before anything is made for them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from mintline.canonical_json import digest_of
from mintline.drop_records import Drop, DropPart, DropStatus, ResolvedLine
from mintline.errors import Unavailable, Unreadable
from mintline.lines import Line, LinesRequest
from mintline.merkle import merkle_root
from mintline.records.problems import Problem
from mintline_api.features.collections.minting import Left, MintGate
from mintline_api.features.collections.problems import COLLECTION_FULL
from mintline_api.features.drops.csv_lines import row_for
from mintline_api.features.drops.items import DropItems
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
from mintline_api.features.drops.placing import Placing
from mintline_api.features.drops.ports import LineObjects
from mintline_api.features.drops.standards import check_standard
from mintline_api.features.drops.use_cases import moved
from mintline_api.features.items.supplies import ItemSupplies
from mintline_api.features.items.use_cases import Items
from mintline_api.features.mints.problems import UNKNOWN_RECIPIENT
from mintline_api.features.mints.token_ids import TokenIds
from mintline_api.features.users.use_cases import UserDirectory
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.http.problems import RequestRefused

log = structlog.get_logger()

AT_ONCE = 16
"""Recipients that are looked up, or made, at a time."""
LOOK_SECONDS = 5.0
SAME_LOOKS = 2
"""How often a look has to find the same: for longer than running drops wait between two of theirs."""
MOST_PAUSES = 12
"""Pauses of one preparation, after which numbers that still move are taken as they are: a minute."""
NOBODY = Problem(code="drop-empty", reason="No line of the drop has a recipient that can be found.")
_NONE = "no token"
_TOO_FEW = "too few tokens"
NO_ROOM = Problem(
    code=COLLECTION_FULL.slug,
    reason="The caps of the collection and of its items leave too few tokens for any line. Make a drop of "
    "another collection.",
)


@dataclass(frozen=True, slots=True)
class _Found:
    """Who a line is for, if that could be found out; `made` if a user was made for it.

    `over_cap` if it is refused for a cap.
    """

    stored: StoredLine
    line: ResolvedLine | RefusedLine
    made: bool = False
    over_cap: bool = False


@dataclass(slots=True)
class _Run:
    """One run of a preparation: the items of the drop's lines, if it is of items, and how often it paused."""

    items: DropItems | None
    pauses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """What it takes to prepare drops."""

    objects: LineObjects
    users: UserDirectory
    wallets: WalletDirectory
    token_ids: TokenIds
    gate: MintGate
    items: Items
    supplies: ItemSupplies
    pace: Pace
    """Of the lines that take requests to the user pool."""

    async def run(self, held: Leased) -> None:
        """Prepare a drop from where it stands, until it is done or its client cancels it.

        Raises Retryable, and is to be repeated then.
        """
        try:
            check_standard(held.drop, await self.gate.registry.known(held.drop.contract))
        except RequestRefused as refused:
            await self._give_up(held, Problem(code=refused.kind.slug, reason=refused.detail))
            return
        run = _Run(await self._items(held) if held.drop.items else None)
        async for part in held.store.parts(held.drop.drop_id, first=held.drop.prepared_parts):
            if held.drop.status is not DropStatus.PREPARING:
                return
            await self._part(held, part, run)
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

    @staticmethod
    async def _give_up(held: Leased, problem: Problem) -> None:
        """Cancel a drop that is being prepared, and say why."""
        now = held.now()

        def change(drop: Drop) -> Drop | None:
            if drop.status is not DropStatus.PREPARING:
                return None
            return moved(drop, now=now, status=DropStatus.CANCELLED, ended_at=now, paused=problem)

        await held.update(change)
        log.warning("drop_not_prepared", drop_id=held.drop.drop_id, reason=problem.code)

    async def _items(self, held: Leased) -> DropItems:
        """Return the items of a drop's lines, with what the parts that are prepared take of them."""
        items = DropItems(
            collection=await self.gate.registry.known(held.drop.contract),
            items=self.items,
            supplies=self.supplies,
        )
        async for part in held.store.parts(held.drop.drop_id):
            if part.number >= held.drop.prepared_parts:
                break
            if part.prepared_key is not None:
                prepared = from_ndjson(await self.objects.get(part.prepared_key), ResolvedLine)
                for line in prepared:
                    items.spend(line)
        return items

    async def _part(self, held: Leased, part: DropPart, run: _Run) -> None:
        drop = held.drop
        stored: list[StoredLine] = []
        if part.lines_key is not None:
            stored = list(from_ndjson(await self.objects.get(part.lines_key), StoredLine))
        found = await self._found(held, stored, run)
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
                item_tokens=present.item_tokens + prepared.item_tokens,
                most_item_tokens=max(present.most_item_tokens, prepared.item_tokens),
                unresolved=present.unresolved + len(refused),
                over_cap=present.over_cap + over_cap,
                users_made=present.users_made + made,
            )

        await held.update(commit, prepared)
        if run.items is not None:
            for line in lines:
                run.items.spend(line)
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
                "item_tokens": sum(line.quantity or 0 for line in lines),
                "prepared_key": key,
                "first_token_id": first,
                "root": merkle_root(leaves),
            }
        return part.evolve(**changes)

    async def _found(self, held: Leased, stored: Sequence[StoredLine], run: _Run) -> list[_Found]:
        """Return a part's lines in their order, each with its recipient, or why it is refused."""
        drop, items = held.drop, run.items
        if items is None:
            return await self._resolve_within(held, stored, run)
        await items.learn(stored)
        faults = [(line, items.misfit(line)) for line in stored]
        misfits = [_Found(line, _handed_back(drop, line, fault)) for line, fault in faults if fault]
        found = await self._resolve_within(held, [line for line, fault in faults if fault is None], run)
        resolved = [each.stored for each in found if isinstance(each.line, ResolvedLine)]
        await items.begin(drop, resolved, now=held.now())
        return sorted(
            [*misfits, *(_of_item(drop, each, items) for each in found)], key=lambda each: each.stored.line
        )

    async def _resolve_within(self, held: Leased, lines: Sequence[StoredLine], run: _Run) -> list[_Found]:
        """Find the recipients of the lines for which there is room; the others are refused."""
        drop = held.drop
        placing, placed = await self._placed(held, lines, run)
        found: list[_Found] = []
        while placed:
            some = await self._resolve(drop, placed)
            for each in some:
                if isinstance(each.line, RefusedLine):
                    placing.give_back(each.stored)
            found += some
            placed = placing.place(placing.refused)
        found += (_beyond(drop, line, placing) for line in placing.refused)
        return sorted(found, key=lambda each: each.stored.line)

    async def _placed(
        self, held: Leased, lines: Sequence[StoredLine], run: _Run
    ) -> tuple[Placing, list[StoredLine]]:
        """Return the lines for which there is room.

        What other drops have on their way is counted twice between its block and the next look at their
        mints. If that may be what stands in the way, this waits until the numbers have stayed the same, for
        MOST_PAUSES in all at most: other drops may move them for hours.
        Raises Unavailable if the drop is cancelled meanwhile.
        """
        drop = held.drop
        before: Left | None = None
        same = 0
        while True:
            left = await self.gate.left_beside_drops(
                drop.contract, drop_id=drop.drop_id, reserved=drop.tokens
            )
            placing = Placing(left, run.items)
            placed = placing.place(lines)
            same = same + 1 if left == before else 0
            if same == SAME_LOOKS or run.pauses == MOST_PAUSES or not placing.may_find_room():
                return placing, placed
            for line in placed:
                placing.give_back(line)
            before = left
            run.pauses += 1
            await self.pace.pause(LOOK_SECONDS)
            if (await held.refresh()).status is not DropStatus.PREPARING:
                raise Unavailable("the drop is not being prepared any more")

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
                return _Found(line, _resolved(line, drop.client_id, line.address))
            await self.pace.wait()
            if line.email is not None:
                ensured = await self.users.ensure(self.users.email(line.email, pointer="#/recipient/email"))
                wallet = await self.wallets.usable(ensured.user.sub)
                return _Found(line, _resolved(line, wallet.sub, wallet.address), made=ensured.created)
            wallet = await self.wallets.usable(await self._known(line.user or ""))
            return _Found(line, _resolved(line, wallet.sub, wallet.address))
        except RequestRefused as refused:
            pointer = "#/recipient/email" if line.email is not None else "#/recipient/user"
            return _Found(line, _handed_back(drop, line, LineFault(pointer=pointer, detail=refused.detail)))

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
    """Return a line as it is authorized and minted; raises Unreadable for one without metadata."""
    digest = line.metadata_digest
    if digest is None:
        if line.metadata is None:
            raise Unreadable(f"line {line.line} of a drop has no metadata, and names none of an item")
        digest = digest_of(line.metadata)
    return Line(
        line.sub,
        line.to,
        digest,
        line.external_id,
        line.tags,
        line.item_id,
        line.quantity,
    )


def _resolved(line: StoredLine, sub: str, to: str) -> ResolvedLine:
    return ResolvedLine(
        line=line.line,
        sub=sub,
        to=to,
        metadata=line.metadata,
        external_id=line.external_id,
        tags=line.tags,
        item_id=line.item_id,
        quantity=line.quantity,
    )


def _of_item(drop: Drop, found: _Found, items: DropItems) -> _Found:
    """Return a line with its item's metadata; refused if another request gave that another one just now."""
    stored, line = found.stored, found.line
    if isinstance(line, RefusedLine):
        return found
    if (fault := items.misfit(stored)) is not None:
        return _Found(stored, _handed_back(drop, stored, fault), made=found.made)
    return replace(found, line=line.evolve(metadata=None, metadata_digest=items.digest(stored)))


def _beyond(drop: Drop, line: StoredLine, placing: Placing) -> _Found:
    """Return the refusal of a line for which a cap has no room."""
    if placing.items is not None and not placing.items.has_room(line):
        fault = placing.items.over_cap(line)
    else:
        detail = f"the supply cap of {drop.contract} leaves {_TOO_FEW if drop.items else _NONE} for this line"
        fault = LineFault(pointer="#", detail=detail, code=COLLECTION_FULL.slug)
    return _Found(line, _handed_back(drop, line, fault), over_cap=True)


def _handed_back(drop: Drop, line: StoredLine, fault: LineFault) -> RefusedLine:
    """Return a line that is refused after it was accepted, made up again from what is stored of it."""
    return RefusedLine(
        line=line.line,
        errors=(fault,),
        text=row_for(line, drop.upload.columns) if drop.upload.format == "csv" else as_json(line),
        columns=drop.upload.columns,
    )
