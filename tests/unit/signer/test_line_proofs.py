"""Lines of a request for many mints: one envelope authorizes them all, and nothing that is not a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mintline.acceptance import ACCEPTANCE
from mintline.clock import UnixSeconds
from mintline.lines import Line, LinesChunk, LinesRequest
from mintline.merkle import merkle_path, merkle_root
from mintline.messages.intents import BatchMint, SignBatch
from mintline_signer.enclave.policy import ClientsPolicy
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.host.authorizations import DynamoAuthorizations
from mintline_signer.protocol import LinesProof, Sign
from mintline_signer.protocol_frames import read_request, request_frame
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from tests.unit.signer.test_client_budgets import authorizer_of, client_token

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast

OTHER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


def request_of(cast: Cast, request_id: str = "bulk_1", *, token: str | None = None) -> list[LinesChunk]:
    """Return a client's request of six lines in two chunks, as the api accepts it."""
    request = LinesRequest(
        request_id=request_id, asked_by="shop", client_id="shop", chain_id=CHAIN_ID, contract=CONTRACT
    )
    lines = [Line("shop", cast.user.address, bytes([n]) * 32) for n in range(3)]
    leaves = [request.leaves(lines, chunk=n, first_token_id=100 + 10 * n) for n in range(2)]
    roots = [merkle_root(some) for some in leaves]
    digest = request.digest(merkle_root(roots), 6)
    session = cast.authority.session(now=cast.now)
    accepted = session.state(ACCEPTANCE, digest, b"shop", at=cast.now * 1000)
    envelope = cast.authority.public_authorization_key.seal(token or client_token(cast), digest, accepted)
    return [
        request.chunk(
            lines,
            leaves=leaves[n],
            first_token_id=100 + 10 * n,
            envelope=envelope,
            created_at=cast.now * 1000,
            number=n,
            chunks=2,
            count=6,
            path=merkle_path(roots, n),
        )
        for n in range(2)
    ]


def lines_of(*chunks: LinesChunk) -> list[BatchMint]:
    return [
        BatchMint(
            mint_id=mint.mint_id,
            token_id=mint.token_id,
            to=mint.to,
            metadata_digest=mint.metadata_digest,
            subject=mint.asked_by,
            request=mint.request,
        )
        for chunk in chunks
        for mint in chunk.mints()
    ]


def batch_of(cast: Cast, lines: list[BatchMint]) -> SignBatch:
    return cast.batch().model_copy(update={"mints": tuple(lines), "gas": 200_000 * len(lines)})


def proof_of(chunk: LinesChunk, **changes: Any) -> LinesProof:
    names = ("request_id", "chunk", "chunks", "count", "envelope", "leaves", "path")
    return LinesProof(**{name: getattr(chunk, name) for name in names} | changes)


async def judge(cast: Cast, batch: SignBatch, proofs: list[LinesProof], **more: Any) -> Any:
    authorizer = await authorizer_of(cast)
    beside = more.get("authorizations", [b""] * len(batch.mints))
    now = UnixSeconds(cast.now)
    judged = authorizer.judge(batch, now=now, authorizations=beside, proofs=proofs)
    assert judged == await authorizer.judge_later(batch, now=now, authorizations=beside, proofs=proofs)
    return judged


async def test_lines__when_they_are_of_a_request__then_one_envelope_passes_them_and_each_counts(
    cast: Cast,
) -> None:
    first, second = request_of(cast)
    for chunks in ([first], [second], [first, second]):
        batch = batch_of(cast, lines_of(*chunks))
        judged = await judge(cast, batch, [proof_of(chunk) for chunk in chunks])
        assert [mint.operation_id for mint in judged.client_mints] == [line.mint_id for line in batch.mints]
        assert {(mint.client_id, mint.accepted_at) for mint in judged.client_mints} == {
            ("shop", cast.now * 1000)
        }


async def test_lines__when_some_are_left_out_or_others_are_beside_them__then_they_pass(cast: Cast) -> None:
    chunk = request_of(cast)[0]
    lone = cast.batch(2)
    lines = [*lone.mints, *lines_of(chunk)[1:]]
    given = [*cast.authorizations(lone), b"", b""]
    judged = await judge(cast, batch_of(cast, lines), [proof_of(chunk)], authorizations=given)
    assert len(judged.client_mints) == 2


