"""The JSON in which a node of the simulated chain shows blocks and logs."""

from __future__ import annotations

from typing import Any, TypeAlias

from mintline.chain.collection import MINTED_TOPIC, TRANSFER_TOPIC
from mintline.chain.multi_token import ITEM_MINTED_TOPIC
from mintline.chain.multi_token_transfers import TRANSFER_SINGLE_TOPIC
from mintline.eth import ZERO_ADDRESS, address_word, word
from mintline_harness.simulation.chain import Block, Outcome
from mintline_harness.simulation.contract import Effect
from mintline_harness.simulation.items import ItemEffect
from mintline_indexer.bloom import BLOOM_BYTES, bloom_bits

BLOCK_GAS = 60_000_000


def is_asked_for(log: dict[str, Any], query: dict[str, Any]) -> bool:
    """Tell whether a log is of the topics that a query names: each one of several, or a single one."""
    wanted, topics = query.get("topics", ()), log["topics"]
    return len(topics) >= len(wanted) and all(
        topic in (choice if isinstance(choice, list) else [choice])
        for choice, topic in zip(wanted, topics, strict=False)
    )


def block_json(block: Block, *, full: bool) -> Any:
    """Return a block, with its transactions or with their hashes alone."""
    key = "full" if full else "header"
    if key not in block.shown:
        parent = bytes(32) if block.parent is None else block.parent.hash
        moved = any(outcome.effects or outcome.item_effects for outcome in block.outcomes)
        transactions: list[Any] = [
            {
                "hash": "0x" + outcome.sent.hash.hex(),
                "from": outcome.sent.sender,
                "to": outcome.sent.body.to,
                "nonce": hex(outcome.sent.body.nonce),
            }
            if full
            else "0x" + outcome.sent.hash.hex()
            for outcome in block.outcomes
        ]
        block.shown[key] = {
            "number": hex(block.number),
            "hash": "0x" + block.hash.hex(),
            "parentHash": "0x" + parent.hex(),
            "timestamp": hex(block.timestamp),
            "baseFeePerGas": hex(block.base_fee),
            "gasLimit": hex(BLOCK_GAS),
            "logsBloom": _bloom(block) if moved else _OTHER_BLOOM,
            "transactions": transactions,
        }
    return block.shown[key]


def _bloom(block: Block) -> str:
    bits = 0
    for outcome in block.outcomes:
        for topics, _ in _events_of(outcome):
            bits |= bloom_bits(bytes.fromhex(outcome.sent.body.to[2:]))
            for topic in topics:
                bits |= bloom_bits(topic)
    return "0x" + bits.to_bytes(BLOOM_BYTES, "big").hex()


_OTHER_BLOOM = "0x" + bloom_bits(b"someone else's event").to_bytes(BLOOM_BYTES, "big").hex()
"""A header without any bit would be taken for a chain that keeps no bloom."""


def logs_of(block: Block) -> list[dict[str, Any]]:
    """Return the logs of a block, in order."""
    if "logs" not in block.shown:
        logs: list[dict[str, Any]] = []
        for outcome in block.outcomes:
            for topics, data in _events_of(outcome):
                logs.append(
                    {
                        "address": outcome.sent.body.to,
                        "topics": ["0x" + topic.hex() for topic in topics],
                        "data": "0x" + data.hex(),
                        "blockHash": "0x" + block.hash.hex(),
                        "blockNumber": hex(block.number),
                        "transactionHash": "0x" + outcome.sent.hash.hex(),
                        "logIndex": hex(len(logs)),
                        "removed": False,
                    }
                )
        block.shown["logs"] = logs
    return block.shown["logs"]  # type: ignore[no-any-return]


_EventLog: TypeAlias = tuple[tuple[bytes, ...], bytes]


def _events_of(outcome: Outcome) -> list[_EventLog]:
    """Return the topics and the data of each event of a transaction, which is of one collection."""
    of_tokens = [event for effect in outcome.effects for event in _events(effect)]
    return of_tokens + [event for effect in outcome.item_effects for event in _item_events(effect, outcome)]


def _item_events(effect: ItemEffect, outcome: Outcome) -> list[_EventLog]:
    """Return `ItemMinted` for a mint, and `TransferSingle`."""
    sender, recipient = (
        address_word(address or ZERO_ADDRESS) for address in (effect.sender, effect.recipient)
    )
    item, quantity = word(effect.item_id), word(effect.quantity)
    events: list[_EventLog] = []
    if effect.serial is not None and effect.digest is not None:
        topics = (ITEM_MINTED_TOPIC, word(effect.serial), item, recipient)
        events.append((topics, quantity + effect.digest))
    topics = (TRANSFER_SINGLE_TOPIC, address_word(outcome.sent.sender), sender, recipient)
    return [*events, (topics, item + quantity)]


def _events(effect: Effect) -> list[_EventLog]:
    """Return the topics and the data of each event: `Transfer`, and `Minted` after it for a mint."""
    token = word(effect.token_id)
    sender, recipient = (
        address_word(address or ZERO_ADDRESS) for address in (effect.sender, effect.recipient)
    )
    events: list[_EventLog] = [((TRANSFER_TOPIC, sender, recipient, token), b"")]
    if effect.digest is not None:
        events.append(((MINTED_TOPIC, token, recipient), effect.digest))
    return events
