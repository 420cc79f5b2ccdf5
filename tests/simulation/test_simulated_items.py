"""The ERC-1155 collection of the simulated chain, as the services find it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from mintline.chain.calls import Call, CallReverted
from mintline.chain.multi_token import decode_item_minted
from mintline.chain.multi_token_transfers import decode_item_transfers
from mintline.chain.node import Node
from mintline.eth import ETHER, GWEI, is_minted_calldata
from mintline.holder_calls import HolderCall
from mintline.holder_signatures import nonces_calldata
from mintline.item_calls import ItemMint, mint_items_calldata
from mintline_harness.simulation.accounts import (
    CHAIN_ID,
    CONTRACT,
    ISSUER,
    ITEMS,
    key_of,
    own_address,
    signed_by,
)
from mintline_harness.simulation.chain import SimulatedChain
from mintline_harness.simulation.contract import Collection
from mintline_harness.simulation.gaps import WHOLE
from mintline_harness.simulation.items import ITEM_BATCH_GAS, ITEM_LINE_GAS, ItemEffect
from mintline_harness.simulation.rpc import SimulatedNode
from mintline_signer.enclave.curve import SigningKey

HOLDER, RELAYER, OTHER = (own_address(name) for name in ("holder", "relayer", "other"))
REFUSING = "0x" + "6" * 40
DIGEST = b"\x07" * 32
BATCH = mint_items_calldata([ItemMint(1, 7, 5, HOLDER, DIGEST), ItemMint(2, 7, 3, OTHER, DIGEST)])


@pytest.fixture
def chain() -> SimulatedChain:
    collection = Collection(
        CHAIN_ID, CONTRACT, ISSUER.address, relayers=frozenset({RELAYER}), refusing={REFUSING}
    )
    chain = SimulatedChain(collection, finality=2, now=0, rng=random.Random(1))
    chain.items = replace(collection, address=ITEMS)
    for address in (HOLDER, RELAYER, OTHER):
        chain.fund(address, ETHER)
    return chain


def mine(chain: SimulatedChain, who: str, data: bytes, *, gas: int = 500_000) -> str | None:
    """Have a call mined; return the error that it failed with."""
    nonce = chain.head.state.nonces.get(own_address(who), 0)
    assert chain.admit(signed_by(who, ITEMS, nonce, fee=2 * GWEI, gas=gas, data=data)) is None
    [outcome] = chain.mine(0).outcomes
    return None if outcome.revert is None else outcome.revert.error


def node(chain: SimulatedChain) -> Node:
    return Node(SimulatedNode(lambda: chain, gaps=lambda: WHOLE, lag=lambda: 0, sending=lambda _: None))


def line(serial: int, to: str, quantity: int = 1) -> bytes:
    """Return a batch of one line."""
    return mint_items_calldata([ItemMint(serial, 7, quantity, to, DIGEST)])


def signed(*, to: str | None, quantity: int, counter: int, deadline: int = 100, who: str = "holder") -> bytes:
    """Return a call that carries HOLDER's signature, or somebody's in its place, about item 7."""
    call = HolderCall(HOLDER, to, 7, quantity, counter, deadline)
    key = SigningKey(bytearray(key_of(f"own:{who}").wrapped.removeprefix(b"wrapped:")))
    return call.calldata(key.sign(call.typed_data(chain_id=CHAIN_ID, contract=ITEMS)).with_v())


def test_items__when_a_relayer_mints_them__then_holders_have_what_the_lines_say(
    chain: SimulatedChain,
) -> None:
    assert mine(chain, "relayer", BATCH) is None
    assert chain.head.state.items.balances == {(HOLDER, 7): 5, (OTHER, 7): 3}
    assert chain.head.state.items.used[2] == ItemEffect(7, 3, None, OTHER, 2, DIGEST)
    assert chain.head.state.tokens.owners == {}


@pytest.mark.parametrize(
    ("who", "data", "error"),
    [
        ("other", BATCH, "AccessControlUnauthorizedAccount(address,bytes32)"),
        ("relayer", line(1, OTHER), "AlreadyMinted(uint256)"),
        ("relayer", line(3, OTHER, quantity=0), "NothingToMint(uint256)"),
        ("relayer", line(3, REFUSING), "TransferToNonERC1155ReceiverImplementer()"),
        ("relayer", line(3, "0x" + "0" * 40), "TransferToZeroAddress()"),
    ],
)
def test_batch__when_a_line_is_refused__then_none_is_minted(
    chain: SimulatedChain, who: str, data: bytes, error: str
) -> None:
    mine(chain, "relayer", line(1, HOLDER))
    assert mine(chain, who, data) == error
    assert chain.head.state.items.balances == {(HOLDER, 7): 1}
    assert set(chain.head.state.items.used) == {1}


def test_batch__when_gas_is_short_or_the_collection_paused__then_none_is_minted(
    chain: SimulatedChain,
) -> None:
    assert mine(chain, "relayer", BATCH, gas=ITEM_BATCH_GAS + ITEM_LINE_GAS) == "OutOfGas()"
    assert chain.items is not None
    chain.items.paused = True
    assert mine(chain, "relayer", BATCH) == "EnforcedPause()"
    assert chain.head.state.items.used == {}


async def test_signature__when_its_holder_made_it__then_it_moves_as_many_tokens_once(
    chain: SimulatedChain,
) -> None:
    mine(chain, "relayer", BATCH)
    wrong = signed(to=OTHER, quantity=2, counter=0, who="other")
    assert mine(chain, "other", wrong) == "InvalidSignature(address)"
    late = signed(to=OTHER, quantity=2, counter=0, deadline=0)
    assert mine(chain, "other", late) == "SignatureExpired(uint256)"
    assert mine(chain, "other", signed(to=OTHER, quantity=6, counter=0)) == "InsufficientBalance()"
    assert mine(chain, "other", signed(to=OTHER, quantity=2, counter=0)) is None
    again = signed(to=OTHER, quantity=2, counter=0)
    assert mine(chain, "relayer", again) == "InvalidAccountNonce(address,uint256)"
    assert mine(chain, "relayer", signed(to=None, quantity=3, counter=1)) is None
    assert chain.head.state.items.balances == {(HOLDER, 7): 0, (OTHER, 7): 5}
    counter = Call(sender=OTHER, to=ITEMS, data=nonces_calldata(HOLDER))
    assert int.from_bytes(await node(chain).call(counter), "big") == 2


async def test_node__when_items_are_minted__then_services_read_their_events_and_serials(
    chain: SimulatedChain,
) -> None:
    batch = Call(sender=RELAYER, to=ITEMS, data=BATCH)
    assert await node(chain).estimate_gas(batch) == ITEM_BATCH_GAS + 2 * ITEM_LINE_GAS
    mine(chain, "relayer", BATCH)
    with pytest.raises(CallReverted) as taken:
        await node(chain).estimate_gas(batch)
    assert taken.value.revert is not None
    assert taken.value.revert.name == "AlreadyMinted"
    logs = await node(chain).logs(block_hash=chain.head.hash, addresses=[ITEMS])
    minted = [event for log in logs if (event := decode_item_minted(log))]
    moved = [transfers for log in logs if (transfers := decode_item_transfers(log))]
    assert [(event.serial, event.item_id, event.quantity, event.to) for event in minted] == [
        (1, 7, 5, HOLDER),
        (2, 7, 3, OTHER),
    ]
    assert [(transfers.recipient, dict(transfers.quantities)) for transfers in moved] == [
        (HOLDER, {7: 5}),
        (OTHER, {7: 3}),
    ]
    for serial, used in ((1, True), (3, False)):
        call = Call(sender=OTHER, to=ITEMS, data=is_minted_calldata(serial))
        assert bool(int.from_bytes(await node(chain).call(call), "big")) is used


def test_reorg__when_it_takes_a_mint_back__then_balances_and_serials_are_as_before(
    chain: SimulatedChain,
) -> None:
    mine(chain, "relayer", line(1, HOLDER))
    mine(chain, "relayer", line(2, HOLDER, quantity=9))
    assert chain.reorganise(1, 0, kept=0.0) == 1
    assert chain.head.state.items.balances == {(HOLDER, 7): 1}
    assert set(chain.head.state.items.used) == {1}
    assert chain.ever_used == {1, 2}
