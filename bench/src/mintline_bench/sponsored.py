"""Sponsored mints as load: a machine client mints to many addresses, and relayers pay."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import aiohttp

from mintline.chain.node import Node
from mintline.errors import MintlineError
from mintline.eth import to_checksum_address
from mintline.lines import MAX_CHUNK
from mintline.states import TERMINAL, MintStatus
from mintline.tasks import results_of
from mintline_bench.load import Driver, Posted, metadata_of

REQUESTS_IN_FLIGHT = 4
"""Requests for many mints that are posted at a time."""


def new_address() -> str:
    """Return an address that nobody has used."""
    return to_checksum_address(secrets.token_bytes(20))


class SponsoredDriver(Driver):
    """Posts mints by one client's token, each to the recipient of its number."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        api_url: str,
        tokens: Sequence[str],
        deadline: float,
        recipients: Sequence[str],
    ) -> None:
        super().__init__(session, api_url=api_url, tokens=tokens, deadline=deadline)
        self.recipients = recipients
        self.requests: list[str] = []

    def more(self, number: int) -> Mapping[str, Any]:
        """Name the recipient, and tag the mint with the run."""
        return {"recipient": {"address": self.recipients[number]}, "tags": [self.run]}

    def query(self) -> Mapping[str, str]:
        """Return the run's tag."""
        return {"tag": self.run}


class BulkDriver(SponsoredDriver):
    """Posts the same mints, as many in one request as it takes (`POST /v1/mints/bulk`)."""

    bulk_path: ClassVar[str] = "/v1/mints/bulk"

    async def post_all(self, mints: int, *, in_flight: int) -> list[Posted]:
        """Post all mints, `REQUESTS_IN_FLIGHT` requests at a time; returns when all are accepted."""
        del in_flight
        chunks = [range(first, min(first + MAX_CHUNK, mints)) for first in range(0, mints, MAX_CHUNK)]
        requests = await results_of(chunks, self._post_many, at_once=REQUESTS_IN_FLIGHT)
        return [posted for request in requests for posted in request]

    async def _post_many(self, numbers: range) -> list[Posted]:
        names = [f"bench {self.run} {number}" for number in numbers]
        lines = [
            {"metadata": metadata_of(name, number), **self.more(number)}
            for name, number in zip(names, numbers, strict=True)
        ]
        started = time.time()
        accepted = await self.accept(
            self.bulk_path, {"mints": lines}, user=0, key=f"{self.run}-{numbers.start}"
        )
        self.requests.append(accepted["request_id"])
        return [
            Posted(mint_id, 0, name, started, time.time())
            for mint_id, name in zip(accepted["mint_ids"], names, strict=True)
        ]

    async def follow(self, posted: Sequence[Posted], *, pause: float = 5.0) -> None:
        """Ask for the requests until all their mints have ended or the deadline has passed."""
        del posted
        waiting = list(self.requests)
        while waiting and time.time() < self.deadline:
            await asyncio.sleep(pause)
            ended = await asyncio.gather(*map(self._has_ended, waiting))
            waiting = [name for name, done in zip(waiting, ended, strict=True) if not done]

    async def _has_ended(self, request_id: str) -> bool:
        with suppress(MintlineError):
            statuses = (await self.caller(0).api.get(f"{self.bulk_path}/{request_id}"))["statuses"]
            return all(MintStatus(status) in TERMINAL for status in statuses)
        return False

    async def collect(self, posted: Sequence[Posted]) -> None:
        """Read the mints, once: they say by themselves when they reached each stage."""
        bodies = {body["mint_id"]: body for body in await self.list_mints(0)}
        for mint in posted:
            mint.body = bodies.get(mint.mint_id, mint.body)


@dataclass(frozen=True, slots=True)
class Expense:
    """What mints took on chain; `untouched` recipients have no ether and have sent nothing."""

    tokens: int
    transactions: int
    gas: int
    untouched: int

    def figures(self) -> dict[str, Any]:
        """Return the figures under their fixed keys."""
        return {
            "gas_per_token": round(self.gas / self.tokens) if self.tokens else None,
            "tokens_per_transaction": round(self.tokens / self.transactions, 1) if self.tokens else None,
            "untouched_wallets": self.untouched,
        }


async def read_expense(node: Node, posted: Sequence[Posted]) -> Expense:
    """Ask the chain what the mints' transactions took, and what their recipients have."""
    mined = [mint.body["tx_hash"] for mint in posted if mint.at("mined") is not None]
    receipts = await asyncio.gather(*(node.receipt(bytes.fromhex(tx_hash[2:])) for tx_hash in set(mined)))
    recipients = [mint.body["to"] for mint in posted]
    balances = await asyncio.gather(*map(node.balance, recipients))
    counts = await asyncio.gather(*map(node.transaction_count, recipients))
    return Expense(
        tokens=len(mined),
        transactions=len(receipts),
        gas=sum(receipt.gas_used for receipt in receipts if receipt is not None),
        untouched=sum(not balance and not count for balance, count in zip(balances, counts, strict=True)),
    )
