"""Folding a block's effects into transactions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintline.errors import Unavailable
from mintline.states import MintStatus
from mintline.transaction_records import Place
from mintline_indexer.bloom import BLOOM_BYTES, bloom_bits, is_blank, may_hold
from mintline_indexer.chain_port import MintedEvent, TransferEvent
from mintline_indexer.effects import (
    BlockPart,
    Effect,
    Facts,
    TransactionEnded,
    effects_of_block,
    first_touches,
    fold,
    mark_written,
    transfer_key,
)
from mintline_indexer.store_port import Outcome, TokenKey, TransactionResult
from mintline_testkit.constants import CONTRACT

OWNERS = ("0x" + "2" * 40, "0x" + "3" * 40)
BLOCK = b"\7" * 32


def moved(index: int, token_id: int, sender: str | None, recipient: str | None) -> TransferEvent:
    return TransferEvent(5, BLOCK, bytes([token_id]) * 32, index, CONTRACT, token_id, sender, recipient)


@st.composite
def blocks(draw: st.DrawFn) -> list[Effect]:
    """A block in which tokens are minted, stamped, moved about, and mints of ours end."""
    effects: list[Effect] = []
    owners: dict[int, str] = {}
    for _ in range(draw(st.integers(0, 40))):
        index = len(effects)
        moving = draw(st.booleans())
        if owners and moving:
            token_id = draw(st.sampled_from(sorted(owners)))
            recipient = draw(st.sampled_from(OWNERS))
            effects.append(moved(index, token_id, owners[token_id], recipient))
            owners[token_id] = recipient
        else:
            token_id = len(owners) + 1
            owners[token_id] = draw(st.sampled_from(OWNERS))
            effects.append(moved(index, token_id, None, owners[token_id]))
            digest = bytes([token_id + 100]) * 32
            effects.append(
                MintedEvent(5, BLOCK, bytes([token_id]) * 32, index + 1, CONTRACT, token_id, digest)
            )
            effects.append(TransactionEnded(5, BLOCK, bytes([token_id]) * 32, emitted=True))
    return effects


def facts_of(effects: list[Effect]) -> Facts:
    hashes = [effect.tx_hash for effect in effects if isinstance(effect, TransactionEnded)]
    outcomes: dict[bytes, tuple[Outcome, ...]] = {
        h: (Outcome(f"mint_{h[0]}", MintStatus.MINED, h, 5, BLOCK),) for h in hashes[::2]
    }
    results = {h: TransactionResult(Place("1#a", h[0]), "succeeded", h, 5, BLOCK) for h in hashes}
    return Facts(
        chain_id=1,
        timestamps={BLOCK: 1_000},
        assumed_new=first_touches(effects)[1],
        owned={TokenKey(CONTRACT, h[0]): f"mint_{h[0]}" for h in hashes},
        results=results,
        outcomes=outcomes,
    )


def parts_of(effects: list[Effect], room: int) -> tuple[list[BlockPart], Facts]:
    facts = facts_of(effects)
    parts: list[BlockPart] = []
    first = 0
    while first < len(effects):
        part = fold(effects, first, facts, room=room)
        mark_written(facts, part)
        parts.append(part)
        first = part.next
    return parts, facts


@given(blocks(), st.integers(2, 20))
def test_fold__when_a_block_is_split__then_leads_to_what_the_whole_leads_to(
    effects: list[Effect], room: int
) -> None:
    parts, facts = parts_of(effects, room)
    wholes, whole_facts = parts_of(effects, 10_000)
    assert facts.tokens == whole_facts.tokens
    assert [t for part in parts for t in part.transfers] == [t for whole in wholes for t in whole.transfers]
    assert [o for part in parts for o in part.outcomes] == [o for whole in wholes for o in whole.outcomes]
    done = [s for whole in wholes for s in whole.results]
    assert [s for part in parts for s in part.results] == done


@given(blocks(), st.integers(2, 20))
def test_fold__when_items_are_counted__then_each_part_fits_and_names_none_twice(
    effects: list[Effect], room: int
) -> None:
    for part in parts_of(effects, room)[0]:
        names = [
            *(write.key for write in part.tokens),
            *(transfer_key(transfer) for transfer in part.transfers),
            *(result.place for result in part.results),
            *(outcome.mint_id for outcome in part.outcomes),
        ]
        assert len(names) == len(set(names)) <= room


@given(blocks(), st.integers(2, 20))
def test_fold__when_parts_are_undone_newest_first__then_nothing_is_left(
    effects: list[Effect], room: int
) -> None:
    parts, facts = parts_of(effects, room)
    tokens = dict(facts.tokens)
    for part in reversed(parts):
        for old in part.before:
            tokens[TokenKey(old.contract, old.token_id)] = old.token
    assert set(tokens.values()) <= {None}


def test_fold__when_only_a_mint_is_assumed_new__then_says_so_once() -> None:
    effects: list[Effect] = [moved(0, 1, None, OWNERS[0]), moved(1, 1, OWNERS[0], OWNERS[1])]
    facts = facts_of(effects)
    first = fold(effects, 0, facts, room=2)
    mark_written(facts, first)
    second = fold(effects, first.next, facts, room=2)
    assert [write.assumed_new for part in (first, second) for write in part.tokens] == [True, False]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (TransferEvent(5, b"\x08" * 32, b"\1" * 32, 0, CONTRACT, 1, None, OWNERS[0]), "another block"),
        (TransferEvent(5, BLOCK, b"\2" * 32, 0, CONTRACT, 1, None, OWNERS[0]), "does not hold"),
    ],
)
def test_effects__when_events_do_not_fit_the_block__then_are_not_believed(
    event: TransferEvent, reason: str
) -> None:
    with pytest.raises(Unavailable, match=reason):
        effects_of_block(5, BLOCK, [event], [b"\1" * 32], set())


@given(
    st.lists(st.binary(min_size=20, max_size=20), min_size=1, max_size=50),
    st.binary(min_size=32, max_size=32),
)
def test_bloom__when_it_holds_a_log__then_never_says_no(addresses: list[bytes], topic: bytes) -> None:
    bits = bloom_bits(topic)
    for address in addresses:
        bits |= bloom_bits(address)
    bloom = bits.to_bytes(BLOOM_BYTES, "big")
    for address in addresses:
        assert may_hold(bloom, ("0x" + address.hex(),), (topic,))
    assert not is_blank(bloom)


def test_bloom__when_address_or_topic_is_absent__then_says_no() -> None:
    address, topic = b"\1" * 20, b"\2" * 32
    held = ("0x" + address.hex(),)
    assert not may_hold(bloom_bits(address).to_bytes(BLOOM_BYTES, "big"), held, (topic,))
    assert not may_hold(bloom_bits(topic).to_bytes(BLOOM_BYTES, "big"), held, (topic,))
    assert is_blank(bytes(BLOOM_BYTES))
