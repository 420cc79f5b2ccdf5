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

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from mintline.drop_records import Drop, DropPart, DropStatus, ResolvedLine
from mintline.errors import Unavailable
from mintline.merkle import merkle_root
from mintline.records.problems import Problem
from mintline_api.features.collections.minting import Left, MintGate
from mintline_api.features.collections.problems import COLLECTION_FULL
from mintline_api.features.drops.found_lines import FoundLine, handed_back, line_of_item, line_over_cap
from mintline_api.features.drops.items import DropItems
from mintline_api.features.drops.leases import Leased
from mintline_api.features.drops.line_requests import line_of, request_of
from mintline_api.features.drops.lines import RefusedLine, StoredLine, from_ndjson, to_ndjson
from mintline_api.features.drops.pacing import Pace
from mintline_api.features.drops.placing import Placing
from mintline_api.features.drops.ports import LineObjects
from mintline_api.features.drops.recipients import Recipients
from mintline_api.features.drops.standards import check_standard
from mintline_api.features.drops.use_cases import moved
from mintline_api.features.items.supplies import ItemSupplies
from mintline_api.features.items.use_cases import Items
from mintline_api.features.mints.token_ids import TokenIds
from mintline_api.features.users.use_cases import UserDirectory
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.http.problems import RequestRefused

log = structlog.get_logger()

LOOK_SECONDS = 5.0
SAME_LOOKS = 2
"""How often a look has to find the same: for longer than running drops wait between two of theirs."""
MOST_PAUSES = 12
"""Pauses of one preparation, after which numbers that still move are taken as they are: a minute."""
NOBODY = Problem(code="drop-empty", reason="No line of the drop has a recipient that can be found.")
NO_ROOM = Problem(
    code=COLLECTION_FULL.slug,
    reason="The caps of the collection and of its items leave too few tokens for any line. Make a drop of "
    "another collection.",
)


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
        found_lines = await self._found(held, stored, run)
        lines = [each.line for each in found_lines if isinstance(each.line, ResolvedLine)]
        refused = [each.line for each in found_lines if isinstance(each.line, RefusedLine)]
        new_users = sum(each.user_made for each in found_lines)
        over_cap = sum(each.over_cap for each in found_lines)
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
                users_made=present.users_made + new_users,
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

    async def _found(self, held: Leased, stored: Sequence[StoredLine], run: _Run) -> list[FoundLine]:
        """Return a part's lines in their order, each with its recipient, or why it is refused."""
        drop, items = held.drop, run.items
        if items is None:
            return await self._resolve_within(held, stored, run)
        await items.learn(stored)
        faults = [(line, items.misfit(line)) for line in stored]
        misfits = [FoundLine(line, handed_back(drop, line, fault)) for line, fault in faults if fault]
        found_lines = await self._resolve_within(held, [line for line, fault in faults if fault is None], run)
        resolved = [each.stored for each in found_lines if isinstance(each.line, ResolvedLine)]
        await items.begin(drop, resolved, now=held.now())
        return sorted(
            [*misfits, *(line_of_item(drop, each, items) for each in found_lines)],
            key=lambda each: each.stored.line,
        )

    async def _resolve_within(self, held: Leased, lines: Sequence[StoredLine], run: _Run) -> list[FoundLine]:
        """Find the recipients of the lines for which there is room; the others are refused."""
        drop = held.drop
        recipients = Recipients(self.users, self.wallets, self.pace)
        placing, placed = await self._placed(held, lines, run)
        found_lines: list[FoundLine] = []
        while placed:
            some = await recipients.resolve(drop, placed)
            for each in some:
                if isinstance(each.line, RefusedLine):
                    placing.give_back(each.stored)
            found_lines += some
            placed = placing.place(placing.refused)
        found_lines += (line_over_cap(drop, line, placing) for line in placing.refused)
        return sorted(found_lines, key=lambda each: each.stored.line)

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
