"""Assemble an enclave image from a container image and from what boots it.

The first ramdisk holds the init and its driver, the second the container's files below `rootfs/`, with what
to run in `cmd` and `env`: the layout that the init of aws/aws-nitro-enclaves-sdk-bootstrap expects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from mintline.errors import Misconfigured
from mintline_eif import cpio, image
from mintline_eif.container_image import ContainerImage, RunConfig
from mintline_eif.cpio import Entry
from mintline_eif.image import Section, SectionType

KERNELS = {False: "bzImage", True: "Image"}
"""The kernel's file, by whether it is for aarch64."""
MOUNTED = ("dev", "proc", "run", "sys", "tmp", "var")
"""Folders that the init mounts upon; what an image holds in all but `var` would be hidden."""
POLICY = "/etc/mintline-policy.json"
"""Where an image holds the signing policy; `/etc` is there in every base image."""
_POLICY_ENTRY = f"rootfs{POLICY}"
_MACHINE = (".dockerenv", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf")
"""What engines leave in images of themselves; an enclave has no network and no name."""


@dataclass(frozen=True, slots=True)
class Boot:
    """What boots an enclave: AWS ships it with nitro-cli, in /usr/share/nitro_enclaves/blobs."""

    kernel: bytes
    cmdline: str
    init: bytes
    nsm_module: bytes | None
    """The driver of /dev/nsm, unless the kernel has it built in."""


def read_boot(blobs: Path, *, arm64: bool) -> Boot:
    """Read the folder of boot files for an architecture; raises OSError for one that is missing."""
    module = blobs / "nsm.ko"
    return Boot(
        kernel=(blobs / KERNELS[arm64]).read_bytes(),
        cmdline=(blobs / "cmdline").read_text().strip(),
        init=(blobs / "init").read_bytes(),
        nsm_module=module.read_bytes() if module.exists() else None,
    )


def assemble(
    container: ContainerImage,
    boot: Boot,
    *,
    name: str,
    settings: Mapping[str, str],
    policy: bytes | None = None,
    epoch: int,
) -> bytes:
    """Return the enclave image of a container image; the same input gives the same bytes.

    `settings` are environment variables beside the container's own, `policy` is the signing policy. No file
    is younger than `epoch` (Unix seconds): a build writes its own time, which would otherwise be measured.
    """
    about = {
        "ImageName": name,
        "ImageVersion": "",
        "BuildMetadata": {
            "BuildTime": datetime.fromtimestamp(epoch, UTC).isoformat(),
            "BuildTool": "mintline eif",
            "BuildToolVersion": "",
            "OperatingSystem": "",
            "KernelVersion": "",
        },
        "DockerInfo": {},
        "CustomMetadata": {},
    }
    return image.build(
        kernel=boot.kernel,
        cmdline=boot.cmdline,
        ramdisks=(
            cpio.archive(_bootstrap(boot)),
            cpio.archive(_application(container, settings=settings, policy=policy, epoch=epoch)),
        ),
        metadata=json.dumps(about, sort_keys=True).encode(),
        arm64=container.arm64,
    )


def policy_in(sections: list[Section]) -> bytes | None:
    """Return the signing policy that an image was assembled with; None if it holds none where ours do."""
    policies = (cpio.content_of(_POLICY_ENTRY, s.content) for s in sections if s.type is SectionType.RAMDISK)
    return next((policy for policy in policies if policy is not None), None)


def _bootstrap(boot: Boot) -> dict[str, Entry]:
    entries = {"dev": cpio.folder(), "init": cpio.file(boot.init, 0o755)}
    if boot.nsm_module is not None:
        entries["nsm.ko"] = cpio.file(boot.nsm_module, 0o755)
    return entries


def _application(
    container: ContainerImage, *, settings: Mapping[str, str], policy: bytes | None, epoch: int
) -> dict[str, Entry]:
    added = {}
    if policy is not None:
        added = {_POLICY_ENTRY: cpio.file(policy)}
        settings = {**settings, "MINTLINE_SIGNING_POLICY": POLICY}
    hidden = tuple(f"{folder}/" for folder in MOUNTED if folder != "var")
    kept = {
        f"rootfs/{path}": replace(entry, mtime=min(entry.mtime, epoch))
        for path, entry in container.files.items()
        if not path.startswith(hidden) and path not in _MACHINE
    }
    mounted = {f"rootfs/{path}": cpio.folder() for path in MOUNTED}
    return {
        "rootfs": cpio.folder(),
        **mounted,
        **kept,
        **added,
        "cmd": cpio.file(_lines(_program(container.run))),
        "env": cpio.file(_lines(_environment(container.run, settings))),
    }


def _program(run: RunConfig) -> tuple[str, ...]:
    if not run.argv or not run.argv[0].startswith("/"):
        # The init looks into /sbin, /usr/sbin, /bin and /usr/bin alone, whatever PATH the image sets.
        raise Misconfigured("the image's entry point has to begin with the absolute path of a program")
    return run.argv


def _environment(run: RunConfig, settings: Mapping[str, str]) -> tuple[str, ...]:
    own = dict(variable.partition("=")[::2] for variable in run.env or ())
    return tuple(f"{name}={value}" for name, value in sorted({**own, **settings}.items()))


def _lines(words: tuple[str, ...]) -> bytes:
    """Return one word a line, as the init reads them."""
    for word in words:
        if "\n" in word or not word:
            raise Misconfigured(f"an enclave's init cannot be told {word!r}: it reads a word a line")
    return "".join(f"{word}\n" for word in words).encode()
