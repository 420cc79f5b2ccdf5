"""Contracts that others deployed: checked on chain, then indexed, and not minted in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

import structlog
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from mintline.chain.calls import Call, CallReverted
from mintline.errors import Unavailable
from mintline.eth import selector
from mintline.records.collections import Collection, RegisteredContract
from mintline.records.keys import scoped
from mintline.text import escaped
from mintline_api.chain import ChainReader, is_contract
from mintline_api.features.collections.context import CollectionsContext
from mintline_api.features.collections.models import ImportRequest
from mintline_api.features.collections.problems import NOT_A_CONTRACT, UNSUPPORTED_STANDARD
from mintline_api.http.problems import INVALID_BODY, Fault, ProblemType, RequestRefused

log = structlog.get_logger()

ERC165 = bytes.fromhex("01ffc9a7")
ERC721 = bytes.fromhex("80ac58cd")
ERC1155 = bytes.fromhex("d9b67a26")
_NO_INTERFACE = bytes.fromhex("ffffffff")
"""What no contract supports that knows ERC-165: one that says so of everything does not know it."""
_SUPPORTS = selector("supportsInterface(bytes4)")
_NAME = selector("name()")
_SYMBOL = selector("symbol()")
_MOST_TEXT = 200
"""Characters of a stranger's name or symbol that are kept."""


@dataclass(frozen=True, slots=True)
class Imported:
    """An imported contract; `new` if the request put it on record."""

    collection: RegisteredContract
    new: bool


async def import_contract(request: ImportRequest, *, context: CollectionsContext, now: int) -> Imported:
    """Put a contract of others on record, from which it is indexed; `now` is in Unix milliseconds.

    Safe to repeat: a contract that is on record stays as it is. Raises RequestRefused for an address without
    code, for another standard, and for a block that does not exist; Unavailable without a node.
    """
    contract = request.contract
    existing = await context.collections.collection(contract)
    if existing is not None:
        return Imported(existing, new=False)
    if context.chain is None:
        raise Unavailable("no node is configured, and an import is checked on chain")
    standard = await _standard(contract, context.chain)
    checkpoint = await context.collections.checkpoint()
    if checkpoint is not None and request.from_block > checkpoint.head_number:
        head = checkpoint.head_number
        fault = Fault(f"expected {head} at most: the index's head", pointer="#/from_block")
        raise RequestRefused(INVALID_BODY, f"{fault.pointer}: {fault.detail}.", faults=[fault])
    name = await _text(context.chain, contract, _NAME)
    symbol = await _text(context.chain, contract, _SYMBOL)
    collection = Collection(
        collection_id=scoped(context.chain_id, contract),
        chain_id=context.chain_id,
        contract=contract,
        name=name or contract,
        symbol=symbol,
        deployed_block=request.from_block,
        standard=standard,
        read_only=True,
        created_at=now,
        next_token_id=1,
    )
    existing = await context.collections.register(collection)
    context.registry.forget(contract)
    log.info("collection_imported", contract=contract, from_block=request.from_block)
    return Imported(existing or collection, new=existing is None)


async def _standard(contract: str, chain: ChainReader) -> Literal["erc721", "erc1155"]:
    """Return what a contract says that it is; raises RequestRefused for anything else."""
    if not is_contract(await chain.code(contract)):
        raise _refused(NOT_A_CONTRACT, f"The chain has no contract at {contract}.")
    if not await _supports(chain, contract, ERC165) or await _supports(chain, contract, _NO_INTERFACE):
        raise _refused(UNSUPPORTED_STANDARD, f"{contract} does not say by ERC-165 what it is.")
    unique, items = await asyncio.gather(
        _supports(chain, contract, ERC721), _supports(chain, contract, ERC1155)
    )
    if unique and items:
        raise _refused(UNSUPPORTED_STANDARD, f"{contract} says that it is of both ERC-721 and ERC-1155.")
    if not unique and not items:
        raise _refused(UNSUPPORTED_STANDARD, f"{contract} is neither of ERC-721 nor of ERC-1155.")
    return "erc1155" if items else "erc721"


async def _supports(chain: ChainReader, contract: str, interface: bytes) -> bool:
    """Ask a contract by ERC-165; what reverts, or is no boolean, is a no."""
    try:
        result = await chain.call(
            Call(sender=contract, to=contract, data=_SUPPORTS + interface + bytes(28), gas=30_000)
        )
    except CallReverted:
        return False
    return len(result) == 32 and int.from_bytes(result, "big") == 1


async def _text(chain: ChainReader, contract: str, data: bytes) -> str:
    """Return what a contract calls itself, bounded and without control characters; empty if it does not."""
    try:
        result = await chain.call(Call(sender=contract, to=contract, data=data))
        (text,) = decode(["string"], result)
    except (CallReverted, DecodingError, UnicodeDecodeError, OverflowError):
        return ""
    return escaped(str(text)[:_MOST_TEXT])[:_MOST_TEXT]


def _refused(kind: ProblemType, detail: str) -> RequestRefused:
    return RequestRefused(kind, detail, faults=[Fault(detail, pointer="#/contract")])
