"""Statements of the api's processes, and the certificates that they rest on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mintline.acceptance import (
    ACCEPTANCE,
    CERTIFICATE_BYTES,
    LEEWAY,
    MAX_VALIDITY,
    STATEMENT_BYTES,
    Certificate,
    Fault,
    NotVouchedFor,
    Session,
    Statement,
    Statements,
    request_certificate,
)

INTAKE = ec.generate_private_key(ec.SECP256R1())
OTHER_INTAKE = ec.generate_private_key(ec.SECP256R1())
KEY = Ed25519PrivateKey.generate()
BEGINS = 1_790_000_000_000
AT = BEGINS + 60_000
FIELDS = (bytes(32), b"user-1")


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def certified(
    by: ec.EllipticCurvePrivateKey = INTAKE,
    *,
    named: ec.EllipticCurvePrivateKey | None = None,
    key: Ed25519PrivateKey = KEY,
    validity: int = MAX_VALIDITY,
) -> Certificate:
    """Return a certificate that names one intake key, and is signed by another if `by` is that."""
    wanted = request_certificate(
        key, (named or by).public_key(), not_before=BEGINS, not_after=BEGINS + validity
    )
    return wanted.signed(by.sign(wanted.to_sign(), ec.ECDSA(SHA256())))


def stated(
    certificate: Certificate | None = None, *, at: int = AT, key: Ed25519PrivateKey = KEY
) -> Statement:
    return Session(key, certificate or certified()).state(ACCEPTANCE, *FIELDS, at=at)


def verify(statement: Statement, *fields: bytes, domain: bytes = ACCEPTANCE, now: int = AT) -> None:
    Statements([spki(INTAKE)]).verify(statement, domain, *(fields or FIELDS), now=now)


def fault_of(statement: Statement, *fields: bytes, domain: bytes = ACCEPTANCE, now: int = AT) -> Fault:
    with pytest.raises(NotVouchedFor) as caught:
        verify(statement, *fields, domain=domain, now=now)
    return caught.value.fault


def test_statement__when_an_api_process_made_it__is_believed() -> None:
    data = stated().to_bytes()
    assert len(data) == STATEMENT_BYTES
    verify(Statement.from_bytes(data))


def test_certificate__when_read_back__is_the_same() -> None:
    certificate = certified()
    assert len(certificate.to_bytes()) == CERTIFICATE_BYTES
    assert Certificate.from_bytes(certificate.to_bytes()) == certificate


def test_statement__when_several_intake_keys_are_known__either_certifies() -> None:
    statements = Statements([spki(INTAKE), spki(OTHER_INTAKE)])
    statements.verify(stated(), ACCEPTANCE, *FIELDS, now=AT)
    statements.verify(stated(certified(OTHER_INTAKE)), ACCEPTANCE, *FIELDS, now=AT)


def test_statement__when_its_time_has_long_passed__is_believed_still() -> None:
    """A mint may wait for days: what counts is that the certificate was valid when the api accepted it."""
    verify(stated(), now=AT + 30 * 24 * 3600 * 1000)


@pytest.mark.parametrize(
    ("fields", "domain"),
    [
        ((bytes(31) + b"1", b"user-1"), ACCEPTANCE),
        ((bytes(32), b"user-2"), ACCEPTANCE),
        ((bytes(32) + b"u", b"ser-1"), ACCEPTANCE),
        ((bytes(32), b"user-1", b""), ACCEPTANCE),
        ((bytes(32),), ACCEPTANCE),
        (FIELDS, b"mintline/something-else/1"),
    ],
    ids=[
        "another digest",
        "another user",
        "a boundary moved",
        "a field more",
        "a field less",
        "another domain",
    ],
)
def test_statement__when_it_was_about_something_else__is_refused(
    fields: tuple[bytes, ...], domain: bytes
) -> None:
    assert fault_of(stated(), *fields, domain=domain) is Fault.SIGNATURE


def test_statement__when_its_time_is_another__is_refused() -> None:
    assert fault_of(replace(stated(), at=AT + 1)) is Fault.SIGNATURE


@pytest.mark.parametrize(
    ("at", "now", "fault"),
    [
        (BEGINS - 1, AT, Fault.TIME),
        (BEGINS + MAX_VALIDITY, BEGINS + 2 * MAX_VALIDITY, Fault.TIME),
        (AT + LEEWAY + 1, AT, Fault.TIME),
    ],
    ids=["before the certificate", "after the certificate", "of the future"],
)
def test_statement__when_its_certificate_does_not_cover_its_time__is_refused(
    at: int, now: int, fault: Fault
) -> None:
    assert fault_of(replace(stated(), at=at), now=now) is fault


def test_session__when_its_certificate_does_not_cover_the_time__states_nothing() -> None:
    for at in (BEGINS - 1, BEGINS + MAX_VALIDITY):
        with pytest.raises(ValueError, match="not valid at that time"):
            stated(at=at)


CERTIFICATES: list[tuple[str, Fault, Callable[[], Certificate]]] = [
    ("an intake key of one's own", Fault.KEY, lambda: certified(OTHER_INTAKE)),
    (
        "a known key's name over another's signature",
        Fault.CERTIFICATE,
        lambda: certified(OTHER_INTAKE, named=INTAKE),
    ),
    ("a validity of more than two hours", Fault.CERTIFICATE, lambda: certified(validity=MAX_VALIDITY + 1)),
    ("another session key", Fault.CERTIFICATE, lambda: replace(certified(), session_key=bytes(32))),
    (
        "a later end",
        Fault.CERTIFICATE,
        lambda: replace(certified(validity=3600), not_after=BEGINS + MAX_VALIDITY),
    ),
    ("no signature", Fault.CERTIFICATE, lambda: replace(certified(), signature=bytes(64))),
    ("a signature out of range", Fault.CERTIFICATE, lambda: replace(certified(), signature=b"\xff" * 64)),
]


@pytest.mark.parametrize(
    ("fault", "certificate"), [c[1:] for c in CERTIFICATES], ids=[c[0] for c in CERTIFICATES]
)
def test_statement__when_its_certificate_is_not_the_intake_keys__is_refused(
    fault: Fault, certificate: Callable[[], Certificate]
) -> None:
    assert fault_of(stated(certificate())) is fault


def test_statement__when_another_session_key_signed_it__is_refused() -> None:
    forged = replace(stated(), signature=Ed25519PrivateKey.generate().sign(b"x"))
    assert fault_of(forged) is Fault.SIGNATURE


def test_statement__when_its_certificate_is_of_another_version__is_malformed() -> None:
    statement = stated()
    assert fault_of(replace(statement, certificate=b"\x02" + statement.certificate[1:])) is Fault.MALFORMED


def test_statements__when_many_certificates_come__remember_the_latest() -> None:
    statements = Statements([spki(INTAKE)], remembered=2)
    for _ in range(3):
        key = Ed25519PrivateKey.generate()
        statements.verify(stated(certified(key=key), key=key), ACCEPTANCE, *FIELDS, now=AT)
    assert len(statements) == 2


def test_statements__when_a_certificate_is_refused__do_not_remember_it() -> None:
    statements = Statements([spki(INTAKE)])
    for _ in range(2):
        with pytest.raises(NotVouchedFor):
            statements.verify(stated(certified(OTHER_INTAKE, named=INTAKE)), ACCEPTANCE, *FIELDS, now=AT)
    assert len(statements) == 0


@pytest.mark.parametrize(
    "der", [b"", b"junk", bytes.fromhex("3006020100020100")], ids=["none", "junk", "zeros"]
)
def test_certificate__when_kms_gives_no_signature__is_not_believed(der: bytes) -> None:
    wanted = request_certificate(KEY, INTAKE.public_key(), not_before=BEGINS, not_after=BEGINS + 1000)
    with pytest.raises(ValueError):  # noqa: PT011 - NotVouchedFor is one, and cryptography has texts of its own
        wanted.signed(der).verify(INTAKE.public_key())


@pytest.mark.parametrize(
    "key", [b"", b"junk", spki(ec.generate_private_key(ec.SECP384R1()))], ids=["none", "junk", "P-384"]
)
def test_statements__when_an_intake_key_is_not_on_p256__refuse(key: bytes) -> None:
    with pytest.raises(ValueError, match="public key"):
        Statements([key])
