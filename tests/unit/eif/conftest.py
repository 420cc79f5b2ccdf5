"""Container images as `docker save` writes them, and what boots an enclave."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from mintline_eif.assembly import Boot

Member = tuple[tarfile.TarInfo, bytes]
BOOT = Boot(kernel=b"kernel", cmdline="console=ttyS0", init=b"init", nsm_module=b"nsm")


def member(name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, **changes: Any) -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mtime = kind, len(content), 1_700_000_000
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    for key, value in changes.items():
        setattr(info, key, value)
    return info, content


def tarred(members: Sequence[Member], mode: str = "w") -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode=mode) as archive:  # type: ignore[call-overload] # a mode by name
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return written.getvalue()


Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Return what saves an image of the given layers, and returns its file."""
    numbers = iter(range(100))

    def saved(
        *layers: Sequence[Member] | bytes,
        entrypoint: Sequence[str] | None = ("/app/bin/python", "-m", "mintline_signer.enclave"),
        env: Sequence[str] = ("PATH=/app/bin",),
        architecture: str = "amd64",
        images: int = 1,
    ) -> Path:
        names = [f"layer-{number}.tar" for number in range(len(layers))]
        config = {
            "architecture": architecture,
            "config": {"Entrypoint": entrypoint, "Cmd": None, "Env": list(env)},
        }
        manifest = [{"Config": "config.json", "RepoTags": ["x"], "Layers": names}] * images
        path = tmp_path / f"image-{next(numbers)}.tar"
        path.write_bytes(
            tarred(
                [
                    member("manifest.json", json.dumps(manifest).encode()),
                    member("config.json", json.dumps(config).encode()),
                    *(
                        member(name, layer if isinstance(layer, bytes) else tarred(layer))
                        for name, layer in zip(names, layers, strict=True)
                    ),
                ]
            )
        )
        return path

    return saved


@pytest.fixture
def blobs(tmp_path: Path) -> Path:
    folder = tmp_path / "blobs"
    folder.mkdir()
    for name, content in (("bzImage", b"kernel"), ("cmdline", b"console=ttyS0\n"), ("init", b"init")):
        (folder / name).write_bytes(content)
    return folder