def changed(cast: Cast, **changes: Any) -> tuple[list[BatchMint], list[LinesProof]]:
    chunk = request_of(cast)[0]
    lines = lines_of(chunk)
    return [lines[0].model_copy(update=changes), *lines[1:]], [proof_of(chunk)]


def moved(cast: Cast, **place: Any) -> tuple[list[BatchMint], list[LinesProof]]:
    """Return lines of which the first says that it is another line."""
    chunk = request_of(cast)[0]
    lines = lines_of(chunk)
    ref = lines[0].request
    assert ref is not None
    return [lines[0].model_copy(update={"request": ref.model_copy(update=place)})], [proof_of(chunk)]


def of_another_request(cast: Cast) -> tuple[list[BatchMint], list[LinesProof]]:
    """Return a line of another request, said to be one of this."""
    chunk, stranger = request_of(cast)[0], request_of(cast, "bulk_2")[0]
    line = lines_of(stranger)[0]
    return [line.model_copy(update={"request": lines_of(chunk)[0].request})], [proof_of(chunk)]


LINE_ATTACKS = {
    "another recipient": lambda c: changed(c, to=OTHER),
    "another token": lambda c: changed(c, token_id=999),
    "the token of the next line": lambda c: changed(c, token_id=101),
    "other metadata": lambda c: changed(c, metadata_digest=b"\xff" * 32),
    "another mint": lambda c: changed(c, mint_id="mint_x"),
    "another client": lambda c: changed(c, subject="rival"),
    "the leaf of another line": lambda c: moved(c, line=1),
    "no line of it": lambda c: moved(c, line=3),
    "a line of another request": of_another_request,
}


@pytest.mark.parametrize("attack", LINE_ATTACKS)
async def test_line__when_it_is_not_the_one_that_was_asked_for__then_it_is_refused_and_named(
    cast: Cast, attack: str
) -> None:
    lines, proofs = LINE_ATTACKS[attack](cast)
    with pytest.raises(EnclaveRefusal) as caught:
        await judge(cast, batch_of(cast, lines), proofs)
    assert (caught.value.code, caught.value.operation_id) == (
        RefusalCode.AUTHORIZATION_LINE,
        lines[0].mint_id,
    )


def forged(cast: Cast, chunk: LinesChunk) -> tuple[list[BatchMint], LinesProof]:
    """Return lines that somebody wrote into the table instead of those that were asked for."""
    request = LinesRequest(
        request_id=chunk.request_id, asked_by="shop", client_id="shop", chain_id=CHAIN_ID, contract=CONTRACT
    )
    lines = [Line("shop", OTHER, bytes(32)) for _ in range(3)]
    leaves = request.leaves(lines, chunk=0, first_token_id=100)
    written = request.chunk(
        lines, leaves=leaves, first_token_id=100, envelope=chunk.envelope, created_at=1, chunks=2, count=6
    )
    return lines_of(written), proof_of(written, path=chunk.path)


def by_a_user(cast: Cast) -> tuple[list[BatchMint], LinesProof]:
    """Return a client's lines with the envelope of a user, by whose own token it is sealed."""
    chunk = request_of(cast, token=cast.token())[0]
    return lines_of(chunk), proof_of(chunk)


def of_request(cast: Cast, **changes: Any) -> tuple[list[BatchMint], LinesProof]:
    chunk = request_of(cast)[0]
    return lines_of(chunk), proof_of(chunk, **changes)


def expired(cast: Cast) -> tuple[list[BatchMint], LinesProof]:
    chunk = request_of(cast, token=client_token(cast, exp=cast.now - 10_000))[0]
    return lines_of(chunk), proof_of(chunk)


