"""What single JSON-RPC results mean: the facts that decisions rest on."""

from __future__ import annotations

from typing import Any

from mintline.chain import answers, collection, multi_token, send_facts
from mintline.chain.answers import Log
from mintline.chain.rpc import RpcError
from mintline.chain.send_facts import SendAnswer, SendFact
from mintline.errors import Unavailable
from mintline.text import bounded


def read_flag(result: Any) -> bool:
    """Return a flag that a call returned."""
    return any(answers.octets(result, "a flag", 32))


def read_digest(result: Any) -> bytes | None:
    """Return the metadata digest of the first `Minted` among logs."""
    events = (collection.decode_minted(log) for log in answers.logs(result))
    return next((event.metadata_digest for event in events if event is not None), None)


def read_item_minted(result: Any) -> Log | None:
    """Return the first `ItemMinted` among logs."""
    return next((log for log in answers.logs(result) if multi_token.decode_item_minted(log)), None)


def is_missing(result: Any) -> bool:
    """Tell whether a result is empty: only this endpoint may lack the data."""
    return result is None or result == [] or isinstance(result, RpcError)


def hash_of_block(result: Any) -> bytes | None:
    """Return the hash of a block, None if there is none."""
    return None if result is None else answers.block(result, full=False).hash


def number_of_block(result: Any) -> int:
    """Return the number of a block that an endpoint returned, -1 if it returned none."""
    try:
        return answers.block(result, full=False).number
    except Unavailable:
        return -1


def send_answer(result: Any) -> SendAnswer:
    """Return what a result means for the transaction that was sent."""
    if not isinstance(result, RpcError):
        return SendAnswer(SendFact.ACCEPTED)
    words = f"{result.message} {result.data}" if isinstance(result.data, str) else result.message
    return SendAnswer(send_facts.classify(words), bounded(words, 500))
