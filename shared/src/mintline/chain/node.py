"""A chain node, by typed questions: each a coalesced JSON-RPC call with a strictly parsed answer.

Every method raises Unavailable or Throttled when no endpoint serves, and RpcError when the node refuses the
question itself.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from mintline.chain import answers, collection, multi_token, send_facts
from mintline.chain.answers import Block, FeeMarket, Log, Receipt
from mintline.chain.calls import Call, Overrides, refusal, refuses, simulation
from mintline.chain.quorum import Endpoints, majority, majority_refuses
from mintline.chain.readings import (
    hash_of_block,
    is_missing,
    number_of_block,
    read_digest,
    read_flag,
    read_item_minted,
    send_answer,
)
from mintline.chain.rpc import RpcError, Suspect
from mintline.chain.send_facts import SendAnswer, SendFact
from mintline.chain.serials import SerialSearch
from mintline.errors import Rejected, Unavailable
from mintline.eth import ZERO_ADDRESS, is_minted_calldata, keccak256, word

Tag: TypeAlias = Literal["latest", "safe", "finalized", "pending"]
At: TypeAlias = int | Tag
"""A block by number or by tag."""

FactT = TypeVar("FactT", bound=Hashable)

FEE_HISTORY_BLOCKS = 5
FEE_HISTORY_PERCENTILE = 50
FEES_AGE = 1.0
"""Seconds for which a fee history or the latest block's time is shared: less than a block takes."""
BLOCK_GAS_AGE = 60.0
"""The same for the gas limit of a block."""

_NO_SUCH_BLOCK = re.compile(r"(block|header) (was )?not found|unknown block|not found.*block", re.IGNORECASE)


class Calls(Protocol):
    """What a node is asked through; `Rpc` in production."""

    async def call(self, method: str, params: Sequence[Any], *, suspect: Suspect | None = None) -> Any:
        """Return the result of one JSON-RPC call; a suspect one only if no other endpoint has another."""


