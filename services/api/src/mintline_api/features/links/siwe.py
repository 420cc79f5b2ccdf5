"""Sign-In with Ethereum messages (EIP-4361): composed, and read by the letter of the EIP's grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from mintline.fields import checked_address

MAX_LENGTH = 4096
"""Characters of a message; the grammar itself sets no bound."""
VERSION = "1"

# RFC 3986's character classes, as the grammar takes them over.
_PCT = r"%[0-9A-Fa-f]{2}"
_UNRESERVED = r"A-Za-z0-9._~\-"
_SUB_DELIMS = r"!$&'()*+,;="
_PCHAR = rf"(?:[{_UNRESERVED}{_SUB_DELIMS}:@]|{_PCT})"
_AUTHORITY = rf"(?:[{_UNRESERVED}{_SUB_DELIMS}:@\[\]]|{_PCT})+"
_URI = rf"[A-Za-z][A-Za-z0-9+.\-]*:(?:[{_UNRESERVED}{_SUB_DELIMS}:@/?#\[\]]|{_PCT})*"
_TIME = r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+\-]\d{2}:\d{2})"
_GRAMMAR = re.compile(
    rf"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://)?(?P<domain>{_AUTHORITY})"
    r" wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9A-Fa-f]{40})\n"
    r"\n"
    rf"(?:(?P<statement>[{_UNRESERVED}:/?#\[\]@{_SUB_DELIMS} ]+)\n)?"
    r"\n"
    rf"URI: (?P<uri>{_URI})\n"
    rf"Version: (?P<version>{VERSION})\n"
    r"Chain ID: (?P<chain_id>[0-9]{1,20})\n"
    r"Nonce: (?P<nonce>[A-Za-z0-9]{8,})\n"
    rf"Issued At: (?P<issued_at>{_TIME})"
    rf"(?:\nExpiration Time: (?P<expires_at>{_TIME}))?"
    rf"(?:\nNot Before: (?P<not_before>{_TIME}))?"
    rf"(?:\nRequest ID: (?P<request_id>{_PCHAR}*))?"
    rf"(?P<resources>\nResources:(?:\n- {_URI})*)?",
    re.ASCII,
)
_WANTS = " wants you to sign in with your Ethereum account:\n"


@dataclass(frozen=True, slots=True)
class SiweMessage:
    """What a wallet signs to show that it is its user's; `address` is checksummed, times are in UTC."""

    domain: str
    address: str
    uri: str
    chain_id: int
    nonce: str
    issued_at: datetime
    expires_at: datetime | None = None
    not_before: datetime | None = None
    statement: str | None = None


def compose(message: SiweMessage) -> str:
    """Return the text to sign, without request id and resources."""
    statement = f"{message.statement}\n" if message.statement else ""
    lines = [
        f"{message.domain}{_WANTS}{message.address}\n\n{statement}",
        f"URI: {message.uri}",
        f"Version: {VERSION}",
        f"Chain ID: {message.chain_id}",
        f"Nonce: {message.nonce}",
        f"Issued At: {_text(message.issued_at)}",
    ]
    if message.expires_at is not None:
        lines.append(f"Expiration Time: {_text(message.expires_at)}")
    if message.not_before is not None:
        lines.append(f"Not Before: {_text(message.not_before)}")
    return "\n".join(lines)


def parse(text: str) -> SiweMessage:
    """Return what a message says; raises ValueError, with what breaks the grammar where it can tell."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"expected at most {MAX_LENGTH} characters")
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        raise ValueError(_complaint(text))
    fields = match.groupdict()
    return SiweMessage(
        domain=fields["domain"],
        address=checked_address(fields["address"]),
        uri=fields["uri"],
        chain_id=int(fields["chain_id"]),
        nonce=fields["nonce"],
        issued_at=_time(fields["issued_at"]),
        expires_at=_time(fields["expires_at"]) if fields["expires_at"] else None,
        not_before=_time(fields["not_before"]) if fields["not_before"] else None,
        statement=fields["statement"],
    )


def _complaint(text: str) -> str:
    """Name the first mandatory part that is not there; good enough to find a typo."""
    for part in (_WANTS, "\nURI: ", f"\nVersion: {VERSION}\n", "\nChain ID: ", "\nNonce: ", "\nIssued At: "):
        if part not in text:
            return f"not a message by EIP-4361: it has no {part.strip()!r}"
    return "not a message by EIP-4361: a field is malformed, out of order or unknown"


def _time(text: str) -> datetime:
    """Read RFC 3339; raises ValueError for a day or an hour that does not exist."""
    return datetime.fromisoformat(text.upper()).astimezone(UTC)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
