"""The enclave's image, built twice from nothing: the same bytes, so the same measurements."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mintline_eif import container_image, image
from mintline_eif.assembly import Boot, assemble
from mintline_eif.container_image import ContainerImage

if TYPE_CHECKING:
    from docker import DockerClient  # type: ignore[import-untyped] # it ships no types

pytestmark = pytest.mark.containers
ROOT = Path(__file__).parents[2]
DOCKERFILE = "services/signer-enclave/Dockerfile"
BOOT = Boot(kernel=b"a kernel", cmdline="console=ttyS0", init=b"an init", nsm_module=None)


def built(engine: DockerClient, folder: Path) -> ContainerImage:
    """Build the image with no layer of an earlier build, and read what came of it."""
    base = os.environ.get("BASE_IMAGE")
    built_image, _ = engine.images.build(
        path=str(ROOT),
        dockerfile=DOCKERFILE,
        target="enclave",
        buildargs={"BASE_IMAGE": base} if base else None,
        nocache=True,
        rm=True,
    )
    saved = folder / "image.tar"
    with saved.open("wb") as file:
        file.writelines(built_image.save(named=False))
    engine.images.remove(built_image.id)
    return container_image.read(saved)


def test_enclave_image__when_built_twice__measures_the_same(engine: DockerClient, tmp_path: Path) -> None:
    first, second = (built(engine, tmp_path) for _ in range(2))

    differing = [
        path
        for path in first.files.keys() | second.files.keys()
        if path not in first.files
        or path not in second.files
        or first.files[path].content != second.files[path].content
    ]
    assert differing == []
    assert {path for path in first.files if path.endswith("/mintline_signer/enclave/server.py")}
    packages = {path.split("/")[-1] for path in first.files if path.endswith(".dist-info")}
    assert len({name for name in packages if not name.startswith("mintline")}) <= 12
    images = [assemble(read, BOOT, name="signer", settings={}, epoch=0) for read in (first, second)]
    assert image.measure(image.read(images[0])) == image.measure(image.read(images[1]))
