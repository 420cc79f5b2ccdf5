"""The committed gas table: measured on EthereumJS under the rules of two forks, and guarded against growth.

``UPDATE_GAS=1`` writes contracts/gas.json and contracts/GAS.md instead of comparing with them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from web3 import HTTPProvider, Web3
from web3.types import TxParams, Wei

from tests.integration.collection.clone_gas import CLONE_LABELS, gas_of_clones
from tests.integration.collection.conftest import Collection, deploy_collection
from tests.integration.collection.item_gas import ITEM_LABELS, gas_of_items
from tests.integration.conftest import forked_node

if TYPE_CHECKING:
    from eth_typing import ChecksumAddress

pytestmark = pytest.mark.integration

CONTRACTS = Path(__file__).resolve().parents[3] / "contracts"
PACKAGES = CONTRACTS.parent / "package.json"
TABLE, PAGE = CONTRACTS / "gas.json", CONTRACTS / "GAS.md"
ALLOWED_CHANGE = 0.02
UPDATING = os.environ.get("UPDATE_GAS") == "1"
HOW_TO_UPDATE = "UPDATE_GAS=1 .venv/bin/pytest tests/integration/collection/test_collection_gas.py"
BATCHES = (1, 10, 50, 100)
# Ids in the middle of a used 256-id slot of the "ever minted" bitmap: the steady state of sequential ids.
FIRST_ID = 4096 + 128

FORKS = ("osaka", "amsterdam")
CAP = 2**24
"""EIP-7825: the highest gas limit on Osaka. On Amsterdam gas for new state may come on top."""
LARGEST = {"osaka": CAP, "amsterdam": 40_000_000}
"""Gas limits of the largest transactions."""

LABELS = {
    "noop": "No-op: 0 wei to oneself",
    "top_up_known": "Top-up of a wallet that exists",
    "top_up_new": "Top-up of a new wallet",
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
    **CLONE_LABELS,
    **ITEM_LABELS,
}

PAGE_TEMPLATE = """\
# Gas

Gas used by whole transactions, their base and calldata included, under the rules of the forks Osaka and
Amsterdam, measured on EthereumJS {evm} (compiler {compiler}).
Amsterdam prices new state (EIP-8037): a new account 183,600 gas, a new slot 97,920.

Ids are sequential: 256 of them share the slot that marks them as minted, and the first of them pays
for it. Every row but the one that says so measures a later id.

| Transaction | Osaka | a token | Amsterdam | a token |
|---|--:|--:|--:|--:|
{rows}

On Osaka no transaction's gas limit may exceed 16,777,216 (EIP-7825). On Amsterdam that caps what a
transaction computes, and gas for new state comes on top: the deployment and large batches fit all the same.

Nothing in Mintline relies on these figures: every gas limit is the node's own estimate.

This page and `gas.json` are written by

    {command}

