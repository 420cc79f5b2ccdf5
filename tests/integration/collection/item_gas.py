"""What the ERC-1155 collections of a factory use in gas: rows of the gas table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from eth_account import Account
from web3 import Web3

from tests.integration.collection.clone_gas import BATCHES, FIRST_ID, deployment_gas, digest_of, fresh_address
from tests.integration.collection.conftest import FAR_FUTURE
from tests.integration.collection.items.conftest import deploy_items_factory

if TYPE_CHECKING:
    from tests.integration.collection.items.conftest import Items

HOLDER = Account.from_key(Web3.keccak(text="gas holder"))

ITEM_LABELS = {
    "deploy_items": "Deploy the implementation of ERC-1155 collections",
    **{f"items_{size}_fresh": f"Items: `mintBatch` of {size}, each to a new holder" for size in BATCHES},
    "items_100_holder": "Items: `mintBatch` of 100, all to one holder of the item",
    "items_100_new": "Items: `mintBatch` of 100, each of a new item to a new holder",
    "items_transfer": "Items: `safeTransferFrom`, by the holder, to a holder",
    "items_transfer_signed": "Items: `transferBySignature`, to a holder, the signer's second",
    "items_burn_signed": "Items: `burnBySignature`",
}


def gas_of_items(w3: Web3, largest: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each figure's name, its gas, and how many mints it is for (0: not told by mint)."""
    factory = deploy_items_factory(w3)
    arguments = (factory.contract.address,)
    yield "deploy_items", (deployment_gas(w3, "MintlineMultiToken", arguments, largest), 0)
    items = factory.create_items("plain")
    for size in BATCHES:
        yield f"items_{size}_fresh", (_batch(items, size, largest), size)
    yield "items_100_holder", (_batch(items, 100, largest, one_holder=True), 100)
    yield "items_100_new", (_batch(items, 100, largest, new_items=True), 100)
    yield from _moves(items)


def _batch(
    items: Items, size: int, largest: int, *, one_holder: bool = False, new_items: bool = False
) -> int:
    with items.undone():
        items.mint_items(items.request(FIRST_ID, 7, 1))
        requests = [
            (
                FIRST_ID + 1 + offset,
                1_000 + offset if new_items else 7,
                1,
                items.cast.alice if one_holder else fresh_address(offset),
                digest_of(offset),
            )
            for offset in range(size)
        ]
        return items.send(items.minting(*requests), items.cast.relayer, gas=largest)["gasUsed"]


def _moves(items: Items) -> Iterator[tuple[str, tuple[int, int]]]:
    alice, bob = items.cast.alice, items.cast.bob
    items.mint_items(
        items.request(1, 7, 9, alice), items.request(2, 7, 9, bob), items.request(3, 7, 9, HOLDER.address)
    )
    moved = items.send(items.functions.safeTransferFrom(alice, bob, 7, 1, b""), alice)
    yield "items_transfer", (moved["gasUsed"], 0)
    gas = 0
    for nonce in range(2):
        transfer = {
            "from": HOLDER.address,
            "to": bob,
            "id": 7,
            "value": 1,
            "nonce": nonce,
            "deadline": FAR_FUTURE,
        }
        signature = items.sign_typed("Transfer", transfer, HOLDER)
        call = items.functions.transferBySignature(*transfer.values(), signature)
        gas = items.send(call, items.cast.stranger)["gasUsed"]
    yield "items_transfer_signed", (gas, 0)
    burn = {"from": HOLDER.address, "id": 7, "value": 1, "nonce": 2, "deadline": FAR_FUTURE}
    call = items.functions.burnBySignature(*burn.values(), items.sign_typed("Burn", burn, HOLDER))
    yield "items_burn_signed", (items.send(call, items.cast.stranger)["gasUsed"], 0)
