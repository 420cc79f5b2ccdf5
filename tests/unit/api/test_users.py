"""Users of the pool, found and made by e-mail address."""

from __future__ import annotations

import asyncio

import pytest

from mintline.errors import Unavailable
from mintline_api.features.users.emails import Email, Emails
from mintline_api.features.users.ports import PoolUser
from mintline_api.features.users.use_cases import CACHE_SECONDS, UserDirectory
from mintline_testkit.api.users import MemoryPoolUsers

EMAILS = Emails(b"a secret that names the users of addresses", case_sensitive=True)
ADA = EMAILS.read("ada@example.com")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def directory(pool: MemoryPoolUsers, clock: Clock | None = None) -> UserDirectory:
    return UserDirectory(pool, EMAILS, clock=clock or Clock())


async def test_ensure__when_nobody_has_the_address__then_one_user_is_made() -> None:
    pool = MemoryPoolUsers()
    users = directory(pool)

    first = await users.ensure(ADA)
    again = await users.ensure(ADA)

    assert first.created
    assert again.user == first.user
    assert not again.created
    assert list(pool.rows) == [ADA.name]
    assert pool.rows[ADA.name].address == "ada@example.com"


async def test_ensure__when_many_ask_at_once_on_two_copies__then_all_get_one_user() -> None:
    pool = MemoryPoolUsers()
    copies = directory(pool), directory(pool)

    ensured = await asyncio.gather(*(copies[number % 2].ensure(ADA) for number in range(20)))

    assert len({ensured.user.sub for ensured in ensured}) == 1
    assert len(pool.rows) == 1
    assert pool.requests.count("create") == 2  # one flight a copy


@pytest.mark.parametrize("verified", [True, False])
async def test_ensure__when_a_process_died_after_it_made_the_user__then_the_next_finds_them(
    *, verified: bool
) -> None:
    pool = MemoryPoolUsers(email_verified=verified)
    user = await pool.create(ADA)

    ensured = await directory(pool).ensure(ADA)

    assert user is not None
    assert ensured.user == user
    assert not ensured.created


async def test_ensure__when_somebody_signs_in_with_the_address__then_it_is_them() -> None:
    pool = MemoryPoolUsers()
    ada = pool.add("ada", address="ada@example.com")

    assert (await directory(pool).ensure(ADA)).user == ada
    assert "create" not in pool.requests


async def test_ensure__when_somebody_only_claims_the_address__then_it_is_not_them() -> None:
    pool = MemoryPoolUsers()
    eve = pool.add("eve", address="ada@example.com", verified=False)

    ensured = await directory(pool).ensure(ADA)

    assert ensured.created
    assert ensured.user != eve


async def test_ensure__when_the_user_changed_their_address__then_it_is_the_same_user() -> None:
    pool = MemoryPoolUsers()
    user = (await directory(pool).ensure(ADA)).user
    pool.rows[ADA.name].address = "ada@new.example"

    assert (await directory(pool).ensure(ADA)).user == user


async def test_ensure__when_somebody_takes_the_address_in_between__then_it_is_them() -> None:
    class Overtaken(MemoryPoolUsers):
        async def create(self, email: Email) -> PoolUser | None:
            self.add("ada", address=email.address)
            return await super().create(email)

    assert (await directory(Overtaken()).ensure(ADA)).user.sub == "ada"


async def test_ensure__when_the_pool_does_not_show_the_user_yet__then_it_is_to_be_repeated() -> None:
    pool = MemoryPoolUsers()
    await pool.create(ADA)
    pool.hidden.add(ADA.name)
    users = directory(pool)

    with pytest.raises(Unavailable, match="does not show them yet"):
        await users.ensure(ADA)

    pool.hidden.clear()
    assert not (await users.ensure(ADA)).created


async def test_ensure__when_the_user_is_deleted__then_another_is_made_once_that_is_noticed() -> None:
    pool, clock = MemoryPoolUsers(), Clock()
    users = directory(pool, clock)
    first = (await users.ensure(ADA)).user
    del pool.rows[ADA.name]
    pool.add("somebody")

    assert (await users.ensure(ADA)).user == first
    clock.now += CACHE_SECONDS + 1
    assert (await users.ensure(ADA)).user != first


async def test_find__when_nobody_has_the_address__then_nobody_is_made() -> None:
    pool = MemoryPoolUsers()

    assert await directory(pool).find(ADA) is None
    assert pool.rows == {}


async def test_known__when_the_pool_has_no_such_user__then_it_is_asked_again_next_time() -> None:
    pool = MemoryPoolUsers()
    users = directory(pool)

    assert await users.known("ada") is None
    ada = pool.add("ada")
    assert await users.known("ada") == ada
    assert await users.known("ada") == ada
    assert pool.requests == ["by_sub", "by_sub"]
