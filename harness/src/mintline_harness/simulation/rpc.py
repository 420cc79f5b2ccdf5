"""A node of the simulated chain, asked by JSON-RPC: what the services' own `Node` reads and sends through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mintline.chain.collection import ISSUER_ROLE, RELAYER_ROLE
from mintline.chain.rpc import RpcError, Suspect
from mintline.eth import HAS_ROLE_SELECTOR, IS_MINTED_SELECTOR, to_checksum_address, word
from mintline.holder_signatures import NONCES_SELECTOR
from mintline_harness.simulation.chain import Block, Outcome, Sent, SimulatedChain, State, read
from mintline_harness.simulation.gaps import Gaps
from mintline_harness.simulation.rpc_json import block_json, is_asked_for, logs_of

REVERTED = 3
"""The code of a reverted call in geth and anvil; the revert's data comes with it."""
METHOD_NOT_FOUND = -32601
CALL_GAS = 90_000
"""What a call takes that is none of the collection's."""
_HAS_ROLE = "0x" + HAS_ROLE_SELECTOR.hex()
_IS_MINTED = "0x" + IS_MINTED_SELECTOR.hex()
_NONCES = "0x" + NONCES_SELECTOR.hex()


class SimulatedNode:
    """Answers for one process.

    `view` returns the chain as this node has it, `gaps` what it lacks of that, `lag` says how many blocks it
    is behind even so, and `sending` hears of what is sent before the chain does.
    """

    def __init__(
        self,
        view: Callable[[], SimulatedChain],
        *,
        gaps: Callable[[], Gaps],
        lag: Callable[[], int],
        sending: Callable[[Sent], None],
    ) -> None:
        self._view = view
        self._gaps = gaps
        self._lag = lag
        self._sending = sending

    @property
    def several(self) -> bool:
        """One node."""
        return False

    async def call(self, method: str, params: Sequence[Any], *, suspect: Suspect | None = None) -> Any:
        """Return the result of one JSON-RPC call; raises RpcError. There is no other node to ask."""
        del suspect
        method_call = getattr(self, method, None)
        if method_call is None:
            raise RpcError(METHOD_NOT_FOUND, f"the method {method} does not exist")
        return method_call(*params)

    # --- blocks ---

    @property
    def _chain(self) -> SimulatedChain:
        return self._view()

    def _head(self) -> Block:
        chain = self._chain
        return chain.blocks[max(chain.finalized, chain.head.number - self._lag())]

    def _block(self, name: str) -> Block | None:
        chain = self._chain
        match name:
            case "latest" | "pending":
                return self._head()
            case "finalized" | "safe":
                return chain.blocks[chain.finalized]
            case _:
                number = int(name, 16)
                return self._had(chain.blocks[number]) if number <= self._head().number else None

    def _by_hash(self, name: str) -> Block | None:
        return self._had(self._chain.by_hash.get(bytes.fromhex(name[2:])))

    def _had(self, block: Block | None) -> Block | None:
        return None if block is None or self._gaps().lacks(block) else block

    def _block_of(self, tx_hash: bytes) -> Block | None:
        """Return the block that a transaction is mined in, as far as this node has come."""
        block = self._chain.where.get(tx_hash)
        return None if block is None or block.number > self._head().number else block

    def eth_chainId(self) -> str:
        return hex(self._chain.collection.chain_id)

    def eth_blockNumber(self) -> str:
        return hex(self._head().number)

    def eth_getBlockByNumber(self, name: str, full: bool) -> Any:
        block = self._block(name)
        return None if block is None else block_json(block, full=full)

    def eth_getBlockByHash(self, name: str, full: bool) -> Any:
        block = self._by_hash(name)
        return None if block is None else block_json(block, full=full)

    def eth_getBlockReceipts(self, name: str) -> Any:
        block = self._by_hash(name) if len(name) == 66 else self._block(name)
        if block is None:
            return None
        return self._gaps().receipts_of([self._receipt(block, outcome) for outcome in block.outcomes])

    def eth_getLogs(self, query: dict[str, Any]) -> Any:
        chain = self._chain
        if "blockHash" in query:
            block = self._by_hash(query["blockHash"])
            if block is None:
                raise RpcError(-32000, "unknown block")
            return [log for log in self._logs(block) if is_asked_for(log, query)]
        first, last = int(query["fromBlock"], 16), min(int(query["toBlock"], 16), self._head().number)
        logs = (log for block in chain.blocks[first : last + 1] for log in self._logs(block))
        return [log for log in logs if is_asked_for(log, query)]

    def _logs(self, block: Block) -> list[dict[str, Any]]:
        gaps = self._gaps()
        return [] if gaps.receipts or gaps.lacks(block) else logs_of(block)

    # --- accounts ---

    def eth_getBalance(self, address: str, at: str) -> str:
        return hex(self._at(at).state.balances.get(address, 0))

    def eth_getTransactionCount(self, address: str, at: str | dict[str, str]) -> str:
        block = self._at(at) if isinstance(at, str) else self._known(at["blockHash"])
        count = block.state.nonces.get(address, 0)
        if at == "pending":
            while (waiting := self._chain.pool.get((address, count))) and self._remembers(waiting):
                count += 1
        return hex(count)

    def eth_getCode(self, address: str, at: str) -> str:
        del at
        collection, items = self._chain.collection, self._chain.items
        contract = address == collection.address or (items is not None and address == items.address)
        return "0x60" if contract or address in collection.refusing else "0x"

    def _at(self, name: str) -> Block:
        block = self._block(name)
        if block is None:
            raise RpcError(-32000, "header not found")
        return block

    def _known(self, name: str) -> Block:
        block = self._chain.by_hash.get(bytes.fromhex(name[2:]))
        if block is None:
            raise RpcError(-32000, "header for hash not found")
        return block

    # --- fees and simulations ---

    def eth_feeHistory(self, _count: str, _newest: str, _percentiles: list[int]) -> Any:
        tip = hex(max(self._chain.minimum_tip, 10**8))
        return {"baseFeePerGas": [hex(self._head().base_fee), hex(self._chain.base_fee)], "reward": [[tip]]}

    def eth_estimateGas(self, call: dict[str, str], _at: str, _overrides: Any = None) -> str:
        if call["input"] == "0x":
            return hex(self._chain.transfer_gas(call["to"], int(call["value"], 16), self._head().state))
        return hex(self._simulate(call))

    def eth_call(self, call: dict[str, str], at: str | dict[str, str], _overrides: Any = None) -> str:
        if call["input"].startswith(_IS_MINTED):
            state, number = self._state(at), int(call["input"][10:], 16)
            used = number in (state.items.used if self._is_items(call["to"]) else state.tokens.minted)
            return "0x" + word(int(used)).hex()
        if call["input"].startswith(_NONCES):
            state, holder = self._state(at), to_checksum_address("0x" + call["input"][-40:])
            counters = (state.items if self._is_items(call["to"]) else state.tokens).counters
            return "0x" + word(counters.get(holder, 0)).hex()
        if call["input"].startswith(_HAS_ROLE):
            return "0x" + word(int(self._granted(call["input"]))).hex()
        self._simulate(call)
        return "0x"

    def _state(self, at: str | dict[str, str]) -> State:
        return (self._at(at) if isinstance(at, str) else self._known(at["blockHash"])).state

    def _is_items(self, address: str) -> bool:
        items = self._chain.items
        return items is not None and address.lower() == items.address.lower()

    def _granted(self, data: str) -> bool:
        """Answer `hasRole(bytes32,address)`."""
        collection, role, account = self._chain.collection, data[10:74], "0x" + data[-40:]
        if role == ISSUER_ROLE.hex():
            return collection.issuing and account == collection.issuer.lower()
        relayers = {relayer.lower() for relayer in collection.relayers}
        return role == RELAYER_ROLE.hex() and account in relayers

    def _simulate(self, call: dict[str, str]) -> int:
        """Return the gas of a call of the collection; raises RpcError if it reverts."""
        head = self._head()
        run = self._chain.run(
            to_checksum_address(call["to"]),
            bytes.fromhex(call["input"][2:]),
            sender=to_checksum_address(call["from"]),
            state=head.state,
            timestamp=head.timestamp,
            issued=True,
        )
        if run is None:
            return CALL_GAS
        if run.revert is not None:
            raise RpcError(REVERTED, "execution reverted", "0x" + run.revert.data.hex())
        return run.gas

    # --- transactions ---

    def eth_sendRawTransaction(self, raw: str) -> str:
        sent = read(bytes.fromhex(raw[2:]))
        self._sending(sent)
        forgotten = self._gaps().forgotten
        if sent.hash in forgotten and self._chain.pool.get(sent.place) is sent:
            forgotten.discard(sent.hash)
            return "0x" + sent.hash.hex()
        refusal = self._chain.admit(sent)
        if refusal is not None:
            raise RpcError(-32000, refusal)
        return "0x" + sent.hash.hex()

    def eth_getTransactionReceipt(self, name: str) -> Any:
        tx_hash = bytes.fromhex(name[2:])
        block = self._had(self._block_of(tx_hash))
        if block is None:
            return None
        [outcome] = [outcome for outcome in block.outcomes if outcome.sent.hash == tx_hash]
        return self._gaps().receipt(self._receipt(block, outcome))

    def eth_getTransactionByHash(self, name: str) -> Any:
        tx_hash = bytes.fromhex(name[2:])
        block = self._block_of(tx_hash)
        if block is not None and self._had(block) is None:
            return None
        if block is not None:
            [sent] = [outcome.sent for outcome in block.outcomes if outcome.sent.hash == tx_hash]
            place: dict[str, str | None] = {
                "blockHash": "0x" + block.hash.hex(),
                "blockNumber": hex(block.number),
            }
        else:
            pending = [sent for sent in self._chain.pool.values() if sent.hash == tx_hash]
            if not pending or not self._remembers(pending[0]):
                return None
            [sent], place = pending, {"blockHash": None, "blockNumber": None}
        body = sent.body
        return {
            "hash": name,
            "from": sent.sender,
            "to": body.to,
            "nonce": hex(body.nonce),
            "gas": hex(body.gas),
            "value": hex(body.value),
            "input": "0x" + body.data.hex(),
            **place,
        }

    def _remembers(self, sent: Sent) -> bool:
        return sent.hash not in self._gaps().forgotten

    def _receipt(self, block: Block, outcome: Outcome) -> dict[str, Any]:
        tx_hash = "0x" + outcome.sent.hash.hex()
        return {
            "transactionHash": tx_hash,
            "status": "0x1" if outcome.revert is None else "0x0",
            "blockNumber": hex(block.number),
            "blockHash": "0x" + block.hash.hex(),
            "gasUsed": hex(outcome.gas_used),
            "from": outcome.sent.sender,
            "to": outcome.sent.body.to,
            "logs": [log for log in logs_of(block) if log["transactionHash"] == tx_hash],
        }
