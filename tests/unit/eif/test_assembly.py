from __future__ import annotations

import tarfile
from typing import Any

import pytest

from mintline.errors import Misconfigured
from mintline_eif import image
from mintline_eif.assembly import assemble
from mintline_eif.container_image import read

from .conftest import BOOT, Member, Save, member
from .test_cpio import unpacked

TREE: list[Member] = [
    member("app", kind=tarfile.DIRTYPE),
    member("app/main.py", b"print()"),
    member("tmp/left", b"x"),
    member("etc/hostname", b"build-7"),
    member("proc", kind=tarfile.DIRTYPE, mode=0o555),
]


def made(save: Save, members: list[Member] = TREE, **changes: Any) -> bytes:
    parameters = {"settings": changes.pop("settings", {}), "epoch": changes.pop("epoch", 0)}
    policy = changes.pop("policy", None)
    return assemble(read(save(members, **changes)), BOOT, name="signer", policy=policy, **parameters)


def ramdisks(enclave_image: bytes) -> list[dict[str, Any]]:
    return [
        {path: entry for path, (entry, _) in unpacked(section.content).items()}
        for section in image.read(enclave_image)
        if section.type is image.SectionType.RAMDISK
    ]


def test_image__when_the_same_tree_was_built_at_another_time__is_the_same(save: Save) -> None:
    later = [member(m.name, c, kind=m.type, mode=m.mode, mtime=1_800_000_000) for m, c in reversed(TREE)]

    assert made(save) == made(save, later)


def test_image__when_a_byte_of_the_tree_differs__measures_otherwise_but_boots_alike(save: Save) -> None:
    other = [*TREE[:1], member("app/main.py", b"print(1)"), *TREE[2:]]

    ours, theirs = (image.measure(image.read(made(save, members))) for members in (TREE, other))

    assert ours.pcr1 == theirs.pcr1
    assert ours.pcr0 != theirs.pcr0
    assert ours.pcr2 != theirs.pcr2


@pytest.mark.parametrize("changes", [{"mode": 0o600}, {"uid": 7}, {"gid": 7}])
def test_image__when_a_file_has_another_owner_or_mode__measures_otherwise(
    save: Save, changes: dict[str, Any]
) -> None:
    other = [*TREE[:1], member("app/main.py", b"print()", **changes), *TREE[2:]]

    assert image.measure(image.read(made(save))) != image.measure(image.read(made(save, other)))


def test_ramdisks__when_unpacked__are_what_the_init_expects(save: Save) -> None:
    boot, application = ramdisks(
        made(save, env=["PATH=/app/bin", "A=image"], settings={"A": "ours", "B": "x=y"}, epoch=1_600_000_000)
    )

    assert {path: entry.content for path, entry in boot.items()} == {
        "dev": b"",
        "init": b"init",
        "nsm.ko": b"nsm",
    }
    assert boot["init"].mode & 0o777 == 0o755
    assert application["cmd"].content == b"/app/bin/python\n-m\nmintline_signer.enclave\n"
    assert application["env"].content == b"A=ours\nB=x=y\nPATH=/app/bin\n"
    mounted = {f"rootfs/{name}" for name in ("dev", "proc", "run", "sys", "tmp", "var")}
    assert set(application) == {"cmd", "env", "rootfs", *mounted, "rootfs/app", "rootfs/app/main.py"}
    assert application["rootfs/proc"].mode & 0o777 == 0o555
    assert {entry.mtime for path, entry in application.items() if "app" in path} == {1_600_000_000}


def test_image__when_it_has_a_policy__tells_the_enclave_where_and_measures_it(save: Save) -> None:
    strict, lax = (made(save, policy=policy) for policy in (b"{}", b"[]"))

    _, application = ramdisks(strict)
    assert application["rootfs/etc/mintline-policy.json"].content == b"{}"
    assert b"\nMINTLINE_SIGNING_POLICY=/etc/mintline-policy.json\n" in b"\n" + application["env"].content
    assert image.measure(image.read(strict)).pcr0 != image.measure(image.read(lax)).pcr0


@pytest.mark.parametrize("entrypoint", [None, [], ["python", "-m", "x"]])
def test_image__when_its_program_has_no_absolute_path__is_refused(
    save: Save, entrypoint: list[str] | None
) -> None:
    with pytest.raises(Misconfigured, match="absolute path"):
        made(save, entrypoint=entrypoint)


def test_image__when_a_setting_has_several_lines__is_refused(save: Save) -> None:
    with pytest.raises(Misconfigured, match="a word a line"):
        made(save, settings={"A": "1\n2"})
