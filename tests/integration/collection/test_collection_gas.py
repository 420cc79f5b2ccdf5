"""The committed gas table: measured on anvil, and guarded against growth.

``UPDATE_GAS=1`` writes contracts/gas.json and contracts/GAS.md instead of comparing with them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from web3 import Web3

if TYPE_CHECKING:
    from eth_typing import ChecksumAddress

    from tests.integration.collection.conftest import Collection

pytestmark = pytest.mark.integration

CONTRACTS = Path(__file__).resolve().parents[3] / "contracts"
TABLE, PAGE = CONTRACTS / "gas.json", CONTRACTS / "GAS.md"
ALLOWED_GROWTH = 0.02
UPDATING = os.environ.get("UPDATE_GAS") == "1"
HOW_TO_UPDATE = "UPDATE_GAS=1 .venv/bin/pytest tests/integration/collection/test_collection_gas.py"
BATCHES = (1, 10, 50, 100)
# Ids in the middle of a used 256-id slot of the "ever minted" bitmap: the steady state of sequential ids.
FIRST_ID = 4096 + 128

LABELS = {
    "deploy": "Deploy the collection",
    "redeem_self_fresh": "`redeem`, sent by the receiver, its first token",
    "redeem_self_holder": "`redeem`, sent by the receiver, a holder already",
    "redeem_other_fresh": "`redeem`, sent by another account, the receiver's first token",
    "redeem_other_holder": "`redeem`, sent by another account, a holder already",
    "redeem_new_slot": "`redeem`, sent by the receiver, its first token, first of 256 ids (1 in 256)",
    "transfer": "`transferFrom`, by the owner, to a holder",
    "burn": "`burn`, by the owner, a holder of more",
    **{f"batch_{size}_fresh": f"`mintBatch` of {size}, each to a new holder" for size in BATCHES},
    **{f"batch_{size}_holder": f"`mintBatch` of {size}, all to one holder" for size in BATCHES},
}

PAGE_TEMPLATE = """\
# Gas

Gas used by whole transactions, the base 21,000 and calldata included, measured on anvil
(hard fork {hardfork}, compiler {compiler}).

Ids are sequential: 256 of them share the slot that marks them as minted, and the first of them pays
for it. Every row but the one that says so measures a later id.

| Transaction | Gas | Gas per token |
|---|--:|--:|
{rows}

This page and `gas.json` are written by

    {command}

