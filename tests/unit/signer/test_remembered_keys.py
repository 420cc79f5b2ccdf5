from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from mintline.clock import Monotonic
from mintline.errors import Rejected
from mintline.key_stores import KeyStores, MemoryKeyStore, StoredKey
from mintline.messages.parts import KeyRef
from mintline_signer.host.wrapped_keys import RememberedKeys

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast, Player


@dataclass
class Reads:
    """Both stores in memory, a clock, and what was read of them."""

    at: float = 1000.0
    requested: list[str] = field(default_factory=list)
    store: MemoryKeyStore = field(init=False)
    stores: KeyStores = field(init=False)

    def __post_init__(self) -> None:
        self.store = MemoryKeyStore("dynamodb", now=self.now)
        self.stores = KeyStores(self.store, MemoryKeyStore("secretsmanager", now=self.now))

    def now(self) -> float:
        return self.at

    async def keep(self, player: Player) -> KeyRef:
        reference = await self.store.create(StoredKey(**player.wrapped.model_dump()))
        return player.ref.model_copy(update={"secret_id": reference})

    async def read(self, key: KeyRef) -> StoredKey:
        self.requested.append(key.address)
        await asyncio.sleep(0)
        return await self.stores.read(key)

    def remembered(self, *, size: int = 10) -> RememberedKeys:
        return RememberedKeys(self.read, size=size, ttl=60, clock=lambda: Monotonic(self.now()))


@pytest.fixture
def reads() -> Reads:
    return Reads()


async def test_remembered_keys__when_many_ask_at_once__read_once(cast: Cast, reads: Reads) -> None:
    user, keys = await reads.keep(cast.user), reads.remembered()

    wrapped_keys = await asyncio.gather(*(keys.read(user) for _ in range(30)))

    assert wrapped_keys == [cast.user.wrapped] * 30
    assert await keys.read(user) == cast.user.wrapped
    assert len(reads.requested) == 1


async def test_remembered_keys__when_full__forget_the_least_recently_used(cast: Cast, reads: Reads) -> None:
    user, issuer, treasury = [await reads.keep(p) for p in (cast.user, cast.issuer, cast.treasury)]
    keys = reads.remembered(size=2)

    for key in (user, issuer, user, treasury, user, issuer):
        await keys.read(key)

    assert reads.requested == [key.address for key in (user, issuer, treasury, issuer)]


async def test_remembered_keys__when_their_time_is_over__are_read_again(cast: Cast, reads: Reads) -> None:
    user, keys = await reads.keep(cast.user), reads.remembered()
    first = await keys.read(user)
    rewrapped = StoredKey(**{**cast.user.wrapped.model_dump(), "wrapped": b"another wrapping"})
    reads.store.keys[user.secret_id] = rewrapped

    reads.at += 59
    assert await keys.read(user) == first
    reads.at += 1
    assert (await keys.read(user)).wrapped == b"another wrapping"


async def test_remembered_keys__when_there_is_none__reject_and_ask_again(cast: Cast, reads: Reads) -> None:
    keys = reads.remembered()
    missing = cast.user.ref.model_copy(
        update={"secret_id": reads.store.reference(cast.user.ref.chain_id, cast.user.address)}
    )
    with pytest.raises(Rejected):
        await keys.read(missing)

    assert await keys.read(await reads.keep(cast.user)) == cast.user.wrapped


@pytest.mark.parametrize(
    "change",
    [{"subject": "user-2"}, {"chain_id": 1}, {"address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"}],
)
async def test_remembered_keys__when_the_reference_holds_anothers__reject(
    cast: Cast, reads: Reads, change: dict[str, object]
) -> None:
    user, keys = await reads.keep(cast.user), reads.remembered()
    await keys.read(user)

    with pytest.raises(Rejected) as caught:
        await keys.read(user.model_copy(update=change))

    assert caught.value.code == "key_mismatch"
