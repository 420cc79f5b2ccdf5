"""A chain node, by typed questions: each a coalesced JSON-RPC call with a strictly parsed answer.

Every method raises Unavailable or Throttled when no endpoint serves, and RpcError when the node refuses the
question itself.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol, TypeAlias

from mintline.chain import answers, collection, send_facts
from mintline.chain.answers import Block, FeeMarket, Log, Receipt
from mintline.chain.quorum import Witnesses, agreed
from mintline.chain.rpc import Doubt, RpcError
from mintline.chain.send_facts import SendAnswer, SendFact
from mintline.errors import Rejected, Unavailable
from mintline.eth import keccak256

Tag: TypeAlias = Literal["latest", "safe", "finalized", "pending"]
At: TypeAlias = int | Tag
"""A block by number or by tag."""

FEE_HISTORY_BLOCKS = 5
FEE_HISTORY_PERCENTILE = 50
FEES_AGE = 1.0
"""Seconds for which a fee history is shared: less than a block takes."""

_REVERTED = re.compile(r"revert", re.IGNORECASE)
_OUT_OF_GAS = re.compile(
    r"out ?of ?gas|gas required exceeds|exceeds block gas limit|intrinsic gas", re.IGNORECASE
)
_NO_SUCH_BLOCK = re.compile(r"(block|header) (was )?not found|unknown block|not found.*block", re.IGNORECASE)
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})+")


class Calls(Protocol):
    """What a node is asked through; `Rpc` in production."""

    async def call(self, method: str, params: Sequence[Any], *, doubt: Doubt | None = None) -> Any:
        """Return the result of one JSON-RPC call; a doubted one only if no other endpoint knows better."""


@dataclass(frozen=True, slots=True)
class Call:
    """A message call to simulate; `value` is in wei."""

    sender: str
    to: str
    data: bytes
    value: int = 0
    gas: int | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """What a simulation takes for true of one account; `storage` replaces single slots."""

    balance: int | None = None
    nonce: int | None = None
    code: bytes | None = None
    storage: Mapping[bytes, bytes] = field(default_factory=dict)


Overrides: TypeAlias = Mapping[str, Override]
"""By address."""


class CallReverted(Rejected):
    """A simulated call reverted; `revert` is the contract's reason, None when the node passed on no data."""

    def __init__(self, revert: collection.Revert | None, reason: str) -> None:
        super().__init__("simulation_reverted", f"The contract would refuse: {reason}")
        self.revert = revert


