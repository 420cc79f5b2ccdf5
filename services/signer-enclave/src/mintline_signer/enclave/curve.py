"""Deterministic, recoverable ECDSA on secp256k1, with secrets that can be erased.

coincurve's own PrivateKey keeps its secret in an immutable `bytes`, which Python cannot overwrite; so the
library's binding is called here directly, on memory that we own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from coincurve._libsecp256k1 import ffi, lib  # type: ignore[import-not-found]  # a C module without stubs
from coincurve.context import GLOBAL_CONTEXT

from mintline.eth import address_of_public_key
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode

_UNCOMPRESSED = lib.SECP256K1_EC_UNCOMPRESSED


@dataclass(frozen=True, slots=True)
class Signature:
    """An ECDSA signature in the lower half of the curve's order (EIP-2): r‖s in 64 bytes, and y's parity."""

    compact: bytes
    y_parity: int

    @property
    def r(self) -> int:
        """The first half, as a number."""
        return int.from_bytes(self.compact[:32], "big")

    @property
    def s(self) -> int:
        """The second half, as a number."""
        return int.from_bytes(self.compact[32:], "big")

    def with_v(self) -> bytes:
        """Return r‖s‖v, 65 bytes, v being 27 or 28: what Solidity's ecrecover wants."""
        return self.compact + bytes((27 + self.y_parity,))


@dataclass(slots=True, eq=False)
class SigningKey:
    """A private key in memory of its own.

    Takes over `secret` (32 bytes, big-endian) and overwrites it on `erase`. Raises EnclaveRefusal for a
    scalar that is no private key: zero, or not below the curve's order.
    """

    secret: bytearray = field(repr=False)
    address: str = field(init=False)
    _pointer: object = field(init=False, repr=False)
    _public: object = field(init=False, repr=False)
    alive: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        if len(self.secret) != 32:
            raise EnclaveRefusal(RefusalCode.KEY_MALFORMED)
        self._pointer = ffi.from_buffer("unsigned char[32]", self.secret)
        self._public = ffi.new("secp256k1_pubkey *")
        if not lib.secp256k1_ec_pubkey_create(GLOBAL_CONTEXT.ctx, self._public, self._pointer):
            self.erase()
            raise EnclaveRefusal(RefusalCode.KEY_MALFORMED)
        point = ffi.new("unsigned char[65]")
        size = ffi.new("size_t *", 65)
        lib.secp256k1_ec_pubkey_serialize(GLOBAL_CONTEXT.ctx, point, size, self._public, _UNCOMPRESSED)
        self.address = address_of_public_key(bytes(ffi.buffer(point)))

    def sign(self, digest: bytes) -> Signature:
        """Sign 32 bytes with the nonce of RFC 6979, and prove that the signature recovers to this key.

        Raises EnclaveFailure (`signing_fault`) otherwise: a faulty signature can give the key away.
        """
        if not self.alive or len(digest) != 32:
            raise EnclaveFailure(FailureCode.SIGNING_FAULT)
        context = GLOBAL_CONTEXT.ctx
        signature = ffi.new("secp256k1_ecdsa_recoverable_signature *")
        recovered = ffi.new("secp256k1_pubkey *")
        if not (
            lib.secp256k1_ecdsa_sign_recoverable(
                context, signature, digest, self._pointer, ffi.NULL, ffi.NULL
            )
            and lib.secp256k1_ecdsa_recover(context, recovered, signature, digest)
            and lib.secp256k1_ec_pubkey_cmp(context, recovered, self._public) == 0
        ):
            raise EnclaveFailure(FailureCode.SIGNING_FAULT)
        compact = ffi.new("unsigned char[64]")
        parity = ffi.new("int *")
        lib.secp256k1_ecdsa_recoverable_signature_serialize_compact(context, compact, parity, signature)
        # A recovery id of 2 or 3 means r ≥ n: 1 in 2^127, and neither EIP-1559 nor ecrecover can say it.
        if parity[0] > 1:
            raise EnclaveFailure(FailureCode.SIGNING_FAULT)
        return Signature(bytes(ffi.buffer(compact)), parity[0])

    def erase(self) -> None:
        """Overwrite the secret; the key signs nothing from then on."""
        self.alive = False
        self.secret[:] = bytes(len(self.secret))
