"""New versions of metadata and reveals become events, from the records that they are."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.aws.records import operation_item, to_item, token_place
from mintline.clone_calls import address_of
from mintline.clones import CloneArgs
from mintline.events import OPERATORS
from mintline.messages.parts import Clone, CollectionChange
from mintline.metadata_versions import MetadataVersion
from mintline.records.collections import PendingChange, RegisteredContract
from mintline.records.index import Token
from mintline.records.keys import scoped, token_ref
from mintline.records.operations import CollectionCall, CollectionDeployment
from mintline.records.wallets import Link
from mintline.resources import COLLECTIONS, LINKS, METADATA_VERSIONS, MINTS, TOKENS, TRANSACTIONS
from mintline.reveals import Reveal
from mintline.states import MintStatus
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.events import MemoryEventLog
from mintline_testkit.notifier.followers import PUBLIC_URL, follower
from mintline_testkit.notifier.tables import MemoryCursors, MemoryTables
from mintline_testkit.records import make_key, make_mint, make_transaction

ADDRESS = "0x" + "2" * 40
HOLDER = "0x" + "4" * 40
CLIENT = "tickets"
CLONE = Clone(
    factory=ADDRESS,
    implementation=ADDRESS,
    principal=CLIENT,
    operation_id="deploy_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D",
    args=CloneArgs(
        name="Season tickets",
        symbol="SEAT",
        owner=HOLDER,
        royalty_receiver=HOLDER,
        royalty_bps=500,
        supply_cap=100,
        metadata_commitment=bytes([7]) * 32,
    ),
)
CONTRACT = address_of(CLONE)
REF = token_ref(CHAIN_ID, CONTRACT, 1)
CHANGE_ID = "administer_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"


class Deployment:
    """Tables with one token of a client's collection, followed from before anything happens."""

    def __init__(self) -> None:
        self.tables, self.log, self.cursors = MemoryTables(), MemoryEventLog(), MemoryCursors()
        self.reader = follower(self.tables, self.log, self.cursors, owner="first")
        self.mint = make_mint(
            sub="alice",
            client_id=CLIENT,
            chain_id=CHAIN_ID,
            to=HOLDER,
            custody="sponsored",
            token_id=1,
            at=self.tables.now,
        )
        self.token = Token(
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            token_id=1,
            owner=HOLDER,
            metadata_digest=bytes(32),
            mint_id="mint_1",
            minted_block=42,
            block_number=42,
            tx_hash=bytes(32),
        )

    def version(self, number: int) -> MetadataVersion:
        version = MetadataVersion(
            token_ref=REF,
            version=number,
            digest=bytes([number]) * 32,
            principal=CLIENT,
            operation_id=CHANGE_ID,
            created_at=self.tables.now,
        )
        self.tables.put(METADATA_VERSIONS, to_item(version))
        return version

    def announce(
        self,
        change: CollectionChange,
        *,
        reveal: Reveal | None,
        status: MintStatus = MintStatus.ACCEPTED,
        **more: Any,
    ) -> None:
        call = CollectionCall(
            mint_id=CHANGE_ID,
            status=status,
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            request_digest="",
            created_at=self.tables.now,
            updated_at=self.tables.now,
            principal=CLIENT,
            clone=CLONE,
            change=change,
            **more,
        )
        collection = RegisteredContract(
            collection_id=scoped(CHAIN_ID, CONTRACT),
            chain_id=CHAIN_ID,
            contract=CONTRACT,
            name="Season tickets",
            symbol="SEAT",
            deployed_block=42,
            clone=CLONE,
            pending=PendingChange(operation_id=CHANGE_ID, change=change),
            reveal=reveal,
        )
        self.tables.put(COLLECTIONS, to_item(collection))
        self.tables.put(MINTS, operation_item(call))

    def link(self, sub: str) -> None:
        link = Link(
            link_id=scoped(CHAIN_ID, HOLDER),
            sub=sub,
            chain_id=CHAIN_ID,
            address=HOLDER,
            kind="account",
            nonce="n",
            linked_at=self.tables.now,
        )
        self.tables.put(LINKS, to_item(link))

    def types(self, principal: str) -> list[str]:
        return [event.type for event in self.log.all(principal) if event.type != "wallet.linked"]


@pytest.fixture
async def deployment() -> Deployment:
    deployment = Deployment()
    await deployment.reader.poll()
    return deployment


REFRESH = CollectionChange(action="refresh_metadata", first_token=1, last_token=1)
REVEAL = CollectionChange(action="refresh_metadata", first_token=1, last_token=5)


async def test_version__when_it_is_on_record__then_client_minter_and_holder_have_one_event_each(
    deployment: Deployment,
) -> None:
    deployment.tables.put(MINTS, to_item(deployment.mint))
    token = to_item(deployment.token) | token_place(CHAIN_ID, CONTRACT, 1)
    deployment.tables.put(TOKENS, token)
    deployment.link("bob")
    await deployment.reader.poll()
    deployment.version(2)
    deployment.announce(REFRESH, reveal=None)
    await deployment.reader.poll()
    deployment.tables.now += 1_000
    deployment.version(3)
    await deployment.reader.poll()

    updated = "token.metadata_updated"
    # The client asked for the mint as well, and is told once.
    assert deployment.types(CLIENT) == ["mint.accepted", updated, updated]
    assert deployment.types("alice") == deployment.types("bob") == [updated, updated]
    first, second = (event for event in deployment.log.all(CLIENT) if event.type == updated)
    assert first.resource == second.resource == ("token", f"{CONTRACT}/1")
    assert second.data == {
        "contract": CONTRACT,
        "chain_id": CHAIN_ID,
        "token_id": "1",
        "version": 3,
        "digest": "0x" + "03" * 32,
        "created_at": "2023-11-14T22:13:21.000Z",
        "client_id": CLIENT,
        "url": f"{PUBLIC_URL}/v1/tokens/{CONTRACT}/1/metadata/versions/3",
    }


