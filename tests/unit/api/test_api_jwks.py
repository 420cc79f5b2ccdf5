from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mintline.errors import Unavailable
from mintline_api.auth.jwks import KeySet, check_any, read_keys
from mintline_testkit.api.users import MemoryJwks
from mintline_testkit.user_pool import UserPool


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(pool: UserPool) -> MemoryJwks:
    return MemoryJwks([pool.jwk()])


@pytest.fixture
def keys(source: MemoryJwks, clock: Clock) -> KeySet:
    return KeySet(source, clock=clock, ttl=3600, min_interval=5)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_key__when_asked_often__is_fetched_once(
    keys: KeySet, source: MemoryJwks, pool: UserPool
) -> None:
    public_keys = await asyncio.gather(*(keys.key(pool.kid) for _ in range(50)))

    assert all(
        key is not None and key.public_numbers() == pool.private_key.public_key().public_numbers()
        for key in public_keys
    )
    assert source.fetches == 1


async def test_key__when_the_pool_rotates__is_found_by_one_more_fetch(
    keys: KeySet, source: MemoryJwks, pool: UserPool, clock: Clock
) -> None:
    await keys.key(pool.kid)
    rotated = UserPool(kid="key-2")
    source.keys = [rotated.jwk()]
    clock.now += 5

    assert await keys.key("key-2") is not None
    assert await keys.key(pool.kid) is None
    assert source.fetches == 2


async def test_key__when_ids_are_made_up__fetches_at_most_once_per_interval(
    keys: KeySet, source: MemoryJwks, pool: UserPool, clock: Clock
) -> None:
    await keys.key(pool.kid)
    for number in range(100):
        clock.now += 0.1
        assert await keys.key(f"made-up-{number}") is None

    assert source.fetches == 1 + 2


async def test_key__when_the_source_is_away__serves_the_stale_keys_and_tries_again_in_the_background(
    keys: KeySet, source: MemoryJwks, pool: UserPool, clock: Clock
) -> None:
    await keys.key(pool.kid)
    source.failure = Unavailable("away")
    clock.now += 10_000

    for _ in range(10):
        assert await keys.key(pool.kid) is not None
        await settle()
    assert source.fetches == 2

    source.failure = None
    clock.now += 5
    await keys.key(pool.kid)
    await settle()
    clock.now += 100
    await keys.key(pool.kid)
    await settle()
    assert source.fetches == 3


async def test_key__when_a_renewed_set_lacks_it__is_gone(
    keys: KeySet, source: MemoryJwks, pool: UserPool, clock: Clock
) -> None:
    await keys.key(pool.kid)
    source.keys = []
    clock.now += 3600
    assert await keys.key(pool.kid) is not None
    await settle()

    assert await keys.key(pool.kid) is None


async def test_key__when_nothing_was_ever_fetched__is_unavailable_rather_than_unknown(
    keys: KeySet, source: MemoryJwks, pool: UserPool, clock: Clock
) -> None:
    source.failure = Unavailable("away")
    for _ in range(3):
        with pytest.raises(Unavailable):
            await keys.key(pool.kid)
        with pytest.raises(Unavailable):
            await keys.check()
    assert source.fetches == 1

    source.failure = None
    clock.now += 5
    assert await keys.key(pool.kid) is not None
    await keys.check()


async def test_close__when_a_renewal_is_under_way__ends_it(
    keys: KeySet, source: MemoryJwks, pool: UserPool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keys.key(pool.kid)

    async def never() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(source, "fetch", never)
    clock.now += 3600
    await keys.key(pool.kid)
    await settle()

    async with asyncio.timeout(1):
        await keys.aclose()


def test_read_keys__when_entries_are_of_other_kinds__leaves_them_out(pool: UserPool) -> None:
    good = pool.jwk()
    others: list[Any] = [
        {**good, "kid": "encryption", "use": "enc"},
        {**good, "kid": "other-algorithm", "alg": "RS512"},
        {**good, "kid": 5},
        {"kid": "elliptic", "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kid": "broken", "kty": "RSA", "n": "!", "e": "AQAB"},
        {"kid": "small", "kty": "RSA", "n": "AQAB", "e": "AQAB"},
        "text",
    ]

    assert list(read_keys({"keys": [*others, good]})) == [good["kid"]]
    assert read_keys({"keys": None}) == {}


class Hanging:
    async def fetch(self) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("never set")


async def test_check__when_one_issuer_hangs_and_one_fails__then_the_keys_of_a_third_are_enough(
    keys: KeySet, clock: Clock
) -> None:
    away = MemoryJwks()
    away.failure = Unavailable("away")
    async with asyncio.timeout(5):
        await check_any([KeySet(Hanging(), clock=clock), KeySet(away, clock=clock), keys])


async def test_check__when_no_issuer_has_keys__then_it_is_unavailable(clock: Clock) -> None:
    away = MemoryJwks()
    away.failure = Unavailable("away")
    with pytest.raises(Unavailable, match="away"):
        await check_any([KeySet(away, clock=clock), KeySet(away, clock=clock)])
