"""Receipts of mints of ERC-1155 items: each mint has one of its own, with its serial and quantity."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mintline.canonical_json import digest_of
from mintline.chain.multi_token import ITEM_MINTED_TOPIC
from mintline.chain.multi_token_transfers import TRANSFER_SINGLE_TOPIC
from mintline.eth import address_word, keccak256, to_checksum_address, word
from mintline.metadata_versions import version_object_key
from mintline.proofs import encodings
from mintline.proofs.block_reader import WholeBlock
from mintline.proofs.mint_receipt import Minted, MintReceipt, ReceiptRefused, prove_mint, read_receipt
from mintline.proofs.receipt_checks import CHECKS
from mintline.records.operations import Mint
from mintline.states import MintStatus
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from tests.unit.api.test_api_collections import deployed
from tests.unit.api.test_api_receipts import BLOCK, Blocks, block_with, log_of
from tests.unit.api.test_items import OTHER, TEXT, mint, record

OPERATOR = to_checksum_address("0x" + "0e" * 20)
ITEM, SERIAL, QUANTITY = 7, 2, 3
DIGEST = digest_of(TEXT)


def minted_log(
    contract: str = CONTRACT, *, serial: int = SERIAL, quantity: int = QUANTITY, to: str = OTHER
) -> dict[str, Any]:
    topics = [ITEM_MINTED_TOPIC, word(serial), word(ITEM), address_word(to)]
    return log_of(topics, word(quantity) + DIGEST, contract)


def moved_log(contract: str = CONTRACT, *, quantity: int = QUANTITY, to: str = OTHER) -> dict[str, Any]:
    topics = [TRANSFER_SINGLE_TOPIC, address_word(OPERATOR), bytes(32), address_word(to)]
    return log_of(topics, word(ITEM) + word(quantity), contract)


def block_of(contract: str = CONTRACT) -> WholeBlock:
    """Return the block of a batch of two mints of the item, of which the second one counts."""
    first = (minted_log(contract, serial=1, quantity=1), moved_log(contract, quantity=1))
    return block_with(*first, minted_log(contract), moved_log(contract))


def minted_in(block: WholeBlock, contract: str = CONTRACT) -> Minted:
    return Minted(
        chain_id=CHAIN_ID,
        contract=contract,
        token_id=ITEM,
        metadata=TEXT,
        metadata_digest=DIGEST,
        block_hash=keccak256(encodings.header(block.block)),
        tx_hash=bytes.fromhex(block.block["transactions"][0]["hash"][2:]),
        serial=SERIAL,
    )


def check(document: bytes) -> MintReceipt:
    receipt = read_receipt(document)
    for check in CHECKS:
        check.run(receipt)
    return receipt


@pytest.fixture
def receipt() -> MintReceipt:
    block = block_of()
    return prove_mint(minted_in(block), *block)


def test_receipt__when_its_batch_has_several_mints_of_the_item__then_it_is_of_its_serials(
    receipt: MintReceipt,
) -> None:
    read = check(receipt.document())
    assert (read.version, read.serial, read.quantity, read.log_index) == (2, SERIAL, QUANTITY, 2)
    assert (read.token_id, read.to, read.metadata) == (ITEM, OTHER, TEXT)


def test_receipt__when_any_byte_is_changed__then_it_is_refused(receipt: MintReceipt) -> None:
    document = receipt.document()
    rng = random.Random(7)
    for place in range(len(document)):
        changed = bytes([document[place] ^ (1 << rng.randrange(8))])
        try:
            read = check(document[:place] + changed + document[place + 1 :])
        except ReceiptRefused:
            continue
        # Which chain it is, a node says.
        assert read.chain_id != receipt.chain_id, place


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"serial": 1}, "event"),
        ({"serial": 1, "quantity": 1}, "event"),
        ({"quantity": 4}, "event"),
        ({"token_id": 8}, "event"),
        ({"to": OPERATOR}, "event"),
        ({"contract": OPERATOR}, "event"),
        ({"log_index": 0}, "event"),
        ({"log_index": 3}, "event"),
        ({"log_index": 99}, "event"),
        ({"version": 1}, "form"),
        ({"serial": None}, "form"),
        ({"quantity": None}, "form"),
        ({"version": 1, "serial": None, "quantity": None}, "event"),
    ],
    ids=str,
)
def test_receipt__when_a_member_is_anothers__then_the_check_that_names_it_refuses(
    receipt: MintReceipt, changes: dict[str, Any], failed: str
) -> None:
    altered = receipt.model_copy(update=changes).document()
    with pytest.raises(ReceiptRefused) as refused:
        check(altered)
    assert refused.value.check == failed


@pytest.mark.parametrize(
    "after", [(), (moved_log(quantity=4),), (moved_log(to=OPERATOR),), (moved_log(OPERATOR),)], ids=str
)
def test_receipt__when_no_transfer_of_as_much_follows_the_event__then_it_is_refused(
    after: tuple[dict[str, Any], ...],
) -> None:
    block = block_with(minted_log(), *after)
    with pytest.raises(ReceiptRefused, match="No transfer of as many tokens"):
        check(prove_mint(minted_in(block), *block).document())


@pytest.fixture
def blocks(harness: Harness) -> Blocks:
    """Give the harness a chain, before its application is made."""
    harness.blocks = blocks = Blocks(block_of())
    return blocks


@pytest.fixture
async def collection(harness: Harness, blocks: Blocks, client: MemoryClient) -> str:
    """An ERC-1155 collection of the shop's, on that chain."""
    harness.clients.add("shop")
    return await deployed(harness, client, standard="erc1155")


