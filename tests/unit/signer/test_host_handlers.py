from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from mintline.errors import Rejected, Unavailable
from mintline.messages.intents import SignBatch
from mintline.messages.parts import KeyRef, Message
from mintline.messages.signed import Broadcast, SigningRefused, VoucherIssued
from mintline.messages.work import BuildMint
from mintline.resource_types import Queue
from mintline.resources import BROADCAST
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.host.handlers import dedup_id, intent_of, sign
from mintline_signer.host.service import handle
from mintline_signer.protocol import Issued, LinesProof, Sign, Signed, WrappedKey

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast

SIGNED = Signed(raw=b"\x02raw", tx_hash=bytes(range(32)))
ISSUED = Issued(signature=bytes(range(65)))


@dataclass
class FakeKeys:
    keys: dict[str, WrappedKey]

    async def read(self, key: KeyRef) -> WrappedKey:
        if key.secret_id not in self.keys:
            raise Rejected("key_missing", "No wrapped key.")
        return self.keys[key.secret_id]


@dataclass
class FakeAuthorizations:
    missing: tuple[str, ...] = ()

    async def proofs_of(self, batch: SignBatch) -> list[LinesProof]:
        del batch
        return []

    async def of(self, batch: SignBatch) -> list[bytes]:
        ids = [line.mint_id for line in batch.mints]
        return [b"" if mint_id in self.missing else mint_id.encode() for mint_id in ids]


@dataclass
class FakeEnclave:
    error: Exception | None = None
    requests: list[Sign] = field(default_factory=list)
    response: Signed | Issued = SIGNED

    async def sign(self, request: Sign) -> Signed | Issued:
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        return self.response


@dataclass
class FakeQueues:
    sent: list[tuple[Queue, Message, str, str]] = field(default_factory=list)

    async def send(self, queue: Queue, message: Message, *, group: str, dedup: str) -> None:
        self.sent.append((queue, message, group, dedup))


def keys_of(cast: Cast) -> FakeKeys:
    players = (cast.user, cast.issuer, cast.treasury, cast.relayer)
    return FakeKeys({player.ref.secret_id: player.wrapped for player in players})


async def test_sign__when_it_is_a_mint__brings_the_signers_and_the_issuers_key(cast: Cast) -> None:
    enclave, intent = FakeEnclave(), cast.mint().model_copy(update={"trace": "00-ab"})
    response = await sign(
        intent,
        keys=keys_of(cast),
        authorizations=FakeAuthorizations(),
        enclave=enclave,
        issuer=cast.issuer.ref,
    )
    assert response == Broadcast(intent=intent, raw=SIGNED.raw, tx_hash=SIGNED.tx_hash, trace="00-ab")
    assert enclave.requests == [Sign(intent=intent, keys=[cast.user.wrapped, cast.issuer.wrapped])]


async def test_sign__when_it_is_no_mint__brings_the_signers_key_alone(cast: Cast) -> None:
    enclave = FakeEnclave()
    await sign(
        cast.top_up(),
        keys=keys_of(cast),
        authorizations=FakeAuthorizations(),
        enclave=enclave,
        issuer=cast.issuer.ref,
    )
    await sign(
        cast.noop(),
        keys=keys_of(cast),
        authorizations=FakeAuthorizations(),
        enclave=enclave,
        issuer=cast.issuer.ref,
    )
    assert [request.keys for request in enclave.requests] == [[cast.treasury.wrapped], [cast.user.wrapped]]


async def test_sign__when_it_is_a_voucher__brings_the_issuers_key_and_answers_its_signature(
    cast: Cast,
) -> None:
    enclave, intent = FakeEnclave(response=ISSUED), cast.voucher().model_copy(update={"trace": "00-ab"})
    response = await sign(
        intent,
        keys=keys_of(cast),
        authorizations=FakeAuthorizations(),
        enclave=enclave,
        issuer=cast.issuer.ref,
    )
    assert response == VoucherIssued(intent=intent, signature=ISSUED.signature, trace="00-ab")
    assert enclave.requests == [Sign(intent=intent, keys=[cast.issuer.wrapped])]


@pytest.mark.parametrize("kind", ["mint", "voucher"])
async def test_sign__when_the_enclave_signs_something_else__leaves_the_message(cast: Cast, kind: str) -> None:
    intent = cast.mint() if kind == "mint" else cast.voucher()
    enclave = FakeEnclave(response=ISSUED if kind == "mint" else SIGNED)
    with pytest.raises(Unavailable):
        await sign(
            intent,
            keys=keys_of(cast),
            authorizations=FakeAuthorizations(),
            enclave=enclave,
            issuer=cast.issuer.ref,
        )


async def test_sign__when_the_enclave_refuses__tells_the_broadcaster_why(cast: Cast) -> None:
    enclave = FakeEnclave(EnclaveRefusal(RefusalCode.CONTRACT))
    response = await sign(
        cast.mint(),
        keys=keys_of(cast),
        authorizations=FakeAuthorizations(),
        enclave=enclave,
        issuer=cast.issuer.ref,
    )
    assert isinstance(response, SigningRefused)
    assert response.code == "policy_contract"
    assert response.reason.endswith(".")