class Node:
    """Questions to one chain; a mint's fate is asked of all `witnesses`, if there are several."""

    def __init__(
        self,
        rpc: Calls,
        *,
        witnesses: Witnesses | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rpc = rpc
        self._witnesses = witnesses if witnesses is not None and witnesses.several else None
        self._clock = clock
        self._fees: tuple[float, FeeMarket] | None = None

    async def chain_id(self) -> int:
        """Return the chain's id (EIP-155)."""
        return answers.quantity(await self._rpc.call("eth_chainId", []), "chain id")

    async def block(self, ref: At | bytes, *, full: bool = False) -> Block | None:
        """Return a block by number, hash or tag, with its transactions if `full`; None if there is none.

        Whoever asks for a number or hash has heard of it, so that an endpoint without the block is doubted.
        """
        method = "eth_getBlockByHash" if isinstance(ref, bytes) else "eth_getBlockByNumber"
        name = _hex(ref) if isinstance(ref, bytes) else _at(ref)
        try:
            doubt = None if isinstance(ref, str) else _is_missing
            found = await self._rpc.call(method, [name, full], doubt=doubt)
        except RpcError as error:
            # A chain that has not finalized yet: "finalized block not found" (geth), "Unknown block" (Besu).
            if _NO_SUCH_BLOCK.search(error.message):
                return None
            raise
        return answers.optional(partial(answers.block, full=full), found)

    async def block_number(self) -> int:
        """Return the number of the latest block."""
        return answers.quantity(await self._rpc.call("eth_blockNumber", []), "block number")

    async def timestamp(self, blocks_ago: int) -> int:
        """Return the Unix seconds of the block so many before the latest; 0 if the chain is shorter."""
        number = await self.block_number() - blocks_ago
        block = await self.block(number) if number >= 0 else None
        return 0 if block is None else block.timestamp

    async def logs(
        self, *, block_hash: bytes, addresses: Sequence[str], topics: Sequence[bytes] = ()
    ) -> tuple[Log, ...]:
        """Return the logs of one block, by its hash, in order; `topics` are alternatives for the first topic.

        Whoever asks expects some, so that an endpoint without any is doubted. A block that no endpoint has,
        or no longer, is Unavailable.
        """
        try:
            return await self._logs({"blockHash": _hex(block_hash)}, addresses, topics)
        except RpcError as error:
            raise Unavailable(f"no logs of block {_hex(block_hash)}: {error.message[:200]}") from error

    async def logs_range(
        self, from_block: int, to_block: int, addresses: Sequence[str], topics: Sequence[bytes] = ()
    ) -> tuple[Log, ...]:
        """Return the logs of a range of blocks, both ends included; that there are none is asked of all.

        Raises RpcError when the node finds the range too large: ask for half of it.
        """
        return await self._logs({"fromBlock": hex(from_block), "toBlock": hex(to_block)}, addresses, topics)

    async def _logs(
        self, query: dict[str, Any], addresses: Sequence[str], topics: Sequence[bytes]
    ) -> tuple[Log, ...]:
        query["address"] = list(addresses)
        if topics:
            query["topics"] = [[_hex(topic) for topic in topics]]
        return answers.logs(await self._rpc.call("eth_getLogs", [query], doubt=_is_missing))

    async def balance(self, address: str, at: At = "latest") -> int:
        """Return an account's balance in wei."""
        return answers.quantity(await self._rpc.call("eth_getBalance", [address, _at(at)]), "balance")

    async def transaction_count(self, address: str, at: At = "latest") -> int:
        """Return an account's next nonce: how many of its transactions are mined."""
        found = await self._rpc.call("eth_getTransactionCount", [address, _at(at)])
        return answers.quantity(found, "transaction count")

    async def transaction_count_at(self, address: str, block_hash: bytes) -> int | None:
        """Return an account's next nonce on the block of that hash (EIP-1898), None if no endpoint can tell.

        One on another branch cannot, nor can one that keeps no state so old.
        """
        params = [address, {"blockHash": _hex(block_hash)}]
        try:
            found = await self._rpc.call("eth_getTransactionCount", params, doubt=_is_missing)
        except RpcError:
            return None
        return answers.quantity(found, "transaction count")

    async def code(self, address: str, at: At = "latest") -> bytes:
        """Return an account's code, empty for one that is no contract."""
        return answers.octets(await self._rpc.call("eth_getCode", [address, _at(at)]), "code")

    async def fees(self) -> FeeMarket:
        """Return what the next block asks; an answer is shared for a second."""
        now = self._clock()
        if self._fees is None or now - self._fees[0] >= FEES_AGE:
            params = [hex(FEE_HISTORY_BLOCKS), "latest", [FEE_HISTORY_PERCENTILE]]
            market = answers.fee_market(await self._rpc.call("eth_feeHistory", params))
            self._fees = (now, market)
        return self._fees[1]

    async def estimate_gas(self, call: Call, overrides: Overrides | None = None) -> int:
        """Return the gas that a call needs, simulated on the latest block.

        Raises CallReverted with the contract's reason, and Rejected `simulation_out_of_gas` when no gas limit
        would do. Any other refusal is the node's own trouble: Unavailable.
        """
        return answers.quantity(await self._simulate("eth_estimateGas", call, "latest", overrides), "gas")

    async def call(self, call: Call, *, at: At = "latest", overrides: Overrides | None = None) -> bytes:
        """Return what a call returns, without sending it; raises as `estimate_gas` does."""
        return answers.octets(await self._simulate("eth_call", call, at, overrides), "the call's result")

    async def _simulate(self, method: str, call: Call, at: At, overrides: Overrides | None) -> Any:
        params: list[Any] = [_call_object(call), _at(at)]
        if overrides:
            params.append({address: _override_object(override) for address, override in overrides.items()})
        try:
            return await self._rpc.call(method, params)
        except RpcError as error:
            data = _revert_data(error.data)
            if data or _REVERTED.search(error.message):
                revert = collection.decode_revert(data) if data else None
                raise CallReverted(revert, str(revert) if revert else error.message) from error
            if _OUT_OF_GAS.search(error.message):
                raise Rejected("simulation_out_of_gas", f"No gas limit would do: {error.message}") from error
            raise Unavailable(f"{method}: {error}") from error

    async def send_raw(self, raw: bytes) -> SendAnswer:
        """Send a signed transaction, and return what is now known of it. Sending it again is harmless."""
        try:
            found = await self._rpc.call("eth_sendRawTransaction", [_hex(raw)])
        except RpcError as error:
            words = f"{error.message} {error.data}" if isinstance(error.data, str) else error.message
            return SendAnswer(send_facts.classify(words), words[:500])
        if answers.octets(found, "transaction hash", 32) != keccak256(raw):
            raise Unavailable("the node answered the hash of another transaction")
        return SendAnswer(SendFact.ACCEPTED)

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return a mined transaction's receipt, or None if no endpoint has one.

        With several endpoints it is believed when no majority contradicts it, nor has another block at its
        height. Raises Disagreement when there is no majority.
        """
        method, params = "eth_getTransactionReceipt", [_hex(tx_hash)]
        found = answers.optional(answers.receipt, await self._rpc.call(method, params, doubt=_is_missing))
        if found is None or self._witnesses is None:
            return found
        told = await agreed(self._witnesses, method, params, partial(answers.optional, answers.receipt))
        at = await self.agreed_hash(found.block_number)
        if told not in (None, found) or at not in (None, found.block_hash):
            raise Unavailable(f"the endpoints contradict the receipt of {_hex(tx_hash)}")
        return found

    async def agreed_hash(self, number: int, *, final: bool = False) -> bytes | None:
        """Return the hash of the block of that number by the majority of the endpoints, None if none has it.

        None as well for a `final` block that too few have: see `Rpc.voices`. Only those have a say about it
        to which a block of that number is final: to one on a branch that loses, nothing on it is. Raises
        Disagreement when there is no majority.
        """
        if self._witnesses is None:
            block = await self.block(number)
            return None if block is None else block.hash
        params = [hex(number), False]
        method = "eth_getBlockByNumber"
        if not final:
            return await agreed(self._witnesses, method, params, _hash_of_block)
        told = await self._witnesses.witnesses(method, ["finalized", False])
        finalizers = {one.endpoint for one in told if _number_of_block(one.answer) >= number}
        voices = self._witnesses.voices
        return await agreed(self._witnesses, method, params, _hash_of_block, voices=voices, among=finalizers)

    async def transaction_known(self, tx_hash: bytes) -> bool:
        """Tell whether a node knows a transaction, pending or mined."""
        params = [_hex(tx_hash)]
        return await self._rpc.call("eth_getTransactionByHash", params, doubt=_is_missing) is not None


def _is_missing(answer: Any) -> bool:
    """Tell whether an answer says that there is nothing: it may be that only this endpoint has nothing."""
    return answer is None or answer == [] or isinstance(answer, RpcError)


def _hash_of_block(answer: Any) -> bytes | None:
    return None if answer is None else answers.block(answer, full=False).hash


def _number_of_block(answer: Any) -> int:
    """Return the number of a block that an endpoint told of, -1 if it told of none."""
    try:
        return answers.block(answer, full=False).number
    except Unavailable:
        return -1


def _at(at: At) -> str:
    return hex(at) if isinstance(at, int) else at


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _call_object(call: Call) -> dict[str, str]:
    fields = {"from": call.sender, "to": call.to, "input": _hex(call.data), "value": hex(call.value)}
    if call.gas is not None:
        fields["gas"] = hex(call.gas)
    return fields


def _override_object(override: Override) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if override.balance is not None:
        fields["balance"] = hex(override.balance)
    if override.nonce is not None:
        fields["nonce"] = hex(override.nonce)
    if override.code is not None:
        fields["code"] = _hex(override.code)
    if override.storage:
        fields["stateDiff"] = {_hex(slot): _hex(value) for slot, value in override.storage.items()}
    return fields


def _revert_data(data: Any) -> bytes:
    """Find the revert data, which nodes put as hex, in an object, or behind "Reverted " (Nethermind)."""
    if isinstance(data, dict):
        data = data.get("data")
    match = _HEX.search(data) if isinstance(data, str) else None
    return bytes.fromhex(match[0][2:]) if match else b""
