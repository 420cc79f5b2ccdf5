"""A mint's receipt: one JSON document that proves a mint without Mintline.

::

    metadata ──SHA-256──▶ digest in the mint's event ──▶ receipt ──trie──▶ receiptsRoot ┐
                                          transaction ──trie──▶ transactionsRoot ───────┴▶ header ──▶ hash

What is left is to ask any node of the chain whether it has that block. The document has one form, canonical
JSON, and every member of it is checked: a document with any byte changed is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from mintline.canonical_json import canonical_json
from mintline.chain.answers import Log, checksummed
from mintline.chain.collection import decode_minted
from mintline.chain.multi_token import decode_item_minted
from mintline.errors import MintlineError, Unavailable
from mintline.eth import keccak256
from mintline.fields import Address, Bytes32, HexBytes, Quantity, TokenId
from mintline.frozen import Frozen
from mintline.proofs import encodings
from mintline.proofs.encodings import NUMBER, RECEIPTS_ROOT, TRANSACTIONS_ROOT, Json
from mintline.proofs.trie import prove
from mintline.rlp import Rlp, rlp_decode
from mintline.strict_json import AmbiguousJson, NotJson, parse

ITEM_VERSION = 2
MOST_BYTES = 4 * 1024 * 1024
"""A receipt is some 10 KB; one whose transaction or logs are larger than this is not made."""


class ReceiptRefused(MintlineError):  # noqa: N818 - named for what happens
    """A receipt proves nothing: `check` says what failed, the message why, in one sentence."""

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(reason)
        self.check = check


class Included(Frozen):
    """A value with the nodes that prove it to be in a block's trie."""

    raw: HexBytes
    proof: tuple[HexBytes, ...] = Field(min_length=1, max_length=64)


class MintReceipt(Frozen):
    """Everything that proves a mint, for a reader who has a node of the chain."""

    type: Literal["mintline-mint-receipt"] = "mintline-mint-receipt"
    version: Literal[1, 2] = 1
    """2 for a mint of an item of ERC-1155."""
    chain_id: int = Field(ge=1, le=2**53 - 1)
    contract: Address
    token_id: TokenId
    """In an ERC-1155 collection, the item's."""
    serial: TokenId | None = None
    """The number of the mint of an item, which its collection takes once; absent for a token of ERC-721."""
    quantity: Quantity | None = None
    """How many tokens of the item were minted; absent likewise."""
    to: Address
    metadata: str
    """The exact text whose SHA-256 was minted."""
    metadata_digest: Bytes32
    block_number: int = Field(ge=0, le=2**53 - 1)
    block_hash: Bytes32
    header: HexBytes
    """The block's, in RLP."""
    transaction_hash: Bytes32
    transaction_index: int = Field(ge=0, le=2**32)
    transaction: Included
    receipt: Included
    log_index: int = Field(ge=0, le=2**32)
    """Of the mint's event within the receipt: Minted, or ItemMinted."""

    @model_validator(mode="after")
    def _is_of_its_version(self) -> Self:
        of_item = (self.serial is not None, self.quantity is not None)
        if of_item != ((True, True) if self.version == ITEM_VERSION else (False, False)):
            raise ValueError("serial and quantity belong to version 2")
        return self

    def document(self) -> bytes:
        """Return the one JSON document of this receipt, without what it has not."""
        return canonical_json(self.model_dump(mode="json", exclude_none=True)).encode()


@dataclass(frozen=True, slots=True)
class Minted:
    """What the index and the metadata store know of a mint."""

    chain_id: int
    contract: str
    token_id: int
    metadata: str
    metadata_digest: bytes
    block_hash: bytes
    tx_hash: bytes
    serial: int | None = None
    """Of a mint of an item; `token_id` is the item's then."""


def prove_mint(minted: Minted, block: Json, receipts: Sequence[Any]) -> MintReceipt:
    """Make a mint's receipt of what a node answers for its block: with its transactions, and its receipts.

    Raises Unavailable if that does not add up to the block's hash, or holds no such mint: another node may
    do better, and one that has types of transactions that are not known here never will.
    """
    header = encodings.header(block)
    transactions = [encodings.transaction(_object(item)) for item in block.get("transactions") or []]
    index = next((i for i, raw in enumerate(transactions) if keccak256(raw) == minted.tx_hash), None)
    if keccak256(header) != minted.block_hash:
        raise Unavailable("the node's block does not add up to its hash")
    if index is None or len(receipts) != len(transactions):
        raise Unavailable("the node's block has not the mint's transaction, or not all receipts")
    encoded = [encodings.receipt(_object(item)) for item in receipts]
    by_transaction, by_receipt = prove(transactions, index), prove(encoded, index)
    fields = header_fields(header)
    if (by_transaction.root, by_receipt.root) != (fields[TRANSACTIONS_ROOT], fields[RECEIPTS_ROOT]):
        raise Unavailable("the node's transactions or receipts do not add up to the block's roots")
    event = _find_minted(minted, encoded[index])
    return MintReceipt(
        version=1 if event.quantity is None else ITEM_VERSION,
        chain_id=minted.chain_id,
        contract=minted.contract,
        token_id=minted.token_id,
        serial=minted.serial,
        quantity=event.quantity,
        to=event.to,
        metadata=minted.metadata,
        metadata_digest=minted.metadata_digest,
        block_number=int.from_bytes(fields[NUMBER], "big"),
        block_hash=minted.block_hash,
        header=header,
        transaction_hash=minted.tx_hash,
        transaction_index=index,
        transaction=Included(raw=transactions[index], proof=by_transaction.nodes),
        receipt=Included(raw=encoded[index], proof=by_receipt.nodes),
        log_index=event.log_index,
    )


