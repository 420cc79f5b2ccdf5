"""Read a container image, as `docker save` writes it, into the one tree that its layers make.

Source: OCI image specification, `layer.md` (whiteouts), `config.md`.
"""

from __future__ import annotations

import json
import stat
import tarfile
from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mintline.errors import Misconfigured
from mintline_eif.cpio import Entry

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


class _Manifest(BaseModel):
    config: str = Field(alias="Config")
    layers: tuple[str, ...] = Field(alias="Layers")


class RunConfig(BaseModel):
    """What an image runs; only what an enclave's init knows of."""

    model_config = ConfigDict(frozen=True)

    entrypoint: tuple[str, ...] | None = Field(default=None, alias="Entrypoint")
    cmd: tuple[str, ...] | None = Field(default=None, alias="Cmd")
    env: tuple[str, ...] | None = Field(default=None, alias="Env")

    @property
    def argv(self) -> tuple[str, ...]:
        """The program and its arguments."""
        return (*(self.entrypoint or ()), *(self.cmd or ()))


class _Config(BaseModel):
    architecture: str
    config: RunConfig


@dataclass(frozen=True, slots=True)
class ContainerImage:
    """An image's files by path, and what it runs."""

    files: dict[str, Entry]
    run: RunConfig
    arm64: bool


def read(path: Path) -> ContainerImage:
    """Read an image saved to a file; raises Misconfigured when that holds none, or several."""
    with _opened(path) as saved:
        manifests = _json(saved, "manifest.json")
        if not isinstance(manifests, list) or len(manifests) != 1:
            raise Misconfigured(f"{path}: expected one image, as `docker save IMAGE` writes it")
        try:
            manifest = _Manifest.model_validate(manifests[0])
            config = _Config.model_validate(_json(saved, manifest.config))
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            raise Misconfigured(f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None
        files: dict[str, Entry] = {}
        for layer in manifest.layers:
            _apply(files, saved, layer)
    return ContainerImage(files, config.config, arm64=config.architecture == "arm64")


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path) as saved:
            yield saved
    except (tarfile.TarError, EOFError) as error:
        raise Misconfigured(f"{path}: not an image that `docker save` wrote: {error}") from None


def _json(saved: tarfile.TarFile, name: str) -> Any:
    try:
        member = saved.extractfile(name)
        return json.load(member) if member is not None else None
    except (KeyError, ValueError):
        raise Misconfigured(f"the saved image has no {name} that could be read") from None


def _apply(files: dict[str, Entry], saved: tarfile.TarFile, layer: str) -> None:
    """Lay one layer over the tree: its whiteouts take from the layers below, never from itself."""
    added: dict[str, Entry] = {}
    try:
        content = saved.extractfile(layer)
    except KeyError:
        raise Misconfigured(f"the saved image lacks its layer {layer}") from None
    with tarfile.open(fileobj=content) as members:
        for member in members:
            path = _path(member.name)
            parent, _, name = path.rpartition("/")
            if name == _OPAQUE:
                _remove_below(files, parent)
            elif name.startswith(_WHITEOUT):
                gone = f"{parent}/{name.removeprefix(_WHITEOUT)}".removeprefix("/")
                files.pop(gone, None)
                _remove_below(files, gone)
            elif path and (entry := _entry(members, member, ChainMap(added, files))) is not None:
                added[path] = entry
    for path, entry in added.items():
        if path in files and files[path].is_folder and not entry.is_folder:
            _remove_below(files, path)
    files |= added


def _path(name: str) -> str:
    """Return a member's path, without the root that some tools write before it."""
    return "" if name == "." else name.removeprefix("./").strip("/")


def _remove_below(files: dict[str, Entry], parent: str) -> None:
    inside = f"{parent}/" if parent else ""
    for path in [path for path in files if path.startswith(inside)]:
        del files[path]


def _entry(members: tarfile.TarFile, member: tarfile.TarInfo, seen: Mapping[str, Entry]) -> Entry | None:
    """Return what a member stands for; None for devices and pipes, which an enclave's kernel makes itself.

    A hard link becomes a file of its own. File capabilities are left out: cpio has no place for them.
    """
    if member.islnk():
        return seen[_path(member.linkname)]
    mode, content = stat.S_IMODE(member.mode), b""
    if member.isdir():
        mode |= stat.S_IFDIR
    elif member.issym():
        mode, content = stat.S_IFLNK | 0o777, member.linkname.encode(errors="surrogateescape")
    elif member.isfile():
        read = members.extractfile(member)
        assert read is not None
        mode, content = mode | stat.S_IFREG, read.read()
    else:
        return None
    return Entry(mode, content, member.uid, member.gid, int(member.mtime))
