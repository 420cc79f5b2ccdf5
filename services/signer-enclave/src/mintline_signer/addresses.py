"""Where host and enclave find each other: `unix:///path`, or `vsock://CID:PORT` on AWS (vsock(7))."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import AfterValidator

from mintline.errors import Misconfigured

ANY_CID = 2**32 - 1
"""VMADDR_CID_ANY: listen on whatever context id this machine has."""
_VSOCK = re.compile(r"vsock://(any|[0-9]{1,10}):([0-9]{1,10})")
_UNIX_PATH_MAX = 103
"""Bytes of a socket's path that every system takes (macOS: 104 with the final zero)."""


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A socket in the file system, open to its owner alone."""

    path: Path


@dataclass(frozen=True, slots=True)
class VsockAddress:
    """A socket between a virtual machine and its parent."""

    cid: int
    port: int


Address: TypeAlias = UnixAddress | VsockAddress


def parse(text: str) -> Address:
    """Read an address; raises ValueError with a sentence for the operator."""
    if text.startswith("unix:///"):
        path = text.removeprefix("unix://")
        if len(os.fsencode(path)) > _UNIX_PATH_MAX:
            raise ValueError(f"a socket's path may have {_UNIX_PATH_MAX} bytes at most")
        return UnixAddress(Path(path))
    if match := _VSOCK.fullmatch(text):
        cid = ANY_CID if match[1] == "any" else int(match[1])
        port = int(match[2])
        if cid < 2**32 and port < 2**32:
            return VsockAddress(cid, port)
    raise ValueError("expected unix:///absolute/path or vsock://CID:PORT")


def _checked(text: str) -> str:
    parse(text)
    return text


AddressText = Annotated[str, AfterValidator(_checked)]
"""An address in a setting."""


def _family(address: Address) -> tuple[int, str | tuple[int, int]]:
    if isinstance(address, UnixAddress):
        return socket.AF_UNIX, str(address.path)
    family: int | None = getattr(socket, "AF_VSOCK", None)
    if family is None:
        raise Misconfigured("this system has no vsock: use a unix:/// address")
    return family, (address.cid, address.port)


async def connect(address: Address) -> socket.socket:
    """Return a connected, non-blocking socket; raises OSError."""
    family, target = _family(address)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        await asyncio.get_running_loop().sock_connect(sock, target)
    except BaseException:
        sock.close()
        raise
    return sock


def listen(address: Address, *, backlog: int = 64) -> socket.socket:
    """Return a listening, non-blocking socket; a dead process's socket file is replaced.

    Raises Misconfigured when the address is taken or cannot be bound.
    """
    family, target = _family(address)
    if isinstance(address, UnixAddress):
        _clear(address.path)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Between bind and chmod the file would have the umask's mode; no one can connect before listen.
        sock.bind(target)
        if isinstance(address, UnixAddress):
            address.path.chmod(0o600)
        sock.listen(backlog)
        sock.settimeout(0)
    except OSError as error:
        sock.close()
        raise Misconfigured(f"cannot listen on {target}: {error.strerror}") from None
    return sock


def _clear(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise Misconfigured(f"cannot listen on {path}: there is something else than a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise Misconfigured(f"cannot listen on {path}: {error.strerror}") from None
        else:
            raise Misconfigured(f"cannot listen on {path}: another process does")


def withdraw(address: Address) -> None:
    """Remove what a closed listener leaves behind."""
    if isinstance(address, UnixAddress):
        address.path.unlink(missing_ok=True)
