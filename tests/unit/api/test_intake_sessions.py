"""The session key of an api process: certified in time, or nothing is accepted."""

from __future__ import annotations

import asyncio
import random

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from structlog.testing import capture_logs

from mintline.acceptance import ACCEPTANCE, MAX_VALIDITY, Certificate, Statement, Statements
from mintline.errors import Unavailable
from mintline_api.auth.intake_sessions import RENEWED_AFTER, RETRY_AFTER, IntakeSessions

START = 1_790_000_000_000


class Kms:
    """Signs with the intake key, unless it is away."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.away = False
        self.hangs = False
        self.signed: list[Certificate] = []

    async def certify(self, certificate: Certificate) -> Certificate:
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise Unavailable("KMS is away")
        self.signed.append(certificate)
        return certificate.signed(self.key.sign(certificate.to_sign(), ec.ECDSA(SHA256())))


class Harness:
    def __init__(self) -> None:
        self.now = START
        self.kms = Kms()
        self.sessions = IntakeSessions(
            self.kms.certify, intake_key=self.kms.key.public_key(), now=lambda: self.now
        )

    def state(self) -> Statement:
        return self.sessions.state(ACCEPTANCE, b"digest", at=self.now)

    async def ready(self) -> bool:
        try:
            await self.sessions.check()
        except Unavailable:
            return False
        return True

    async def keep(self, seconds: float) -> None:
        """Let the session be kept for so long, on a clock that moves with its pauses."""
        stop = asyncio.Event()
        until = self.now + int(seconds * 1000)

        async def sleep(pause: float) -> None:
            self.now += int(pause * 1000)
            await asyncio.sleep(0)
            if self.now >= until:
                stop.set()

        await self.sessions.keep(stop, sleep=sleep, rng=random.Random(1))


@pytest.fixture
def world() -> Harness:
    return Harness()


async def test_state__when_the_session_is_certified__is_believed_by_the_intake_key_alone(
    world: Harness,
) -> None:
    await world.sessions.begin()
    spki = world.kms.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    Statements([spki]).verify(world.state(), ACCEPTANCE, b"digest", now=world.now)


async def test_state__when_there_is_no_certificate__is_unavailable_for_a_while(world: Harness) -> None:
    with pytest.raises(Unavailable) as caught:
        world.state()
    assert caught.value.retry_after == RETRY_AFTER
    assert not await world.ready()


async def test_state__when_the_certificate_has_run_out__is_unavailable(world: Harness) -> None:
    await world.sessions.begin()
    world.now += MAX_VALIDITY
    assert not await world.ready()
    with pytest.raises(Unavailable):
        world.state()


async def test_begin__when_kms_is_away__lets_the_process_start(world: Harness) -> None:
    world.kms.away = True
    await world.sessions.begin()
    assert not await world.ready()


async def test_renew__when_another_key_signs__keeps_the_session_in_use_and_logs_an_error(
    world: Harness,
) -> None:
    await world.sessions.begin()
    before = world.state().certificate
    world.kms.key = ec.generate_private_key(ec.SECP256R1())

    with capture_logs() as logs, pytest.raises(Unavailable, match="another intake key"):
        await world.sessions.renew()

    assert [(line["event"], line["log_level"]) for line in logs] == [("kms_key_mismatch", "error")]
    assert world.state().certificate == before


async def test_begin__when_kms_hangs__lets_the_process_start(
    world: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mintline_api.auth.intake_sessions.FIRST_TRY", 0.01)
    world.kms.hangs = True
    await world.sessions.begin()
    assert not await world.ready()


async def test_keep__when_kms_answers__renews_every_hour_with_another_key(world: Harness) -> None:
    await world.sessions.begin()
    await world.keep(4 * RENEWED_AFTER)
    assert len(world.kms.signed) in (4, 5)
    assert len({certificate.session_key for certificate in world.kms.signed}) == len(world.kms.signed)
    assert await world.ready()


async def test_keep__when_kms_is_away_for_less_than_an_hour__nothing_shows(world: Harness) -> None:
    await world.sessions.begin()
    world.kms.away = True
    await world.keep(RENEWED_AFTER + 3000)
    assert await world.ready()
    world.kms.away = False
    await world.keep(60)
    assert len(world.kms.signed) == 2


async def test_keep__when_kms_was_away_at_the_start__certifies_within_seconds_of_its_return(
    world: Harness,
) -> None:
    world.kms.away = True
    await world.sessions.begin()
    await world.keep(600)
    world.kms.away = False
    await world.keep(2 * RETRY_AFTER)
    assert await world.ready()


async def test_renew__when_kms_signs_with_another_key__is_unavailable_and_keeps_the_one_in_use(
    world: Harness,
) -> None:
    await world.sessions.begin()
    before = world.state().certificate
    world.kms.key = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(Unavailable, match="MINTLINE_INTAKE_KEY"):
        await world.sessions.renew()
    assert world.state().certificate == before
