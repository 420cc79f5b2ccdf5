"""The payload of an attestation document: its fields, and the bounds of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mintline.attestation import registers
from mintline.attestation.refusals import NotAttested, Reason
from mintline.strict_cbor import MalformedCbor, dumps, loads

MAX_MODULE_ID = 256
MAX_TIMESTAMP = 2**42
"""Milliseconds since the Unix epoch: a day in the year 2109."""
MAX_CERTIFICATE = 1024
MAX_CHAIN = 8
"""Certificates of the bundle at most; AWS's has four."""
MAX_PUBLIC_KEY = 1024
MAX_USER_DATA = 512
_REQUIRED = {"module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"}
_OPTIONAL = {"public_key": MAX_PUBLIC_KEY, "user_data": MAX_USER_DATA, "nonce": MAX_USER_DATA}


@dataclass(frozen=True, slots=True)
class Document:
    """What an attestation document says. `pcrs` holds locked registers only, of 48 bytes each."""

    module_id: str
    timestamp: int
    """When it was made, in milliseconds since the Unix epoch."""
    pcrs: Mapping[int, bytes]
    certificate: bytes
    """The leaf, whose key signed the document (X.509, DER)."""
    cabundle: tuple[bytes, ...]
    """From the root to the leaf's issuer."""
    public_key: bytes | None = None
    """What the attested party wants to be written to by: SubjectPublicKeyInfo in DER, for KMS."""
    user_data: bytes | None = None
    nonce: bytes | None = None


def write(document: Document) -> bytes:
    """Return the payload, its fields in the order in which AWS writes them."""
    return dumps(
        {
            "module_id": document.module_id,
            "digest": "SHA384",
            "timestamp": document.timestamp,
            "pcrs": dict(document.pcrs),
            "certificate": document.certificate,
            "cabundle": list(document.cabundle),
            "public_key": document.public_key,
            "user_data": document.user_data,
            "nonce": document.nonce,
        }
    )


def read(payload: bytes) -> Document:
    """Read a payload; raises NotAttested for what is missing, unknown, of another type, or out of bounds."""
    try:
        fields = loads(payload, max_depth=2, any_keys=True)
    except MalformedCbor as fault:
        raise NotAttested(Reason.NOT_CBOR, f"The payload is {fault}.") from None
    if not isinstance(fields, dict) or not _REQUIRED <= fields.keys() <= _REQUIRED | _OPTIONAL.keys():
        raise _wrong("its names")
    module_id, timestamp, bundle = fields["module_id"], fields["timestamp"], fields["cabundle"]
    if not isinstance(module_id, str) or not 0 < len(module_id) <= MAX_MODULE_ID:
        raise _wrong("module_id")
    if fields["digest"] != "SHA384":
        raise _wrong("digest")
    if type(timestamp) is not int or not 0 < timestamp < MAX_TIMESTAMP:
        raise _wrong("timestamp")
    if not isinstance(bundle, list) or not bundle:
        raise _wrong("cabundle")
    if len(bundle) > MAX_CHAIN:
        raise NotAttested(
            Reason.TOO_MANY_CERTIFICATES, f"The document has more than {MAX_CHAIN} certificates."
        )
    return Document(
        module_id=module_id,
        timestamp=timestamp,
        pcrs=_registers(fields["pcrs"]),
        certificate=_bounded("certificate", fields["certificate"], 1, MAX_CERTIFICATE),
        cabundle=tuple(_bounded("cabundle", certificate, 1, MAX_CERTIFICATE) for certificate in bundle),
        **{
            name: None if (value := fields.get(name)) is None else _bounded(name, value, 0, limit)
            for name, limit in _OPTIONAL.items()
        },
    )


def _registers(value: Any) -> Mapping[int, bytes]:
    if not isinstance(value, dict) or not 0 < len(value) <= registers.COUNT:
        raise _wrong("pcrs")
    for index, content in value.items():
        if type(index) is not int or not 0 <= index < registers.COUNT:
            raise _wrong("the number of a register")
        if not isinstance(content, bytes) or len(content) != registers.SIZE:
            raise _wrong("the length of a register")
    return value


def _bounded(name: str, value: Any, least: int, most: int) -> bytes:
    if not isinstance(value, bytes) or not least <= len(value) <= most:
        raise _wrong(name)
    return value


def _wrong(what: str) -> NotAttested:
    return NotAttested(Reason.FIELDS, f"The document has a field that is not as it must be: {what}.")
