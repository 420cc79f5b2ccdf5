"""Clients that ask for many mints at once, and an intruder who changes lines on their way to the enclave."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from mintline.kinds.base import NotCarried
from mintline.kinds.batch import KIND
from mintline.messages.codec import encode
from mintline.messages.intents import BatchMint
from mintline.messages.parts import LineRef
from mintline.operation_ids import keyed_operation_id
from mintline.records.operations import Mint, Operation
from mintline.records.transactions import Transaction
from mintline.resources import SIGN
from mintline_api.features.bulk.models import BulkRequest, LineRequest
from mintline_api.features.mints.models import RecipientRequest
from mintline_api.features.uploads.models import MetadataRequest
from mintline_api.http.problems import RequestRefused
from mintline_harness.simulation.accounts import CHAIN_ID, own_address
from mintline_harness.simulation.clients import ANYBODY, CANCELS, REFUSING, Clients
from mintline_harness.simulation.mining import TURNING
from mintline_harness.simulation.outsiders import STRANGER
from mintline_harness.simulation.process import Ambush
from mintline_harness.simulation.queues import SimulatedQueues

MOST_LINES = 60
AMBUSHED = 0.4
"""How often the copies of the api die while they create the mints of a request."""
IMPATIENT = 0.6
"""How likely such a client gives up after each failure."""
NAMED = 0.1
"""How often a line has an external id, of few."""
FORGERIES = ("to", "token_id", "metadata_digest", "line")
"""What an intruder changes in a line."""


@dataclass(slots=True)
class Requesters:
    """Everyone who posts requests for many mints; `rng` is theirs alone."""

    clients: Clients
    queues: SimulatedQueues
    rng: random.Random
    refused: set[str] = field(default_factory=set)
    """The requests whose clients were told that nothing of it was done."""

    async def post(self, user: str, number: int, at: float) -> None:
        """Post one request, perhaps twice, and perhaps stop one of its mints."""
        await asyncio.sleep(at)
        clients, rng, key = self.clients, self.rng, f"request {number}"
        request = self._request(number)
        if rng.random() < AMBUSHED:
            self._ambush()
        giving_up = rng.choice([0.1, IMPATIENT])
        clients.faults.count("requests for many mints")
        request_id = keyed_operation_id("bulk", CHAIN_ID, user, key)
        mint_ids: tuple[str, ...] = ()
        for _ in range(rng.choice([1, 1, 2])):
            try:
                state = await clients.ask(
                    lambda api: api.bulk(request, sub=user, key=key), giving_up=giving_up
                )
            except RequestRefused as refusal:
                self.refused.add(request_id)
                clients.faults.count("requests refused")
                clients.note("client", f"{request_id} is refused: {refusal.detail}")
                return
            if state is None:
                self._leave(request_id)
                return
            clients.accepted.update(state.record.mint_ids)
            clients.note("client", f"{request_id} is accepted, of {state.record.count} mints")
            mint_ids = state.record.mint_ids
        if rng.random() < CANCELS:
            await self._stop(rng.choice(mint_ids), user)

    def _request(self, number: int) -> BulkRequest:
        rng = self.rng
        size = rng.choice([2, 3, rng.randint(4, 20), rng.randint(21, MOST_LINES)])
        named = {line: f"name {rng.randrange(40)}" for line in range(size) if rng.random() < NAMED}
        names = {name: line for line, name in named.items()}
        lines = [
            LineRequest(
                recipient=RecipientRequest(address=rng.choice([ANYBODY, TURNING, REFUSING])),
                metadata=MetadataRequest(
                    name=f"request {number}, line {line}", image="https://example.com/a.png"
                ),
                external_id=named[line] if names.get(named.get(line, "")) == line else None,
            )
            for line in range(size)
        ]
        return BulkRequest(mints=lines)

    def _ambush(self) -> None:
        death = self.rng.choice(["before", "after"])
        for process, _ in self.clients.apis:
            process.ambush(Ambush("create_mints", death="after" if death == "after" else "before"))

    def _leave(self, request_id: str) -> None:
        tables = self.clients.tables
        chunk = tables.builder.chunks.get((request_id, 0))
        if chunk is not None:
            created = sum(mint_id in tables.mints for mint_id in chunk.mint_ids)
            if 0 < created < chunk.size:
                self.clients.faults.count("requests half accepted")
        self.clients.note("client", f"gives up on {request_id}")

    async def _stop(self, mint_id: str, user: str) -> None:
        await asyncio.sleep(self.rng.choice([0.0, 1.0, 5.0, 20.0]))
        try:
            await self.clients.ask(lambda api: api.cancel(mint_id, sub=user))
        except RequestRefused as refusal:
            self.clients.note("client", f"cannot stop {mint_id}: {refusal.detail}")
        else:
            self.clients.faults.count("lines cancelled")

    async def forge(self, until: float, pace: float) -> None:
        """Have someone who may write to the signer's queue ask for lines that nobody asked for."""
        while self.clients.clock() < until:
            await asyncio.sleep(self.rng.expovariate(1 / pace))
            tables = self.clients.tables
            batches = [
                (transaction, lines)
                for _, transaction in tables.transactions.items()
                if not transaction.claiming and (lines := self._lines(transaction))
            ]
            if batches and self.clients.clock() < until:
                self._forge(*self.rng.choice(batches))

    def _lines(self, transaction: Transaction) -> list[Operation]:
        """Return what a batch carries if all of it are lines of requests."""
        operations = [self.clients.tables.operation(operation_id) for operation_id in transaction.operations]
        mints = [
            operation
            for operation in operations
            if isinstance(operation, Mint) and operation.request is not None
        ]
        return [*mints] if transaction.kind == "batch" and len(mints) == len(operations) else []

    def _forge(self, transaction: Transaction, operations: list[Operation]) -> None:
        rng = self.rng
        try:
            intent = KIND.intent(transaction, operations, b"")
        except NotCarried:
            return  # a planted bug's doing, which the checker tells of
        mints = list(intent.mints)
        place, differs = rng.randrange(len(mints)), rng.choice(FORGERIES)
        mints[place] = self._changed(mints[place], differs)
        forged = intent.evolve(mints=tuple(mints))
        dedup = f"forged:{transaction.nonce}:{self.clients.clock()}"
        self.queues.put(SIGN, encode(forged), group=STRANGER, dedup=dedup)
        self.clients.faults.count("forged batches")
        self.clients.note("intruder", f"has nonce {transaction.nonce} signed with another {differs}")

    def _changed(self, line: BatchMint, what: str) -> BatchMint:
        place = line.request
        assert place is not None
        other = LineRef(request_id=place.request_id, chunk=place.chunk, line=place.line + 1)
        changes: dict[str, dict[str, object]] = {
            "to": {"to": own_address(STRANGER)},
            "token_id": {"token_id": line.token_id + 1_000_000},
            "metadata_digest": {"metadata_digest": self.rng.randbytes(32)},
            "line": {"request": other},
        }
        return line.evolve(**changes[what])
