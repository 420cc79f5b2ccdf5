"""The machine that boots an enclave's image: what it needs, and what it attests with."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from mintline.attestation import cose, document
from mintline.attestation.development import DevelopmentAuthority
from mintline.attestation.document import Document
from mintline.attestation.verify import verify
from mintline.errors import Misconfigured
from mintline_harness.boot.command import main
from mintline_harness.boot.machine import Machine, write_attester

TOOL = Path(__file__).parents[3] / "tools/boot"
PARTS = (
    *("bin/qemu-system-x86_64", "bin/vhost-device-vsock", "bin/tsc-khz"),
    *("lib/ld-linux-x86-64.so.2", "lib/nitro-enclave.so"),
)
BLOBS = ("blobs/bzImage", "blobs/cmdline", "blobs/init")


def built(folder: Path, *parts: str) -> Machine:
    for part in parts:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).touch()
    return Machine(folder)


def test_machine__when_it_is_whole__is_accepted(tmp_path: Path) -> None:
    built(tmp_path, *PARTS, *BLOBS).check()


@pytest.mark.parametrize("missing", [*PARTS, *BLOBS])
def test_machine__when_a_part_is_missing__names_it_and_what_builds_it(missing: str, tmp_path: Path) -> None:
    machine = built(tmp_path, *(part for part in (*PARTS, *BLOBS) if part != missing))
    with pytest.raises(Misconfigured, match=f"no {re.escape(missing)}: .*tools/boot/build"):
        machine.check()


def test_boot__when_there_is_no_machine__fails_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--machine", str(tmp_path), "--image", str(tmp_path / "image.tar")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"boot: error: .* build the machine by tools/boot/build\n", captured.err)


def test_attester__when_it_is_written__signs_what_its_authority_vouches_for(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    authority = DevelopmentAuthority.create(now=now)
    folder = tmp_path / "attester"
    write_attester(folder, authority.attester("i-0-enc0", now=now))

    key = load_pem_private_key((folder / "key.pem").read_bytes(), password=None)
    assert isinstance(key, EllipticCurvePrivateKey)
    attested = Document(
        module_id="i-0-enc0",
        timestamp=int(now.timestamp() * 1000),
        pcrs={place: bytes((7,)) * 48 for place in range(3)},
        certificate=(folder / "certificate.der").read_bytes(),
        cabundle=tuple((folder / f"bundle{place}.der").read_bytes() for place in range(2)),
    )
    signed = cose.write(document.write(attested), key)

    assert verify(signed, root=authority.fingerprint, at=now) == attested
    assert folder.stat().st_mode & 0o077 == 0
    read = set(re.findall(r'"([\w.]+\.(?:pem|der))"', (TOOL / "qemu.patch").read_text()))
    assert {path.name for path in folder.iterdir()} == read


def test_machine__when_it_runs__takes_its_own_libraries_and_the_guests_clock(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    vsock = machine.vsock(device=Path("/d"), sockets=Path("/s"))
    enclave = machine.enclave(
        Path("/i.eif"),
        device=Path("/d"),
        module_id="m",
        role="arn:r",
        instance="i",
        attester=Path("/a"),
        tsc_khz=2_600_000,
    )
    loader = (f"{tmp_path}/lib/ld-linux-x86-64.so.2", "--library-path", f"{tmp_path}/lib")
    assert vsock[:4] == (*loader, f"{tmp_path}/bin/vhost-device-vsock")
    preloaded = ("--preload", f"{tmp_path}/lib/nitro-enclave.so", f"{tmp_path}/bin/qemu-system-x86_64")
    assert enclave[:6] == (*loader, *preloaded)
    assert "nitro-enclave,vsock=vsock,id=m,parent-role=arn:r,parent-id=i" in enclave
    assert enclave[-4:] == ("-kernel", "/i.eif", "-append", "tsc_early_khz=2600000")


def test_sources__when_the_machine_is_built__all_decide_whether_it_is_current() -> None:
    """A machine in a cache is built again when any of its sources changes."""
    listed = re.search(r"made_of=.*cat (.+) \| sha256sum", (TOOL / "build").read_text())
    assert listed
    assert set(listed[1].split()) == {path.name for path in TOOL.iterdir()} - {"README.md"}
