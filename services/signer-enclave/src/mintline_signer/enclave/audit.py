"""The enclave's half of the audit trail, of which every host gets what it asked for.

::

    signature or refusal ──▶ record ──▶ its session's trail ──▶ batch, then the answer ──▶ the host stores
                                              ▲                                                 │
                                              └────── given to the next session ◀─────── if it does not say so

A record is kept until some host says that it is stored; with too many that are not, nothing more is signed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import NamedTuple

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mintline.audit.records import (
    BOOT,
    HAND_OVER,
    NO_HASH,
    SIGNED,
    TAKE_OVER,
    Batch,
    Record,
    hash_of,
    signed_bytes,
)
from mintline.clock import UnixSeconds, to_ms
from mintline_signer.enclave.nsm import Nsm, NsmFailed
from mintline_signer.enclave.refusal_counts import Alike, RefusalCounts
from mintline_signer.errors import EnclaveFailure, FailureCode

log = structlog.get_logger()

MAX_WAITING = 50_000
"""Records that no host has stored; a fifth of a kilobyte each."""
MAX_SIGNED = 1_000_000
"""Records that one key signs before it hands over, give or take those of a second."""
_PER_BATCH = 2000
"""Records of a batch at most, so that it fits into a frame."""


class AuditChain:
    """What one key signs: the records from its first to its hand-over. `since` is in Unix seconds.

    Invariant: once it has handed over the key is gone, and whatever part of its records is given away later
    ends with the hand-over, the signature of which was made while there was a key.
    """

    def __init__(self, number: int, key: Ed25519PrivateKey, *, previous: bytes, since: float) -> None:
        self.number = number
        self.since = since
        self.count = 0
        self.head = previous
        self.public = key.public_key().public_bytes_raw()
        self._key: Ed25519PrivateKey | None = key
        self._last = b""
        self._signature = b""

    def append(
        self,
        *,
        at: int,
        what: str,
        outcome: str,
        key: str = "",
        intent: bytes = b"",
        result: bytes = b"",
        count: int = 1,
    ) -> Entry:
        """Put a record of `at`, Unix milliseconds, at the end."""
        seq = self.count
        encoded = Record(seq, self.head, at, what, outcome, key, intent, result, count).encode()
        self.head = hash_of(encoded)
        self.count += 1
        return Entry(self, seq, encoded)

    def hand_over(self, successor: bytes, *, at: int) -> Entry:
        """Put on record which key comes next, sign that, and let go of the key."""
        entry = self.append(at=at, what=HAND_OVER, outcome=SIGNED, intent=successor)
        self._last, self._signature = entry.encoded, self._sign(self.head)
        self._key = None
        return entry

    def batch(self, records: Iterable[bytes]) -> Batch:
        """Return records as a signed batch."""
        given = tuple(records)
        if self._key is not None:
            return Batch(self.public, given, self._sign(hash_of(given[-1])))
        if given[-1] != self._last:
            given = (*given, self._last)
        return Batch(self.public, given, self._signature)

    def _sign(self, head: bytes) -> bytes:
        assert self._key is not None, "a key that has handed over signs nothing"
        return self._key.sign(signed_bytes(head))


class Entry(NamedTuple):
    """A record on its way to a host: its chain, its number there, and its CBOR."""

    chain: AuditChain
    seq: int
    encoded: bytes

    def place(self) -> tuple[int, int]:
        """Return where it stands among all records of the enclave's life."""
        return self.chain.number, self.seq


