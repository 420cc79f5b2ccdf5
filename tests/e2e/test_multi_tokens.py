"""ERC-1155 collections on the whole stack: items minted, dropped, sent and burned."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mintline.chain.calls import Call
from mintline.eth import address_word, keccak256, selector, to_checksum_address, word
from mintline_ops import reconcile
from mintline_ops.deployments import target_of_local_stack
from tests.e2e.conftest import listed, metadata
from tests.e2e.test_collections import change, command, create, mint, refused, shop
from tests.e2e.test_drops import Drop
from tests.e2e.test_transfers import follow, post

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness, User

__all__ = ["shop"]

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

ITEM = "7"
POTION = metadata("A potion")
WITHIN = 180.0


async def balance(harness: Harness, contract: str, wallet: str, item: str = ITEM) -> int:
    data = selector("balanceOf(address,uint256)") + address_word(wallet) + word(int(item))
    return int.from_bytes(await harness.node.call(Call(sender=wallet, to=contract, data=data)), "big")


async def mint_item(client: User, contract: str, wallet: str, **fields: Any) -> Any:
    named = {"token_id": ITEM, "metadata": POTION, "recipient": {"address": wallet}, **fields}
    return await mint(client, contract, **named)


async def move(user: User, path: str, **body: Any) -> Any:
    view = await post(user, path, **body)
    assert view["paid_by"] == "relayer"
    return view


async def check_queries(client: User, contract: str, wallets: list[str]) -> None:
    """Hold what the index says against four tokens of the item in one wallet, and five in the other."""
    token = await client.client.tokens.get(contract, ITEM)
    assert (token["standard"], token["supply"], token["owner"], token["burned"]) == (
        "erc1155",
        "9",
        None,
        False,
    )
    tokens = await listed(client.client.collections.tokens(contract))
    assert [(token["token_id"], token["supply"]) for token in tokens] == [("7", "9"), ("8", "1")]
    holders = await listed(client.client.tokens.holders(contract, ITEM))
    assert {holder["owner"]: holder["quantity"] for holder in holders} == dict(
        zip(wallets, "45", strict=True)
    )
    owned = await listed(client.client.tokens.owned_by(wallets[0], contract=contract))
    assert [(owned_token["token_id"], owned_token["quantity"]) for owned_token in owned] == [
        ("7", "4"),
        ("8", "1"),
    ]
    of_item = await client.client.tokens.balance(wallets[1], contract, ITEM)
    assert (of_item["balance"], of_item["quantity"]) == (1, "5")
    moved = await listed(client.client.tokens.transfers(contract, ITEM))
    kinds = [(move["from"] is None, move["to"] is None, move["quantity"]) for move in moved]
    assert sorted(kinds) == [
        (False, False, "1"),
        (False, True, "1"),
        *[(True, False, "2")] * 2,
        *[(True, False, "3")] * 2,
    ]


async def check_receipt(harness: Harness, client: User, mint: Any, folder: Path) -> None:
    """Have the command check a mint's receipt by the node, and refuse it once it is changed."""
    file = folder / "receipt.json"
    path = f"/v1/tokens/{mint['contract']}/{mint['token_id']}/proof?mint={mint['mint_id']}"
    receipt = await client.client.api.get_bytes(path)
    arguments = ("verify", str(file), "--rpc", harness.info["rpc_url"], "--json")
    file.write_bytes(receipt)
    code, out = await command(*arguments)
    assert code == 0, out
    verified = json.loads(out)
    assert verified["verified"] is True
    assert {name: verified[name] for name in ("token_id", "serial", "quantity", "to")} == {
        name: mint[name] for name in ("token_id", "serial", "quantity", "to")
    }
    file.write_bytes(receipt.replace(b'"quantity":"3"', b'"quantity":"4"'))
    code, out = await command(*arguments)
    assert (code, json.loads(out)["failed"]["check"]) == (1, "event")


