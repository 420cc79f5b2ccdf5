"""One drop as load: made, uploaded, prepared and started by the demo client, and followed to its end."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mintline.errors import Rejected
from mintline_bench.load import Driver, Posted, metadata_of
from mintline_bench.sponsored import new_address
from mintline_client import AsyncMintline


class DropDriver(Driver):
    """Mints one drop. Its mints count as posted when the drop is created, and as accepted when it starts."""

    client: AsyncMintline
    drop_id: str

    async def post_all(self, mints: int, *, in_flight: int) -> list[Posted]:
        """Create the drop, upload its lines, prepare and start it."""
        del in_flight
        started = time.time()
        drop = await self.client.drops.create({"name": f"bench {self.run}"}, idempotency_key=self.run)
        self.drop_id = drop["drop_id"]
        with tempfile.TemporaryDirectory(prefix="mintline-bench-") as folder:
            file = Path(folder) / "lines.ndjson"
            await asyncio.to_thread(file.write_bytes, lines_of(self.run, mints))
            await self.client.drops.upload(self.drop_id, file)
        await self.client.drops.prepare(self.drop_id)
        await self._until("prepared")
        await self.client.drops.start(self.drop_id)
        return [Posted("", 0, "", started, time.time()) for _ in range(mints)]

    async def settle(self, posted: Sequence[Posted], *, pause: float = 1.0) -> None:
        """Wait as `follow` does: the mints' ids are not known yet."""
        await self.follow(posted, pause=pause)

    async def follow(self, posted: Sequence[Posted], *, pause: float = 5.0) -> None:
        """Wait until the drop is complete or the deadline has passed."""
        del posted, pause
        await self._until("completed")

    async def collect(self, posted: Sequence[Posted]) -> None:
        """Read the drop's mints: they say by themselves when they reached each stage."""
        bodies = [body async for body in self.client.drops.mints(self.drop_id)]
        if len(bodies) != len(posted):
            raise Rejected("drop_incomplete", f"{self.drop_id} has {len(bodies)} mints of {len(posted)}")
        for mint, body in zip(posted, bodies, strict=True):
            mint.mint_id, mint.body = body["mint_id"], dict(body)

    async def _until(self, status: str) -> None:
        async with asyncio.timeout(max(0.0, self.deadline - time.time())):
            await self.client.drops.wait(self.drop_id, status)


def lines_of(run: str, mints: int) -> bytes:
    """Return so many lines as NDJSON, each for an address that nobody has used."""
    return b"".join(
        json.dumps(_line(f"bench {run} {number}", number)).encode() + b"\n" for number in range(mints)
    )


def _line(name: str, number: int) -> Mapping[str, Any]:
    return {"recipient": {"address": new_address()}, "metadata": metadata_of(name, number)}
