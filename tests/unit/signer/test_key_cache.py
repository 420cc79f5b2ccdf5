from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from mintline.clock import Monotonic
from mintline_signer.enclave.keys import KeyCache
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.protocol import WrappedKey

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast, Player


@dataclass
class FakeUnwrapper:
    """Unwraps `wrapped <secret>`, counts, and can be held up."""

    calls: list[WrappedKey] = field(default_factory=list)
    given: list[bytearray] = field(default_factory=list)
    gate: asyncio.Event | None = None
    error: Exception | None = None

    async def unwrap(self, key: WrappedKey) -> bytearray:
        self.calls.append(key)
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        if not key.wrapped.startswith((b"wrapped ", b"rewrapped ")):
            raise EnclaveRefusal(RefusalCode.KEY_UNDECRYPTABLE)
        secret = bytearray(key.wrapped.split(b" ", 1)[1])
        self.given.append(secret)
        return secret


@dataclass
class FakeClock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def cache_over(unwrapper: FakeUnwrapper, clock: Callable[[], float], size: int = 10) -> KeyCache:
    return KeyCache(unwrapper, size=size, ttl=60.0, clock=lambda: Monotonic(clock()))


def player(cast: Cast, number: int) -> Player:
    return type(cast.user)(f"user-{number}", number.to_bytes(32, "big"))


async def test_cache__when_a_key_is_held__does_not_unwrap_it_again(cast: Cast) -> None:
    unwrapper = FakeUnwrapper()
    cache = cache_over(unwrapper, FakeClock())
    keys = [cast.user.wrapped, cast.issuer.wrapped]
    assert cache.held(keys) is None
    signing_keys = await cache.obtain(keys)
    assert [key.address for key in signing_keys] == [cast.user.address, cast.issuer.address]
    assert await cache.obtain(keys) == signing_keys
    assert cache.held(keys) == signing_keys
    assert len(unwrapper.calls) == cache.unwrapped == len(cache) == 2


