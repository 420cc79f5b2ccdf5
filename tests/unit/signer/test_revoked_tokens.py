"""Tokens that the api found revoked: what the enclave believes of that, and what it refuses for it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from mintline.acceptance import Session
from mintline.access_tokens.rules import Claims
from mintline.clock import UnixSeconds
from mintline.errors import Unavailable
from mintline_signer.enclave.revocations import RevokedTokens
from mintline_signer.errors import EnclaveRefusal, RefusalCode
from mintline_signer.host.revocations import RevocationFeed
from mintline_signer.protocol import Revocation
from mintline_testkit.signer import Authority

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast

GRACE = 600
USER = "user-1"


def revoked_of(cast: Cast, *given: Revocation, remembered: int = 100) -> RevokedTokens:
    statements = cast.policy().authorization.statements()
    revoked = RevokedTokens(statements, grace=GRACE, secret=bytes(16), remembered=remembered)
    revoked.take(list(given), now=UnixSeconds(cast.now))
    return revoked


def stated(cast: Cast, *, before: int = 1, at: float = 0, session: Session | None = None) -> Revocation:
    """Return a revocation of the user's tokens; times are seconds after the cast's now."""
    session = session or cast.authority.session(now=cast.now - 3600)
    return cast.authority.revocation(
        USER, revoked_before=cast.now + before, at=cast.now + at, session=session
    )


def passes(
    revoked: RevokedTokens, cast: Cast, *, issued: int = 0, accepted: float = 0, later: float = 0
) -> bool:
    """Tell whether a token passes; times are seconds after the cast's now."""
    moment = cast.now + issued
    claims = Claims(USER, moment, moment, moment + 3600, frozenset())
    codes: list[str] = []
    try:
        revoked.check(
            claims, accepted_at=int((cast.now + accepted) * 1000), now=UnixSeconds(cast.now + later)
        )
    except EnclaveRefusal as refused:
        codes.append(refused.code)
    assert codes in ([], [RefusalCode.TOKEN_REVOKED])
    return not codes


def test_token__when_it_was_revoked__counts_for_what_was_accepted_before_alone(cast: Cast) -> None:
    revoked = revoked_of(cast, stated(cast, at=5))
    assert passes(revoked, cast, accepted=4.999)
    assert not passes(revoked, cast, accepted=5)
    assert not passes(revoked, cast, accepted=60)


def test_token__when_it_was_revoked_long_ago__counts_not_even_for_what_claims_to_be_older(
    cast: Cast,
) -> None:
    revoked = revoked_of(cast, stated(cast, at=5))
    assert passes(revoked, cast, accepted=-3600, later=5 + GRACE - 1)
    assert not passes(revoked, cast, accepted=-3600, later=5 + GRACE)


def test_token__when_it_was_issued_after_the_revoked_one__counts(cast: Cast) -> None:
    revoked = revoked_of(cast, stated(cast, at=60))
    assert not passes(revoked, cast, issued=0, accepted=90, later=90)
    assert passes(revoked, cast, issued=1, accepted=90, later=90)


@pytest.mark.parametrize("order", [1, -1])
def test_revocations__when_several_come_in_any_order__the_latest_counts(cast: Cast, order: int) -> None:
    both = [stated(cast, before=1, at=5), stated(cast, before=31, at=60)]
    revoked = revoked_of(cast, *both[::order])
    assert not passes(revoked, cast, issued=30, accepted=60)
    assert passes(revoked, cast, issued=31, accepted=60)
    assert len(revoked) == 1


def forgeries(cast: Cast) -> dict[str, Revocation]:
    good, stranger = stated(cast), Authority(chain_id=31337)
    return {
        "another user": good.model_copy(update={"subject": "user-2"}),
        "another time": good.model_copy(update={"revoked_before": good.revoked_before + 1}),
        "an intake key of one's own": stated(cast, session=stranger.session(now=cast.now)),
        "no statement": good.model_copy(update={"statement": bytes(len(good.statement))}),
        "tokens that are yet to be issued": stated(cast, before=3600),
        "a statement of the future": stated(cast, at=600),
    }


@pytest.mark.parametrize(
    "forgery",
    [
        "another user",
        "another time",
        "an intake key of one's own",
        "no statement",
        "tokens that are yet to be issued",
        "a statement of the future",
    ],
)
def test_revocation__when_no_api_process_states_it__changes_nothing_and_the_next_one_counts(
    cast: Cast, forgery: str
) -> None:
    forged = forgeries(cast)[forgery]
    assert len(revoked_of(cast, forged)) == 0
    assert not passes(revoked_of(cast, forged, stated(cast)), cast, accepted=1)


def test_revocations__when_there_are_too_many__give_way_and_take_no_more_memory(cast: Cast) -> None:
    session = cast.authority.session(now=cast.now)
    given = [
        cast.authority.revocation(f"user-{n}", revoked_before=cast.now, at=cast.now, session=session)
        for n in range(20)
    ]
    assert len(revoked_of(cast, *given, remembered=8)) == 8


class Host:
    """A table of revocations, and an enclave that takes them or does not."""

    def __init__(self) -> None:
        self.table: list[Revocation] = []
        self.handed: list[list[Revocation]] = []
        self.failure: Exception | None = None
        self.passes: list[bool] = []
        self.feed = RevocationFeed(self.read, every=10, passed=self.passes.append)

    async def read(self) -> Sequence[Revocation]:
        return list(self.table)

    async def hand_over(self, revocations: Sequence[Revocation]) -> None:
        if self.failure is not None:
            raise self.failure
        self.handed.append(list(revocations))


async def test_feed__when_something_is_new__hands_that_over_once(cast: Cast) -> None:
    host, first, second = Host(), stated(cast), stated(cast, before=2)
    assert await host.feed.once(host.hand_over) == 10
    assert host.handed == []
    host.table = [first]
    for _ in range(2):
        await host.feed.once(host.hand_over)
    host.table = [second]
    await host.feed.once(host.hand_over)
    assert host.handed == [[first], [second]]
    assert host.feed.known() == [second]


async def test_feed__when_the_enclave_is_away__tells_and_tries_again(cast: Cast) -> None:
    host = Host()
    host.table, host.failure = [stated(cast)], Unavailable("away")
    await host.feed.once(host.hand_over)
    host.failure = None
    await host.feed.once(host.hand_over)
    assert host.handed == [host.table]
    assert host.passes == [False, True]


async def test_feed__when_it_begins__looks_at_once_and_ends_when_told(cast: Cast) -> None:
    host, stop, pauses = Host(), asyncio.Event(), list[float]()
    host.table = [stated(cast)]

    async def sleep(seconds: float) -> None:
        assert host.handed == [host.table]
        pauses.append(seconds)
        if len(pauses) == 3:
            stop.set()
            await asyncio.sleep(60)

    async with asyncio.timeout(5):
        await host.feed.keep(host.hand_over, stop, sleep=sleep, rng=random.Random(1))
    assert all(7.5 <= pause <= 12.5 for pause in pauses)
