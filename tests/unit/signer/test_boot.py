"""The enclave's boot: entropy, time and policy come from the security module, and keys are renewed."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from mintline.attestation import cose, document
from mintline.attestation.development import DevelopmentAuthority
from mintline.attestation.registers import policy_register
from mintline.clock import UnixSeconds
from mintline.errors import Misconfigured
from mintline.settings import load
from mintline_signer.enclave.boot import SEED, measure_policy, open_nsm, seed
from mintline_signer.enclave.clock import NsmClock
from mintline_signer.enclave.nsm import NsmFailed
from mintline_signer.enclave.nsm_development import DevelopmentNsm
from mintline_signer.enclave.recipient import KEY_SIZE, REFRESH, Recipients, new_key
from mintline_signer.enclave.settings import EnclaveSettings

POLICY = b'{"version": 1}'
MEASURED = {index: bytes((index + 1,)) * 48 for index in range(5)}
STARTED = 1_800_000_000.0


@dataclass
class Harness:
    """A security module, whose clock is right, and a monotonic clock, which counts from somewhere."""

    seconds: float = 0.0
    broken: bool = False
    nsm: DevelopmentNsm = field(init=False)

    def __post_init__(self) -> None:
        authority = DevelopmentAuthority.create(now=datetime.fromtimestamp(STARTED, UTC))
        self.nsm = DevelopmentNsm(
            authority, measured=MEASURED, module_id="module", now=lambda: UnixSeconds(self.now())
        )

    def now(self) -> float:
        if self.broken:
            raise NsmFailed("the security module did not answer")
        return STARTED + self.seconds

    def monotonic(self) -> float:
        return 77.0 + self.seconds

    def clock(self) -> NsmClock:
        return NsmClock(self.nsm.attest(), monotonic=self.monotonic)

    def recipients(self, clock: NsmClock, rotation: float = 3600.0) -> Recipients:
        return Recipients(self.nsm, clock, rotation=rotation, monotonic=self.monotonic)


@pytest.fixture
def world() -> Harness:
    return Harness()


def said(attestation: bytes) -> document.Document:
    return document.read(cose.read(attestation).payload)


def test_seed__when_booting__gives_the_kernel_the_modules_entropy(world: Harness, tmp_path: Path) -> None:
    pool = tmp_path / "random"
    pool.touch()
    seed(world.nsm, pool)
    assert len(pool.read_bytes()) == SEED
    assert len(set(pool.read_bytes())) > 100


def test_seed__when_the_kernel_takes_none__does_not_boot(world: Harness, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot seed"):
        seed(world.nsm, tmp_path / "none" / "random")


def test_policy__when_booting__is_measured_and_locked(world: Harness) -> None:
    measure_policy(world.nsm, POLICY)
    assert said(world.nsm.attest()).pcrs[16] == policy_register(POLICY)
    with pytest.raises(NsmFailed, match="ReadOnlyIndex"):
        world.nsm.extend_pcr(16, b"more")


def test_policy__when_the_process_starts_again__must_be_the_one_that_was_measured(world: Harness) -> None:
    measure_policy(world.nsm, POLICY)
    measure_policy(world.nsm, POLICY)
    with pytest.raises(NsmFailed, match="another policy"):
        measure_policy(world.nsm, POLICY + b" ")


def test_policy__when_something_was_measured_before_it__does_not_boot(world: Harness) -> None:
    world.nsm.extend_pcr(16, hashlib.sha384(b"another").digest())
    with pytest.raises(NsmFailed, match="another policy"):
        measure_policy(world.nsm, POLICY)


def test_clock__when_disciplined__tells_the_modules_time_and_counts_on(world: Harness) -> None:
    clock = world.clock()
    assert clock() == pytest.approx(STARTED)
    world.seconds += 10
    assert clock() == pytest.approx(STARTED + 10)
    clock.discipline(world.nsm.attest())
    assert clock() == pytest.approx(STARTED + 10)


def test_recipient__when_made__is_bound_by_its_document(world: Harness) -> None:
    recipient = world.recipients(world.clock()).current()
    public = said(recipient.document).public_key
    assert public is not None
    key = load_der_public_key(public)
    assert key == recipient.key.public_key()
    assert recipient.key.key_size == KEY_SIZE


def test_recipient__when_its_document_grows_old__gets_a_new_one_for_the_same_key(world: Harness) -> None:
    clock = world.clock()
    recipients = world.recipients(clock)
    first = recipients.current()
    world.seconds += REFRESH - 1
    assert recipients.current() is first
    world.seconds += 1
    second = recipients.current()
    assert said(second.document).timestamp - said(first.document).timestamp == REFRESH * 1000
    assert second.key is first.key
    assert clock() == pytest.approx(STARTED + REFRESH)


async def kept(recipients: Recipients, world: Harness, turns: int) -> None:
    """Let the keeper go round so many times, the clock going on as it sleeps."""
    done = asyncio.Event()
    slept = 0

    async def sleep(seconds: float) -> None:
        nonlocal slept
        if slept == turns:
            done.set()
            await asyncio.Event().wait()
        slept += 1
        world.seconds += seconds

    keeping = asyncio.create_task(recipients.keep(sleep))
    await done.wait()
    keeping.cancel()


async def test_keeper__when_time_passes__renews_documents_often_and_keys_seldom(world: Harness) -> None:
    recipients = world.recipients(world.clock(), rotation=600.0)
    first = recipients.current()
    await kept(recipients, world, 9)
    same = recipients.current()
    assert same.key is first.key
    assert said(same.document).timestamp > said(first.document).timestamp
    await kept(recipients, world, 2)
    rotated = recipients.current()
    assert rotated.key is not first.key
    public = said(rotated.document).public_key
    assert public is not None
    assert load_der_public_key(public) == rotated.key.public_key()


async def test_keeper__when_the_module_fails_for_a_while__goes_on_afterwards(world: Harness) -> None:
    recipients = world.recipients(world.clock())
    world.broken = True
    await kept(recipients, world, 3)
    with pytest.raises(NsmFailed):
        recipients.current()
    world.broken = False
    assert said(recipients.current().document).timestamp == int((STARTED + world.seconds) * 1000)


def test_key__when_made__is_of_the_size_that_kms_writes_to() -> None:
    assert new_key().key_size == 2048


def settings(**changes: str) -> EnclaveSettings:
    environment = {
        "MINTLINE_ENCLAVE_ADDRESS": "unix:///run/enclave.sock",
        "MINTLINE_KMS_PROXY_ADDRESS": "unix:///run/kms.sock",
        "MINTLINE_KMS_ENDPOINT_URL": "http://kms",
        "MINTLINE_KMS_KEY_ID": "alias/wallets",
        "MINTLINE_SIGNING_POLICY": "/policy.json",
    }
    return load(EnclaveSettings, environment | changes)


def test_module__when_none_is_named__is_the_device() -> None:
    assert settings().nsm == "device"
    with pytest.raises(NsmFailed, match="/dev/nsm"):
        open_nsm(settings())


def test_module__when_development_is_named__signs_by_the_file(tmp_path: Path) -> None:
    authority = DevelopmentAuthority.create(now=datetime.now(UTC))
    file = tmp_path / "authority.pem"
    file.write_bytes(authority.to_pem())
    named = {"MINTLINE_NSM": "development", "MINTLINE_DEVELOPMENT_AUTHORITY": str(file)}
    nsm = open_nsm(settings(**named))
    assert nsm.describe().module_id.startswith("development-")
    assert hashlib.sha256(said(nsm.attest()).cabundle[0]).digest() == authority.fingerprint


@pytest.mark.parametrize(
    ("content", "message"), [(None, "cannot read"), (b"rubbish", "not a development authority")]
)
def test_module__when_its_file_is_missing_or_damaged__is_misconfigured(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_bytes(content)
    named = {"MINTLINE_NSM": "development", "MINTLINE_DEVELOPMENT_AUTHORITY": str(file)}
    with pytest.raises(Misconfigured, match=message):
        open_nsm(settings(**named))


def test_module__when_development_names_no_authority__is_misconfigured() -> None:
    with pytest.raises(Misconfigured, match="MINTLINE_DEVELOPMENT_AUTHORITY"):
        open_nsm(settings(MINTLINE_NSM="development"))
