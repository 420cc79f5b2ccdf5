"""Transfers and burns by the wallet's signature, on the whole stack: wallets without ether, one at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mintline.chain.calls import Call
from mintline.holder_signatures import nonces_calldata
from mintline_ops import reconcile
from mintline_ops.deployments import target_of_local_stack
from tests.e2e.conftest import listed
from tests.e2e.test_collections import create, mint, refused, shop
from tests.e2e.test_transfers import follow
from tests.e2e.test_transfers import post as posted

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness, User

__all__ = ["shop"]

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
WITHIN = 180.0


async def counter(harness: Harness, contract: str, wallet: str) -> int:
    call = Call(sender=OTHER, to=contract, data=nonces_calldata(wallet))
    return int.from_bytes(await harness.node.call(call), "big")


async def post(user: User, path: str, **body: Any) -> Any:
    view = await posted(user, path, **body)
    assert view["paid_by"] == "relayer"
    return view


async def test_relayed__when_a_client_minted_to_a_user__then_it_is_sent_on_and_burned_without_ether(
    harness: Harness, shop: User
) -> None:
    contract = await create(shop)
    alice, bob = await harness.sign_in(), await harness.sign_in()
    wallets = [(await user.client.wallets.get())["address"] for user in (alice, bob)]
    answers = await asyncio.gather(
        *(mint(shop, contract, recipient={"address": wallets[0]}) for _ in range(3))
    )
    mints = [await shop.until(response.body["mint_id"], "mined", "finalized") for response in answers]
    tokens = [mint["token_id"] for mint in mints]
    for who, body, code in (
        (shop, {"token_id": tokens[0], "to": OTHER}, (403, "not-for-clients")),
        (bob, {"token_id": tokens[0], "to": OTHER}, (403, "not-token-owner")),
        (alice, {"token_id": tokens[0], "to": harness.info["contract"]}, (422, "recipient-refused")),
    ):
        assert refused(await who.call("POST", "/v1/transfers", {"contract": contract, **body})) == code

    # Three at once from one wallet: each has its turn. One part that matters dies meanwhile.
    sent = await asyncio.gather(
        *(post(alice, "/v1/transfers", contract=contract, token_id=token, to=wallets[1]) for token in tokens)
    )
    await harness.kill("builder")
    for transfer in sent:
        done = await follow(alice, transfer, "finalized", within=WITHIN)
        assert (done["wallet"], done["to"]) == (wallets[0], wallets[1])
    again = await post(alice, "/v1/transfers", contract=contract, token_id=tokens[0], to=wallets[1])
    assert (again["transfer_id"], again["status"]) == (sent[0]["transfer_id"], "finalized")

    burned = await post(bob, "/v1/burns", contract=contract, token_id=tokens[0])
    await follow(bob, burned, "finalized", within=WITHIN)

    for wallet in wallets:
        assert await harness.node.balance(wallet) == 0
        assert await harness.node.transaction_count(wallet) == 0
    assert [await counter(harness, contract, wallet) for wallet in wallets] == [3, 1]
    owners = [(await bob.client.tokens.get(contract, token))["owner"] for token in tokens]
    assert owners == [None, wallets[1], wallets[1]]
    moved = await listed(bob.client.tokens.transfers(contract, tokens[0]))
    moves = [(move["from"], move["to"]) for move in moved]
    assert moves == [(wallets[1], None), (wallets[0], wallets[1]), (None, wallets[0])]
    mine = {
        burned["burn_id"],
        *(transfer["transfer_id"] for transfer in sent),
        *(mint["mint_id"] for mint in mints),
    }
    books, reconciliation = await reconcile.settled(target_of_local_stack(harness.info), patience=60)
    assert [difference for difference in reconciliation.differences if difference.mint_id in mine] == []
    assert {operation.operation_id for operation in books.token_operations} >= mine - {
        mint["mint_id"] for mint in mints
    }
