"""Metadata of mints that are accepted together is one object; a mint on its own is left to the builder."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from mintline.authorizations import lookup
from mintline.canonical_json import canonical_json
from mintline.errors import Unavailable
from mintline.packs import Pack, PackIndex, pack_of
from mintline.records.index import Token
from mintline.records.operations import Mint
from mintline_api.features.mints import packing
from mintline_api.features.mints.packing import MAX_ITEMS, PAUSE, MetadataPacker, Packing
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.api.index import MemoryMetadata
from mintline_testkit.constants import CHAIN_ID, CONTRACT

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
IMAGE = "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3"
PACKED, ALONE, UNKNOWN = Packing.PACKED, Packing.ALONE, Packing.UNKNOWN


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class FailingOnce(MemoryMetadata):
    """Does not store the first pack."""

    def __init__(self, failure: Exception | None) -> None:
        super().__init__()
        self.failure = failure
        self.tried = 0

    async def put(self, pack: Pack) -> None:
        """Raise, or hang, once."""
        self.tried += 1
        if self.tried == 1:
            if self.failure is None:
                await asyncio.Event().wait()
            else:
                raise self.failure
        await super().put(pack)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> MemoryMetadata:
    return MemoryMetadata()


@pytest.fixture
def packer(store: MemoryMetadata, clock: Clock) -> MetadataPacker:
    return MetadataPacker(store, chain_id=CHAIN_ID, clock=clock)


async def pack_all(packer: MetadataPacker, *tokens: tuple[str, int]) -> list[Packing]:
    return await asyncio.gather(
        *(
            packer.pack([f"{contract}/{token_id}"], contract, token_id, text(token_id))
            for contract, token_id in tokens
        )
    )


def text(token_id: int) -> str:
    return f'{{"name":"№ {token_id}"}}'


async def test_pack__when_a_mint_comes_alone__then_it_is_left_to_the_builder_at_once(
    packer: MetadataPacker, store: MemoryMetadata
) -> None:
    assert await pack_all(packer, (CONTRACT, 1)) == [ALONE]
    assert (store.objects, store.packs) == ({}, {})


async def test_pack__when_mints_come_together__then_one_object_has_all_in_the_order_of_their_ids(
    packer: MetadataPacker, store: MemoryMetadata
) -> None:
    assert await pack_all(packer, (CONTRACT, 8), (CONTRACT, 7), (CONTRACT, 9)) == [PACKED] * 3

    (body,) = store.objects.values()
    assert body == "".join(map(text, (7, 8, 9))).encode()
    assert [await store.read_token(CONTRACT, token_id) for token_id in (6, 7, 8, 9, 10)] == [
        None,
        *(text(token_id).encode() for token_id in (7, 8, 9)),
        None,
    ]


async def test_pack__when_ids_have_gaps_or_are_of_two_collections__then_no_pack_spans_another_ones_token(
    packer: MetadataPacker, store: MemoryMetadata
) -> None:
    tokens = [(CONTRACT, 1), (CONTRACT, 2), (CONTRACT, 4), (CONTRACT, 6), (OTHER, 7), (OTHER, 8)]

    assert await pack_all(packer, *tokens) == [PACKED, PACKED, ALONE, ALONE, PACKED, PACKED]

    spans = {(pack.collection_id, pack.first_token_id, pack.size) for pack in store.packs.values()}
    assert spans == {(f"{CHAIN_ID}#{CONTRACT}", 1, 2), (f"{CHAIN_ID}#{OTHER}", 7, 2)}


@pytest.mark.parametrize("failure", [Unavailable("no S3"), None], ids=["fails", "hangs"])
async def test_pack__when_storing_fails_or_hangs__then_the_builder_stores_each_and_s3_is_left_alone_a_while(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, failure: Exception | None
) -> None:
    monkeypatch.setattr(packing, "WITHIN", 0.001)
    store = FailingOnce(failure)
    packer = MetadataPacker(store, chain_id=CHAIN_ID, clock=clock)

    with capture_logs() as logs:
        assert await pack_all(packer, (CONTRACT, 1), (CONTRACT, 2)) == [UNKNOWN, UNKNOWN]
    assert [(line["event"], line["mints"]) for line in logs] == [("metadata_not_packed", 2)]
    assert await pack_all(packer, (CONTRACT, 3), (CONTRACT, 4)) == [ALONE, ALONE]
    assert store.tried == 1
    clock.now += PAUSE
    assert await pack_all(packer, (CONTRACT, 5), (CONTRACT, 6)) == [PACKED, PACKED]


class Hanging(MemoryMetadata):
    """Never stores a pack; `late` counts those that are to be stored after one was given up."""

    given_up = False
    late = 0

    async def put(self, _: Pack) -> None:
        """Hang."""
        self.late += self.given_up
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up = True


async def test_pack__when_mints_wait_behind_a_hang__then_they_wait_for_no_other(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "WITHIN", 0.001)
    store = Hanging()
    packer = MetadataPacker(store, chain_id=CHAIN_ID, clock=clock)

    outcomes = await pack_all(packer, *((CONTRACT, token_id) for token_id in range(10 * MAX_ITEMS)))

    assert (store.given_up, store.late) == (True, 0)
    assert {*outcomes} == {UNKNOWN, ALONE}


async def test_pack__when_a_request_is_sent_again_and_again__then_it_fills_no_more_packs(
    packer: MetadataPacker, store: MemoryMetadata
) -> None:
    first = [packer.pack(["mint_1"], CONTRACT, 1, text(1)), packer.pack(["mint_2"], CONTRACT, 2, text(2))]
    assert await asyncio.gather(*first) == [PACKED, PACKED]
    again = [packer.pack(["mint_1"], CONTRACT, 3, text(1)), packer.pack(["mint_2"], CONTRACT, 4, text(2))]
    assert await asyncio.gather(*again) == [ALONE, ALONE]
    assert len(store.objects) == 1


async def post(harness: Harness, client: MemoryClient, key: str, name: str) -> dict[str, Any]:
    response = await client.request(
        "POST",
        "/v1/mints",
        headers={**harness.headers(idempotency_key=key), "Content-Type": "application/json"},
        body=json.dumps({"metadata": {"name": name, "image": IMAGE}}).encode(),
    )
    assert response.status == 202
    view: dict[str, Any] = response.json()
    return view


def on_chain(harness: Harness, token_id: int, digest: bytes) -> None:
    harness.index.tokens[CONTRACT, token_id] = Token(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=token_id,
        owner=OTHER,
        metadata_digest=digest,
        mint_id=None,
        minted_block=1,
        block_number=1,
        tx_hash=bytes(32),
    )


async def test_post__when_mints_come_together__then_each_is_served_as_it_was_asked_for(
    harness: Harness, client: MemoryClient
) -> None:
    await post(harness, client, "first", "alone")
    views = await asyncio.gather(*(post(harness, client, f"key-{n}", f"Seat {n}") for n in range(5)))

    assert len(harness.metadata.objects) == 1
    for number, view in enumerate(views):
        mint = harness.mints.items[view["mint_id"]]
        assert isinstance(mint, Mint)
        wanted = canonical_json({"name": f"Seat {number}", "image": IMAGE})
        authorization = lookup(mint, harness.mints.authorizations)
        # A builder of the release before stores it as an object of its own.
        assert (authorization.packed, authorization.unpublished, authorization.metadata) == (
            True,
            None,
            wanted,
        )
        assert mint.token_id is not None
        on_chain(harness, mint.token_id, mint.metadata_digest)
        served = await client.request("GET", f"/v1/metadata/{CONTRACT}/{mint.token_id}")
        assert (served.status, served.body) == (200, wanted.encode())


async def test_post__when_one_key_is_used_twice_at_once__then_no_later_mint_gets_a_token_id_that_a_pack_has(
    harness: Harness, client: MemoryClient
) -> None:
    await post(harness, client, "first", "alone")
    keys = ["a", "b", "a", "b", "c"]
    views = await asyncio.gather(*(post(harness, client, key, f"Seat {key}") for key in keys))
    assert len({view["mint_id"] for view in views}) == 3

    later = await asyncio.gather(*(post(harness, client, f"later-{n}", f"Later {n}") for n in range(4)))

    mints = [harness.mints.items[view["mint_id"]] for view in (*views[2:], *later)]
    for mint in mints:
        assert isinstance(mint, Mint)
        assert mint.token_id is not None
        stored = await harness.metadata.read_token(CONTRACT, mint.token_id)
        if lookup(mint, harness.mints.authorizations).packed:
            assert stored is not None
            assert hashlib.sha256(stored).digest() == mint.metadata_digest
        else:
            assert stored is None


async def test_post__when_a_pack_is_written_but_not_acknowledged__then_no_later_mint_gets_its_token_ids(
    harness: Harness, client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce = harness.metadata.announce

    async def fail_after(index: PackIndex) -> None:
        await announce(index)
        raise Unavailable("no response")

    monkeypatch.setattr(harness.metadata, "announce", fail_after)
    await post(harness, client, "first", "alone")
    await asyncio.gather(*(post(harness, client, key, f"Seat {key}") for key in ["a", "b", "a", "b"]))
    assert harness.metadata.packs

    later = await asyncio.gather(*(post(harness, client, f"later-{n}", f"Later {n}") for n in range(4)))

    for mint in (harness.mints.items[view["mint_id"]] for view in later):
        assert isinstance(mint, Mint)
        assert mint.token_id is not None
        assert await harness.metadata.read_token(CONTRACT, mint.token_id) is None


async def test_metadata__when_a_token_id_was_given_out_twice__then_the_pack_with_the_minted_text_serves_it(
    harness: Harness, client: MemoryClient
) -> None:
    """As after a backup of `collections` was restored: the second mint of an id ends `token_taken`."""
    minted = pack_of(CHAIN_ID, CONTRACT, 5, [text(5), text(6)])
    for pack in (minted, pack_of(CHAIN_ID, CONTRACT, 6, ['{"name":"never minted"}'])):
        await harness.metadata.put(pack)
        await harness.metadata.announce(pack.index)
    on_chain(harness, 6, hashlib.sha256(text(6).encode()).digest())

    served = await client.request("GET", f"/v1/metadata/{CONTRACT}/6")

    assert (served.status, served.body) == (200, text(6).encode())