async def test_version__when_token_and_mint_are_unknown__then_the_client_is_told(
    deployment: Deployment,
) -> None:
    deployment.version(2)
    await deployment.reader.poll()
    assert deployment.types(CLIENT) == ["token.metadata_updated"]


async def test_version__when_it_is_an_items_first__then_it_is_no_update_and_nobody_is_told(
    deployment: Deployment,
) -> None:
    deployment.version(1)
    await deployment.reader.poll()
    assert deployment.types(CLIENT) == []
    deployment.version(2)
    await deployment.reader.poll()
    assert deployment.types(CLIENT) == ["token.metadata_updated"]


def reveal_at(at: int) -> Reveal:
    return Reveal(tokens=5, salt=bytes(32), operation_id=CHANGE_ID, revealed_at=at)


@pytest.mark.parametrize("end", [MintStatus.MINED, MintStatus.REVERTED, MintStatus.REJECTED])
async def test_reveal__when_its_announcement_is_mined_or_fails__then_the_client_has_one_event(
    deployment: Deployment, end: MintStatus
) -> None:
    reveal = reveal_at(deployment.tables.now)
    deployment.announce(REVEAL, reveal=reveal)
    await deployment.reader.poll()
    assert deployment.types(CLIENT) == []

    deployment.announce(REVEAL, reveal=reveal, status=end)
    await deployment.reader.poll()
    [event] = deployment.log.all(CLIENT)
    assert event.type == "collection.revealed"
    assert event.resource == ("collection", CONTRACT)
    assert event.data["contract"] == CONTRACT
    assert deployment.log.all(OPERATORS) == []


async def test_reveal__when_the_deployment_was_not_read_yet__then_the_deployment_is_told_first(
    deployment: Deployment,
) -> None:
    tables, at = deployment.tables, deployment.tables.now
    relayer = make_key(subject="platform:relayer-1")
    deployed = CollectionDeployment(
        mint_id=CLONE.operation_id,
        status=MintStatus.BUILT,
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        request_digest="",
        created_at=at,
        updated_at=at,
        principal=CLIENT,
        clone=CLONE,
        sender=relayer,
        nonce=0,
    )
    tables.put(MINTS, operation_item(deployed))
    deployment.announce(REVEAL, reveal=reveal_at(at), status=MintStatus.BUILT, sender=relayer, nonce=1)
    mined: Any = {"state": "mined", "outcome": "succeeded", "tx_hash": bytes(32), "block_hash": bytes(32)}
    for nonce, (name, kind) in enumerate([(CLONE.operation_id, "deploy"), (CHANGE_ID, "administer")]):
        reserved = make_transaction(relayer, nonce, at=at, kind=kind, operations=(name,))
        tables.put(TRANSACTIONS, to_item(reserved))
        tables.put(TRANSACTIONS, to_item(reserved.evolve(**mined, block_number=42 + nonce, mined_at=at)))
    await deployment.reader.poll()
    assert deployment.types(CLIENT) == ["collection.deployed", "collection.revealed"]


async def test_announcement__when_it_is_no_reveal__then_the_collection_has_no_event(
    deployment: Deployment,
) -> None:
    earlier = Reveal(tokens=5, salt=bytes(32), operation_id="administer_0", revealed_at=1)
    for reveal in (None, Reveal(tokens=5), earlier):
        for status in (MintStatus.ACCEPTED, MintStatus.MINED):
            deployment.announce(REFRESH, reveal=reveal, status=status)
            await deployment.reader.poll()
    assert deployment.types(CLIENT) == []


async def test_metadata__when_changes_were_gone_before_they_were_read__then_told_late_and_once(
    deployment: Deployment,
) -> None:
    deployment.version(2)
    await deployment.reader.poll()
    await deployment.reader.step_down()
    deployment.tables.now += 25 * 3_600_000
    late = deployment.version(3)
    deployment.announce(REVEAL, reveal=reveal_at(late.created_at), status=MintStatus.MINED)
    deployment.tables.lose_streams()
    reader = follower(deployment.tables, deployment.log, deployment.cursors, owner="second")
    await reader.poll()
    events = deployment.log.all(CLIENT)
    logged = sorted((event.type, event.data.get("version")) for event in events)
    assert logged == [
        ("collection.revealed", None),
        ("token.metadata_updated", 2),
        ("token.metadata_updated", 3),
    ]


async def test_metadata__when_a_version_is_damaged__then_the_others_are_told(deployment: Deployment) -> None:
    whole = deployment.version(2)
    for ref in ("no token", f"{CHAIN_ID}#{CONTRACT}#one"):
        damaged = to_item(whole) | {"token_ref": ref}
        deployment.tables.put(METADATA_VERSIONS, damaged)
    deployment.tables.put(METADATA_VERSIONS, to_item(whole.evolve(version=3)))
    await deployment.reader.poll()
    assert [event.data["version"] for event in deployment.log.all(CLIENT)] == [2, 3]
