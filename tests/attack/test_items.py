"""Batches of ERC-1155 items by an owner of the queues: each token was asked for, or none is signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mintline.clone_calls import address_of
from mintline.item_calls import ItemMint, mint_items_calldata
from mintline.raw_transactions import decode
from mintline_signer.errors import RefusalCode
from mintline_signer.protocol import Refusal, Signed
from tests.attack.test_batches import evolve
from tests.attack.test_collections import Collections, collections
from tests.attack.test_machine_clients import THIEF, backend

if TYPE_CHECKING:
    from mintline.messages.intents import SignBatch
    from tests.attack.conftest import Socket

__all__ = ["backend", "collections"]

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

NUMBER = 7 * 10**5
"""Nonces, serials and mints from here on are no other test's."""


def items_of(collections: Collections, number: int) -> SignBatch:
    """A batch of one mint, three of item 7, in an ERC-1155 collection of the client's."""
    factory = collections.backend.victim.known.factory
    assert factory is not None
    clone = collections.clone(NUMBER + number, implementation=factory.multi_token)
    batch = collections.backend.batch(NUMBER + number, item_id=7, quantity=3)
    return evolve(batch, contract=address_of(clone), clone=clone)  # type: ignore[no-any-return]


def forged(batch: SignBatch, **line: Any) -> SignBatch:
    return evolve(batch, mints=(evolve(batch.mints[0], **line),))  # type: ignore[no-any-return]


async def test_items__when_the_client_asked_for_them__are_signed_as_asked_for(
    collections: Collections, socket: Socket
) -> None:
    """The control of all that follow."""
    batch = items_of(collections, 1)

    response = await socket.ask(await collections.backend.request(batch, collections.backend.envelope(batch)))

    assert isinstance(response, Signed)
    [line] = batch.mints
    minted = ItemMint(line.token_id, 7, 3, line.to, line.metadata_digest)
    transaction = decode(response.raw).transaction
    assert (transaction.to, transaction.data) == (batch.contract, mint_items_calldata([minted]))


@pytest.mark.parametrize(
    "line",
    [
        {"quantity": 4},
        {"item_id": 8},
        {"token_id": 5},
        {"to": THIEF},
        {"item_id": None, "quantity": None},
    ],
    ids=str,
)
async def test_items__when_a_field_is_another_than_was_asked_for__are_refused(
    collections: Collections, socket: Socket, line: dict[str, Any]
) -> None:
    batch = items_of(collections, 2)
    envelope = collections.backend.envelope(batch)

    response = await socket.ask(await collections.backend.request(forged(batch, **line), envelope))

    assert response == Refusal(code=RefusalCode.ACCEPTANCE_SIGNATURE, operation_id=batch.mints[0].mint_id)


async def test_items__when_a_token_was_asked_for__are_not_minted_by_its_authorization(
    collections: Collections, socket: Socket
) -> None:
    """A mint of ERC-721 does not pass for one of items, whatever it is of."""
    plain = forged(items_of(collections, 3), item_id=None, quantity=None)
    envelope = collections.backend.envelope(plain)

    response = await socket.ask(
        await collections.backend.request(forged(plain, item_id=7, quantity=10**6), envelope)
    )

    assert response == Refusal(code=RefusalCode.ACCEPTANCE_SIGNATURE, operation_id=plain.mints[0].mint_id)


async def test_items__when_a_mint_was_signed__is_not_signed_with_another_serial(
    collections: Collections, socket: Socket
) -> None:
    """The same mint under two serials would be minted twice: even if the API sealed both."""
    batch, backend = items_of(collections, 4), collections.backend
    assert isinstance(await socket.ask(await backend.request(batch, backend.envelope(batch))), Signed)
    again = evolve(forged(batch, token_id=batch.mints[0].token_id + 1), nonce=batch.nonce + 10**4)

    response = await socket.ask(await backend.request(again, backend.envelope(again)))

    assert isinstance(response, Refusal)
    assert response.operation_id == batch.mints[0].mint_id
