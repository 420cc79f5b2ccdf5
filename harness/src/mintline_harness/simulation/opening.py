"""The chain as a schedule finds it: its collections, and what each account has."""

from __future__ import annotations

import random
from dataclasses import replace

from mintline.eth import ETHER
from mintline_harness.simulation.accounts import (
    CHAIN_ID,
    CONTRACT,
    ISSUER,
    ITEMS,
    RELAYERS,
    TREASURY,
    USERS,
    own_address,
)
from mintline_harness.simulation.chain import SimulatedChain
from mintline_harness.simulation.clients import REFUSING
from mintline_harness.simulation.contract import Collection
from mintline_harness.simulation.mining import FINALITY
from mintline_harness.simulation.outsiders import RIVAL, STRANGER
from mintline_harness.simulation.process import EPOCH


def open_chain(*, items: bool, rng: random.Random) -> SimulatedChain:
    """Return a chain with the collections, and with what each account has at the start."""
    collection = Collection(
        CHAIN_ID,
        CONTRACT,
        ISSUER.address,
        relayers=frozenset({own_address(RIVAL), *(key.address for key in RELAYERS)}),
        refusing={REFUSING},
    )
    chain = SimulatedChain(collection, finality=FINALITY, now=EPOCH, rng=rng)
    if items:
        chain.items = replace(collection, address=ITEMS)
    chain.fund(TREASURY.address, 100 * ETHER)
    for number, relayer in enumerate(RELAYERS, 1):
        chain.fund(relayer.address, number * ETHER // 4)
    for user in (*USERS, STRANGER, RIVAL):
        chain.fund(own_address(user), ETHER)
    return chain