REQUEST_ATTACKS = [
    ("a forged chunk", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c: forged(c, request_of(c)[0])),
    ("another request's envelope", RefusalCode.ACCEPTANCE_SIGNATURE,
     lambda c: of_request(c, envelope=request_of(c, "bulk_2")[0].envelope)),
    ("another count", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c: of_request(c, count=7)),
    ("another path", RefusalCode.ACCEPTANCE_SIGNATURE, lambda c: of_request(c, path=bytes(32))),
    ("another place", RefusalCode.ACCEPTANCE_SIGNATURE,
     lambda c: of_request(c, leaves=request_of(c)[0].leaves + bytes(32))),
    ("a user's envelope", RefusalCode.AUTHORIZATION_SUBJECT, by_a_user),
    ("no envelope", RefusalCode.AUTHORIZATION_MISSING, lambda c: of_request(c, envelope=b"")),
    ("an expired token", RefusalCode.TOKEN_EXPIRED, expired),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "attack"), [a[1:] for a in REQUEST_ATTACKS], ids=[a[0] for a in REQUEST_ATTACKS]
)
async def test_request__when_it_is_not_what_was_accepted__then_all_its_lines_are_refused(
    cast: Cast, code: RefusalCode, attack: Any
) -> None:
    lines, proof = attack(cast)
    with pytest.raises(EnclaveRefusal) as caught:
        await judge(cast, batch_of(cast, lines), [proof])
    assert (caught.value.code, caught.value.operation_id) == (code, "")


async def test_request__when_others_are_in_the_batch__then_one_of_its_lines_is_named(cast: Cast) -> None:
    good, bad = request_of(cast)[0], request_of(cast, "bulk_2")[0]
    lines = lines_of(good)[:1] + [
        line.model_copy(update={"token_id": 500 + n}) for n, line in enumerate(lines_of(bad))
    ]
    with pytest.raises(EnclaveRefusal) as caught:
        await judge(cast, batch_of(cast, lines), [proof_of(good)])
    assert (caught.value.code, caught.value.operation_id) == (
        RefusalCode.AUTHORIZATION_MISSING,
        lines[1].mint_id,
    )


@pytest.mark.parametrize("fault", ["twice", "of no line", "envelope beside", "half a hash"])
async def test_proofs__when_the_host_makes_a_mistake__then_the_request_fails(cast: Cast, fault: str) -> None:
    chunk = request_of(cast)[0]
    batch, proof = batch_of(cast, lines_of(chunk)), proof_of(chunk)
    proofs = {
        "twice": [proof, proof],
        "of no line": [proof, proof_of(request_of(cast)[1])],
        "envelope beside": [proof],
        "half a hash": [proof_of(chunk, leaves=chunk.leaves[:-1])],
    }[fault]
    beside = [chunk.envelope if fault == "envelope beside" else b"", b"", b""]
    with pytest.raises(EnclaveFailure) as caught:
        await judge(cast, batch, proofs, authorizations=beside)
    assert caught.value.code == FailureCode.BAD_REQUEST


async def test_lines__when_no_client_may_mint__then_they_are_refused(cast: Cast) -> None:
    chunk = request_of(cast)[0]
    batch = batch_of(cast, lines_of(chunk))
    authorizer = await authorizer_of(cast, None)
    with pytest.raises(EnclaveRefusal):
        authorizer.judge(batch, now=UnixSeconds(cast.now), authorizations=[b""] * 3, proofs=[proof_of(chunk)])
    assert ClientsPolicy().of("shop") is None


class Chunks:
    """The table of authorizations, with chunks alone."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self.items = {(item["mint_id"], item["digest"]): item for item in items}

    async def get(self, table: Any, key: Any) -> Any:
        del table
        return self.items.get((key["mint_id"], key["digest"]))


async def test_host__when_lines_are_of_chunks__then_it_reads_each_once_and_sends_it_as_it_is(
    cast: Cast,
) -> None:
    from mintline.aws.lines import _chunk_item
    from mintline.set_aside import SetAside

    first, second = request_of(cast)
    dynamo: Any = Chunks(_chunk_item(first), {**_chunk_item(second), "leaves": 5})
    host = DynamoAuthorizations(dynamo, SetAside())
    batch = batch_of(cast, lines_of(first, second))
    proofs = await host.proofs_of(batch)
    assert proofs == [proof_of(first)]
    assert await host.of(batch) == [b""] * 6
    sent = Sign(intent=batch, keys=[cast.relayer.wrapped], authorizations=[b""] * 6, proofs=proofs)
    frame = request_frame(1, sent)
    assert read_request(frame[4:]) == (1, sent)