async def test_items__when_minted_to_two_users__then_sent_and_burned_by_quantity_without_ether(
    harness: Harness, shop: User, tmp_path: Path
) -> None:
    contract = await create(shop, standard="erc1155", supply_cap=1000)
    alice, bob = await harness.sign_in(), await harness.sign_in()
    wallets = [(await user.client.wallets.get())["address"] for user in (alice, bob)]

    posted = await asyncio.gather(
        *(mint_item(shop, contract, wallet, quantity="3") for wallet in wallets),
        mint_item(shop, contract, wallets[0], token_id="8", metadata=metadata("A sword")),
    )
    mints = [await shop.until(response.body["mint_id"], "finalized") for response in posted]
    assert [(mint["token_id"], mint["quantity"]) for mint in mints] == [("7", "3"), ("7", "3"), ("8", "1")]
    assert len({mint["serial"] for mint in mints}) == 3
    await check_receipt(harness, shop, mints[1], tmp_path)
    assert await shop.client.api.get(f"/v1/metadata/{contract}/7") == POTION
    lines: list[Any] = [
        {"token_id": ITEM, "quantity": "2", "metadata": POTION, "recipient": {"address": wallet}}
        for wallet in wallets
    ]
    bulk = await shop.client.mints.create_many(lines, contract=contract)
    for mint_id in bulk["mint_ids"]:
        await shop.until(mint_id, "mined", "finalized")
    assert [await balance(harness, contract, wallet) for wallet in wallets] == [5, 5]

    for who, path, body, code in (
        (shop, "/v1/mints", {"metadata": POTION, "recipient": {"address": wallets[0]}}, "wrong-standard"),
        (alice, "/v1/burns", {"token_id": ITEM, "quantity": "6"}, "not-token-owner"),
        (alice, "/v1/mints", {"token_id": ITEM, "metadata": POTION}, "collection-not-open"),
    ):
        assert refused(await who.call("POST", path, {"contract": contract, **body}))[1] == code
    differing = await mint_item(shop, contract, wallets[0], metadata=metadata("Another potion"))
    assert refused(differing) == (409, "item-metadata-differs")

    await change(shop, contract, item_cap={"token_id": ITEM, "cap": "10"})
    full = await mint_item(shop, contract, wallets[0])
    rejected = await shop.until(full.body["mint_id"], "rejected")
    assert rejected["problem"]["code"] == "item_full"

    # The builder dies while both are on their way: each has its turn, and happens once.
    sent = await move(alice, "/v1/transfers", contract=contract, token_id=ITEM, quantity="1", to=wallets[1])
    burned = await move(bob, "/v1/burns", contract=contract, token_id=ITEM, quantity="1")
    await harness.kill("builder")
    assert (await follow(alice, sent, "finalized", within=WITHIN))["quantity"] == "1"
    await follow(bob, burned, "finalized", within=WITHIN)

    assert [await balance(harness, contract, wallet) for wallet in wallets] == [4, 5]
    for wallet in wallets:
        assert await harness.node.balance(wallet) == 0
        assert await harness.node.transaction_count(wallet) == 0
    await check_queries(shop, contract, wallets)
    mine = {sent["transfer_id"], burned["burn_id"], *(mint["mint_id"] for mint in mints)}
    books, reconciliation = await reconcile.settled(target_of_local_stack(harness.info), patience=60)
    differing = [
        difference
        for difference in reconciliation.differences
        if difference.mint_id in mine or difference.contract == contract
    ]
    assert differing == []
    held = {key.holder: n for key, n in books.held.on_chain.items() if key[:2] == (contract, int(ITEM))}
    assert held == {wallets[0]: 4, wallets[1]: 5, None: 9}


