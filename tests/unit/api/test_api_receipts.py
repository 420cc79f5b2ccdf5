"""The receipt of a mint over HTTP; the chain's own blocks are in tests/integration/chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mintline.canonical_json import canonical_json, digest_of
from mintline.chain.collection import MINTED_TOPIC, TRANSFER_TOPIC
from mintline.errors import Unavailable
from mintline.eth import address_word, keccak256, word
from mintline.proofs import encodings
from mintline.proofs.block_reader import WholeBlock
from mintline.proofs.mint_receipt import read_receipt
from mintline.proofs.receipt_checks import CHECKS
from mintline.proofs.trie import prove
from mintline.records.index import Token, Transfer
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT

OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
TEXT = canonical_json({"name": "Aurora #7", "image": "ar://" + "x" * 43})
PROOF = f"/v1/tokens/{CONTRACT}/7/proof"
BLOCK = 39
ZEROS = "0x" + "00" * 32


def hexed(data: bytes) -> str:
    return "0x" + data.hex()


def block_of_mint() -> WholeBlock:
    """Return a block with one transaction, which minted token 7."""
    moved = [TRANSFER_TOPIC, bytes(32), address_word(OWNER), word(7)]
    minted = [MINTED_TOPIC, word(7), address_word(OWNER)]
    return block_with(log_of(moved, b""), log_of(minted, digest_of(TEXT)))


def log_of(topics: list[bytes], data: bytes, contract: str = CONTRACT) -> dict[str, Any]:
    """Return a log as a node tells it."""
    return {"address": contract, "topics": [hexed(topic) for topic in topics], "data": hexed(data)}


def block_with(*logs: dict[str, Any]) -> WholeBlock:
    """Return a block with one transaction, which has these logs."""
    transaction = {
        "type": "0x2",
        "chainId": hex(CHAIN_ID),
        **dict.fromkeys(("nonce", "maxPriorityFeePerGas", "value", "v", "r", "s"), "0x1"),
        **dict.fromkeys(("maxFeePerGas", "gas"), "0x5"),
        "to": CONTRACT,
        "input": "0x",
        "accessList": [],
    }
    transaction["hash"] = hexed(keccak256(encodings.transaction(transaction)))
    bloom = "0x" + "00" * 256
    receipt = {
        "type": "0x2",
        "status": "0x1",
        "cumulativeGasUsed": "0x9",
        "logsBloom": bloom,
        "logs": list(logs),
    }
    block = {
        **dict.fromkeys(("parentHash", "sha3Uncles", "stateRoot", "mixHash"), ZEROS),
        **dict.fromkeys(("difficulty", "gasLimit", "gasUsed", "timestamp"), "0x7"),
        "miner": "0x" + "00" * 20,
        "transactionsRoot": hexed(prove([encodings.transaction(transaction)], 0).root),
        "receiptsRoot": hexed(prove([encodings.receipt(receipt)], 0).root),
        "logsBloom": bloom,
        "number": hex(BLOCK),
        "extraData": "0x",
        "nonce": "0x0000000000000000",
        "transactions": [transaction],
    }
    return WholeBlock(block, [receipt])


@dataclass
class Blocks:
    """The one block of the chain."""

    block: WholeBlock
    failure: Exception | None = None
    requested: list[bytes] = field(default_factory=list)

    async def whole_block(self, block_hash: bytes) -> WholeBlock:
        self.requested.append(block_hash)
        if self.failure is not None:
            raise self.failure
        return self.block


@pytest.fixture
def blocks(harness: Harness) -> Blocks:
    """Give the harness a token that was minted in a final block."""
    block = block_of_mint()
    transaction: Mapping[str, Any] = block.block["transactions"][0]
    tx_hash = bytes.fromhex(transaction["hash"][2:])
    token = Token(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=7,
        owner=None,
        metadata_digest=digest_of(TEXT),
        mint_id=None,
        minted_block=BLOCK,
        block_number=44,
        tx_hash=bytes(32),
    )
    harness.index.tokens[CONTRACT, 7] = token
    transfer = Transfer(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=7,
        sender=None,
        recipient=OWNER,
        block_number=BLOCK,
        block_hash=keccak256(encodings.header(block.block)),
        log_index=0,
        tx_hash=tx_hash,
        timestamp=1,
    )
    # It was passed on within the block, and burned since.
    passed_on = transfer.model_copy(update={"sender": OWNER, "log_index": 5, "tx_hash": bytes(32)})
    burned = transfer.model_copy(update={"sender": OWNER, "recipient": None, "block_number": 44})
    harness.index.events += [transfer, passed_on, burned]
    harness.metadata.objects[f"{CHAIN_ID}/{CONTRACT}/7.json"] = TEXT.encode()
    harness.blocks = Blocks(block)
    return harness.blocks


async def test_proof__when_the_mint_is_final__then_its_receipt_stands_without_the_api(
    harness: Harness, blocks: Blocks
) -> None:
    async with MemoryClient(harness.app()) as client:
        response = await client.request("GET", PROOF, headers=harness.headers())
        assert response.status == 200, response.body
        receipt = read_receipt(response.body)
        for check in CHECKS:
            check.run(receipt)
        assert (receipt.metadata, receipt.to, receipt.block_number) == (TEXT, OWNER, BLOCK)

        headers = {**harness.headers(), "If-None-Match": response.headers["etag"]}
        assert (await client.request("GET", PROOF, headers=headers)).status == 304
        assert blocks.requested == [receipt.block_hash]
        assert (await client.request("GET", PROOF)).status == 401


@pytest.mark.parametrize(
    ("changes", "metadata", "expected"),
    [
        ({"minted_block": 41}, TEXT, (409, "receipt-not-final")),
        ({"metadata_digest": None}, TEXT, (404, "no-receipt")),
        ({}, None, (404, "no-receipt")),
        ({"minted_block": 38}, TEXT, (404, "no-receipt")),
        ({}, "{}", (502, "metadata-altered")),
    ],
)
async def test_proof__when_there_is_none__then_the_problem_says_why(
    harness: Harness,
    blocks: Blocks,
    changes: dict[str, Any],
    metadata: str | None,
    expected: tuple[int, str],
) -> None:
    token = harness.index.tokens[CONTRACT, 7]
    harness.index.tokens[CONTRACT, 7] = token.model_copy(update=changes)
    harness.metadata.objects.clear()
    if metadata is not None:
        harness.metadata.objects[f"{CHAIN_ID}/{CONTRACT}/7.json"] = metadata.encode()
    async with MemoryClient(harness.app()) as client:
        response = await client.request("GET", PROOF, headers=harness.headers())
        assert (response.status, response.json()["code"]) == expected
        path = f"/v1/tokens/{CONTRACT}/8/proof"
        response = await client.request("GET", path, headers=harness.headers())
        assert (response.status, response.json()["code"]) == (404, "unknown-token")
    assert blocks.requested == []


async def test_proof__when_no_node_gives_the_block__then_it_is_unavailable(
    harness: Harness, blocks: Blocks
) -> None:
    blocks.failure = Unavailable("the node said <something> of its own")
    async with MemoryClient(harness.app()) as client:
        response = await client.request("GET", PROOF, headers=harness.headers())
        assert (response.status, response.json()["code"]) == (503, "receipt-unavailable")
        assert b"something" not in response.body
        assert response.headers["retry-after"] == "10"
        blocks.failure = None
        assert (await client.request("GET", PROOF, headers=harness.headers())).status == 200

    harness.blocks, harness.registry = None, CollectorRegistry()
    async with MemoryClient(harness.app()) as client:
        response = await client.request("GET", PROOF, headers=harness.headers())
    assert (response.status, response.json()["code"]) == (503, "receipt-unavailable")
