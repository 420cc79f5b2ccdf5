"""A request for many mints by an owner of the signer's host and the tables: every chunk, every envelope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mintline.lines import Line, LinesChunk, LinesRequest
from mintline.merkle import merkle_root
from mintline.messages.intents import BatchMint, SignBatch
from mintline_signer.errors import RefusalCode
from mintline_signer.protocol import LinesProof, Refusal, Sign, Signed
from tests.attack.test_batches import THIEF, Batches, batches, evolve, sub_of

if TYPE_CHECKING:
    from tests.attack.conftest import Socket, User

__all__ = ["batches"]
pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

FIRST = 300
"""Nonces from here on are no other test's."""


def request_of(batches: Batches, number: int, *, to: str | None = None) -> tuple[LinesRequest, list[Line]]:
    sub = sub_of(batches.user)
    request = LinesRequest(
        request_id=f"bulk_attacked_{number}",
        asked_by=sub,
        client_id=None,
        chain_id=batches.relayer.chain_id,
        contract=batches.minted.contract,
    )
    return request, [Line(sub, to or batches.minted.to, bytes([n]) * 32) for n in range(3)]


def chunk_of(
    batches: Batches, number: int, *, user: User | None = None, envelope: bytes = b"", to: str | None = None
) -> LinesChunk:
    """Return a user's request of three lines as the api accepts it, or as somebody forges it."""
    request, lines = request_of(batches, number, to=to)
    first = 2 * 10**9 + 10 * number
    leaves = request.leaves(lines, chunk=0, first_token_id=first)
    digest = request.digest(merkle_root([merkle_root(leaves)]), len(lines))
    sealed = envelope or batches.sealed(digest, request.asked_by, user or batches.user)
    return request.chunk(lines, leaves=leaves, first_token_id=first, count=3, envelope=sealed, created_at=1)


def batch_of(batches: Batches, number: int, chunk: LinesChunk) -> SignBatch:
    lines = tuple(
        BatchMint(
            mint_id=mint.mint_id,
            token_id=mint.token_id,
            to=mint.to,
            metadata_digest=mint.metadata_digest,
            subject=mint.asked_by,
            request=mint.request,
        )
        for mint in chunk.mints()
    )
    return batches.batch(FIRST + number).model_copy(update={"mints": lines})


def proof_of(chunk: LinesChunk, **changes: Any) -> LinesProof:
    names = ("request_id", "chunk", "chunks", "count", "envelope", "leaves", "path")
    return LinesProof(**{name: getattr(chunk, name) for name in names} | changes)


async def asked(batches: Batches, batch: SignBatch, *proofs: LinesProof) -> Sign:
    keys = [await batches.victim.wrapped(batch.signer)]
    return Sign(intent=batch, keys=keys, authorizations=[b""] * len(batch.mints), proofs=list(proofs))


async def test_lines__when_they_are_of_an_accepted_request__are_signed(
    batches: Batches, socket: Socket
) -> None:
    """The control of all that follow."""
    chunk = chunk_of(batches, 1)
    response = await socket.ask(await asked(batches, batch_of(batches, 1, chunk), proof_of(chunk)))
    assert isinstance(response, Signed)


@pytest.mark.parametrize(
    "changes",
    [{"to": THIEF}, {"token_id": 77}, {"metadata_digest": b"\xff" * 32}, {"mint_id": "mint_of_a_thief"}],
    ids=["another recipient", "another token", "other metadata", "another mint"],
)
async def test_line__when_it_is_changed__is_refused_and_named(
    batches: Batches, socket: Socket, changes: dict[str, Any]
) -> None:
    chunk = chunk_of(batches, 2)
    batch = batch_of(batches, 2, chunk)
    changed = evolve(batch.mints[0], **changes)
    response = await socket.ask(
        await asked(batches, evolve(batch, mints=(changed, *batch.mints[1:])), proof_of(chunk))
    )
    assert response == Refusal(code=RefusalCode.AUTHORIZATION_LINE, operation_id=changed.mint_id)


async def test_line__when_it_takes_the_place_of_another__is_refused(batches: Batches, socket: Socket) -> None:
    """The leaf of another line, and a line of another request, which its user asked for as well."""
    chunk, other = chunk_of(batches, 3), chunk_of(batches, 4)
    batch = batch_of(batches, 3, chunk)
    stranger = evolve(batch_of(batches, 3, other).mints[0], request=batch.mints[0].request)
    for line in (evolve(batch.mints[0], request=batch.mints[1].request), stranger):
        response = await socket.ask(await asked(batches, evolve(batch, mints=(line,)), proof_of(chunk)))
        assert response == Refusal(code=RefusalCode.AUTHORIZATION_LINE, operation_id=line.mint_id)


async def test_request__when_its_chunk_or_envelope_is_another__is_refused_as_a_whole(
    batches: Batches, socket: Socket
) -> None:
    chunk = chunk_of(batches, 5)
    forged = chunk_of(batches, 5, envelope=chunk.envelope, to=THIEF)
    of_another = chunk_of(batches, 5, envelope=chunk_of(batches, 6).envelope)
    by_another = chunk_of(batches, 5, user=batches.other)
    for given, code in (
        (forged, RefusalCode.ACCEPTANCE_SIGNATURE),
        (of_another, RefusalCode.ACCEPTANCE_SIGNATURE),
        (by_another, RefusalCode.AUTHORIZATION_SUBJECT),
    ):
        response = await socket.ask(await asked(batches, batch_of(batches, 5, given), proof_of(given)))
        assert response == Refusal(code=code)
    unproved = await socket.ask(await asked(batches, batch_of(batches, 5, chunk)))
    assert unproved == Refusal(code=RefusalCode.AUTHORIZATION_MISSING)
