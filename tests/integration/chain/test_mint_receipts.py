"""Receipts of mints, made of blocks of a real node that hold transactions of every type."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32

from mintline.canonical_json import canonical_json, digest_of
from mintline.chain import collection
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.errors import Unavailable
from mintline.eth import GWEI, keccak256, redeem_calldata, to_checksum_address, voucher_hash
from mintline.proofs.block_reader import BlockReader, WholeBlock
from mintline.proofs.mint_receipt import Minted, MintReceipt, ReceiptRefused, prove_mint, read_receipt
from mintline.proofs.receipt_checks import CHAIN_CHECKS, CHECKS
from mintline_testkit.constants import CHAIN_ID

pytestmark = pytest.mark.integration

RICH = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
METADATA = canonical_json({"name": "Étoile", "image": "https://example.com/1.png"})
TOKEN_ID = 7
FEES: dict[str, Any] = {"maxFeePerGas": 10 * GWEI, "maxPriorityFeePerGas": GWEI}


def of_every_type(accounts: list[LocalAccount], *, contract: str, data: bytes) -> list[bytes]:
    """Return signed transactions of all types but blobs', whose proofs take minutes; the last one mints."""
    common: dict[str, Any] = {
        "chainId": CHAIN_ID,
        "nonce": 0,
        "gas": 60_000,
        "to": "0x" + "11" * 20,
        "value": 0,
    }
    access = [{"address": "0x" + "22" * 20, "storageKeys": ["0x" + "33" * 32]}]
    authority = Account.create()
    delegation = authority.sign_authorization({"chainId": CHAIN_ID, "address": "0x" + "44" * 20, "nonce": 0})
    minter = {**common, **FEES, "type": 2, "to": contract, "gas": 300_000, "data": data}
    transactions = [
        {**common, "gasPrice": 9 * GWEI},
        {**common, "type": 1, "gasPrice": 8 * GWEI, "accessList": access, "value": 5},
        {**common, **FEES, "type": 2, "data": b"\1\2\3", "accessList": access},
        {**common, **FEES, "type": 4, "authorizationList": [delegation]},
        minter,
    ]
    return [
        bytes(account.sign_transaction(transaction).raw_transaction)
        for account, transaction in zip(accounts, transactions, strict=True)
    ]


@dataclass(frozen=True)
class Chain:
    """A chain on which a token was minted among transactions of every type."""

    url: str
    rpc: Rpc
    block: WholeBlock
    minted: Minted
    receipt: MintReceipt


@pytest.fixture
async def chain(anvil_automine: str) -> AsyncIterator[Chain]:
    rpc = Rpc([anvil_automine])
    try:
        yield await minted_among_others(rpc, anvil_automine)
    finally:
        await rpc.aclose()


async def receipt_of(rpc: Rpc, tx_hash: bytes) -> dict[str, Any]:
    """Return a receipt once the transaction's block is mined, which is after the answer to its sender."""
    async with asyncio.timeout(30):
        while (receipt := await rpc.call("eth_getTransactionReceipt", ["0x" + tx_hash.hex()])) is None:  # noqa: ASYNC110 - the node mines
            await asyncio.sleep(0.05)
    return dict(receipt)


