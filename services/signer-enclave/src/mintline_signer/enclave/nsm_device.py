"""The module of a Nitro enclave: requests and answers in CBOR, through one ioctl on `/dev/nsm`.

https://github.com/aws/aws-nitro-enclaves-nsm-api (src/api/mod.rs, src/driver/mod.rs) and the kernel's
drivers/misc/nsm.c.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from mintline.strict_cbor import MalformedCbor, dumps, loads
from mintline_signer.enclave.nsm import NsmDescription, NsmFailed

DEVICE = Path("/dev/nsm")
MAX_REQUEST = 0x1000
RESPONSE_SIZE = 0x3000

Exchange: TypeAlias = Callable[[bytes], bytes]
"""Takes one encoded request to the module, and brings its encoded answer; raises OSError."""


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    _fields_ = (("request", _IoVec), ("response", _IoVec))


IOCTL = 3 << 30 | ctypes.sizeof(_Message) << 16 | 0x0A << 8
"""_IOWR(0x0A, 0, struct nsm_raw)."""


def device_exchange(path: Path = DEVICE, *, ioctl: Callable[[int, int, Any], int] = fcntl.ioctl) -> Exchange:
    """Open the device for as long as the process lives; raises NsmFailed when there is none."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise NsmFailed(f"cannot open the security module {path}: {error.strerror}") from None

    def exchange(request: bytes) -> bytes:
        sent = ctypes.create_string_buffer(request, len(request))
        received = ctypes.create_string_buffer(RESPONSE_SIZE)
        message = _Message(
            _IoVec(ctypes.addressof(sent), len(request)),
            _IoVec(ctypes.addressof(received), RESPONSE_SIZE),
        )
        ioctl(descriptor, IOCTL, message)
        # The driver writes back how long the answer is.
        return received.raw[: min(message.response.length, RESPONSE_SIZE)]

    return exchange


class DeviceNsm:
    """An Nsm over the device."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def describe(self) -> NsmDescription:
        description = self._ask("DescribeNSM", None)
        match description:
            case {
                "module_id": str(module_id),
                "version_major": int(major),
                "version_minor": int(minor),
                "version_patch": int(patch),
                "max_pcrs": int(most),
                "locked_pcrs": list(locked),
                "digest": "SHA384",
            } if all(type(index) is int for index in locked):
                return NsmDescription(module_id, (major, minor, patch), most, frozenset(locked))
        raise _puzzled("DescribeNSM")

    def attest(
        self,
        *,
        public_key: bytes | None = None,
        user_data: bytes | None = None,
        nonce: bytes | None = None,
    ) -> bytes:
        parameters = {"user_data": user_data, "nonce": nonce, "public_key": public_key}
        return self._bytes("Attestation", parameters, "document")

    def random(self, size: int) -> bytes:
        """Return that many random bytes; the module gives up to 256 at a time."""
        gathered = b""
        while len(gathered) < size:
            more = self._bytes("GetRandom", None, "random")
            if not more:
                raise _puzzled("GetRandom")
            gathered += more
        return gathered[:size]

    def extend_pcr(self, index: int, data: bytes) -> bytes:
        return self._bytes("ExtendPCR", {"index": index, "data": data}, "data")

    def lock_pcr(self, index: int) -> None:
        self._ask("LockPCR", {"index": index})

    def _bytes(self, operation: str, parameters: dict[str, Any] | None, name: str) -> bytes:
        response = self._ask(operation, parameters)
        if isinstance(response, dict) and response.keys() == {name} and isinstance(response[name], bytes):
            value: bytes = response[name]
            return value
        raise _puzzled(operation)

    def _ask(self, operation: str, parameters: dict[str, Any] | None) -> Any:
        """Return what the answer holds. An operation without parameters is a string alone (serde's form)."""
        request = dumps(operation if parameters is None else {operation: parameters})
        if len(request) > MAX_REQUEST:
            raise NsmFailed("the security module refused: InputTooLarge")
        try:
            response = loads(self._exchange(request), max_depth=3)
        except OSError as error:
            raise NsmFailed(f"the security module did not answer: {error.strerror}") from None
        except MalformedCbor:
            raise _puzzled(operation) from None
        if response == operation:
            return None
        if isinstance(response, dict) and response.keys() == {operation}:
            return response[operation]
        if isinstance(response, dict) and response.keys() == {"Error"}:
            raise NsmFailed(f"the security module refused: {response['Error']!s:.40}")
        raise _puzzled(operation)


def _puzzled(operation: str) -> NsmFailed:
    return NsmFailed(f"the security module's answer to {operation} is none")