class _Event(NamedTuple):
    log_index: int
    to: str
    quantity: int | None = None


def _find_minted(minted: Minted, receipt: bytes) -> _Event:
    for index, log in enumerate(logs_of(receipt)):
        if log.address != minted.contract:
            continue
        if minted.serial is not None:
            item_event = decode_item_minted(log)
            if item_event is not None and (item_event.serial, item_event.item_id) == (
                minted.serial,
                minted.token_id,
            ):
                return _Event(index, item_event.to, item_event.quantity)
        elif (event := decode_minted(log)) is not None and event.token_id == minted.token_id:
            return _Event(index, event.to)
    raise Unavailable("the node's receipt has not the mint's event")


def read_receipt(document: bytes) -> MintReceipt:
    """Return the receipt that a document holds; raises ReceiptRefused unless it is in its one form."""
    if len(document) > MOST_BYTES:
        raise ReceiptRefused("form", f"The document has more than {MOST_BYTES} bytes.")
    try:
        receipt = MintReceipt.model_validate(parse(document, what="The document"))
    except (NotJson, AmbiguousJson) as error:
        raise ReceiptRefused("form", str(error)) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ReceiptRefused("form", f"Not a mint's receipt: {where}: {first['msg']}.") from None
    if receipt.document() != document:
        raise ReceiptRefused(
            "form",
            "The document is not byte for byte what Mintline writes: canonical JSON without a line end.",
        )
    return receipt


def header_fields(header: bytes) -> list[bytes]:
    """Return the fields of a header in RLP, all of them bytes; raises ReceiptRefused."""
    try:
        fields = rlp_decode(header)
    except ValueError as error:
        raise ReceiptRefused("header", f"The header is malformed: {error}.") from None
    if not isinstance(fields, list) or len(fields) <= NUMBER:
        raise ReceiptRefused("header", "The header is malformed: it has too few fields.")
    return [_bytes(field, "header") for field in fields]


def receipt_fields(raw: bytes) -> list[Rlp]:
    """Return status, gas, bloom and logs of a receipt of any type; raises ReceiptRefused."""
    try:
        fields = rlp_decode(raw if raw[:1] >= b"\xc0" else raw[1:])
    except ValueError as error:
        raise ReceiptRefused("receipt", f"The receipt is malformed: {error}.") from None
    if not isinstance(fields, list) or len(fields) != 4:
        raise ReceiptRefused("receipt", "The receipt is malformed: it has not four fields.")
    return fields


def logs_of(raw: bytes) -> list[Log]:
    """Return a receipt's logs; what they do not hold themselves is left empty."""
    logs = receipt_fields(raw)[3]
    if not isinstance(logs, list):
        raise ReceiptRefused("receipt", "The receipt is malformed: it has no list of logs.")
    return [_log(log) for log in logs]


def _log(log: Rlp) -> Log:
    if not isinstance(log, list) or len(log) != 3 or not isinstance(log[1], list):
        raise ReceiptRefused("receipt", "The receipt is malformed: a log has not three fields.")
    address = _bytes(log[0], "receipt")
    if len(address) != 20:
        raise ReceiptRefused("receipt", "The receipt is malformed: a log's address has not 20 bytes.")
    return Log(
        address=checksummed("0x" + address.hex()),
        topics=tuple(_bytes(topic, "receipt") for topic in log[1]),
        data=_bytes(log[2], "receipt"),
        block_hash=b"",
        block_number=0,
        tx_hash=b"",
        log_index=0,
        removed=False,
    )


def _bytes(item: Rlp, check: str) -> bytes:
    if not isinstance(item, bytes):
        raise ReceiptRefused(check, f"The {check} is malformed: a list where bytes belong.")
    return item


def _object(value: Any) -> Json:
    if not isinstance(value, dict):
        raise Unavailable("the node answered something else for a transaction or a receipt")
    return value