async def minted_among_others(rpc: Rpc, url: str) -> Chain:
    rich = Account.from_key(RICH)
    code = collection.creation_code(
        name="N",
        symbol="S",
        base_uri="https://example.com/",
        contract_uri="https://example.com/c",
        admin=rich.address,
        issuer=rich.address,
        royalty_receiver=rich.address,
        royalty_bps=0,
    )
    deploying = {
        "type": 2,
        "chainId": CHAIN_ID,
        "nonce": 0,
        "gas": 5_000_000,
        "value": 0,
        "data": code,
        **FEES,
    }
    raw = bytes(rich.sign_transaction(deploying).raw_transaction)
    await rpc.call("eth_sendRawTransaction", ["0x" + raw.hex()])
    contract = to_checksum_address((await receipt_of(rpc, keccak256(raw)))["contractAddress"])
    accounts = [Account.create() for _ in range(5)]
    for account in accounts:
        await rpc.call("anvil_setBalance", [account.address, hex(10**18)])
    fields: dict[str, Any] = {
        "token_id": TOKEN_ID,
        "to": accounts[4].address,
        "metadata_digest": digest_of(METADATA),
        "deadline": 10**11,
    }
    digest = voucher_hash(chain_id=CHAIN_ID, contract=contract, **fields)
    signature = bytes(rich.unsafe_sign_hash(Hash32(digest)).signature)
    raws = of_every_type(accounts, contract=contract, data=redeem_calldata(**fields, signature=signature))
    await rpc.call("evm_setAutomine", [False])
    for raw in raws:
        await rpc.call("eth_sendRawTransaction", ["0x" + raw.hex()])
    await rpc.call("anvil_mine", ["0x1"])
    await rpc.call("anvil_mine", ["0x5"])
    tx_hash = keccak256(raws[4])
    mined = await rpc.call("eth_getTransactionReceipt", ["0x" + tx_hash.hex()])
    block_hash = bytes.fromhex(mined["blockHash"][2:])
    block = await BlockReader(rpc).whole_block(block_hash)
    minted = Minted(
        chain_id=CHAIN_ID,
        contract=contract,
        token_id=TOKEN_ID,
        metadata=METADATA,
        metadata_digest=fields["metadata_digest"],
        block_hash=block_hash,
        tx_hash=tx_hash,
    )
    return Chain(url, rpc, block, minted, prove_mint(minted, *block))


async def verify(document: bytes, node: Node | None = None) -> None:
    """Check a document as the command does; without a node, take its chain as the one that was asked."""
    receipt = read_receipt(document)
    for check in CHECKS:
        check.run(receipt)
    if node is not None:
        for chain_check in CHAIN_CHECKS:
            await chain_check.run(receipt, node)
    elif receipt.chain_id != CHAIN_ID:
        raise ReceiptRefused("chain", "another chain")


async def test_receipt__when_its_block_has_every_type_of_transaction__then_all_checks_pass(
    chain: Chain,
) -> None:
    types = {int(item["type"], 16) for item in chain.block.block["transactions"]}
    assert types == {0, 1, 2, 4}
    await verify(chain.receipt.document(), Node(chain.rpc))
    # Each of the block's transactions and receipts is where its trie has it: an index proves any of them.
    for item in chain.block.block["transactions"]:
        other = replace(chain.minted, tx_hash=bytes.fromhex(item["hash"][2:]))
        if other.tx_hash != chain.minted.tx_hash:
            with pytest.raises(Unavailable, match="not the mint's event"):
                prove_mint(other, *chain.block)


async def test_receipt__when_any_byte_is_changed__then_it_is_refused(chain: Chain) -> None:
    document = chain.receipt.document()
    rng = random.Random(7)
    for place in range(len(document)):
        for changed in {document[place] ^ 1, rng.randrange(256)} - {document[place]}:
            altered = document[:place] + bytes([changed]) + document[place + 1 :]
            with pytest.raises(ReceiptRefused):
                await verify(altered)
    for altered in (document + b"\n", document[:-1], b" " + document, document * 2, b"", b"[" * 5000):
        with pytest.raises(ReceiptRefused):
            await verify(altered)


async def test_receipt__when_a_member_is_anothers__then_the_check_that_names_it_refuses(chain: Chain) -> None:
    receipt = chain.receipt
    other = Account.create().address
    included = receipt.transaction
    for changes, check in (
        ({"metadata": METADATA.replace("1.png", "2.png")}, "metadata"),
        ({"metadata_digest": bytes(32)}, "metadata"),
        ({"metadata": "{}", "metadata_digest": digest_of("{}")}, "event"),
        ({"block_number": receipt.block_number + 1}, "header"),
        ({"block_hash": bytes(32)}, "header"),
        ({"header": receipt.header + b"\0"}, "header"),
        ({"transaction_hash": bytes(32)}, "transaction"),
        ({"transaction_index": receipt.transaction_index + 1}, "transaction"),
        ({"transaction": included.evolve(proof=included.proof[:-1])}, "transaction"),
        ({"transaction": included.evolve(proof=(*included.proof, b"\1"))}, "transaction"),
        ({"receipt": receipt.receipt.evolve(proof=included.proof)}, "receipt"),
        ({"receipt": receipt.receipt.evolve(raw=b"\2")}, "receipt"),
        ({"contract": other}, "event"),
        ({"to": other}, "event"),
        ({"token_id": TOKEN_ID + 1}, "event"),
        ({"log_index": 0}, "event"),
        ({"log_index": 99}, "event"),
    ):
        with pytest.raises(ReceiptRefused) as refused:
            await verify(receipt.evolve(**changes).document())
        assert refused.value.check == check, changes


