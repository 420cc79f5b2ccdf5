"""Verifies the trail that hosts have stored: every chain whole from its start, signed, by an attested key.

A key that took over from another is believed only if the last record of that one names it, and if the same
enclave had it attested. A life of an enclave names a record of the one before, so a missing life shows if
another followed it. Where none did, the trail alone cannot tell: KMS knows which enclaves asked it for keys
(`kms_log`), and the blockchain what was signed last.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mintline.attestation.refusals import NotAttested
from mintline.attestation.registers import POLICY_REGISTER
from mintline.attestation.verify import verify
from mintline.audit.records import (
    BOOT,
    HAND_OVER,
    MAX_BATCH,
    NO_HASH,
    TAKE_OVER,
    Batch,
    BrokenRecord,
    Record,
    decode_record,
    hash_of,
    read_batch,
)
from mintline.strict_cbor import MalformedCbor, loads

_LENGTH = 4
"""Bytes that hold a batch's length, ahead of it."""
SUFFIX = ".audit"
"""Ends the name of every file of the trail."""
MAX_FILE = 64 << 20
"""Bytes of a file after which a host begins another one."""


@dataclass(slots=True)
class RecordChain:
    """What is stored of what one audit key signed: an enclave's life, or what is between two hand-overs."""

    key: bytes
    records: dict[int, bytes] = field(default_factory=dict)
    breaks: list[str] = field(default_factory=list)
    module_id: str = ""
    pcr0: bytes = b""
    pcr16: bytes = b""
    """What the enclave measured its policy document as; zeros or nothing if it had none."""
    first_at: int = 0
    last_at: int = 0
    head: bytes = NO_HASH
    """The hash of the last record."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Signatures and refusals by outcome."""
    predecessor: bytes = b""
    """The hash of the record by which the key before handed over; none if the chain is an enclave's first."""
    follows: bytes = b""
    """The record of an earlier life that the first record names; zeros for none, empty in old trails."""
    successor: bytes = b""
    """The key that this one handed over to, and with `end`, the hash of the record that says so."""
    end: bytes = b""


@dataclass(slots=True)
class Report:
    """What a verification found."""

    chains: list[RecordChain]
    breaks: list[str]
    """What is wrong with the files themselves."""
    torn: list[str]
    """Files whose last batch was cut short: a host died in its write, and the batch was given to another."""

    @property
    def sound(self) -> bool:
        """Tell whether nothing is missing, altered or forged."""
        return bool(self.chains) and not self.breaks and not any(chain.breaks for chain in self.chains)

    @property
    def lives(self) -> int:
        """Return how many lives of enclaves begin here; a key that took over is of the same life."""
        return sum(1 for chain in self.chains if not chain.predecessor)

    @property
    def outcomes(self) -> Counter[str]:
        """Return the signatures and refusals of all chains by outcome."""
        return sum((chain.outcomes for chain in self.chains), Counter())


def verify_trail(
    folder: Path,
    *,
    root: bytes,
    pcr0: Collection[bytes] = (),
    pcr16: Collection[bytes] = (),
    known: Collection[bytes] = (),
    modules: Collection[str] = (),
    names: Mapping[Path, str] | None = None,
) -> Report:
    """Verify every file of the trail in a folder, and in the folders below.

    `root` is the SHA-256 of the trusted root's DER, `pcr0` and `pcr16` the measurements that an image and a
    policy document may have; any, if there are none. `known` are the hashes of records that are kept
    elsewhere, which lives may follow, `modules` the ids of the enclaves that asked KMS for keys, each of
    which must have a life here. `names` is what the report calls files, or the folder, whose own names say
    nothing.
    Raises OSError.
    """
    report = Report(chains=[], breaks=[], torn=[])
    names = names or {}
    pcrs = {register: allowed for register, allowed in ((0, pcr0), (POLICY_REGISTER, pcr16)) if allowed}
    chains: dict[bytes, RecordChain] = {}
    for path in sorted(folder.rglob(f"*{SUFFIX}")):
        for batch in _batches(path, names.get(path, path.name), report):
            _gather(batch, chains.setdefault(batch.key, RecordChain(batch.key)))
    for chain in chains.values():
        _check(chain, root=root, pcrs=pcrs)
        report.chains.append(chain)
    _check_hand_overs(chains)
    _check_lives(chains, {NO_HASH, *known})
    seen = {chain.module_id for chain in report.chains}
    report.breaks += [
        f"the enclave {module_id} asked KMS for keys, and has no records here"
        for module_id in sorted(set(modules) - seen)
    ]
    report.chains.sort(key=lambda chain: chain.first_at)
    if not chains:
        report.breaks.append(f"there is no trail in {names.get(folder, folder)}")
    return report


