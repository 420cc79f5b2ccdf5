"""Sponsored mints as load: a machine client mints to many addresses, and relayers pay."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from mintline.chain.node import Node
from mintline.eth import to_checksum_address
from mintline_bench.load import Driver, Posted


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

    def more(self, number: int) -> Mapping[str, Any]:
        """Name the recipient, and tag the mint with the run."""
        return {"recipient": {"address": self.recipients[number]}, "tags": [self.run]}

    def query(self) -> Mapping[str, str]:
        """Return the run's tag."""
        return {"tag": self.run}


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
    receipts = await asyncio.gather(*(node.receipt(bytes.fromhex(one[2:])) for one in set(mined)))
    recipients = [mint.body["to"] for mint in posted]
    balances = await asyncio.gather(*map(node.balance, recipients))
    counts = await asyncio.gather(*map(node.transaction_count, recipients))
    return Expense(
        tokens=len(mined),
        transactions=len(receipts),
        gas=sum(receipt.gas_used for receipt in receipts if receipt is not None),
        untouched=sum(not balance and not count for balance, count in zip(balances, counts, strict=True)),
    )
