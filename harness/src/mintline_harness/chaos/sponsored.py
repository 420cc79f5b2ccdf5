"""Sponsored mints as load: posted and followed by the internal entry point (`mintline_harness.entry`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import aiohttp

from mintline.canonical_json import canonical_json, digest_of
from mintline.states import TERMINAL
from mintline_bench.load import Driver, Posted

LOOKS = 20
"""Operations that are asked for at once."""


class SponsoredDriver(Driver):
    """Posts mints that a relayer pays for, each to its user's wallet in custody."""

    path: ClassVar[str] = "/v1/sponsored-mints"
    wallets: Sequence[str] = ()

    async def find_wallets(self) -> None:
        """Ask for the wallet of each user, before anything goes wrong."""
        self.wallets = [await self._wallet(token) for token in self.tokens]

    async def _wallet(self, token: str) -> str:
        headers = {"authorization": f"Bearer {token}"}
        async with self.session.get(f"{self.api}/v1/wallet", headers=headers) as answer:
            answer.raise_for_status()
            address: str = (await answer.json())["address"]
            return address

    def accepted(self, body: Mapping[str, Any], *, user: int, metadata: object) -> Mapping[str, Any]:
        """Return an accepted mint as `GET /v1/mints` shows one, as far as the verdict needs it."""
        digest = digest_of(canonical_json(metadata))
        return {
            "mint_id": body["id"],
            "status": body["status"],
            "token_id": body["token_id"],
            "to": self.wallets[user],
            "metadata_digest": "0x" + digest.hex(),
        }

    async def follow(self, posted: Sequence[Posted], *, pause: float = 5.0) -> None:
        """Ask for each until all have ended or the deadline has passed."""
        gate = asyncio.Semaphore(LOOKS)

        async def look(mint: Posted) -> None:
            async with gate:
                mint.body = {**mint.body, **await self._operation(mint)}

        while waiting := [mint for mint in posted if mint.status not in TERMINAL]:
            if time.time() >= self.deadline:
                return
            await asyncio.sleep(pause)
            await asyncio.gather(*(look(mint) for mint in waiting))

    async def _operation(self, mint: Posted) -> Mapping[str, Any]:
        headers = {"authorization": f"Bearer {self.tokens[mint.user]}"}
        url = f"{self.api}/v1/operations/{mint.mint_id}"
        try:
            async with self.session.get(url, headers=headers) as answer:
                if answer.status != 200:
                    return {}
                found = await answer.json()
        except (aiohttp.ClientError, TimeoutError):
            return {}
        return {"status": found["status"], "token_id": found["token_id"], "problem": found["problem"]}