def last_batch(path: Path) -> Batch | None:
    """Return the last whole batch of a file, reading no other one; None if it has none. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start, at = -1, 0
        while at + _LENGTH <= size:
            file.seek(at)
            end = at + _LENGTH + int.from_bytes(file.read(_LENGTH), "big")
            if not at < end <= size:
                break
            start, at = at, end
        if start < 0:
            return None
        file.seek(start + _LENGTH)
        try:
            return read_batch(loads(file.read(at - start - _LENGTH), max_depth=3))
        except (MalformedCbor, BrokenRecord):
            return None


def _batches(path: Path, name: str, report: Report) -> Iterator[Batch]:
    data = path.read_bytes()
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + _LENGTH], "big")
        body = data[at + _LENGTH : at + _LENGTH + length]
        if length > MAX_BATCH:
            report.breaks.append(f"{name}: what stands at byte {at} is no batch")
            return
        if len(data) - at < _LENGTH or len(body) < length:
            report.torn.append(name)
            return
        try:
            yield read_batch(loads(body, max_depth=3))
        except (MalformedCbor, BrokenRecord) as fault:
            report.breaks.append(f"{name}: what stands at byte {at} is broken: {fault}")
        at += _LENGTH + length


def _gather(batch: Batch, chain: RecordChain) -> None:
    """Put a batch's records into their chain; one that is stored twice must be the same both times."""
    if not batch.genuine():
        chain.breaks.append("a batch's signature is not the audit key's")
        return
    last = -1
    for encoded in batch.records:
        try:
            seq = decode_record(encoded).seq
        except BrokenRecord as fault:
            chain.breaks.append(str(fault))
            return
        if seq <= last:
            chain.breaks.append(f"record {seq} stands behind record {last}")
        last = seq
        if chain.records.setdefault(seq, encoded) != encoded:
            chain.breaks.append(f"there are two records {seq}")


def _check(chain: RecordChain, *, root: bytes, pcrs: Mapping[int, Collection[bytes]]) -> None:
    """Walk a chain from its first record to its last; each batch's last record was signed, so the last is."""
    previous = NO_HASH
    expected = 0
    for seq in sorted(chain.records):
        record = decode_record(chain.records[seq])
        if seq == 0 and record.what == TAKE_OVER:
            previous = chain.predecessor = record.previous
        if chain.successor:
            chain.breaks.append(f"record {seq} stands behind the hand-over to another key")
        if seq != expected:
            missing = f"record {expected}" if seq == expected + 1 else f"records {expected} to {seq - 1}"
            chain.breaks.append(f"{missing} missing")
        elif record.previous != previous:
            chain.breaks.append(f"record {seq} does not follow from the one before")
        chain.first_at = chain.first_at or record.at
        chain.last_at = record.at
        previous, expected = hash_of(chain.records[seq]), seq + 1
        chain.head = previous
        if seq == 0:
            _check_first(record, chain, root=root, pcrs=pcrs)
        elif record.what == HAND_OVER:
            chain.successor, chain.end = record.intent, previous
        else:
            chain.outcomes[record.outcome] += record.count


def _check_hand_overs(chains: Mapping[bytes, RecordChain]) -> None:
    """Hold every chain against the one before and the one after it: both must say the same."""
    ended = {chain.end: chain for chain in chains.values() if chain.successor}
    for chain in chains.values():
        if chain.predecessor:
            before = ended.get(chain.predecessor)
            if before is None or before.successor != chain.key:
                chain.breaks.append("no key has handed over to this one")
            elif (before.module_id, before.pcr0, before.pcr16) != (chain.module_id, chain.pcr0, chain.pcr16):
                chain.breaks.append("the key that handed over to this one is another enclave's")
        if chain.successor:
            after = chains.get(chain.successor)
            if after is None or after.predecessor != chain.end:
                chain.breaks.append(f"nothing follows the hand-over to {chain.successor.hex()[:16]}")


def _check_lives(chains: Mapping[bytes, RecordChain], known: Collection[bytes]) -> None:
    """Require the record that each life names of the one before it."""
    following = [chain for chain in chains.values() if chain.follows and chain.follows not in known]
    if not following:
        return
    stored = {hash_of(encoded) for chain in chains.values() for encoded in chain.records.values()}
    for chain in following:
        if chain.follows not in stored:
            chain.breaks.append(f"the life before is missing: no record has the hash {chain.follows.hex()}")


def _check_first(
    record: Record, chain: RecordChain, *, root: bytes, pcrs: Mapping[int, Collection[bytes]]
) -> None:
    if record.what not in (BOOT, TAKE_OVER):
        chain.breaks.append("the first record is not the enclave's start")
        return
    at = datetime.fromtimestamp(record.at / 1000, UTC)
    try:
        attested = verify(record.result, root=root, at=at, pcrs=pcrs)
    except NotAttested as refused:
        chain.breaks.append(f"the audit key is not attested: {refused.reason}")
        return
    if record.what == BOOT:
        chain.follows = record.intent
    if attested.user_data != chain.key:
        chain.breaks.append("the attestation is of another audit key")
    chain.module_id, chain.pcr0 = attested.module_id, attested.pcrs[0]
    chain.pcr16 = attested.pcrs.get(POLICY_REGISTER, b"")
