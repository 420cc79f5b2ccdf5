"""The authorization keys' private halves, by which the enclave reads what the api sealed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from mintline import key_subjects
from mintline.authorization import private_key_id
from mintline_signer.enclave.pkcs8 import p256_key
from mintline_signer.enclave.ports import Decrypter, Wrapper
from mintline_signer.enclave.wrapped import opening
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode
from mintline_signer.protocol import WrappedAuthorizationKey


class AuthorizationKeyCache:
    """Authorization keys by id; each is unwrapped when it is first needed, once for all who wait for it.

    Hazard: `cryptography` keeps a private key in memory of its own, which is freed but not overwritten.
    """

    def __init__(self, decrypter: Decrypter, successor: Wrapper | None = None) -> None:
        self._opening = partial(opening, decrypter, successor)
        self._wrapped: dict[bytes, WrappedAuthorizationKey] = {}
        self._held: dict[bytes, EllipticCurvePrivateKey] = {}
        self._flights: dict[bytes, asyncio.Task[EllipticCurvePrivateKey]] = {}

    def use(self, keys: Sequence[WrappedAuthorizationKey]) -> None:
        """Replace the keys in use; the ones that are no longer among them open nothing any more."""
        self._wrapped = {key.key_id: key for key in keys}
        self._held = {key_id: key for key_id, key in self._held.items() if key_id in self._wrapped}

    def held(self, key_id: bytes) -> EllipticCurvePrivateKey | None:
        """Return an unwrapped key, or None if it has to be obtained."""
        return self._held.get(key_id)

    async def obtain(self, key_id: bytes) -> EllipticCurvePrivateKey:
        """Return the key; raises EnclaveFailure, `sealing_key_missing` for one that the host did not give."""
        if (held := self._held.get(key_id)) is not None:
            return held
        wrapped = self._wrapped.get(key_id)
        if wrapped is None:
            raise EnclaveFailure(FailureCode.AUTHORIZATION_KEY_MISSING)
        flight = self._flights.get(key_id)
        if flight is None:
            flight = asyncio.create_task(self._unwrap(wrapped), name=f"unwrap {key_id.hex()}")
            self._flights[key_id] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key_id, None))
        return await asyncio.shield(flight)

    async def _unwrap(self, wrapped: WrappedAuthorizationKey) -> EllipticCurvePrivateKey:
        context = {"sub": key_subjects.AUTHORIZATION_KEY, "chain": str(wrapped.chain_id)}
        try:
            der = await self._opening(wrapped.kms_key).decrypt(wrapped.wrapped, context)
            try:
                key = p256_key(der)
            finally:
                der[:] = bytes(len(der))
        except EnclaveRefusal:
            # What the host brought is no authorization key: its doing, and no reason to end anyone's mint.
            raise EnclaveFailure(FailureCode.AUTHORIZATION_KEY_MISSING) from None
        if private_key_id(key) != wrapped.key_id:
            raise EnclaveFailure(FailureCode.AUTHORIZATION_KEY_MISSING)
        if wrapped.key_id in self._wrapped:
            self._held[wrapped.key_id] = key
        return key
