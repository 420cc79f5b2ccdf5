"""The verifier accepts what is genuine, and refuses everything else by its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ObjectIdentifier

from mintline.attestation import cose, document, registers
from mintline.attestation.chain import AWS_ROOT
from mintline.attestation.refusals import NotAttested, Reason
from mintline.attestation.verify import verify

if TYPE_CHECKING:
    from tests.unit.attestation.conftest import Forge

VECTORS = Path(__file__).resolve().parents[4] / "shared/vectors/nitro"
GENUINE_AT = datetime(2022, 11, 9, 22, 52, tzinfo=UTC)
UNKNOWN = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00")


def refused(forge: Forge, attestation: bytes, *, root: bytes | None = None, **wanted: Any) -> Reason:
    with pytest.raises(NotAttested) as caught:
        verify(attestation, root=root or forge.root_of(attestation), at=forge.now, **wanted)
    assert caught.value.code == caught.value.reason_code.value
    return caught.value.reason_code


def genuine() -> bytes:
    path = VECTORS / "aws-document.cbor"
    if not path.exists():
        pytest.skip(f"no genuine AWS document at {path}")
    return path.read_bytes()


def test_verify__when_aws_made_the_document__accepts_it_at_its_time() -> None:
    attested = verify(genuine(), root=AWS_ROOT, at=GENUINE_AT, max_age=timedelta(minutes=5))
    assert attested.module_id == "i-04fd167167daacf3b-enc01845e97d0b3eb4e"
    assert attested.timestamp == 1_668_034_320_696
    assert len(attested.pcrs) == 16


@pytest.mark.parametrize("tagged", [False, True])
def test_verify__when_aws_made_the_document_yesterday__refuses_it(tagged: bool) -> None:  # noqa: FBT001 - a case
    attestation = b"\xd2" * tagged + genuine()
    with pytest.raises(NotAttested) as caught:
        verify(attestation, root=AWS_ROOT, at=GENUINE_AT + timedelta(days=1))
    assert caught.value.reason_code is Reason.EXPIRED


def test_verify__when_the_document_is_sound__says_what_it_says(forge: Forge) -> None:
    attestation = forge.document(user_data=b"data", nonce=None)
    for form in (attestation, b"\xd2" + attestation):
        attested = verify(form, root=forge.root_of(attestation), at=forge.now)
        assert attested == forge.said(
            user_data=b"data", certificate=attested.certificate, cabundle=attested.cabundle
        )


def test_verify__when_optional_fields_are_left_out__takes_them_for_none(forge: Forge) -> None:
    fields = forge.fields_of(forge.document())
    for name in ("public_key", "user_data", "nonce"):
        del fields[name]
    attestation = forge.signed(cbor2.dumps(fields))
    attested = verify(attestation, root=forge.root_of(attestation), at=forge.now)
    assert (attested.public_key, attested.user_data, attested.nonce) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("zone", {"curve": SECP256R1}, Reason.WRONG_CURVE),
        ("enclave", {"public_key": rsa.generate_private_key(65537, 2048)}, Reason.WRONG_CURVE),
        ("region", {"digest": SHA256()}, Reason.ALGORITHM),
        ("zone", {"until": datetime(2026, 11, 24, 11, 30, tzinfo=UTC)}, Reason.EXPIRED),
        ("zone", {"since": datetime(2026, 11, 24, 12, 30, tzinfo=UTC)}, Reason.NOT_YET_VALID),
        ("root", {"until": datetime(2026, 11, 24, 11, 30, tzinfo=UTC)}, Reason.EXPIRED),
        ("instance", {"issuer": "region"}, Reason.WRONG_ORDER),
        ("zone", {"ca": False}, Reason.NOT_AN_AUTHORITY),
        ("zone", {"constrained": False}, Reason.NOT_AN_AUTHORITY),
        ("zone", {"critical": False}, Reason.NOT_AN_AUTHORITY),
        ("zone", {"cert_sign": False}, Reason.KEY_USAGE),
        ("zone", {"usage": False}, Reason.KEY_USAGE),
        ("enclave", {"usage": False}, Reason.KEY_USAGE),
        ("enclave", {"document_sign": False}, Reason.KEY_USAGE),
        ("enclave", {"cert_sign": True}, Reason.KEY_USAGE),
        ("enclave", {"ca": True}, Reason.KEY_USAGE),
        ("region", {"below": 1}, Reason.PATH_LENGTH),
        ("root", {"below": 2}, Reason.PATH_LENGTH),
        ("zone", {"extension": UNKNOWN}, Reason.UNKNOWN_EXTENSION),
        ("enclave", {"extension": UNKNOWN}, Reason.UNKNOWN_EXTENSION),
        ("enclave", {"signed_by": "zone"}, Reason.CERTIFICATE_SIGNATURE),
        ("region", {"signed_by": "stranger"}, Reason.CERTIFICATE_SIGNATURE),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_chain__when_one_certificate_is_wrong__is_refused_by_the_reason(
    forge: Forge, name: str, changes: dict[str, Any], reason: Reason
) -> None:
    changed = forge.with_link(name, **changes)
    signer = forge if "public_key" in changes else changed
    attestation = signer.signed(document.write(changed.said()))
    assert refused(changed, attestation) is reason


def test_chain__when_certificates_are_reordered__is_refused(forge: Forge) -> None:
    attested = forge.said()
    root, region, zone, instance = attested.cabundle
    for bundle in ((root, zone, region, instance), (root, region, instance, zone), (root, zone, instance)):
        assert refused(forge, forge.document(cabundle=bundle)) is Reason.WRONG_ORDER


def test_chain__when_the_root_is_another_of_the_same_name__is_refused(forge: Forge) -> None:
    trusted = forge.root_of(forge.document())
    impostor = forge.with_link("root", signed_by="impostor")
    assert refused(impostor, impostor.document(), root=trusted) is Reason.FOREIGN_ROOT


def test_chain__when_the_root_was_swapped_for_the_trusted_one__is_refused(forge: Forge) -> None:
    attested = forge.said()
    strangers = replace(forge, links=tuple(replace(link, signed_by="impostor") for link in forge.links))
    swapped = (attested.cabundle[0], *strangers.said().cabundle[1:])
    assert refused(forge, strangers.document(cabundle=swapped)) is Reason.CERTIFICATE_SIGNATURE


def test_chain__when_an_enclave_signs_another_certificate__is_refused(forge: Forge) -> None:
    links = (*forge.links, replace(forge.links[-1], name="second enclave"))
    longer = replace(forge, links=links)
    assert refused(longer, longer.document()) is Reason.NOT_AN_AUTHORITY


def test_chain__when_it_has_too_many_certificates__is_refused(forge: Forge) -> None:
    attested = forge.said()
    attestation = forge.document(cabundle=(*attested.cabundle, *[attested.cabundle[1]] * document.MAX_CHAIN))
    with pytest.raises(NotAttested) as caught:
        verify(attestation, root=AWS_ROOT, at=forge.now)
    assert caught.value.reason_code is Reason.TOO_MANY_CERTIFICATES


@pytest.mark.parametrize("der", [b"\x30\x00", b"rubbish", bytes(1024)])
def test_chain__when_a_certificate_is_none__is_refused(forge: Forge, der: bytes) -> None:
    root, region, _, instance = forge.said().cabundle
    assert refused(forge, forge.document(cabundle=(root, region, der, instance))) is Reason.CERTIFICATE
    assert refused(forge, forge.document(certificate=der)) is Reason.CERTIFICATE


def test_chain__when_a_certificate_has_a_tail__is_refused(forge: Forge) -> None:
    leaf = forge.said().certificate
    assert refused(forge, forge.document(certificate=leaf + b"\x00")) is Reason.CERTIFICATE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("module_id", ""),
        ("module_id", b"bytes"),
        ("module_id", "x" * 257),
        ("digest", "SHA256"),
        ("timestamp", 0),
        ("timestamp", 1.5),
        ("timestamp", True),
        ("timestamp", 2**63),
        ("pcrs", {}),
        ("pcrs", {32: bytes(48)}),
        ("pcrs", {"0": bytes(48)}),
        ("pcrs", {True: bytes(48)}),
        ("pcrs", {0: bytes(32)}),
        ("pcrs", {0: "text"}),
        ("pcrs", [bytes(48)]),
        ("certificate", b""),
        ("certificate", bytes(1025)),
        ("certificate", None),
        ("cabundle", []),
        ("cabundle", b"bytes"),
        ("cabundle", [b""]),
        ("cabundle", [bytes(1025)]),
        ("public_key", bytes(1025)),
        ("public_key", "text"),
        ("user_data", bytes(513)),
        ("nonce", bytes(513)),
        ("extra", 1),
    ],
)
def test_fields__when_one_is_out_of_bounds__are_refused(forge: Forge, name: str, value: Any) -> None:
    fields = forge.fields_of(forge.document())
    root = hashlib.sha256(fields["cabundle"][0]).digest()
    attestation = forge.signed(cbor2.dumps(fields | {name: value}))
    assert refused(forge, attestation, root=root) is Reason.FIELDS


@pytest.mark.parametrize("name", ["module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"])
def test_fields__when_one_is_missing__are_refused(forge: Forge, name: str) -> None:
    fields = forge.fields_of(forge.document())
    root = hashlib.sha256(fields["cabundle"][0]).digest()
    del fields[name]
    assert refused(forge, forge.signed(cbor2.dumps(fields)), root=root) is Reason.FIELDS


def payload(change: Callable[[bytes], bytes]) -> Callable[[Forge, bytes], bytes]:
    return lambda forge, attestation: forge.signed(change(cose.read(attestation).payload))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda _, a: a[:-1], Reason.NOT_CBOR),
        (lambda _, a: a + b"\x00", Reason.NOT_CBOR),
        (lambda _, a: b"\xd2\xd2" + a, Reason.NOT_CBOR),
        (lambda _, _a: b"", Reason.NOT_CBOR),
        (lambda _, _a: b"\x81" * 4000 + b"\x00", Reason.NOT_CBOR),
        (lambda _, _a: b"\x9f" + b"\xff", Reason.NOT_CBOR),
        (lambda _, a: a + bytes(0x3000), Reason.TOO_LONG),
        (lambda _, _a: cbor2.dumps([1, 2, 3, 4]), Reason.NOT_SIGN1),
        (lambda _, _a: cbor2.dumps({"a": 1}), Reason.NOT_SIGN1),
        (lambda _, a: cbor2.dumps([*cbor2.loads(a), b""]), Reason.NOT_SIGN1),
        (lambda _, a: a[:5] + b"\xa1\x04\x41\x00" + a[6:], Reason.NOT_CBOR),
        (payload(lambda p: p[:-1]), Reason.NOT_CBOR),
        (payload(lambda p: p + b"\x00"), Reason.NOT_CBOR),
        (payload(lambda p: b"\xbf" + p[1:] + b"\xff"), Reason.NOT_CBOR),
        (payload(lambda p: bytes((p[0] + 1,)) + p[1:] + b"\x65nonce\xf6"), Reason.NOT_CBOR),
        (payload(lambda p: b"\xb8\x09" + p[1:]), Reason.NOT_CBOR),
        (payload(lambda p: p.replace(b"\xf6", b"\xc2\x41\x01")), Reason.NOT_CBOR),
    ],
    ids=[
        *("cut short", "a tail", "two tags", "nothing", "deep", "indefinite", "too long"),
        *("no bytes", "a map", "five parts", "keys of a header", "payload cut", "payload with a tail"),
        *("payload indefinite", "a field twice", "a long length", "a tag"),
    ],
)
def test_encoding__when_it_is_not_the_one_form__is_refused(
    forge: Forge, damage: Callable[[Forge, bytes], bytes], reason: Reason
) -> None:
    attestation = forge.document()
    assert refused(forge, damage(forge, attestation), root=forge.root_of(attestation)) is reason


@pytest.mark.parametrize("header", [{1: -7}, {1: -35, 4: b"key"}, {}, {1: -36}])
def test_signature__when_its_header_is_another__is_refused(forge: Forge, header: dict[int, Any]) -> None:
    attestation = forge.document()
    _, unprotected, signed, signature = cbor2.loads(attestation)
    changed = cbor2.dumps([cbor2.dumps(header), unprotected, signed, signature])
    assert refused(forge, changed, root=forge.root_of(attestation)) is Reason.ALGORITHM


@pytest.mark.parametrize("place", [0, 47, 48, 95])
def test_signature__when_one_bit_of_it_differs__is_refused(forge: Forge, place: int) -> None:
    attestation = bytearray(forge.document())
    attestation[-96 + place] ^= 1
    assert refused(forge, bytes(attestation)) is Reason.SIGNATURE


@pytest.mark.parametrize("signature", [bytes(96), b"\xff" * 96])
def test_signature__when_it_is_out_of_range__is_refused(forge: Forge, signature: bytes) -> None:
    attestation = forge.document()[:-96] + signature
    assert refused(forge, attestation) is Reason.SIGNATURE


def test_signature__when_a_field_was_changed_after_it__is_refused(forge: Forge) -> None:
    fields = forge.fields_of(forge.document())
    protected, unprotected, _, signature = cbor2.loads(forge.document())
    changed = cbor2.dumps([protected, unprotected, cbor2.dumps(fields | {"user_data": b"x"}), signature])
    assert refused(forge, changed) is Reason.SIGNATURE


def test_registers__when_the_image_is_zeros__are_of_an_enclave_in_debug_mode(forge: Forge) -> None:
    sound = dict(forge.said().pcrs)
    for changed in ({**sound, 0: bytes(48)}, dict.fromkeys(range(5), bytes(48)), {1: sound[1], 2: sound[2]}):
        assert refused(forge, forge.document(pcrs=changed)) is Reason.DEBUG_MODE


@pytest.mark.parametrize("register", [0, 1, 2])
def test_registers__when_one_of_those_always_measured_is_zeros_or_absent__are_of_debug_mode(
    forge: Forge, register: int
) -> None:
    sound = dict(forge.said().pcrs)
    absent = {index: value for index, value in sound.items() if index != register}
    for changed in (sound | {register: bytes(48)}, absent):
        assert refused(forge, forge.document(pcrs=changed)) is Reason.DEBUG_MODE


def test_registers__when_one_is_not_as_expected__are_refused(forge: Forge) -> None:
    attestation = forge.document()
    root, sound = forge.root_of(attestation), forge.said().pcrs
    verify(attestation, root=root, at=forge.now, pcrs={0: [bytes(48), sound[0]], 3: [sound[3]]})
    unexpected: tuple[dict[int, list[bytes]], ...] = (
        {0: [sound[1]]},
        {0: [sound[0]], 16: [bytes(48)]},
        {0: []},
    )
    for wanted in unexpected:
        assert refused(forge, attestation, pcrs=wanted) is Reason.MEASUREMENT


@pytest.mark.parametrize(
    ("age", "reason"),
    [(timedelta(minutes=5, seconds=1), Reason.STALE), (timedelta(minutes=-2), Reason.FROM_THE_FUTURE)],
)
def test_age__when_it_is_out_of_bounds__is_refused(forge: Forge, age: timedelta, reason: Reason) -> None:
    timestamp = int((forge.now - age).timestamp() * 1000)
    attestation = forge.document(timestamp=timestamp)
    assert refused(forge, attestation, max_age=timedelta(minutes=5)) is reason


def test_policy_register__when_a_document_is_measured__is_extended_by_its_hash() -> None:
    inner = hashlib.sha384(b"policy").digest()
    assert registers.policy_register(b"policy") == hashlib.sha384(bytes(48) + inner).digest()
