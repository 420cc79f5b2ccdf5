"""The contract of linked wallets, held in memory and over DynamoDB alike."""

from __future__ import annotations

import asyncio

import pytest

from mintline.aws.dynamo import Dynamo
from mintline.records.keys import scoped
from mintline.records.wallets import Challenge, Link
from mintline_api.features.links.ports import AddressTaken, ChallengeSpent, LinkStore
from mintline_api.features.links.store import DynamoLinks
from mintline_testkit.api.wallets import MemoryLinks
from mintline_testkit.constants import CHAIN_ID

pytestmark = pytest.mark.integration

ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
OTHER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
NOW = 1_795_398_654


@pytest.fixture(params=["memory", "dynamodb"])
def links(request: pytest.FixtureRequest) -> LinkStore:
    if request.param == "memory":
        return MemoryLinks(chain_id=CHAIN_ID)
    dynamo: Dynamo = request.getfixturevalue("dynamo")
    return DynamoLinks(dynamo, chain_id=CHAIN_ID)


def link(nonce: str, *, sub: str = "alice", address: str = ADDRESS, at: int = NOW) -> Link:
    return Link(
        link_id=scoped(CHAIN_ID, address),
        sub=sub,
        chain_id=CHAIN_ID,
        address=address,
        kind="account",
        nonce=nonce,
        linked_at=at * 1000,
    )


async def opened(links: LinkStore, nonce: str, *, sub: str = "alice") -> str:
    await links.challenge(Challenge(nonce=nonce, sub=sub, expires=NOW + 600))
    return nonce


async def test_link__when_its_challenge_is_open__is_kept_and_listed(links: LinkStore) -> None:
    second = link(await opened(links, "nonce2"), address=OTHER, at=NOW + 1)
    first = link(await opened(links, "nonce1"))

    assert await links.link(second, now=NOW) == second
    assert await links.link(first, now=NOW) == first

    assert await links.get(ADDRESS) == first
    assert await links.of_user("alice") == (first, second)
    assert await links.of_user("bob") == ()


async def test_link__when_repeated__is_the_one_on_record(links: LinkStore) -> None:
    first = link(await opened(links, "nonce1"))
    await links.link(first, now=NOW)

    assert await links.link(link("nonce1", at=NOW + 5), now=NOW + 5) == first


async def test_link__when_linked_anew_by_its_user__is_renewed(links: LinkStore) -> None:
    await links.link(link(await opened(links, "nonce1")), now=NOW)
    again = link(await opened(links, "nonce2"), at=NOW + 5)

    assert await links.link(again, now=NOW) == again
    assert await links.of_user("alice") == (again,)


@pytest.mark.parametrize(
    ("wanted", "now"),
    [(link("nonce1", sub="bob"), NOW), (link("nonce1"), NOW + 600), (link("never-given"), NOW)],
)
async def test_link__when_its_challenge_is_not_open_to_it__is_refused(
    links: LinkStore, wanted: Link, now: int
) -> None:
    await opened(links, "nonce1")

    with pytest.raises(ChallengeSpent):
        await links.link(wanted, now=now)

    assert await links.get(ADDRESS) is None
    assert await links.link(link("nonce1"), now=NOW) == link("nonce1")


async def test_address__when_two_users_link_it_at_once__is_one_users(links: LinkStore) -> None:
    users = [f"user-{number}" for number in range(8)]
    wanted = [link(await opened(links, f"nonce-of-{sub}", sub=sub), sub=sub) for sub in users]

    outcomes = await asyncio.gather(*(links.link(link, now=NOW) for link in wanted), return_exceptions=True)

    won = [outcome for outcome in outcomes if isinstance(outcome, Link)]
    assert len(won) == 1
    assert all(isinstance(outcome, (AddressTaken, Link)) for outcome in outcomes)
    assert await links.get(ADDRESS) == won[0]


async def test_challenge__when_answered_for_two_addresses_at_once__links_one(links: LinkStore) -> None:
    await opened(links, "nonce1")

    outcomes = await asyncio.gather(
        *(links.link(link("nonce1", address=address), now=NOW) for address in (ADDRESS, OTHER)),
        return_exceptions=True,
    )

    assert len([outcome for outcome in outcomes if isinstance(outcome, Link)]) == 1
    assert len(await links.of_user("alice")) == 1


async def test_unlink__when_it_is_anothers_or_nobodys__changes_nothing(links: LinkStore) -> None:
    await links.link(link(await opened(links, "nonce1")), now=NOW)

    assert not await links.unlink(ADDRESS, sub="bob")
    assert not await links.unlink(OTHER, sub="alice")
    assert await links.unlink(ADDRESS, sub="alice")
    assert await links.get(ADDRESS) is None
    assert not await links.unlink(ADDRESS, sub="alice")
