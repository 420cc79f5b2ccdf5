"""Folding a block's effects into changes and undo records."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mintline.clock import UnixMs
from mintline.errors import Unavailable
from mintline.records.transactions import TransactionKey
from mintline.states import MintStatus
from mintline_indexer import undo_records
from mintline_indexer.bloom import BLOOM_BYTES, bloom_bits, is_blank, may_hold
from mintline_indexer.chain_port import Block, MintedEvent, Ref, TransferEvent
from mintline_indexer.effects import Effect, Facts, TransactionEnded, effects_of_block, first_touches
from mintline_indexer.folding import fold
from mintline_indexer.store_port import Damaged, Outcome, TokenKey, TransactionResult
from mintline_indexer.writes import transfer_key
from mintline_testkit.constants import CONTRACT

OWNERS = ("0x" + "2" * 40, "0x" + "3" * 40)
BLOCK = b"\7" * 32
BEFORE = "000000000004#000000#3"


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
    results = {h: TransactionResult(TransactionKey("1#a", h[0]), "succeeded", h, 5, BLOCK) for h in hashes}
    return Facts(
        chain_id=1,
        timestamps={BLOCK: 1_000},
        assumed_new=first_touches(effects)[1],
        owned={TokenKey(CONTRACT, h[0]): f"mint_{h[0]}" for h in hashes},
        results=results,
        outcomes=outcomes,
    )


@given(blocks())
def test_fold__when_items_are_counted__then_none_is_named_twice_and_each_has_its_last_state(
    effects: list[Effect],
) -> None:
    write = fold(effects, facts_of(effects)).write
    names = list(write.names())
    assert len(names) == len(set(names)) == len(write)
    moves = [effect for effect in effects if isinstance(effect, TransferEvent)]
    assert [(transfer.log_index, transfer.recipient) for transfer in write.transfers] == [
        (move.log_index, move.recipient) for move in moves
    ]
    owners = {move.token_id: move.recipient for move in moves}
    assert {change.key.token_id: change.after.owner for change in write.tokens} == owners
    ends = [effect.tx_hash for effect in effects if isinstance(effect, TransactionEnded)]
    assert [result.tx_hash for result in write.results] == ends
    assert [outcome.tx_hash for outcome in write.outcomes] == ends[::2]


@given(blocks())
def test_fold__when_its_block_is_undone__then_nothing_is_left(effects: list[Effect]) -> None:
    changes = fold(effects, facts_of(effects))
    assert {(old.contract, old.token_id) for old in changes.before} == {
        tuple(change.key) for change in changes.write.tokens
    }
    assert {old.token for old in changes.before} <= {None}


@given(blocks(), st.integers(1, 20))
def test_write__when_it_is_split__then_the_pieces_are_the_whole(effects: list[Effect], size: int) -> None:
    write = fold(effects, facts_of(effects)).write
    pieces = [piece for stage in write.stages() for piece in stage.split(size)]
    assert all(0 < len(piece) <= size for piece in pieces)
    names = [name for piece in pieces for name in piece.names()]
    assert sorted(map(str, names)) == sorted(map(str, write.names()))
    assert write.only(set(write.names())) == write
    assert not write.only(set())


@settings(deadline=None)
@given(blocks(), st.integers(1, 10))
def test_undo_records__when_a_block_takes_several__then_each_names_the_one_before_and_all_is_in_them(
    effects: list[Effect], part: int
) -> None:
    changes = fold(effects, facts_of(effects))
    block = Block(5, BLOCK, bytes(32), 1_000, bytes(256))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(undo_records, "PART", part)
        records = undo_records.block_records(
            block, changes, parent=Ref(4, bytes(32), 1), previous=BEFORE, fence=7, at=UnixMs(1)
        )
    assert [record.previous for record in records] == [BEFORE, *(record.position for record in records[:-1])]
    assert [record.complete for record in records] == [False] * (len(records) - 1) + [True]
    assert all(
        max(len(record.tokens), len(record.transfers), len(record.transactions)) <= part for record in records
    )
    undo = undo_records.restoring(records, {}, {})
    assert set(undo.tokens) == set(changes.before)
    assert undo.transfers == tuple(map(transfer_key, changes.write.transfers))
    assert [transaction.key for transaction in undo.transactions] == [
        result.key for result in changes.write.results
    ]
    assert [mint.mint_id for mint in undo.mints] == [outcome.mint_id for outcome in changes.write.outcomes]
    stray = records[0].evolve(position="000000000005#000000#6")
    assert undo_records.linked([stray, *records], records[-1].position, above=4) == records
    with pytest.raises(Damaged, match="is gone: the undo record of block 5"):
        undo_records.linked(records[:-1], records[-1].position, above=4)


def test_fold__when_only_a_mint_is_assumed_new__then_says_so() -> None:
    effects: list[Effect] = [moved(0, 1, None, OWNERS[0]), moved(1, 1, OWNERS[0], OWNERS[1])]
    facts = facts_of(effects)
    assert [change.assumed_new for change in fold(effects, facts).write.tokens] == [True]
    facts.assumed_new.clear()
    assert [change.assumed_new for change in fold(effects, facts).write.tokens] == [False]


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
