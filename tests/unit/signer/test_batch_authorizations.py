"""What the host adds to a batch: its lines' authorizations, as far as they are on record and fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mintline.aws.dynamo import Item
from mintline.errors import Unavailable
from mintline.messages.parts import MAX_ENVELOPE
from mintline.request_digests import sponsored_digest
from mintline.resources import AUTHORIZATIONS
from mintline.set_aside import SetAside
from mintline_signer import addresses
from mintline_signer.errors import EnclaveRefusal, RefusalCode
from mintline_signer.host.authorizations import DynamoAuthorizations
from mintline_signer.host.enclave_client import EnclaveClient
from mintline_signer.protocol import Sign

if TYPE_CHECKING:
    from mintline.messages.intents import SignBatch
    from tests.unit.signer.conftest import Cast


class Items:
    """The table of authorizations, of which each item is read by its whole key."""

    def __init__(self, batch: SignBatch, envelopes: list[Any]) -> None:
        self.items: dict[tuple[Any, Any], Item] = {}
        for line, envelope in zip(batch.mints, envelopes, strict=True):
            digest = sponsored_digest(
                mint_id=line.mint_id,
                sub=line.subject,
                chain_id=batch.chain_id,
                contract=batch.contract,
                to=line.to,
                metadata_digest=line.metadata_digest,
                token_id=line.token_id,
            )
            if envelope is not None:
                key: Item = {"mint_id": line.mint_id, "digest": digest}
                self.items[line.mint_id, digest] = {**key, "envelope": envelope, "expires": 1}

    async def get(self, table: Any, key: Item) -> Item | None:
        assert table is AUTHORIZATIONS
        return self.items.get((key["mint_id"], key["digest"]))


async def test_authorizations__when_read__are_those_of_the_lines_in_order(cast: Cast) -> None:
    batch = cast.batch()
    dynamo: Any = Items(batch, [b"a", b"b", b"c"])
    assert await DynamoAuthorizations(dynamo, SetAside()).of(batch) == [b"a", b"b", b"c"]


@pytest.mark.parametrize("held", [None, b"x" * (MAX_ENVELOPE + 1)], ids=["missing", "unreadable"])
async def test_authorizations__when_one_is_of_no_use__is_empty_alone(cast: Cast, held: bytes | None) -> None:
    batch = cast.batch()
    dynamo: Any = Items(batch, [b"a", held, b"c"])
    assert await DynamoAuthorizations(dynamo, SetAside()).of(batch) == [b"a", b"", b"c"]


async def test_authorizations__when_the_line_differs_from_what_was_asked_for__are_not_found(
    cast: Cast,
) -> None:
    batch = cast.batch(1)
    dynamo: Any = Items(batch, [b"a"])
    other = batch.mints[0].model_copy(update={"token_id": 5})
    changed = batch.model_copy(update={"mints": (other,)})
    assert await DynamoAuthorizations(dynamo, SetAside()).of(changed) == [b""]


def client_of_nobody() -> EnclaveClient:
    audit: Any = None
    return EnclaveClient(
        addresses.parse("unix:///nowhere"),
        credentials=None,
        authorization_keys=None,
        audit=audit,
        timeout=0.01,
    )


def largest(cast: Cast, lines: int) -> Sign:
    envelopes = [bytes(MAX_ENVELOPE)] * lines
    return Sign(intent=cast.batch(lines), keys=[cast.relayer.wrapped], authorizations=envelopes)


async def test_client__when_a_batch_does_not_fit_into_a_frame__refuses_it(cast: Cast) -> None:
    with pytest.raises(EnclaveRefusal) as caught:
        await client_of_nobody().sign(largest(cast, 150))
    assert caught.value.code == RefusalCode.BATCH_TOO_LARGE


async def test_client__when_120_lines_have_the_largest_envelopes__sends_them(cast: Cast) -> None:
    with pytest.raises(Unavailable, match="did not answer"):
        await client_of_nobody().sign(largest(cast, 120))
