"""Which authorizations a request takes: one for each operation, or one for all lines of a request for many.

Lines of a request for many share its envelope. What came with it, the leaves of a chunk and the path from
the chunk's root to the request's, is the host's word: it counts for nothing until the envelope, whose digest
it is hashed into, has opened. Each line must be the leaf at its own place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mintline.lines import hashes
from mintline.merkle import merkle_root, root_of_path
from mintline.messages.intents import AnyRequest
from mintline.messages.parts import LineRef
from mintline.request_digests import lines_digest
from mintline_signer.enclave.kinds.base import RequiredAuthorization
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.protocol import LinesProof


class Authorized(NamedTuple):
    """An envelope, and what it must authorize."""

    required: RequiredAuthorization
    """What the envelope was sealed for."""
    operations: tuple[RequiredAuthorization, ...]
    """The operations that it authorizes: that one, or lines."""


def by_envelope(
    request: AnyRequest, all_required: Sequence[RequiredAuthorization], proofs: Sequence[LinesProof]
) -> list[Authorized]:
    """Return what each envelope must authorize.

    Raises EnclaveRefusal for a line that is not the one of its request. Raises EnclaveFailure (`bad_request`)
    for proofs that nothing needs, or that are no proofs: that is the host's mistake.
    """
    by_chunk: dict[tuple[str, int], list[RequiredAuthorization]] = {}
    authorized: list[Authorized] = []
    for required in all_required:
        if required.line is None:
            authorized.append(Authorized(required, (required,)))
        elif required.envelope:
            raise EnclaveFailure(FailureCode.BAD_REQUEST)
        else:
            by_chunk.setdefault((required.line.request_id, required.line.chunk), []).append(required)
    named = {(proof.request_id, proof.chunk): proof for proof in proofs}
    if len(named) != len(proofs) or named.keys() - by_chunk.keys():
        raise EnclaveFailure(FailureCode.BAD_REQUEST)
    for chunk, lines in by_chunk.items():
        # Without a name the whole request is refused: none of its lines is better than another.
        blamed = "" if len(lines) == len(all_required) else lines[0].operation_id
        authorized.append(_lines_of(request, lines, named.get(chunk), blamed))
    return authorized


def _lines_of(
    request: AnyRequest, lines: Sequence[RequiredAuthorization], proof: LinesProof | None, blamed: str
) -> Authorized:
    if proof is None:
        raise EnclaveRefusal(RefusalCode.AUTHORIZATION_MISSING, blamed)
    try:
        leaves = hashes(proof.leaves)
        root = root_of_path(merkle_root(leaves), proof.chunk, proof.chunks, hashes(proof.path))
    except ValueError:
        raise EnclaveFailure(FailureCode.BAD_REQUEST) from None
    subject, contract = lines[0].subject, lines[0].contract
    for line in lines:
        if not _is_leaf(line, leaves) or (line.subject, line.contract) != (subject, contract):
            raise EnclaveRefusal(RefusalCode.AUTHORIZATION_LINE, line.operation_id)
    digest = lines_digest(
        request_id=proof.request_id,
        sub=subject,
        chain_id=request.chain_id,
        contract=contract,
        root=root,
        count=proof.count,
    )
    sealed = RequiredAuthorization(subject, digest, proof.envelope, blamed)
    return Authorized(sealed, tuple(lines))


def _is_leaf(line: RequiredAuthorization, leaves: Sequence[bytes]) -> bool:
    place: LineRef | None = line.line
    return place is not None and place.line < len(leaves) and leaves[place.line] == line.digest
