"""Looks up the recipients of a drop's lines, and makes the users and wallets that do not exist yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from mintline.drop_records import Drop
from mintline.tasks import results_of
from mintline_api.features.drops.found_lines import FoundLine, handed_back, resolved_line
from mintline_api.features.drops.lines import LineFault, StoredLine
from mintline_api.features.drops.pacing import Pace
from mintline_api.features.mints.problems import UNKNOWN_RECIPIENT
from mintline_api.features.users.use_cases import UserDirectory
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.http.problems import RequestRefused

AT_ONCE = 16
"""Recipients that are looked up, or made, at a time."""


@dataclass(frozen=True, slots=True)
class Recipients:
    """The users and wallets of recipients."""

    users: UserDirectory
    wallets: WalletDirectory
    pace: Pace
    """Of the lines that take requests to the user pool."""

    async def resolve(self, drop: Drop, lines: Sequence[StoredLine]) -> list[FoundLine]:
        """Return the lines in their order, each with its recipient; one that cannot be found is refused."""
        return await results_of(lines, partial(self._find, drop), at_once=AT_ONCE)

    async def _find(self, drop: Drop, line: StoredLine) -> FoundLine:
        """Return a line with its recipient's address; one that cannot be found is refused."""
        try:
            if line.address is not None:
                return FoundLine(line, resolved_line(line, drop.client_id, line.address))
            await self.pace.wait()
            if line.email is not None:
                ensured = await self.users.ensure(self.users.email(line.email, pointer="#/recipient/email"))
                wallet = await self.wallets.usable(ensured.user.sub)
                return FoundLine(
                    line, resolved_line(line, wallet.sub, wallet.address), user_made=ensured.created
                )
            wallet = await self.wallets.usable(await self._known(line.user or ""))
            return FoundLine(line, resolved_line(line, wallet.sub, wallet.address))
        except RequestRefused as refused:
            pointer = "#/recipient/email" if line.email is not None else "#/recipient/user"
            return FoundLine(line, handed_back(drop, line, LineFault(pointer=pointer, detail=refused.detail)))

    async def _known(self, sub: str) -> str:
        """Return the `sub` of a user of the pool; raises RequestRefused if the pool has none."""
        if await self.users.known(sub) is None:
            raise RequestRefused(UNKNOWN_RECIPIENT, "The user pool has no user with this sub.")
        return sub