async def test_drop__when_its_lines_are_of_items__then_wallets_have_their_quantities(
    harness: Harness, shop: User
) -> None:
    contract = await create(shop, standard="erc1155", supply_cap=20)
    wallets = [f"0x{secrets.token_hex(20)}" for _ in range(3)]
    lines = [
        {"recipient": {"address": wallets[0]}, "token_id": ITEM, "quantity": "3", "metadata": POTION},
        {"recipient": {"address": wallets[1]}, "token_id": ITEM},
        {"recipient": {"address": wallets[2]}, "token_id": "8", "quantity": "2"},
        {
            "recipient": {"address": wallets[2]},
            "token_id": "8",
            "quantity": "15",
            "metadata": metadata("A sword"),
        },
        {"recipient": {"address": wallets[2]}, "token_id": ITEM, "quantity": "5"},
    ]
    drop = await Drop.create(harness, f"Items {contract}", contract=contract)
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    await drop.upload(body, 0)

    tried = await drop.drops.dry_run(drop.drop_id)
    assert (tried["lines"], tried["tokens"], tried["items_refused"], tried["over_cap"]) == (3, "19", 1, 1)
    await drop.drops.prepare(drop.drop_id)
    await drop.until(lambda seen: seen["status"] == "prepared")
    assert [line["refused"]["line"] for line in await drop.refused()] == [3, 5]
    await drop.drops.start(drop.drop_id)
    done = await drop.until(lambda seen: seen["status"] == "completed")

    assert done["minting"]["by_status"] == {"finalized": 3}, done
    assert (done["minting"]["tokens"], done["minting"]["tokens_handed_on"]) == ("19", "19")
    held = [(wallets[0], ITEM), (wallets[1], ITEM), (wallets[2], "8"), (wallets[2], ITEM)]
    assert [await balance(harness, contract, *each) for each in held] == [3, 1, 15, 0]
    shown = await shop.client.tokens.get(contract, ITEM)
    assert (shown["supply"], shown["minted"], shown["item_cap"]) == ("4", "4", None)


def foreign_contract(holder: str) -> bytes:
    """Return the creation code of a contract of ERC-1155, by its word, that mints somebody five of item 7."""
    prefix, is_either = "60043560e01c", "806301ffc9a7149063d9b67a261417"
    supports = bytes.fromhex(f"{prefix}{is_either}60005260206000f3")
    event = keccak256(b"TransferSingle(address,address,address,uint256,uint256)").hex()
    seven_and_five, topics = "60076000526005602052", f"73{holder[2:]}6000337f{event}"
    minted = bytes.fromhex(f"{seven_and_five}{topics}60406000a4")
    size = len(supports)
    deployed = bytes.fromhex(f"60{size:02x}60{len(minted) + 12:02x}60003960{size:02x}6000f3")
    return minted + deployed + supports


async def test_import__when_a_contract_of_others_is_of_erc1155__then_its_balances_are_served(
    harness: Harness, shop: User
) -> None:
    admin, holder = harness.info["admin_address"], "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
    code = "0x" + foreign_contract(holder).hex()
    tx_hash = await harness.rpc.call("eth_sendTransaction", [{"from": admin, "data": code}])
    receipt: Any = None
    async with asyncio.timeout(30):
        while (receipt := await harness.rpc.call("eth_getTransactionReceipt", [tx_hash])) is None:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.1)
    contract = to_checksum_address(receipt["contractAddress"])

    tokens = shop.client.tokens
    body = {"contract": contract, "from_block": int(receipt["blockNumber"], 16)}
    imported = await shop.call("POST", "/v1/collections/import", body)

    assert (imported.status, imported.body["standard"], imported.body["mintable"]) == (201, "erc1155", False)
    async with asyncio.timeout(60):
        while (balance := await tokens.balance(holder, contract, 7))["quantity"] != "5":  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.2)
    assert balance["balance"] == 1
    shown = await tokens.get(contract, 7)
    assert (shown["supply"], shown["minted"], shown["item_cap"]) == ("5", None, None)
    minted = await mint_item(shop, contract, holder)
    assert refused(minted) == (409, "collection-read-only")
