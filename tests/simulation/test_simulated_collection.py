"""The collection of the simulated chain, as the services find it: what it does, and what it refuses."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mintline.chain.calls import Call, CallReverted
from mintline.chain.node import Node
from mintline.eth import ETHER, GWEI, burn_calldata, mint_batch_calldata, transfer_calldata
from mintline.holder_signatures import (
    burn_by_signature_calldata,
    burn_hash,
    nonces_calldata,
    transfer_by_signature_calldata,
    transfer_hash,
)
from mintline_harness.simulation.accounts import CHAIN_ID, CONTRACT, ISSUER, key_of, own_address, signed_by
from mintline_harness.simulation.chain import SimulatedChain
from mintline_harness.simulation.contract import BATCH_GAS, LINE_GAS, Collection
from mintline_harness.simulation.gaps import WHOLE
from mintline_harness.simulation.rpc import SimulatedNode
from mintline_signer.enclave.curve import SigningKey

HOLDER, RELAYER, OTHER = (own_address(name) for name in ("holder", "relayer", "other"))
REFUSING = "0x" + "6" * 40
BATCH = mint_batch_calldata([(1, HOLDER, b"\x01" * 32), (2, REFUSING, b"\x02" * 32)])


@pytest.fixture
def chain() -> SimulatedChain:
    collection = Collection(
        CHAIN_ID, CONTRACT, ISSUER.address, relayers=frozenset({RELAYER}), refusing={REFUSING}
    )
    chain = SimulatedChain(collection, finality=2, now=0, rng=random.Random(1))
    for address in (HOLDER, RELAYER, OTHER):
        chain.fund(address, ETHER)
    return chain


def mine(chain: SimulatedChain, who: str, data: bytes, *, gas: int = 500_000) -> str | None:
    """Have a call mined; return the error that it failed with."""
    nonce = chain.head.state.nonces.get(own_address(who), 0)
    assert chain.admit(signed_by(who, CONTRACT, nonce, fee=2 * GWEI, gas=gas, data=data)) is None
    [outcome] = chain.mine(0).outcomes
    return None if outcome.revert is None else outcome.revert.error


def node(chain: SimulatedChain) -> Node:
    return Node(SimulatedNode(lambda: chain, gaps=lambda: WHOLE, lag=lambda: 0, sending=lambda _: None))


def test_batch__when_a_relayer_sends_it__then_each_line_is_minted_and_no_recipient_is_asked(
    chain: SimulatedChain,
) -> None:
    assert mine(chain, "relayer", BATCH) is None
    assert chain.head.state.tokens.owners == {1: HOLDER, 2: REFUSING}
    assert mine(chain, "relayer", mint_batch_calldata([(3, HOLDER, bytes(32))])) is None


def test_batch__when_one_id_is_taken_or_gas_is_short_or_nobody_may__then_none_is_minted(
    chain: SimulatedChain,
) -> None:
    assert mine(chain, "relayer", BATCH, gas=BATCH_GAS + LINE_GAS) == "OutOfGas()"
    assert mine(chain, "other", BATCH) == "AccessControlUnauthorizedAccount(address,bytes32)"
    assert chain.head.state.tokens.owners == {}
    assert mine(chain, "relayer", BATCH) is None
    again = mint_batch_calldata([(3, HOLDER, bytes(32)), (1, OTHER, bytes(32))])
    assert mine(chain, "relayer", again) == "AlreadyMinted(uint256)"
    assert chain.head.state.tokens.owners == {1: HOLDER, 2: REFUSING}


def test_token__when_its_owner_moves_it__then_it_is_the_recipients_until_it_is_burned(
    chain: SimulatedChain,
) -> None:
    mine(chain, "relayer", BATCH)
    to_refusing = transfer_calldata(sender=HOLDER, to=REFUSING, token_id=1)
    assert mine(chain, "holder", to_refusing) == "ERC721InvalidReceiver(address)"
    assert mine(chain, "other", burn_calldata(1)) == "ERC721InsufficientApproval(address,uint256)"
    assert mine(chain, "holder", transfer_calldata(sender=HOLDER, to=OTHER, token_id=1)) is None
    wrong = transfer_calldata(sender=HOLDER, to=REFUSING, token_id=1)
    assert mine(chain, "other", wrong) == "ERC721IncorrectOwner(address,uint256,address)"
    assert mine(chain, "other", burn_calldata(1)) is None
    assert mine(chain, "other", burn_calldata(1)) == "ERC721NonexistentToken(uint256)"
    assert chain.head.state.tokens.owners == {2: REFUSING}
    assert set(chain.head.state.tokens.minted) == {1, 2}


async def test_node__when_a_call_would_revert__then_the_services_read_its_error(
    chain: SimulatedChain,
) -> None:
    batch = Call(sender=RELAYER, to=CONTRACT, data=BATCH)
    assert await node(chain).estimate_gas(batch) == BATCH_GAS + 2 * LINE_GAS
    mine(chain, "relayer", BATCH)
    with pytest.raises(CallReverted) as taken:
        await node(chain).estimate_gas(batch)
    assert taken.value.revert is not None
    assert taken.value.revert.name == "AlreadyMinted"
    chain.collection.paused = True
    with pytest.raises(CallReverted) as paused:
        await node(chain).estimate_gas(Call(sender=HOLDER, to=CONTRACT, data=burn_calldata(1)))
    assert paused.value.revert is not None
    assert paused.value.revert.name == "EnforcedPause"


def signed_by_holder(*, to: str | None, counter: int, deadline: int = 100, who: str = "holder") -> bytes:
    """Return a call that carries HOLDER's signature, or somebody's in its place, about token 1."""
    fields: dict[str, Any] = {"holder": HOLDER, "token_id": 1, "counter": counter, "deadline": deadline}
    place: dict[str, Any] = {"chain_id": CHAIN_ID, "contract": CONTRACT}
    digest = burn_hash(**place, **fields) if to is None else transfer_hash(**place, **fields, to=to)
    key = SigningKey(bytearray(key_of(f"own:{who}").wrapped.removeprefix(b"wrapped:")))
    signature = key.sign(digest).with_v()
    if to is None:
        return burn_by_signature_calldata(**fields, signature=signature)
    return transfer_by_signature_calldata(**fields, to=to, signature=signature)


async def test_signature__when_its_holder_made_it__then_anyone_sends_it_once_until_its_deadline(
    chain: SimulatedChain,
) -> None:
    mine(chain, "relayer", BATCH)
    counter = Call(sender=OTHER, to=CONTRACT, data=nonces_calldata(HOLDER))
    assert (
        mine(chain, "other", signed_by_holder(to=OTHER, counter=0, who="other"))
        == "InvalidSignature(address)"
    )
    assert (
        mine(chain, "other", signed_by_holder(to=OTHER, counter=0, deadline=0)) == "SignatureExpired(uint256)"
    )
    assert mine(chain, "other", signed_by_holder(to=REFUSING, counter=0)) == "ERC721InvalidReceiver(address)"
    assert int.from_bytes(await node(chain).call(counter), "big") == 0
    assert mine(chain, "other", signed_by_holder(to=HOLDER, counter=0)) is None
    again = signed_by_holder(to=HOLDER, counter=0)
    assert mine(chain, "relayer", again) == "InvalidAccountNonce(address,uint256)"
    assert int.from_bytes(await node(chain).call(counter), "big") == 1
    assert mine(chain, "relayer", signed_by_holder(to=None, counter=1)) is None
    assert chain.head.state.tokens.owners == {2: REFUSING}
    burned = signed_by_holder(to=None, counter=2)
    assert mine(chain, "relayer", burned) == "ERC721NonexistentToken(uint256)"