class Audit:
    """All that is put on record in an enclave's life: a chain, and another for each key that takes over.

    `key` signs the first, `attested` is the document whose `user_data` is that key's public half. `now` gives
    Unix seconds. `follows` is the hash of a record of the life before, zeros if there was none, or None as
    long as no host has told: until `begin` nothing is put on record, and so nothing signed.
    """

    def __init__(
        self,
        key: Ed25519PrivateKey,
        *,
        attested: bytes,
        now: Callable[[], UnixSeconds],
        follows: bytes | None = NO_HASH,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        self._now = now
        self._attested = attested
        self._max_waiting = max_waiting
        self._waiting = 0
        self._left: list[Entry] = []
        self._refusals = RefusalCounts()
        self._chain = AuditChain(0, key, previous=NO_HASH, since=now())
        if follows is not None:
            self.begin(follows)

    @property
    def _begun(self) -> bool:
        return self._chain.number > 0 or self._chain.count > 0

    def begin(self, follows: bytes) -> None:
        """Put the start on record, as following that record of the life before; once in an enclave's life."""
        if not self._begun:
            self.leave([self.append(what=BOOT, outcome=SIGNED, intent=follows, result=self._attested)])

    def check_room(self) -> None:
        """Raise EnclaveFailure if nothing may happen now.

        `audit_not_begun` before a host has told which life this one follows, `audit_behind` if hosts have to
        store more first.
        """
        if not self._begun:
            raise EnclaveFailure(FailureCode.AUDIT_NOT_BEGUN)
        if self._waiting >= self._max_waiting:
            raise EnclaveFailure(FailureCode.AUDIT_BEHIND)

    def append(
        self,
        *,
        what: str,
        outcome: str,
        key: str = "",
        intent: bytes = b"",
        result: bytes = b"",
        count: int = 1,
    ) -> Entry:
        """Put a record at the end of the chain, and return it: the caller sees to it that it is stored."""
        self._waiting += 1
        return self._chain.append(
            at=to_ms(self._now()),
            what=what,
            outcome=outcome,
            key=key,
            intent=intent,
            result=result,
            count=count,
        )

    def refuse(self, *, what: str, outcome: str, key: str, intent: bytes) -> Entry | None:
        """Put a refusal on record, and return its record; None if it repeats another and is counted."""
        self.settle_refusals()
        name = self._refusals.note(Alike(what, outcome, key), intent)
        if name is None:
            return None
        return self.append(what=what, outcome=outcome, key=name.key, intent=intent)

    def settle_refusals(self) -> None:
        """Put on record how many refusals repeated others, once their window is over."""
        for alike, intent, count in self._refusals.settled(self._now()):
            what, outcome, key = alike
            self.leave([self.append(what=what, outcome=outcome, key=key, intent=intent, count=count)])

    def due(self, *, age: float, count: int = MAX_SIGNED) -> bool:
        """Tell whether the key has signed for `age` seconds, or `count` records, and is to hand over."""
        return self._begun and (self._now() - self._chain.since >= age or self._chain.count >= count)

    def hand_over(self, key: Ed25519PrivateKey, *, attested: bytes) -> None:
        """Go on with another key, which the one before names in its last record and which is attested too."""
        before, now = self._chain, self._now()
        self._waiting += 1
        last = before.hand_over(key.public_key().public_bytes_raw(), at=to_ms(now))
        self._chain = AuditChain(before.number + 1, key, previous=before.head, since=now)
        self.leave([last, self.append(what=TAKE_OVER, outcome=SIGNED, result=attested)])
        log.info("audit_key_rotated", records=before.count)

    def leave(self, records: Iterable[Entry]) -> None:
        """Take over records whose session has ended."""
        self._left += records

    def adopt(self) -> list[Entry]:
        """Return the records that ended sessions have left, to be stored by another."""
        left, self._left = self._left, []
        return left

    def forget(self, count: int) -> None:
        """Note that so many records are stored."""
        self._waiting -= count


def new_key(nsm: Nsm) -> tuple[Ed25519PrivateKey, bytes]:
    """Make a key to sign the trail with, and have the security module attest it; raises NsmFailed."""
    key = Ed25519PrivateKey.generate()
    return key, nsm.attest(user_data=key.public_key().public_bytes_raw())


def open_audit(nsm: Nsm, *, now: Callable[[], UnixSeconds]) -> Audit:
    """Prepare a chain with a key of its own, which the security module attests; raises NsmFailed.

    It begins when a host has told which life it follows.
    """
    key, attested = new_key(nsm)
    return Audit(key, attested=attested, now=now, follows=None)


def rotate(audit: Audit, nsm: Nsm, *, age: float) -> None:
    """Have the key hand over if it is due; while no other can be attested, it goes on."""
    if not audit.due(age=age):
        return
    try:
        key, attested = new_key(nsm)
    except NsmFailed as error:
        log.warning("attestation_failed", reason=str(error))
        return
    audit.hand_over(key, attested=attested)


class SessionTrail:
    """One session's part of the chain."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self._unsent: list[Entry] = []
        self._unstored: deque[list[Entry]] = deque()

    def begin(self, follows: bytes) -> None:
        """Put the enclave's start on record, unless it is."""
        self._audit.begin(follows)

    def check_room(self) -> None:
        """Raise EnclaveFailure (`audit_not_begun`, `audit_behind`) if nothing may happen now."""
        self._audit.check_room()

    def record(self, *, what: str, outcome: str, key: str, intent: bytes, result: bytes = b"") -> None:
        """Put a signature on record."""
        self._unsent.append(
            self._audit.append(what=what, outcome=outcome, key=key, intent=intent, result=result)
        )

    def refuse(self, *, what: str, outcome: str, key: str, intent: bytes) -> None:
        """Put a refusal on record, or count it if it repeats one."""
        entry = self._audit.refuse(what=what, outcome=outcome, key=key, intent=intent)
        if entry is not None:
            self._unsent.append(entry)

    def batches(self) -> list[Batch]:
        """Return what is to be sent before the answers that it is about."""
        waiting = self._unsent
        if left := self._audit.adopt():
            waiting = sorted(left + waiting, key=Entry.place)
        self._unsent = []
        batches: list[Batch] = []
        for _, of_chain in groupby(waiting, key=lambda entry: entry.chain.number):
            entries = list(of_chain)
            for start in range(0, len(entries), _PER_BATCH):
                part = entries[start : start + _PER_BATCH]
                self._unstored.append(part)
                batches.append(part[0].chain.batch(entry.encoded for entry in part))
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