async def test_cache__when_many_ask_at_once__unwraps_once(cast: Cast) -> None:
    unwrapper = FakeUnwrapper(gate=asyncio.Event())
    cache = cache_over(unwrapper, FakeClock())
    waiting = [asyncio.create_task(cache.obtain([cast.user.wrapped])) for _ in range(50)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    assert unwrapper.gate is not None
    unwrapper.gate.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert all(isinstance(result, list) for result in results[1:])
    assert len(unwrapper.calls) == 1


async def test_cache__when_one_brings_a_wrong_wrapped_key__fails_that_one_alone(cast: Cast) -> None:
    unwrapper = FakeUnwrapper(gate=asyncio.Event())
    cache = cache_over(unwrapper, FakeClock())
    wrong = cast.user.wrapped.model_copy(update={"wrapped": b"rubbish"})
    bad = asyncio.create_task(cache.obtain([wrong]))
    good = asyncio.create_task(cache.obtain([cast.user.wrapped]))
    await asyncio.sleep(0)
    assert unwrapper.gate is not None
    unwrapper.gate.set()
    with pytest.raises(EnclaveRefusal):
        await bad
    assert (await good)[0].address == cast.user.address


async def test_cache__when_unwrapping_fails__tries_again_next_time(cast: Cast) -> None:
    unwrapper = FakeUnwrapper(error=EnclaveFailure(FailureCode.KMS_UNAVAILABLE))
    cache = cache_over(unwrapper, FakeClock())
    with pytest.raises(EnclaveFailure):
        await cache.obtain([cast.user.wrapped])
    unwrapper.error = None
    assert len(await cache.obtain([cast.user.wrapped])) == 1


async def test_cache__when_the_unwrapped_key_has_another_address__refuses_and_erases(cast: Cast) -> None:
    unwrapper = FakeUnwrapper()
    cache = cache_over(unwrapper, FakeClock())
    crossed = cast.user.wrapped.model_copy(update={"wrapped": cast.treasury.wrapped.wrapped})
    with pytest.raises(EnclaveRefusal) as caught:
        await cache.obtain([crossed])
    assert caught.value.code == RefusalCode.KEY_ADDRESS
    assert unwrapper.given == [bytearray(32)]
    assert len(cache) == 0


async def test_cache__when_another_subject_claims_a_held_address__unwraps_for_it(cast: Cast) -> None:
    unwrapper = FakeUnwrapper()
    cache = cache_over(unwrapper, FakeClock())
    await cache.obtain([cast.user.wrapped])
    assert cache.held([cast.user.wrapped.model_copy(update={"subject": "user-2"})]) is None
    assert cache.held([cast.user.wrapped.model_copy(update={"chain_id": 1})]) is None


@pytest.mark.parametrize("how", ["asked for", "swept"])
async def test_cache__when_a_keys_time_is_over__erases_it(cast: Cast, how: str) -> None:
    unwrapper, clock = FakeUnwrapper(), FakeClock()
    cache = cache_over(unwrapper, clock)
    (key,) = await cache.obtain([cast.user.wrapped])
    clock.now += 59.9
    cache.expire()
    assert cache.held([cast.user.wrapped]) == [key]
    clock.now += 0.1
    if how == "swept":
        cache.expire()
    else:
        assert cache.held([cast.user.wrapped]) is None
    assert not key.alive
    assert unwrapper.given == [bytearray(32)]
    assert len(cache) == 0


async def test_cache__when_a_key_is_replaced__erases_the_one_before(cast: Cast) -> None:
    unwrapper = FakeUnwrapper(gate=asyncio.Event())
    cache = cache_over(unwrapper, FakeClock())
    rewrapped = cast.user.wrapped.model_copy(update={"wrapped": b"rewrapped " + cast.user.secret})
    obtaining = [asyncio.create_task(cache.obtain([key])) for key in (cast.user.wrapped, rewrapped)]
    await asyncio.sleep(0)
    assert unwrapper.gate is not None
    unwrapper.gate.set()
    (first,), (second,) = await asyncio.gather(*obtaining)
    assert len(unwrapper.given) == 2
    assert sum(secret == bytearray(32) for secret in unwrapper.given) == 1
    assert first is second
    assert first.alive
    assert len(cache) == 1


async def test_cache__when_it_is_full__erases_the_least_recently_used(cast: Cast) -> None:
    unwrapper = FakeUnwrapper()
    cache = cache_over(unwrapper, FakeClock(), size=2)
    first, second, third = (player(cast, number) for number in (1, 2, 3))
    (old,) = await cache.obtain([first.wrapped])
    (older,) = await cache.obtain([second.wrapped])
    assert cache.held([first.wrapped]) == [old]
    await cache.obtain([third.wrapped])
    assert old.alive
    assert not older.alive
    assert unwrapper.given[1] == bytearray(32)
    assert len(cache) == 2


async def test_cache__when_keys_keep_pushing_each_other_out__gives_up_as_overloaded(cast: Cast) -> None:
    cache = cache_over(FakeUnwrapper(), FakeClock(), size=2)
    three = [player(cast, number).wrapped for number in (1, 2, 3)]
    with pytest.raises(EnclaveFailure) as caught:
        await cache.obtain(three)
    assert caught.value.code is FailureCode.OVERLOADED


async def test_cache__when_cleared__erases_every_key(cast: Cast) -> None:
    unwrapper = FakeUnwrapper()
    cache = cache_over(unwrapper, FakeClock())
    await cache.obtain([cast.user.wrapped, cast.issuer.wrapped])
    cache.clear()
    assert unwrapper.given == [bytearray(32)] * 2
    assert len(cache) == 0


def test_cache__when_too_small_for_a_mint__is_not_made() -> None:
    with pytest.raises(ValueError, match="two keys"):
        cache_over(FakeUnwrapper(), FakeClock(), size=1)
