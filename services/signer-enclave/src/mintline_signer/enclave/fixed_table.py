"""A mapping of digests that takes all its memory at once, so that an enclave is as large on its last day."""

from __future__ import annotations

import hashlib

VALUE_BYTES = 32
_KEY_BYTES = 16
_SLOT_BYTES = _KEY_BYTES + VALUE_BYTES
_WAYS = 8
_EMPTY = bytes(_KEY_BYTES)


class FixedTable:
    """Up to `size` values of 32 bytes, of which the least recently written of a key's set gives way.

    ::

        set = hash of the key → up to 8 slots, oldest first; slot = key (16 bytes) ‖ value (32 bytes)

    Keys are hashed under `secret` (16 bytes or more): a caller who chooses keys cannot choose
    which others they push out, and has to fill the whole table to remove one.
    """

    def __init__(self, *, size: int, secret: bytes) -> None:
        ways = min(_WAYS, size)
        self._secret = secret
        self._set_bytes = ways * _SLOT_BYTES
        self._sets = size // ways
        # Written, and not only reserved: the pages are there from the start.
        self._data = bytearray(b"\0") * (self._sets * self._set_bytes)
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def get(self, name: bytes) -> bytes | None:
        """Return the value that was last put under a name, or None."""
        key, start = self._place(name)
        for slot in range(start, start + self._set_bytes, _SLOT_BYTES):
            if self._data[slot : slot + _KEY_BYTES] == key:
                return bytes(self._data[slot + _KEY_BYTES : slot + _SLOT_BYTES])
        return None

    def put(self, name: bytes, value: bytes) -> None:
        """Keep a value of 32 bytes under a name, as the newest of its set."""
        if len(value) != VALUE_BYTES:
            raise ValueError(f"a value has {VALUE_BYTES} bytes")
        key, start = self._place(name)
        end = start + self._set_bytes
        held = [bytes(self._data[slot : slot + _SLOT_BYTES]) for slot in range(start, end, _SLOT_BYTES)]
        given = next((slot for slot in held if slot.startswith(key)), held[0])
        self._used += given.startswith(_EMPTY)
        held.remove(given)
        self._data[start:end] = b"".join((*held, key, value))

    def _place(self, name: bytes) -> tuple[bytes, int]:
        digest = hashlib.blake2b(name, key=self._secret, digest_size=_KEY_BYTES + 8).digest()
        return digest[:_KEY_BYTES], int.from_bytes(digest[_KEY_BYTES:]) % self._sets * self._set_bytes
