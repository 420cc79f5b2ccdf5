"""Whether both emulators remember the last run, or neither does.

They save when they end. One that was killed goes back to the end of an earlier run, alone: its nonces, token
ids or blocks no longer fit the other's. So every run leaves a mark in both, early on, and the next run looks
for it.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from botocore.exceptions import ClientError

from mintline.chain.node import Node
from mintline.errors import Unavailable
from mintline.fields import Bytes32
from mintline.frozen import Frozen

BLOCK_POLLS = 100
BLOCK_POLL_SECONDS = 0.1


class RunMark(Frozen):
    """What one run left behind: the name of a secret, and a block that was mined in it."""

    secret_id: str
    block_number: int
    block_hash: Bytes32


async def leave_mark(secretsmanager: Any, node: Node, *, prefix: str) -> RunMark:
    """Leave a mark of this run in both emulators; takes until the next block."""
    secret_id = f"{prefix}/runs/{secrets.token_hex(8)}"
    await secretsmanager.create_secret(Name=secret_id, SecretString="{}")
    before = await node.block_number()
    for _ in range(BLOCK_POLLS):
        await asyncio.sleep(BLOCK_POLL_SECONDS)
        block = await node.block("latest")
        if block is not None and block.number > before:
            return RunMark(secret_id=secret_id, block_number=block.number, block_hash=block.hash)
    raise Unavailable("the chain mines no blocks")


async def missing_mark(secretsmanager: Any, node: Node, mark: RunMark) -> str:
    """Return which emulator alone forgot the marked run, or the empty string."""
    queues, block = await asyncio.gather(_has_secret(secretsmanager, mark), node.block(mark.block_hash))
    chain = block is not None
    if queues == chain:
        return ""
    return "the chain has lost" if queues else "queues and tables have lost"


async def _has_secret(secretsmanager: Any, mark: RunMark) -> bool:
    try:
        await secretsmanager.describe_secret(SecretId=mark.secret_id)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        return False
    return True