async def test_receipt__when_the_node_is_of_another_chain_or_branch__then_the_chain_checks_refuse(
    chain: Chain,
) -> None:
    receipt, node = chain.receipt, Node(chain.rpc)
    [of_chain, canonical, final] = CHAIN_CHECKS
    with pytest.raises(ReceiptRefused, match="serves chain 31337, not 1"):
        await of_chain.run(receipt.evolve(chain_id=1), node)
    for number in (receipt.block_number - 1, 10**6):
        with pytest.raises(ReceiptRefused, match="not this chain"):
            await canonical.run(receipt.evolve(block_number=number), node)
    with pytest.raises(ReceiptRefused, match="could still undo"):
        await final.run(receipt.evolve(block_number=10**6), node)


async def test_proof__when_a_node_answers_something_else__then_none_is_made(chain: Chain) -> None:
    block, receipts = chain.block
    altered_header = {**block, "gasUsed": "0x1"}
    fewer = {**block, "transactions": block["transactions"][:-1]}
    lying = [{**receipts[0], "status": "0x0"}, *receipts[1:]]
    unknown = {**block, "transactions": [{**block["transactions"][0], "type": "0x7e"}]}
    for response in (
        WholeBlock(altered_header, receipts),
        WholeBlock(fewer, receipts[:-1]),
        WholeBlock(block, receipts[:-1]),
        WholeBlock(block, lying),
        WholeBlock(unknown, receipts),
        WholeBlock(block, [None] * len(receipts)),
    ):
        with pytest.raises(Unavailable):
            prove_mint(chain.minted, *response)
    for missing in (bytes(32), b"\1" * 32):
        with pytest.raises(Unavailable):
            await BlockReader(chain.rpc).whole_block(missing)


async def test_verify__when_the_command_has_file_and_node__then_a_line_a_check_and_its_exit_code(
    chain: Chain, tmp_path: Path
) -> None:
    file = tmp_path / "receipt.json"
    file.write_bytes(chain.receipt.document())

    async def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [str(Path(sys.executable).with_name("mintline")), "verify", *arguments]
        return await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, check=False)

    good = await run(str(file), "--rpc", chain.url)
    assert good.returncode == 0, good
    lines = [line.split()[0] for line in good.stdout.splitlines()[:-1]]
    names = ["form", *(check.name for check in CHECKS), *(check.name for check in CHAIN_CHECKS)]
    assert lines == names
    assert good.stdout.splitlines()[-1] == f"{file} is verified"

    document = bytearray(file.read_bytes())
    place = document.index(b'"header":"0x') + 200  # a digit of the header's state root
    document[place] = ord("1" if document[place] == ord("0") else "0")
    file.write_bytes(document)
    bad = await run(str(file), "--rpc", chain.url, "--json")
    assert bad.returncode == 1
    result = json.loads(bad.stdout)
    assert (result["verified"], result["failed"]["check"]) == (False, "header")
    assert [item["check"] for item in result["passed"]] == ["form", "metadata"]
    assert "not verified: header" in bad.stderr

    file.write_bytes(chain.receipt.document())
    away, without = await asyncio.gather(run(str(file), "--rpc", "http://127.0.0.1:9"), run(str(file)))
    assert (away.returncode, without.returncode) == (1, 2)
    assert "error:" in away.stderr