Without `UPDATE_GAS=1` the same test fails when a figure is off by more than 2 %.
"""

Figures = dict[str, dict[str, int]]


def fresh_address(number: int) -> ChecksumAddress:
    return Web3.to_checksum_address(Web3.keccak(text=f"gas receiver {number}")[:20].to_0x_hex())


def figure(gas: int, mints: int = 1) -> dict[str, int]:
    return {"total": gas, "per_token": round(gas / mints)}


def gas_of_redeem(
    collection: Collection, token_id: int, *, to: ChecksumAddress, sender: ChecksumAddress
) -> int:
    return collection.send(collection.redeeming(collection.voucher(token_id, to)), sender)["gasUsed"]


def gas_of_batch(collection: Collection, first_id: int, receivers: list[ChecksumAddress]) -> int:
    requests = [
        (first_id + offset, to, bytes(Web3.keccak(text=f"metadata of {first_id + offset}")))
        for offset, to in enumerate(receivers)
    ]
    call = collection.functions.mintBatch(requests)
    return collection.send(call, collection.cast.relayer, gas=12_000_000)["gasUsed"]


def measure_redeem(collection: Collection) -> Figures:
    alice, bob, stranger = collection.cast.alice, collection.cast.bob, collection.cast.stranger
    collection.mint(FIRST_ID, collection.cast.admin)
    gas = {
        "redeem_self_fresh": gas_of_redeem(collection, FIRST_ID + 1, to=alice, sender=alice),
        "redeem_self_holder": gas_of_redeem(collection, FIRST_ID + 2, to=alice, sender=alice),
        "redeem_other_fresh": gas_of_redeem(collection, FIRST_ID + 3, to=bob, sender=stranger),
        "redeem_other_holder": gas_of_redeem(collection, FIRST_ID + 4, to=bob, sender=stranger),
        "redeem_new_slot": gas_of_redeem(collection, 2 * FIRST_ID, to=stranger, sender=stranger),
        "transfer": collection.send(collection.functions.transferFrom(alice, bob, FIRST_ID + 1), alice)[
            "gasUsed"
        ],
        "burn": collection.send(collection.functions.burn(FIRST_ID + 3), bob)["gasUsed"],
    }
    return {name: figure(used) for name, used in gas.items()}


def measure_batches(collection: Collection) -> Figures:
    figures: Figures = {}
    collection.mint(FIRST_ID, collection.cast.alice)
    for size in BATCHES:
        receivers = {
            "fresh": [fresh_address(number) for number in range(size)],
            "holder": [collection.cast.alice] * size,
        }
        for kind, addresses in receivers.items():
            with collection.undone():
                figures[f"batch_{size}_{kind}"] = figure(
                    gas_of_batch(collection, FIRST_ID + 1, addresses), size
                )
    return figures


def gas_of_deployment(collection: Collection, artifact: dict[str, Any]) -> int:
    factory = collection.w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    cast = collection.cast
    arguments = ("Mintline", "MINT", "https://nft.example/metadata/", "https://nft.example/collection.json")
    sent = factory.constructor(*arguments, cast.admin, cast.issuer.address, cast.royalties, 500).transact(
        {"from": cast.stranger, "gas": 6_000_000}
    )
    return collection.w3.eth.wait_for_transaction_receipt(sent)["gasUsed"]


def page_of(table: dict[str, Any]) -> str:
    """The readable page for a table."""
    rows = [
        f"| {LABELS[name]} | {figures['total']:,} | "
        + (f"{figures['per_token']:,} |" if "per_token" in figures else "|")
        for name, figures in table["figures"].items()
    ]
    return PAGE_TEMPLATE.format(command=HOW_TO_UPDATE, rows="\n".join(rows), **table)


def test_gas__when_measured__then_no_figure_grew_over_two_percent(
    collection: Collection, artifact: dict[str, Any]
) -> None:
    deployment = {"total": gas_of_deployment(collection, artifact)}
    with collection.undone():
        redeemed = measure_redeem(collection)
    measured: Figures = {"deploy": deployment, **redeemed, **measure_batches(collection)}
    assert set(measured) == set(LABELS)
    table = {
        "compiler": artifact["compiler"],
        "figures": {name: measured[name] for name in LABELS},
        "hardfork": collection.rpc("anvil_nodeInfo")["hardFork"],
        "unit": "gas",
    }
    if UPDATING:
        TABLE.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
        PAGE.write_text(page_of(table), encoding="utf-8")

    committed: Figures = json.loads(TABLE.read_text(encoding="utf-8"))["figures"]

    grown = [
        f"{name}: {committed[name]['total']:,} -> {now['total']:,}"
        for name, now in measured.items()
        if name not in committed or now["total"] > committed[name]["total"] * (1 + ALLOWED_GROWTH)
    ]
    assert not grown, f"gas grew over 2 %: {'; '.join(grown)}. If that is meant: {HOW_TO_UPDATE}"
    shrunk = [
        name
        for name, now in measured.items()
        if now["total"] < committed[name]["total"] * (1 - ALLOWED_GROWTH)
    ]
    assert not shrunk, f"gas fell over 2 % ({', '.join(shrunk)}): keep the gain with {HOW_TO_UPDATE}"


def test_gas_page__when_compared_with_the_table__then_says_the_same() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(json.loads(TABLE.read_text(encoding="utf-8")))


def test_batch_of_one_hundred__when_compared_with_the_chains_caps__then_fits() -> None:
    figures: Figures = json.loads(TABLE.read_text(encoding="utf-8"))["figures"]

    # EIP-7825: a transaction uses at most 2^24 gas.
    assert figures["batch_100_fresh"]["total"] < 2**24
