"""Who the lines of a request are for: each checked by itself, and all that are refused named at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mintline_api.features.bulk.models import LineRequest
from mintline_api.features.bulk.problems import LINES_REFUSED
from mintline_api.features.mints.models import RecipientRequest
from mintline_api.features.mints.recipients import Recipient
from mintline_api.features.users.emails import Email
from mintline_api.features.users.use_cases import UserDirectory
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.http.problems import Fault, RequestRefused

AT_ONCE = 16
"""Users who are looked up, or made, at a time."""

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class NamedRecipient:
    """A recipient as a line names one, by exactly one of the three."""

    address: str | None = None
    user: str | None = None
    email: Email | None = None

    @property
    def name(self) -> str:
        """What tells it from others, without an e-mail address."""
        return self.address or self.user or (self.email.name if self.email else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRecipients:
    """Finds the recipients of many lines, and makes those of e-mail addresses."""

    users: UserDirectory
    wallets: WalletDirectory

    def read(self, lines: Sequence[LineRequest], *, client: bool) -> list[NamedRecipient]:
        """Return whom the lines name; raises RequestRefused with each line that names nobody it may."""
        faults: list[Fault] = []
        named: list[NamedRecipient] = []
        for number, line in enumerate(lines):
            try:
                named.append(self._read(line.recipient, f"#/mints/{number}/recipient", client=client))
            except RequestRefused as refused:
                faults += refused.faults
        refuse_lines(faults)
        return named

    def _read(self, recipient: RecipientRequest, pointer: str, *, client: bool) -> NamedRecipient:
        members = (recipient.address, recipient.user, recipient.email)
        if sum(member is not None for member in members) != 1:
            raise _refused(pointer, "expected exactly one of address, user and email")
        if recipient.address is None and not client:
            raise _refused(pointer, "only a machine client may name a user or an e-mail address")
        if recipient.user is not None:
            self.users.check_pool(pointer=f"{pointer}/user")
        if recipient.email is None:
            return NamedRecipient(recipient.address, recipient.user)
        return NamedRecipient(email=self.users.email(recipient.email, pointer=f"{pointer}/email"))

    async def resolve(self, named: Sequence[NamedRecipient], *, sub: str) -> list[Recipient]:
        """Return the recipients; `sub` is the caller's, who has the mints to bare addresses.

        Users are looked up before any is made for an e-mail address: nobody is made for a request that is
        refused for a user whom the pool does not have. Raises RequestRefused with each line at fault.
        """
        recipients: list[Recipient] = [Recipient(sub, recipient.address or "") for recipient in named]

        async def resolve_some(
            lines: Iterable[int], resolve_one: Callable[[NamedRecipient], Awaitable[Recipient]]
        ) -> None:
            numbers = list(lines)
            outcomes = await _bounded([resolve_one(named[number]) for number in numbers])
            faults: list[Fault] = []
            for number, outcome in zip(numbers, outcomes, strict=True):
                if isinstance(outcome, RequestRefused):
                    faults.append(_fault(number, named[number], outcome))
                elif isinstance(outcome, BaseException):
                    raise outcome
                else:
                    recipients[number] = outcome
            refuse_lines(faults)

        await resolve_some(
            (n for n, recipient in enumerate(named) if recipient.user is not None), self._of_user
        )
        await resolve_some(
            (n for n, recipient in enumerate(named) if recipient.email is not None), self._of_email
        )
        return recipients

    async def _of_user(self, named: NamedRecipient) -> Recipient:
        user = await self.users.known(named.user or "")
        if user is None:
            raise RequestRefused(LINES_REFUSED, "the user pool has no user with this sub")
        return await self._wallet_of(user.sub)

    async def _of_email(self, named: NamedRecipient) -> Recipient:
        assert named.email is not None
        ensured = await self.users.ensure(named.email)
        return await self._wallet_of(ensured.user.sub)

    async def _wallet_of(self, sub: str) -> Recipient:
        wallet = await self.wallets.usable(sub)
        return Recipient(wallet.sub, wallet.address)


def refuse_lines(faults: Sequence[Fault]) -> None:
    """Raise RequestRefused if lines have faults, which it names."""
    if faults:
        first, more = faults[0], len(faults) - 1
        detail = f"{first.pointer}: {first.detail}" + (f" (and {more} more)" if more else "") + "."
        raise RequestRefused(LINES_REFUSED, detail, faults=faults)


async def _bounded(work: Sequence[Awaitable[ItemT]]) -> list[ItemT | BaseException]:
    places = asyncio.Semaphore(AT_ONCE)

    async def await_in_slot(awaitable: Awaitable[ItemT]) -> ItemT:
        async with places:
            return await awaitable

    return await asyncio.gather(*map(await_in_slot, work), return_exceptions=True)


def _refused(pointer: str, detail: str) -> RequestRefused:
    return RequestRefused(LINES_REFUSED, detail, faults=[Fault(detail, pointer=pointer)])


def _fault(number: int, named: NamedRecipient, refused: RequestRefused) -> Fault:
    member = "user" if named.user is not None else "email"
    return Fault(refused.detail.rstrip("."), pointer=f"#/mints/{number}/recipient/{member}")
