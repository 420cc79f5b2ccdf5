"""The enclave's half of the audit trail: one chain, of which every host gets what it asked for.

::

    signature or refusal ──▶ record ──▶ its session's trail ──▶ batch, then the answer ──▶ the host stores
                                              ▲                                                 │
                                              └────── given to whoever comes next ◀───── if it does not say so

A record is kept until some host says that it is stored; with too many that are not, nothing more is signed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mintline.audit.records import BOOT, NO_HASH, SIGNED, Batch, Record, hash_of, signed_bytes
from mintline_signer.enclave.nsm import Nsm
from mintline_signer.errors import Failed, FailureCode

MAX_WAITING = 50_000
"""Records that no host has stored; a fifth of a kilobyte each."""
_PER_BATCH = 2000
"""Records of a batch at most, so that it fits into a frame."""

Numbered: TypeAlias = tuple[int, bytes]
"""A record's number, and its CBOR."""


class Audit:
    """The chain. `key` signs it, `attested` is the document whose `user_data` is that key's public half.

    `now` gives Unix seconds.
    """

    def __init__(
        self,
        key: Ed25519PrivateKey,
        *,
        attested: bytes,
        now: Callable[[], float],
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._key = key
        self._public = key.public_key().public_bytes_raw()
        self._now = now
        self._max_waiting = max_waiting
        self._next = 0
        self._head = NO_HASH
        self._waiting = 0
        self._left: list[Numbered] = []
        self.leave([self.append(what=BOOT, outcome=SIGNED, key="", intent=b"", result=attested)])

    def check_room(self) -> None:
        """Raise Failed (`audit_behind`) if hosts have to store more before anything else happens."""
        if self._waiting >= self._max_waiting:
            raise Failed(FailureCode.AUDIT_BEHIND)

    def append(self, *, what: str, outcome: str, key: str, intent: bytes, result: bytes) -> Numbered:
        """Put a record at the end of the chain, and return it: the caller sees to it that it is stored."""
        seq = self._next
        at = int(self._now() * 1000)
        encoded = Record(seq, self._head, at, what, outcome, key, intent, result).encode()
        self._head = hash_of(encoded)
        self._next += 1
        self._waiting += 1
        return seq, encoded

    def leave(self, records: Iterable[Numbered]) -> None:
        """Take over records whose session has ended."""
        self._left += records

    def adopt(self) -> list[Numbered]:
        """Return the records that ended sessions have left, to be stored by another."""
        left, self._left = self._left, []
        return left

    def forget(self, count: int) -> None:
        """Note that so many records are stored."""
        self._waiting -= count

    def batch(self, records: Iterable[bytes]) -> Batch:
        """Return records as a signed batch."""
        given = tuple(records)
        return Batch(self._public, given, self._key.sign(signed_bytes(hash_of(given[-1]))))


def open_audit(nsm: Nsm, *, now: Callable[[], float]) -> Audit:
    """Begin a chain with a key of its own, which the security module attests; raises NsmFailed."""
    key = Ed25519PrivateKey.generate()
    return Audit(key, attested=nsm.attest(user_data=key.public_key().public_bytes_raw()), now=now)


class Trail:
    """One session's part of the chain."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._unsent: list[Numbered] = []
        self._unstored: deque[list[Numbered]] = deque()

    def check_room(self) -> None:
        """Raise Failed (`audit_behind`) if hosts have to store more before anything else happens."""
        self._audit.check_room()

    def record(self, *, what: str, outcome: str, key: str, intent: bytes, result: bytes = b"") -> None:
        """Put a signature or a refusal on record."""
        self._unsent.append(
            self._audit.append(what=what, outcome=outcome, key=key, intent=intent, result=result)
        )

    def batches(self) -> list[Batch]:
        """Return what is to be sent before the answers that it is about."""
        waiting = self._unsent
        if left := self._audit.adopt():
            waiting = sorted(left + waiting)
        self._unsent = []
        batches: list[Batch] = []
        for start in range(0, len(waiting), _PER_BATCH):
            part = waiting[start : start + _PER_BATCH]
            self._unstored.append(part)
            batches.append(self._audit.batch(encoded for _, encoded in part))
        return batches

    def stored(self, count: int) -> None:
        """Forget the first `count` batches that were sent: the host has stored them."""
        for _ in range(min(count, len(self._unstored))):
            self._audit.forget(len(self._unstored.popleft()))

    def close(self) -> None:
        """Leave to another session what was not stored."""
        for batch in self._unstored:
            self._audit.leave(batch)
        self._audit.leave(self._unsent)
        self._unstored.clear()
        self._unsent = []
