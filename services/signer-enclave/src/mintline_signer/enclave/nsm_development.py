"""A module for development: it signs with an authority from a file what it is told to have measured."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from mintline.attestation import registers
from mintline.attestation.development import LEAF_LIFETIME, Attester, DevelopmentAuthority
from mintline.attestation.document import MAX_PUBLIC_KEY, MAX_USER_DATA
from mintline.clock import UnixSeconds
from mintline_signer.enclave.nsm import NsmDescription, NsmFailed

MAX_MEASURED = 512
"""Bytes that one extension takes."""


class DevelopmentNsm:
    """An Nsm in software. Registers below 16 are locked, with what `measured` says or zeros.

    `now` gives Unix seconds.
    """

    def __init__(
        self,
        authority: DevelopmentAuthority,
        *,
        measured: Mapping[int, bytes],
        module_id: str,
        now: Callable[[], UnixSeconds],
    ) -> None:
        self._authority = authority
        self._registers = dict.fromkeys(range(registers.COUNT), registers.UNTOUCHED) | dict(measured)
        self._locked = set(range(registers.FIRST_OWN))
        self._module_id = module_id
        self._now = now
        self._attester: Attester | None = None

    def describe(self) -> NsmDescription:
        return NsmDescription(self._module_id, (1, 0, 0), registers.COUNT, frozenset(self._locked))

    def attest(
        self,
        *,
        public_key: bytes | None = None,
        user_data: bytes | None = None,
        nonce: bytes | None = None,
    ) -> bytes:
        _bounded(public_key, MAX_PUBLIC_KEY)
        _bounded(user_data, MAX_USER_DATA)
        _bounded(nonce, MAX_USER_DATA)
        now = datetime.fromtimestamp(self._now(), UTC)
        return self._certified(now).attest(
            module_id=self._module_id,
            at=now,
            pcrs={index: self._registers[index] for index in sorted(self._locked)},
            public_key=public_key,
            user_data=user_data,
            nonce=nonce,
        )

    def _certified(self, now: datetime) -> Attester:
        """Return an attester whose certificate is valid for another hour and a half at least."""
        attester = self._attester
        if attester is None or attester.certificate.not_valid_after_utc - now < LEAF_LIFETIME / 2:
            attester = self._attester = self._authority.attester(self._module_id, now=now)
        return attester

    def random(self, size: int) -> bytes:
        return secrets.token_bytes(size)

    def extend_pcr(self, index: int, data: bytes) -> bytes:
        if index not in self._registers:
            raise NsmFailed("the security module refused: InvalidIndex")
        if index in self._locked:
            raise NsmFailed("the security module refused: ReadOnlyIndex")
        _bounded(data, MAX_MEASURED)
        self._registers[index] = registers.extended(self._registers[index], data)
        return self._registers[index]

    def lock_pcr(self, index: int) -> None:
        if index not in self._registers:
            raise NsmFailed("the security module refused: InvalidIndex")
        self._locked.add(index)


def _bounded(data: bytes | None, most: int) -> None:
    if data is not None and len(data) > most:
        raise NsmFailed("the security module refused: InputTooLarge")
