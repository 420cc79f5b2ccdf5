"""A hundred thousand damaged attestation documents: none breaks the verifier, none is believed.

Damage is done at every level: bytes of the document, parts of the COSE envelope, fields of the payload, and
the certificates; what was changed is encoded again, and in some cases signed again by someone without a path.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mintline.attestation import cose, document
from mintline.attestation.development import Attester, DevelopmentAuthority
from mintline.attestation.refusals import NotAttested, Reason
from mintline.attestation.verify import verify

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PCRS = {index: bytes((index + 1,)) * 48 for index in range(17)}
SEEDS = range(10)
PER_SEED = 10_000
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
"""Of P-384's group: with (r, s) also (r, order - s) signs."""


@dataclass(frozen=True)
class Harness:
    """A sound document, its maker, and a stranger with an authority of the same names."""

    root: bytes
    sound: bytes
    attester: Attester
    stranger: Attester

    @property
    def payload(self) -> bytes:
        return cose.read(self.sound).payload


@pytest.fixture(scope="module")
def world() -> Harness:
    authority, other = (DevelopmentAuthority.create(now=NOW) for _ in range(2))
    attester = authority.attester("module", now=NOW)
    sound = attester.attest(module_id="module", at=NOW, pcrs=PCRS, public_key=bytes(294), nonce=b"nonce")
    return Harness(authority.fingerprint, sound, attester, other.attester("module", now=NOW))


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Change, cut, lengthen, repeat or move some bytes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        place = rng.randrange(len(changed) + 1)
        match rng.randrange(6):
            case 0 if place < len(changed):
                changed[place] ^= 1 << rng.randrange(8)
            case 1:
                changed[place:place] = rng.randbytes(rng.choice((1, 2, 300)))
            case 2:
                del changed[place : place + rng.choice((1, 2, 50))]
            case 3:
                del changed[place:]
            case 4:
                changed[place:place] = changed[place : place + rng.randrange(100)]
            case _:
                changed[place : place + 1] = bytes((rng.randrange(256),))
    return bytes(changed)


def anything(rng: random.Random) -> Any:
    """Return a value of any type, and of an awkward size."""
    return rng.choice(
        (
            *(None, True, 0, -1, 2**64 - 1, 1.5, "", "SHA384", b"", {}, []),
            *(rng.randbytes(rng.choice((1, 48, 513, 1025))), [b""], {0: b""}, [[[[[[]]]]]], {"": {}}),
        )
    )


def of_bytes(world: Harness, rng: random.Random) -> bytes:
    return damaged(world.sound, rng)


def of_envelope(world: Harness, rng: random.Random) -> bytes:
    parts = cbor2.loads(world.sound)
    match rng.randrange(4):
        case 0:
            parts[rng.randrange(4)] = anything(rng)
        case 1:
            rng.shuffle(parts)
        case 2:
            place = rng.choice((0, 2, 3))
            parts[place] = damaged(parts[place], rng)
        case _:
            parts.insert(rng.randrange(5), anything(rng))
    return cbor2.dumps(parts)


def field_changed(world: Harness, rng: random.Random) -> bytes:
    fields = cbor2.loads(world.payload)
    name = rng.choice([*fields, "another"])
    match rng.randrange(5):
        case 0:
            fields.pop(name, None)
        case 1 if name == "pcrs":
            fields["pcrs"][rng.randrange(34)] = rng.choice((bytes(48), rng.randbytes(48), b"", None))
        case 2 if isinstance(fields.get(name), bytes):
            fields[name] = damaged(fields[name], rng)
        case 3:
            fields["timestamp"] += rng.choice((-1, 1, 10**7, -(10**7)))
        case _:
            fields[name] = anything(rng)
    return cbor2.dumps(fields)


def of_fields(world: Harness, rng: random.Random) -> bytes:
    protected, unprotected, _, signature = cbor2.loads(world.sound)
    return cbor2.dumps([protected, unprotected, field_changed(world, rng), signature])


def of_fields_signed_by_a_stranger(world: Harness, rng: random.Random) -> bytes:
    return cose.write(field_changed(world, rng), world.stranger.key)


def of_path_signed_by_a_stranger(world: Harness, rng: random.Random) -> bytes:
    """Mix the certificates of two authorities, damage some, and sign by the stranger's key."""
    mine, theirs = (
        [*attester.cabundle, attester.certificate.public_bytes(Encoding.DER)]
        for attester in (world.attester, world.stranger)
    )
    bundle = [rng.choice(pair) for pair in zip(mine, theirs, strict=True)]
    if rng.random() < 0.7:
        bundle[0] = mine[0]
    if rng.random() < 0.3:
        bundle.insert(rng.randrange(4), rng.choice([*mine, *theirs]))
    if rng.random() < 0.3:
        rng.shuffle(bundle)
    if rng.random() < 0.3:
        place = rng.randrange(len(bundle))
        bundle[place] = damaged(bundle[place], rng)
    fields = cbor2.loads(world.payload) | {"cabundle": bundle[:-1], "certificate": bundle[-1]}
    return cose.write(cbor2.dumps(fields), world.stranger.key)


def of_signature(world: Harness, rng: random.Random) -> bytes:
    *parts, signature = cbor2.loads(world.sound)
    r, s = int.from_bytes(signature[:48], "big"), int.from_bytes(signature[48:], "big")
    r, s = rng.choice(((s, r), (r, s ^ 1 << rng.randrange(384)), (r, 0), (0, s), (r, ORDER), (r, ORDER - s)))
    return cbor2.dumps([*parts, r.to_bytes(48, "big") + s.to_bytes(48, "big")])


DAMAGES: tuple[tuple[Callable[[Harness, random.Random], bytes], int], ...] = (
    (of_bytes, 30),
    (of_envelope, 15),
    (of_fields, 25),
    (of_fields_signed_by_a_stranger, 15),
    (of_path_signed_by_a_stranger, 10),
    (of_signature, 5),
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_verifier__when_documents_are_damaged__believes_none(world: Harness, seed: int) -> None:
    rng = random.Random(seed)
    damages, weights = zip(*DAMAGES, strict=True)
    reasons: Counter[str] = Counter()
    for damage in rng.choices(damages, weights, k=PER_SEED):
        attestation = damage(world, rng)
        try:
            attested = verify(attestation, root=world.root, at=NOW, max_age=timedelta(minutes=5))
        except NotAttested as refused:
            reasons[refused.code] += 1
        else:
            # Nothing but what was signed: the damage undid itself, or was of the signature's other form.
            reasons["unharmed"] += 1
            assert cose.read(attestation).payload == world.payload, (seed, attestation.hex())
            assert document.write(attested) == world.payload
    assert reasons.total() == PER_SEED
    reached = {Reason.NOT_CBOR, Reason.NOT_SIGN1, Reason.FIELDS, Reason.CERTIFICATE, Reason.FOREIGN_ROOT}
    reached |= {Reason.WRONG_ORDER, Reason.CERTIFICATE_SIGNATURE, Reason.SIGNATURE}
    assert {reason.value for reason in reached} <= reasons.keys(), reasons
    assert reasons["unharmed"] < PER_SEED / 20


def test_verifier__when_the_document_is_whole__believes_it(world: Harness) -> None:
    attested = verify(world.sound, root=world.root, at=NOW)
    assert hashlib.sha256(attested.cabundle[0]).digest() == world.root
