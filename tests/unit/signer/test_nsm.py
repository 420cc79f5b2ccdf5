"""The security module: the device's protocol over a fake ioctl, and the one for development."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cbor2
import pytest

from mintline.attestation import cose, document, registers
from mintline.attestation.development import DevelopmentAuthority
from mintline.attestation.verify import verify
from mintline.clock import UnixSeconds
from mintline_signer.enclave.measurement import measured
from mintline_signer.enclave.nsm import Nsm, NsmFailed
from mintline_signer.enclave.nsm_development import DevelopmentNsm
from mintline_signer.enclave.nsm_device import IOCTL, RESPONSE_SIZE, DeviceNsm, device_exchange

DESCRIPTION = {
    "version_major": 1,
    "version_minor": 2,
    "version_patch": 3,
    "module_id": "i-1-enc2",
    "max_pcrs": 32,
    "locked_pcrs": [0, 1, 2],
    "digest": "SHA384",
}


@dataclass
class FakeModule:
    """Answers by operation; remembers what it was asked."""

    answers: dict[str, Any] = field(default_factory=dict)
    requested: list[Any] = field(default_factory=list)

    def __call__(self, request: bytes) -> bytes:
        parsed = cbor2.loads(request)
        self.requested.append(parsed)
        operation = parsed if isinstance(parsed, str) else next(iter(parsed))
        response = self.answers[operation]
        return response if isinstance(response, bytes) else cbor2.dumps(response)


def test_device__when_asked__speaks_the_modules_cbor() -> None:
    module = FakeModule(
        {
            "DescribeNSM": {"DescribeNSM": DESCRIPTION},
            "Attestation": {"Attestation": {"document": b"document"}},
            "GetRandom": {"GetRandom": {"random": bytes(range(256))}},
            "ExtendPCR": {"ExtendPCR": {"data": bytes(48)}},
            "LockPCR": "LockPCR",
        }
    )
    nsm: Nsm = DeviceNsm(module)
    described = nsm.describe()
    assert (described.module_id, described.version, described.max_pcrs) == ("i-1-enc2", (1, 2, 3), 32)
    assert described.locked_pcrs == {0, 1, 2}
    assert nsm.attest(public_key=b"key", nonce=b"n") == b"document"
    assert nsm.random(300) == bytes(range(256)) + bytes(range(44))
    assert nsm.extend_pcr(16, b"data") == bytes(48)
    nsm.lock_pcr(16)
    assert module.requested == [
        "DescribeNSM",
        {"Attestation": {"user_data": None, "nonce": b"n", "public_key": b"key"}},
        "GetRandom",
        "GetRandom",
        {"ExtendPCR": {"index": 16, "data": b"data"}},
        {"LockPCR": {"index": 16}},
    ]


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ({"Error": "ReadOnlyIndex"}, "refused: ReadOnlyIndex"),
        ({"ExtendPCR": {"data": "text"}}, "is none"),
        ({"ExtendPCR": {"data": b"", "more": 1}}, "is none"),
        ({"LockPCR": {"data": b""}}, "is none"),
        ("ExtendPCR", "is none"),
        (b"\xff", "is none"),
        (b"", "is none"),
    ],
)
def test_device__when_its_answer_is_an_error_or_none__fails(response: Any, message: str) -> None:
    with pytest.raises(NsmFailed, match=message):
        DeviceNsm(FakeModule({"ExtendPCR": response})).extend_pcr(16, b"x")


@pytest.mark.parametrize("change", [{"digest": "SHA256"}, {"locked_pcrs": ["0"]}, {"module_id": 1}])
def test_device__when_its_description_is_strange__fails(change: dict[str, Any]) -> None:
    with pytest.raises(NsmFailed, match="is none"):
        DeviceNsm(FakeModule({"DescribeNSM": {"DescribeNSM": DESCRIPTION | change}})).describe()


def test_device__when_it_gives_no_random_bytes__fails_instead_of_waiting() -> None:
    with pytest.raises(NsmFailed):
        DeviceNsm(FakeModule({"GetRandom": {"GetRandom": {"random": b""}}})).random(1)


def test_device__when_a_request_is_too_long__does_not_send_it() -> None:
    module = FakeModule()
    with pytest.raises(NsmFailed, match="InputTooLarge"):
        DeviceNsm(module).attest(user_data=bytes(0x1000))
    assert module.requested == []


class IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def fake_ioctl(reply: bytes, seen: list[bytes]) -> Callable[[int, int, Any], int]:
    """Do what the driver does: read the first buffer, fill the second, and set its length."""

    def ioctl(_descriptor: int, code: int, message: Any) -> int:
        assert code == IOCTL == 0xC0200A00
        request, response = (IoVec * 2).from_buffer(message)
        seen.append(ctypes.string_at(request.base, request.length))
        assert response.length == RESPONSE_SIZE == 0x3000
        ctypes.memmove(response.base, reply, len(reply))
        response.length = len(reply)
        return 0

    return ioctl


def test_exchange__when_the_driver_answers__gives_as_many_bytes_as_it_wrote(tmp_path: Path) -> None:
    device = tmp_path / "nsm"
    device.touch()
    seen: list[bytes] = []
    exchange = device_exchange(device, ioctl=fake_ioctl(b"answer\x00", seen))
    assert exchange(b"request") == b"answer\x00"
    assert seen == [b"request"]


def test_exchange__when_there_is_no_device__fails_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(NsmFailed, match="missing: No such file"):
        device_exchange(tmp_path / "missing")


def test_device__when_the_driver_fails__says_so(tmp_path: Path) -> None:
    device = tmp_path / "nsm"
    device.touch()

    def failing(*_: object) -> int:
        raise OSError(errno.EMSGSIZE, "Message too long")

    with pytest.raises(NsmFailed, match="Message too long"):
        DeviceNsm(device_exchange(device, ioctl=failing)).describe()


NOW = 1_800_000_000.0
ROLE = "arn:aws:iam::000000000000:role/mintline-enclave"


@dataclass
class Development:
    """A development module with a clock that the test moves."""

    authority: DevelopmentAuthority
    now: float = NOW

    def nsm(self) -> DevelopmentNsm:
        return DevelopmentNsm(
            self.authority, measured=measured(ROLE), module_id="module", now=lambda: UnixSeconds(self.now)
        )

    def said(self, attestation: bytes) -> document.Document:
        at = datetime.fromtimestamp(self.now, UTC)
        return verify(attestation, root=self.authority.fingerprint, at=at)


@pytest.fixture
def development() -> Development:
    return Development(DevelopmentAuthority.create(now=datetime.fromtimestamp(NOW, UTC)))


def test_development__when_it_attests__is_verified_under_its_root(development: Development) -> None:
    attested = development.said(
        development.nsm().attest(public_key=b"key", user_data=b"data", nonce=b"nonce")
    )
    assert (attested.public_key, attested.user_data, attested.nonce) == (b"key", b"data", b"nonce")
    assert attested.timestamp == int(NOW * 1000)
    assert attested.pcrs[3] == registers.role_register(ROLE)
    assert sorted(attested.pcrs) == list(range(16))


def test_development__when_a_register_is_measured_and_locked__attests_it(development: Development) -> None:
    nsm = development.nsm()
    assert nsm.extend_pcr(16, b"data") == registers.extended(bytes(48), b"data")
    assert 16 not in development.said(nsm.attest()).pcrs
    nsm.lock_pcr(16)
    assert development.said(nsm.attest()).pcrs[16] == registers.extended(bytes(48), b"data")
    assert 16 in nsm.describe().locked_pcrs
    with pytest.raises(NsmFailed, match="ReadOnlyIndex"):
        nsm.extend_pcr(16, b"more")


@pytest.mark.parametrize("index", [0, 15])
def test_development__when_a_platform_register_is_measured_into__refuses(
    development: Development, index: int
) -> None:
    with pytest.raises(NsmFailed, match="ReadOnlyIndex"):
        development.nsm().extend_pcr(index, b"data")


def test_development__when_input_is_out_of_bounds__refuses(development: Development) -> None:
    nsm = development.nsm()
    for index in (-1, 32):
        with pytest.raises(NsmFailed, match="InvalidIndex"):
            nsm.extend_pcr(index, b"data")
        with pytest.raises(NsmFailed, match="InvalidIndex"):
            nsm.lock_pcr(index)
    for data in ({"public_key": bytes(1025)}, {"user_data": bytes(513)}, {"nonce": bytes(513)}):
        with pytest.raises(NsmFailed, match="InputTooLarge"):
            nsm.attest(**data)
    with pytest.raises(NsmFailed, match="InputTooLarge"):
        nsm.extend_pcr(16, bytes(513))


def test_development__when_hours_pass__renews_its_certificate(development: Development) -> None:
    nsm = development.nsm()
    certificates = set()
    for _ in range(6):
        certificates.add(development.said(nsm.attest()).certificate)
        development.now += 3600
    assert 3 <= len(certificates) < 6


def test_measurement__when_taken_twice__is_the_same_and_no_register_is_zeros() -> None:
    once = measured(ROLE)
    assert once == measured(ROLE)
    assert registers.UNTOUCHED not in once.values()
    assert measured("another role")[0] == once[0]


def test_device__when_it_attests__gives_what_the_verifier_reads(development: Development) -> None:
    attestation = development.nsm().attest()
    module = FakeModule({"Attestation": {"Attestation": {"document": attestation}}})
    assert document.read(cose.read(DeviceNsm(module).attest()).payload).module_id == "module"