async def finalized(harness: Harness, client: MemoryClient, blocks: Blocks, contract: str) -> Mint:
    """Return the second of two mints of the item, in a final block."""
    await mint(harness, client, contract, key="first")
    accepted = record(harness, await mint(harness, client, contract, key="second", quantity=str(QUANTITY)))
    assert accepted.token_id == SERIAL
    blocks.block = block_of(contract)
    minted = minted_in(blocks.block, contract)
    final = accepted.evolve(
        status=MintStatus.FINALIZED, tx_hash=minted.tx_hash, block_hash=minted.block_hash, block_number=BLOCK
    )
    harness.mints.items[final.mint_id] = final
    return final


async def ask(
    harness: Harness, client: MemoryClient, contract: str, mint_id: str | None, *, item: int = ITEM
) -> Answered:
    query = "" if mint_id is None else f"?mint={mint_id}"
    path = f"/v1/tokens/{contract}/{item}/proof{query}"
    return await client.request("GET", path, headers=harness.client_headers())


async def test_proof__when_it_names_a_final_mint_of_the_item__then_its_receipt_stands_without_the_api(
    harness: Harness, blocks: Blocks, client: MemoryClient, collection: str
) -> None:
    mint = await finalized(harness, client, blocks, collection)

    for _ in range(2):
        response = await ask(harness, client, collection, mint.mint_id)
        assert response.status == 200, response.body
        receipt = check(response.body)

    assert (receipt.contract, receipt.token_id, receipt.serial) == (collection, ITEM, SERIAL)
    assert (receipt.quantity, receipt.to, receipt.metadata) == (QUANTITY, OTHER, TEXT)
    assert len(blocks.requested) == 1


async def test_proof__when_the_item_has_other_metadata_by_now__then_the_receipt_has_what_was_minted(
    harness: Harness, blocks: Blocks, client: MemoryClient, collection: str
) -> None:
    mint = await finalized(harness, client, blocks, collection)
    [first] = await harness.index.versions.versions(collection, ITEM)
    harness.index.versions.add(first.evolve(version=2, digest=bytes(32)))

    assert check((await ask(harness, client, collection, mint.mint_id)).body).metadata == TEXT


NONE: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"status": MintStatus.REJECTED}, (404, "no-receipt")),
    ({"status": MintStatus.REVERTED}, (404, "no-receipt")),
    ({"block_number": 41}, (409, "receipt-not-final")),
    (
        {"status": MintStatus.ACCEPTED, "tx_hash": None, "block_hash": None, "block_number": None},
        (409, "receipt-not-final"),
    ),
    ({"sub": "someone", "client_id": "other"}, (404, "unknown-mint")),
    ({"item_id": 8}, (404, "unknown-mint")),
    ({"contract": CONTRACT}, (404, "unknown-mint")),
]
"""Mints without a receipt, and what is said of them."""


async def test_proof__when_the_mint_has_none__then_the_problem_says_why(
    harness: Harness, blocks: Blocks, client: MemoryClient, collection: str
) -> None:
    mint = await finalized(harness, client, blocks, collection)
    for changes, expected in NONE:
        harness.mints.items[mint.mint_id] = mint.evolve(**changes)
        response = await ask(harness, client, collection, mint.mint_id)
        assert (response.status, response.json()["code"]) == expected, changes
    assert blocks.requested == []


async def test_proof__when_it_names_no_mint_or_an_unknown_one__then_refused(
    harness: Harness, blocks: Blocks, client: MemoryClient, collection: str
) -> None:
    mint = await finalized(harness, client, blocks, collection)

    unnamed = await ask(harness, client, collection, None)
    assert (unnamed.status, unnamed.json()["code"]) == (422, "wrong-standard")
    [error] = unnamed.json()["errors"]
    assert error["parameter"] == "mint"
    unknown = await ask(harness, client, collection, "mint_unknown")
    assert (unknown.status, unknown.json()["code"]) == (404, "unknown-mint")
    other = await ask(harness, client, CONTRACT, mint.mint_id)
    assert (other.status, other.json()["code"]) == (422, "wrong-standard")


async def test_proof__when_the_items_metadata_is_gone__then_it_is_told_apart_from_a_missing_receipt(
    harness: Harness, blocks: Blocks, client: MemoryClient, collection: str
) -> None:
    mint = await finalized(harness, client, blocks, collection)
    del harness.metadata.objects[version_object_key(CHAIN_ID, collection, ITEM, DIGEST)]

    response = await ask(harness, client, collection, mint.mint_id)

    assert (response.status, response.json()["code"]) == (502, "metadata-altered")