class Node:
    """Requests to one chain; irreversible decisions are made by all `endpoints`, if there are several."""

    def __init__(
        self,
        rpc: Calls,
        *,
        endpoints: Endpoints | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rpc = rpc
        self._endpoints = endpoints if endpoints is not None and endpoints.several else None
        self._clock = clock
        self._fees: tuple[float, FeeMarket] | None = None
        self._time: tuple[float, int] | None = None
        self._block_gas: tuple[float, int] | None = None
        self._serials = SerialSearch(self._logs_of_serial)

    async def chain_id(self) -> int:
        """Return the chain's id (EIP-155)."""
        return answers.quantity(await self._rpc.call("eth_chainId", []), "chain id")

    async def block(self, ref: At | bytes, *, full: bool = False) -> Block | None:
        """Return a block by number, hash or tag, with its transactions if `full`; None if there is none.

        A caller asks for a number or hash that exists, so a missing block is suspect.
        """
        method = "eth_getBlockByHash" if isinstance(ref, bytes) else "eth_getBlockByNumber"
        name = _hex(ref) if isinstance(ref, bytes) else _at(ref)
        try:
            suspect = None if isinstance(ref, str) else is_missing
            result = await self._rpc.call(method, [name, full], suspect=suspect)
        except RpcError as error:
            # A chain that has not finalized yet: "finalized block not found" (geth), "Unknown block" (Besu).
            if _NO_SUCH_BLOCK.search(error.message):
                return None
            raise
        return answers.optional(partial(answers.block, full=full), result)

    async def block_number(self) -> int:
        """Return the number of the latest block."""
        return answers.quantity(await self._rpc.call("eth_blockNumber", []), "block number")

    async def timestamp(self, blocks_ago: int) -> int:
        number = await self.block_number() - blocks_ago
        block = await self.block(number) if number >= 0 else None
        return 0 if block is None else block.timestamp

    async def time(self) -> int:
        """Return the latest block's timestamp, in Unix seconds; an answer is shared for a second."""
        now = self._clock()
        if self._time is None or now - self._time[0] >= FEES_AGE:
            block = await self.block("latest")
            if block is None:
                raise Unavailable("the node has no latest block")
            self._time = (now, block.timestamp)
        return self._time[1]

    async def block_gas_limit(self) -> int:
        """Return the latest block's gas limit; an answer is shared for a minute, as it hardly changes."""
        now = self._clock()
        if self._block_gas is None or now - self._block_gas[0] >= BLOCK_GAS_AGE:
            result = await self._rpc.call("eth_getBlockByNumber", ["latest", False])
            limit = answers.quantity(result.get("gasLimit") if isinstance(result, dict) else None, "gasLimit")
            self._block_gas = (now, limit)
        return self._block_gas[1]

    async def logs(
        self, *, block_hash: bytes, addresses: Sequence[str], topics: Sequence[bytes] = ()
    ) -> tuple[Log, ...]:
        """Return the logs of one block, by its hash, in order; `topics` are alternatives for the first topic.

        A caller expects some, so an empty result is suspect. Raises Unavailable for a block that no endpoint
        has, or no longer has.
        """
        try:
            return await self._logs({"blockHash": _hex(block_hash)}, addresses, topics)
        except RpcError as error:
            raise Unavailable(f"no logs of block {_hex(block_hash)}: {error.message[:200]}") from error

    async def logs_range(
        self, from_block: int, to_block: int, addresses: Sequence[str], topics: Sequence[bytes] = ()
    ) -> tuple[Log, ...]:
        """Return the logs of a range of blocks, both ends included; an empty result is suspect.

        Raises RpcError when the node finds the range too large: ask for half of it.
        """
        return await self._logs({"fromBlock": hex(from_block), "toBlock": hex(to_block)}, addresses, topics)

    async def _logs(
        self, query: dict[str, Any], addresses: Sequence[str], topics: Sequence[bytes]
    ) -> tuple[Log, ...]:
        query["address"] = list(addresses)
        if topics:
            query["topics"] = [[_hex(topic) for topic in topics]]
        return answers.logs(await self._rpc.call("eth_getLogs", [query], suspect=is_missing))

    async def balance(self, address: str, at: At = "latest") -> int:
        """Return an account's balance in wei."""
        return answers.quantity(await self._rpc.call("eth_getBalance", [address, _at(at)]), "balance")

    async def transaction_count(self, address: str, at: At = "latest") -> int:
        result = await self._rpc.call("eth_getTransactionCount", [address, _at(at)])
        return answers.quantity(result, "transaction count")

    async def transaction_count_at(self, address: str, block_hash: bytes) -> int | None:
        """Return an account's next nonce on the block of that hash (EIP-1898), None if no endpoint can tell.

        One on another branch cannot, nor can one that keeps no state so old.
        """
        params = [address, {"blockHash": _hex(block_hash)}]
        try:
            result = await self._rpc.call("eth_getTransactionCount", params, suspect=is_missing)
        except RpcError:
            return None
        return answers.quantity(result, "transaction count")

    async def is_minted(self, contract: str, token_id: int, block_hash: bytes) -> bool | None:
        """Tell whether a collection's token was ever minted up to the block of that hash (EIP-1898).

        A token that was burned since counts. None if too few endpoints can tell: see
        `Rpc.min_agreement`. Raises Disagreement when there is no majority.
        """
        call = Call(sender=ZERO_ADDRESS, to=contract, data=is_minted_calldata(token_id))
        params: list[Any] = [simulation(call, "latest", None)[0], {"blockHash": _hex(block_hash)}]
        return await self._majority("eth_call", params, read_flag)

    async def minted_digest(self, contract: str, token_id: int, block_hash: bytes) -> bytes | None:
        """Return the metadata digest that a token was minted with in the block of that hash.

        None if it was not minted there, or if too few endpoints can tell: see `Rpc.min_agreement`. Raises
        Disagreement when there is no majority.
        """
        topics = [_hex(collection.MINTED_TOPIC), _hex(word(token_id))]
        query = {"blockHash": _hex(block_hash), "address": [contract], "topics": topics}
        return await self._majority("eth_getLogs", [query], read_digest)

    async def item_minted(self, contract: str, serial: int, block_hash: bytes) -> Log | None:
        """Return the event by which a serial of an ERC-1155 collection was used in the block of that hash.

        None, and Disagreement, as of `minted_digest`.
        """
        topics = [_hex(multi_token.ITEM_MINTED_TOPIC), _hex(word(serial))]
        query = {"blockHash": _hex(block_hash), "address": [contract], "topics": topics}
        return await self._majority("eth_getLogs", [query], read_item_minted)

    async def serial_used(self, contract: str, serial: int, *, last: int) -> Log | None:
        """Return the event by which a serial that is used was, up to a block, by one node's word.

        None if it was not found so far: see `SerialSearch`. Raises RpcError as `logs_range`.
        """
        return await self._serials.find(contract, serial, last=last)

    async def _logs_of_serial(self, contract: str, serial: int, first: int, last: int) -> tuple[Log, ...]:
        topics = [_hex(multi_token.ITEM_MINTED_TOPIC), _hex(word(serial))]
        query = {"fromBlock": hex(first), "toBlock": hex(last), "address": [contract], "topics": topics}
        return answers.logs(await self._rpc.call("eth_getLogs", [query]))

    async def _majority(
        self, method: str, params: Sequence[Any], read: Callable[[Any], FactT | None]
    ) -> FactT | None:
        """Return the fact that an irreversible decision rests on, None if the endpoints cannot tell."""
        if self._endpoints is not None:
            return await majority(
                self._endpoints, method, params, read, min_agreement=self._endpoints.min_agreement
            )
        try:
            return read(await self._rpc.call(method, params))
        except RpcError:
            return None

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

    async def estimate_gas(
        self, call: Call, overrides: Overrides | None = None, *, most: int | None = None
    ) -> int:
        """Return the gas that a call needs, simulated on the latest block.

        Raises CallReverted with the contract's reason, and Rejected `simulation_out_of_gas` when no gas limit
        would do. With several endpoints, that and a need of more than `most` take a majority of them, for
        a mint ends by it; without one, and for any other refusal, raises Unavailable.
        """
        method, params = "eth_estimateGas", simulation(call, "latest", overrides)
        try:
            gas = answers.quantity(await self._simulate(method, params), "gas")
        except Rejected:
            await self._confirm_refusal(method, params, most)
            raise
        if most is not None and gas > most:
            await self._confirm_refusal(method, params, most)
        return gas

    async def _confirm_refusal(self, method: str, params: Sequence[Any], most: int | None) -> None:
        if self._endpoints is not None and not await majority_refuses(
            self._endpoints, method, params, partial(refuses, most)
        ):
            raise Unavailable("the endpoints do not agree that the call would fail")

    async def call(self, call: Call, *, at: At = "latest", overrides: Overrides | None = None) -> bytes:
        """Return what a call returns, without sending it; raises as one endpoint has it."""
        result = await self._simulate("eth_call", simulation(call, _at(at), overrides))
        return answers.octets(result, "the call's result")

    async def _simulate(self, method: str, params: Sequence[Any]) -> Any:
        try:
            return await self._rpc.call(method, params)
        except RpcError as error:
            raise refusal(error) or Unavailable(f"{method}: {error}") from error

    async def send_raw(self, raw: bytes) -> SendAnswer:
        """Send a signed transaction, and return what is now known of it. Sending it again is harmless.

        With several endpoints, that it can never be sent is known only when all say so, two of three at
        least: what one of them has in its pool may yet be mined.
        """
        method, params = "eth_sendRawTransaction", [_hex(raw)]
        try:
            result = await self._rpc.call(method, params)
        except RpcError as error:
            response = send_answer(error)
            if response.fact not in send_facts.FOR_GOOD or self._endpoints is None:
                return response
            send_answers = [
                send_answer(response.result) for response in await self._endpoints.ask_all(method, params)
            ]
            better = [candidate for candidate in send_answers if candidate.fact not in send_facts.FOR_GOOD]
            if not better and len(send_answers) < self._endpoints.min_agreement:
                return SendAnswer(SendFact.UNKNOWN, response.message)
            return next(
                (candidate for candidate in better if candidate.fact in send_facts.TAKEN),
                [*better, response][0],
            )
        if answers.octets(result, "transaction hash", 32) != keccak256(raw):
            raise Unavailable("the node answered the hash of another transaction")
        return SendAnswer(SendFact.ACCEPTED)

    async def receipt(self, tx_hash: bytes) -> Receipt | None:
        """Return a mined transaction's receipt, or None if no endpoint has one.

        With several endpoints it is returned when no majority contradicts it, nor has another block at its
        height. Raises Disagreement when there is no majority.
        """
        method, params = "eth_getTransactionReceipt", [_hex(tx_hash)]
        receipt = answers.optional(answers.receipt, await self._rpc.call(method, params, suspect=is_missing))
        if receipt is None or self._endpoints is None:
            return receipt
        confirmed = await majority(
            self._endpoints, method, params, partial(answers.optional, answers.receipt)
        )
        canonical_hash = await self.majority_hash(receipt.block_number)
        if confirmed not in (None, receipt) or canonical_hash not in (None, receipt.block_hash):
            raise Unavailable(f"the endpoints contradict the receipt of {_hex(tx_hash)}")
        return receipt

    async def majority_hash(self, number: int, *, final: bool = False) -> bytes | None:
        """Return the hash of the block of that number by the majority of the endpoints, None if none has it.

        None as well for a `final` block that too few have: see `Rpc.min_agreement`. Only endpoints to which a
        block of that number is final have a vote: on a branch that loses, no block becomes final. Raises
        Disagreement when there is no majority.
        """
        if self._endpoints is None:
            block = await self.block(number)
            return None if block is None else block.hash
        params = [hex(number), False]
        method = "eth_getBlockByNumber"
        if not final:
            return await majority(self._endpoints, method, params, hash_of_block)
        responses = await self._endpoints.ask_all(method, ["finalized", False])
        finalizers = {
            response.endpoint for response in responses if number_of_block(response.result) >= number
        }
        min_agreement = self._endpoints.min_agreement
        return await majority(
            self._endpoints, method, params, hash_of_block, min_agreement=min_agreement, among=finalizers
        )

    async def transaction_known(self, tx_hash: bytes) -> bool:
        """Tell whether a node knows a transaction, pending or mined."""
        params = [_hex(tx_hash)]
        return await self._rpc.call("eth_getTransactionByHash", params, suspect=is_missing) is not None


def _at(at: At) -> str:
    return hex(at) if isinstance(at, int) else at


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
