"""The conditions under which DynamoDB links a wallet, clause by clause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from mintline.aws.dynamo import Change, Clause, Delete, Dynamo, Item, Put, Reason, TransactionCancelled
from mintline.aws.records import to_item
from mintline.records.keys import scoped
from mintline.records.wallets import Link
from mintline.resources import CHALLENGES, LINKS
from mintline_api.features.links.ports import AddressTaken, ChallengeSpent
from mintline_api.features.links.store import DynamoLinks
from mintline_testkit.constants import CHAIN_ID

ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
NOW = 1_795_398_654


class Recorder:
    """Stands in for DynamoDB: knows one link, and keeps what it is asked to write."""

    def __init__(self, present: Link | None = None, *, cancel: TransactionCancelled | None = None) -> None:
        self._present = present
        self._cancel = cancel
        self.batches: list[Sequence[Change]] = []
        self.writes: list[Any] = []

    async def get(self, *_: object) -> Item | None:
        return None if self._present is None else to_item(self._present)

    async def transact(self, batch: Sequence[Change]) -> None:
        self.batches.append(batch)
        if self._cancel is not None:
            raise self._cancel

    async def write(self, change: Any) -> None:
        self.writes.append(change)


def link(*, sub: str = "alice", nonce: str = "nonce1") -> Link:
    return Link(
        link_id=scoped(CHAIN_ID, ADDRESS),
        sub=sub,
        chain_id=CHAIN_ID,
        address=ADDRESS,
        kind="account",
        nonce=nonce,
        linked_at=NOW * 1000,
    )


def links(recorder: Recorder) -> DynamoLinks:
    return DynamoLinks(cast("Dynamo", recorder), chain_id=CHAIN_ID)


SPENT = Delete(
    CHALLENGES,
    {"nonce": "nonce1"},
    where=(
        Clause("open", "nonce", "exists"),
        Clause("of_this_user", "sub", "eq", ("alice",)),
        Clause("not_expired", "expires", "gt", (NOW,)),
    ),
)


@pytest.mark.parametrize(
    ("present", "lock"),
    [
        (None, Clause("first_link", "link_id", "missing")),
        (link(nonce="an earlier one"), Clause("still_this_users", "sub", "eq", ("alice",))),
    ],
)
async def test_link__when_written__then_the_challenge_must_be_open_the_users_and_not_expired(
    present: Link | None, lock: Clause
) -> None:
    recorder = Recorder(present)
    await links(recorder).link(link(), now=NOW)
    assert recorder.batches == [[SPENT, Put(LINKS, to_item(link()), where=(lock,))]]


async def test_link__when_the_challenge_is_not_open__then_it_is_spent() -> None:
    refused = TransactionCancelled((Reason("ConditionalCheckFailed", None), Reason("None", None)))
    with pytest.raises(ChallengeSpent):
        await links(Recorder(cancel=refused)).link(link(), now=NOW)


async def test_link__when_its_nonce_is_the_one_on_record__then_nothing_is_written() -> None:
    recorder = Recorder(link())
    assert await links(recorder).link(link(), now=NOW) == link()
    assert recorder.batches == []


async def test_link__when_the_address_is_anothers__then_nothing_is_written() -> None:
    recorder = Recorder(link(sub="bob", nonce="nonce1"))
    with pytest.raises(AddressTaken):
        await links(recorder).link(link(), now=NOW)
    assert recorder.batches == []


async def test_unlink__when_written__then_the_link_must_be_the_users() -> None:
    recorder = Recorder()
    assert await links(recorder).unlink(ADDRESS, sub="alice")
    assert recorder.writes == [
        Delete(
            LINKS,
            {"link_id": scoped(CHAIN_ID, ADDRESS)},
            where=(Clause("of_this_user", "sub", "eq", ("alice",)),),
        )
    ]
