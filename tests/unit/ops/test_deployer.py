"""What set-up transactions are given: gas by the node's estimate, within a bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mintline.chain.gas import GasAboveBound, GasBound
from mintline.chain.node import Node
from mintline.chain.rpc import RpcError, Suspect
from mintline.errors import Unavailable
from mintline_ops.collection import Deployer, Step
from mintline_testkit.constants import CONTRACT

ADMIN = "0x9FD5d2E4595c9A121Eb038288fbf463E727D27b5"
DEPLOYMENT, CALL = Step(to=None, data=b"code"), Step(to=CONTRACT, data=b"call")


class Rpc:
    """A node that estimates deployments and calls by rule."""

    def __init__(self) -> None:
        self.gas = {True: 18_100_000, False: 130_000}
        self.refuses = False

    async def call(self, method: str, params: Sequence[Any], *, suspect: Suspect | None = None) -> Any:
        del suspect
        match method:
            case "eth_getTransactionCount":
                return "0x7"
            case "eth_estimateGas":
                if self.refuses:
                    raise RpcError(3, "execution reverted")
                return hex(self.gas["to" not in params[0]])
            case _:
                block = {"blockNumber": "0x9", "blockHash": "0x" + "00" * 32, "status": "0x1"}
                return {"transactionHash": params[0], "gasUsed": "0x1", **block}


class Account:
    """Remembers what it is to send."""

    address = ADMIN

    def __init__(self) -> None:
        self.sent: list[tuple[Step, int, int]] = []

    async def send(self, step: Step, nonce: int, gas: int) -> bytes:
        self.sent.append((step, nonce, gas))
        return bytes(32)


async def test_send__when_steps_differ__then_each_gets_its_estimate_and_a_margin() -> None:
    account = Account()

    assert await Deployer(Node(Rpc()), account).send(DEPLOYMENT, CALL) == [9, 9]

    assert account.sent == [(DEPLOYMENT, 7, 21_720_000), (CALL, 8, 156_000)]


async def test_send__when_one_step_needs_more_than_the_bound__then_nothing_is_sent() -> None:
    account = Account()
    deployer = Deployer(Node(Rpc()), account, gas=GasBound("--max-gas", 20_000_000))

    with pytest.raises(GasAboveBound, match="21720000, but --max-gas allows 20000000: raise it"):
        await deployer.send(CALL, DEPLOYMENT)

    assert account.sent == []


async def test_send__when_the_chain_would_refuse__then_nothing_is_sent() -> None:
    rpc, account = Rpc(), Account()
    rpc.refuses = True

    with pytest.raises(Unavailable, match="would refuse a set-up transaction"):
        await Deployer(Node(rpc), account).send(DEPLOYMENT)

    assert account.sent == []
