"""E-mail addresses: which text is one, when two are the same, and the name under which we know one.

An address is ASCII (RFC 5321 without SMTPUTF8, which Amazon SES does not send to): a dot-atom of up to 64
characters, `@`, and a domain of at least two labels; 254 characters in all (RFC 5321, 4.5.3.1; erratum 1690
of RFC 3696). Two are the same if they are equal after spaces around them are dropped and the domain is in
lower case; and the local part too, if the user pool's sign-in names are not case-sensitive.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field

MAX_LENGTH = 254
MAX_LOCAL = 64
_SPACES = " \t\r\n"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"({_LABEL}\.)+(?![0-9]+$){_LABEL}")
_DOMAIN_TAG = b"mintline/email/1\0"
_NAME_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class Email:
    """An address, and the name that stands for it wherever the address itself must not be."""

    address: str = field(repr=False)
    name: str
    """A keyed hash of the address: without the key it does not reveal the address."""


class Emails:
    """Reads addresses; `secret` is the key of their names, and must never change."""

    def __init__(self, secret: bytes, *, case_sensitive: bool) -> None:
        self._secret = secret
        self._case_sensitive = case_sensitive

    def read(self, text: str) -> Email:
        """Return the address that a text is; raises ValueError, which does not quote it."""
        address = normalised(text, case_sensitive=self._case_sensitive)
        digest = hmac.digest(self._secret, _DOMAIN_TAG + address.encode(), hashlib.sha256)
        return Email(address=address, name=f"email-{digest.hex()[:_NAME_CHARACTERS]}")


def normalised(text: str, *, case_sensitive: bool) -> str:
    """Return an address in the one form of all its spellings; raises ValueError, which does not quote it."""
    address = text.strip(_SPACES)
    local, at, domain = address.rpartition("@")
    if not at:
        raise ValueError("expected an e-mail address: name@example.com")
    if len(address) > MAX_LENGTH:
        raise ValueError(f"expected an e-mail address of at most {MAX_LENGTH} characters")
    if not address.isascii():
        raise ValueError("expected an e-mail address in ASCII: send an international domain as xn--…")
    if len(local) > MAX_LOCAL or not _LOCAL.fullmatch(local):
        raise ValueError(
            f"expected 1 to {MAX_LOCAL} letters, digits and !#$%&'*+/=?^_`{{|}}~-. before the @, unquoted"
        )
    domain = domain.lower()
    if not _DOMAIN.fullmatch(domain):
        raise ValueError("expected a domain name after the @, such as example.com")
    return f"{local if case_sensitive else local.lower()}@{domain}"
