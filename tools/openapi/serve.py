"""Serves the API over in-memory stores at a free port, and prints its address and two tokens as JSON.

It serves until its standard input ends. The user's token has every scope of users, the client's every scope
of machine clients.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys

import structlog
from aiohttp import web

from mintline.records import Checkpoint, Collection, scoped
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.user_pool import START, UserPool

CLIENT = "shop"
LONG = 10**8
"""Seconds that the tokens are valid: in the harness a request that waits moves the clock."""


async def main() -> None:
    """Serve until standard input ends."""
    harness = Harness(UserPool(), user_rate=10**6, user_gas_budget=10**30)
    harness.index.collections[CONTRACT] = Collection(
        collection_id=scoped(CHAIN_ID, CONTRACT),
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        name="Aurora",
        symbol="AUR",
        deployed_block=1,
        sponsored=True,
        next_token_id=1,
    )
    harness.index.head = Checkpoint(
        chain=str(CHAIN_ID),
        head_number=44,
        head_hash=bytes(32),
        head_timestamp=int(START) - 1,
        finalized_number=40,
        updated_at=int(START) * 1000,
    )
    harness.clients.add(CLIENT)
    runner = web.AppRunner(harness.app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    pool, lasting = harness.pool, {"exp": int(START) + LONG}
    print(
        json.dumps(
            {
                "url": site.name,
                "user": pool.sign(pool.claims("alice") | lasting),
                "client": pool.sign(pool.client_claims(CLIENT) | lasting),
            }
        ),
        flush=True,
    )
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(main())