@pytest.mark.parametrize("error", [EnclaveFailure(FailureCode.KMS_UNAVAILABLE), Unavailable("gone")])
async def test_sign__when_the_enclave_cannot__leaves_the_message(cast: Cast, error: Exception) -> None:
    with pytest.raises(Unavailable):
        await sign(
            cast.mint(),
            keys=keys_of(cast),
            authorizations=FakeAuthorizations(),
            enclave=FakeEnclave(error),
            issuer=cast.issuer.ref,
        )


async def test_sign__when_the_signers_key_is_missing__rejects(cast: Cast) -> None:
    keys = keys_of(cast)
    del keys.keys[cast.user.ref.secret_id]
    with pytest.raises(Rejected):
        await sign(
            cast.mint(),
            keys=keys,
            authorizations=FakeAuthorizations(),
            enclave=FakeEnclave(),
            issuer=cast.issuer.ref,
        )


async def test_sign__when_the_issuers_key_is_missing__waits_for_it(cast: Cast) -> None:
    keys = keys_of(cast)
    del keys.keys[cast.issuer.ref.secret_id]
    for intent in (cast.mint(), cast.voucher()):
        with pytest.raises(Unavailable):
            await sign(
                intent,
                keys=keys,
                authorizations=FakeAuthorizations(),
                enclave=FakeEnclave(),
                issuer=cast.issuer.ref,
            )


async def test_handle__when_signed__sends_it_in_the_senders_group_under_its_hash(cast: Cast) -> None:
    queues = FakeQueues()
    await handle(
        cast.mint(),
        queues=queues,
        keys=keys_of(cast),
        authorizations=FakeAuthorizations(),
        enclave=FakeEnclave(),
        issuer=cast.issuer.ref,
    )
    ((queue, message, group, dedup),) = queues.sent
    assert (queue, group, dedup) == (BROADCAST, cast.user.address, "0x" + SIGNED.tx_hash.hex())
    assert isinstance(message, Broadcast)


async def test_handle__when_a_voucher_is_issued__sends_it_in_the_mints_group(cast: Cast) -> None:
    queues, enclave = FakeQueues(), FakeEnclave(response=ISSUED)
    await handle(
        cast.voucher(),
        queues=queues,
        keys=keys_of(cast),
        authorizations=FakeAuthorizations(),
        enclave=enclave,
        issuer=cast.issuer.ref,
    )
    ((queue, message, group, dedup),) = queues.sent
    assert (queue, group) == (BROADCAST, "mint_2")
    assert dedup == f"issued:{ISSUED.signature[:32].hex()}"
    assert isinstance(message, VoucherIssued)


def test_dedup_id__when_refused__names_the_mint_or_the_sender_with_nonce_and_attempt(cast: Cast) -> None:
    def refused(intent: object) -> str:
        return dedup_id(SigningRefused.model_validate({"intent": intent, "code": "c", "reason": "r"}))

    assert refused(cast.mint()) == "refused:sign_mint:mint_1:7:0"
    assert refused(cast.voucher()) == f"refused:issue_voucher:mint_2:{cast.voucher().voucher.deadline}"
    assert refused(cast.noop()) == f"refused:sign_noop:{cast.user.address}:8:0"
    assert refused(cast.top_up()) == f"refused:sign_top_up:{cast.treasury.address}:0:0"


async def test_sign__when_it_is_a_batch__brings_the_relayers_key_and_each_lines_authorization(
    cast: Cast,
) -> None:
    enclave, intent = FakeEnclave(), cast.batch()
    await sign(
        intent,
        keys=keys_of(cast),
        authorizations=FakeAuthorizations(missing=("mint_b1",)),
        enclave=enclave,
        issuer=cast.issuer.ref,
    )
    (request,) = enclave.requests
    assert request.keys == [cast.relayer.wrapped]
    assert request.authorizations == [b"mint_b0", b"", b"mint_b2"]


async def test_sign__when_the_enclave_refuses_one_line__tells_the_broadcaster_which(cast: Cast) -> None:
    enclave = FakeEnclave(EnclaveRefusal(RefusalCode.TOKEN_EXPIRED, "mint_b1"))
    response = await sign(
        cast.batch(),
        keys=keys_of(cast),
        authorizations=FakeAuthorizations(),
        enclave=enclave,
        issuer=cast.issuer.ref,
    )
    assert isinstance(response, SigningRefused)
    assert (response.code, response.operation_id) == ("token_expired", "mint_b1")


def test_dedup_id__when_a_batch_has_lost_a_refused_mint__is_another(cast: Cast) -> None:
    batch = cast.batch()
    fewer = batch.model_copy(update={"mints": batch.mints[1:]})
    ids = {dedup_id(SigningRefused(intent=intent, code="c")) for intent in (batch, fewer)}
    assert ids == {f"refused:batch:{cast.relayer.address}:3:0:{count}" for count in (2, 3)}


def test_intent_of__when_the_message_is_none__rejects(cast: Cast) -> None:
    assert intent_of(cast.noop()) == cast.noop()
    with pytest.raises(Rejected) as caught:
        intent_of(BuildMint(mint_id="mint_1"))
    assert caught.value.code == "message_misrouted"