Without `UPDATE_GAS=1` the same test fails when a figure is off by more than 2 %. Another one compares the
Osaka column with anvil.
"""

Figures = dict[str, dict[str, int]]


def fresh_address(number: int) -> ChecksumAddress:
    return Web3.to_checksum_address(Web3.keccak(text=f"gas receiver {number}")[:20].to_0x_hex())


def figure(gas: int, mints: int = 1) -> dict[str, int]:
    return {"total": gas, "per_token": round(gas / mints)} if mints else {"total": gas}


def gas_of_redeem(
    collection: Collection, token_id: int, *, to: ChecksumAddress, sender: ChecksumAddress
) -> int:
    return collection.send(collection.redeeming(collection.voucher(token_id, to)), sender)["gasUsed"]


def gas_of_batch(collection: Collection, fork: str, first_id: int, receivers: list[ChecksumAddress]) -> int:
    requests = [
        (first_id + offset, to, bytes(Web3.keccak(text=f"metadata of {first_id + offset}")))
        for offset, to in enumerate(receivers)
    ]
    call = collection.functions.mintBatch(requests)
    return collection.send(call, collection.cast.relayer, gas=LARGEST[fork])["gasUsed"]


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


def measure_batches(collection: Collection, fork: str) -> Figures:
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
                    gas_of_batch(collection, fork, FIRST_ID + 1, addresses), size
                )
    return figures


def gas_of_transfer(collection: Collection, to: ChecksumAddress, value: int) -> int:
    params: TxParams = {"from": collection.cast.stranger, "to": to, "value": Wei(value), "gas": 300_000}
    receipt = collection.w3.eth.wait_for_transaction_receipt(collection.w3.eth.send_transaction(params))
    assert receipt["status"] == 1
    return receipt["gasUsed"]


def gas_of_deployment(collection: Collection, fork: str, artifact: dict[str, Any]) -> int:
    factory = collection.w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    cast = collection.cast
    arguments = ("Mintline", "MINT", "https://nft.example/metadata/", "https://nft.example/collection.json")
    sent = factory.constructor(*arguments, cast.admin, cast.issuer.address, cast.royalties, 500).transact(
        {"from": cast.stranger, "gas": LARGEST[fork]}
    )
    receipt = collection.w3.eth.wait_for_transaction_receipt(sent)
    assert receipt["status"] == 1
    return receipt["gasUsed"]


def measure(collection: Collection, fork: str, artifact: dict[str, Any]) -> Figures:
    """Every figure of one fork, by its name."""
    cast = collection.cast
    single = {
        "noop": gas_of_transfer(collection, cast.stranger, 0),
        "top_up_known": gas_of_transfer(collection, cast.alice, 1),
        "top_up_new": gas_of_transfer(collection, fresh_address(1_000), 1),
        "deploy": gas_of_deployment(collection, fork, artifact),
    }
    with collection.undone():
        redeemed = measure_redeem(collection)
    measured = {
        **{name: {"total": gas} for name, gas in single.items()},
        **redeemed,
        **measure_batches(collection, fork),
        **{name: figure(gas, mints) for name, (gas, mints) in gas_of_clones(collection.w3, LARGEST[fork])},
        **{name: figure(gas, mints) for name, (gas, mints) in gas_of_items(collection.w3, LARGEST[fork])},
    }
    assert set(measured) == set(LABELS)
    return {name: measured[name] for name in LABELS}


def committed() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table


def page_of(table: dict[str, Any]) -> str:
    """The readable page for a table."""
    rows = [f"| {label} | " + " | ".join(_cells(table, name)) + " |" for name, label in LABELS.items()]
    return PAGE_TEMPLATE.format(command=HOW_TO_UPDATE, rows="\n".join(rows), **table)


def _cells(table: dict[str, Any], name: str) -> Iterator[str]:
    for fork in FORKS:
        figures = table["figures"][fork][name]
        yield f"{figures['total']:,}"
        yield f"{figures['per_token']:,}" if "per_token" in figures else ""


def off(measured: Figures, expected: Figures, by: float) -> list[str]:
    """Name the figures that are off by more than a share of what is expected."""
    return [
        f"{name}: {expected[name]['total']:,} -> {now['total']:,}"
        for name, now in measured.items()
        if name not in expected or abs(now["total"] - expected[name]["total"]) > expected[name]["total"] * by
    ]


@pytest.fixture(scope="module", params=FORKS)
def forked(request: pytest.FixtureRequest, artifact: dict[str, Any]) -> Iterator[tuple[str, Collection]]:
    """A fork's name, and a collection on a chain under its rules."""
    fork: str = request.param
    with forked_node(fork) as url:
        yield fork, deploy_collection(Web3(HTTPProvider(url)), artifact)


def test_gas__when_measured_on_a_fork__then_no_figure_is_off_by_two_percent(
    forked: tuple[str, Collection], artifact: dict[str, Any]
) -> None:
    fork, collection = forked
    measured = measure(collection, fork, artifact)
    if UPDATING:
        before = committed()["figures"] if TABLE.exists() else {}
        table = {
            "compiler": artifact["compiler"],
            "evm": json.loads(PACKAGES.read_text(encoding="utf-8"))["devDependencies"]["@ethereumjs/vm"],
            "figures": {name: measured if name == fork else before.get(name, measured) for name in FORKS},
            "unit": "gas",
        }
        TABLE.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
        PAGE.write_text(page_of(table), encoding="utf-8")

    wrong = off(measured, committed()["figures"][fork], ALLOWED_CHANGE)

    assert not wrong, f"gas changed by over 2 % on {fork}: {'; '.join(wrong)}. To keep it: {HOW_TO_UPDATE}"


def test_gas__when_measured_on_anvil__then_the_osaka_column(
    collection: Collection, artifact: dict[str, Any]
) -> None:
    assert collection.rpc("anvil_nodeInfo")["hardFork"] == "Osaka"

    assert off(measure(collection, "osaka", artifact), committed()["figures"]["osaka"], ALLOWED_CHANGE) == []


def test_gas_page__when_compared_with_the_table__then_says_the_same() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(committed())


def test_batch_of_one_hundred__when_compared_with_the_chains_caps__then_fits() -> None:
    assert committed()["figures"]["osaka"]["batch_100_fresh"]["total"] < CAP
