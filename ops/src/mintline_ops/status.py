"""What a running local stack is doing: its processes, their readiness, the index's progress."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from mintline.aws.records import from_item
from mintline.errors import Retryable
from mintline.records.index import Checkpoint
from mintline.resources import CHECKPOINTS
from mintline_ops.tables import table_of_local_stack

TIMEOUT = aiohttp.ClientTimeout(total=3)
NO_KEEP_ALIVE = {"Connection": "close"}
"""An idle connection would hold up the orderly end of the process that was asked."""


async def read_status(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pipeline's addresses, and of each process name, pid, ready, detail, restarts, restarted_at.

    `restarts` counts since the start; `restarted_at` is the last one in Unix seconds, or None.
    """
    async with aiohttp.ClientSession(timeout=TIMEOUT) as http:
        processes = await asyncio.gather(*(_process(http, info, name) for name in _names(info)))
        chain, index = await asyncio.gather(_head(http, info), _indexed(info))
    shared = ("api_url", "rpc_url", "aws_endpoint_url", "kms_url", "chain_id", "contract", "state_dir")
    return {
        **{key: info[key] for key in shared},
        "head": chain,
        "indexed": index,
        "processes": list(processes),
    }


async def rpc(http: aiohttp.ClientSession, url: str, method: str, params: list[Any]) -> Any:
    """Make one JSON-RPC call; raises RuntimeError with the node's message when it answers with an error."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with http.post(url, json=body, headers=NO_KEEP_ALIVE) as response:
        result = await response.json()
    if "error" in result:
        raise RuntimeError(f"{method}: {json.dumps(result['error'])}")
    return result["result"]


async def _head(http: aiohttp.ClientSession, info: Mapping[str, Any]) -> int | None:
    try:
        return int(await rpc(http, info["rpc_url"], "eth_blockNumber", []), 16)
    except (aiohttp.ClientError, TimeoutError, RuntimeError):
        return None


async def _indexed(info: Mapping[str, Any]) -> int | None:
    """Return the last block in the index, or None before its first or without an answer."""
    async with table_of_local_stack(info) as dynamo:
        try:
            item = await dynamo.get(CHECKPOINTS, {"chain": str(info["chain_id"])})
        except Retryable:
            return None
    return None if item is None else from_item(Checkpoint, item).head_number


def _names(info: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([*info["pids"], *info["admin"]]))


async def _process(http: aiohttp.ClientSession, info: Mapping[str, Any], name: str) -> dict[str, Any]:
    restarts = info.get("restarts", {}).get(name, {"count": 0, "last": None})
    ready, detail = await _readiness(http, info["pids"].get(name), info["admin"].get(name))
    return {
        "name": name,
        "pid": info["pids"].get(name),
        "ready": ready,
        "detail": detail,
        "restarts": restarts["count"],
        "restarted_at": restarts["last"],
    }


async def _readiness(http: aiohttp.ClientSession, pid: int | None, admin: str | None) -> tuple[bool, str]:
    if pid is None:
        return False, "restarting"
    if admin is None:
        return True, "running"
    try:
        async with http.get(f"{admin}/readyz") as response:
            ready = response.status == 200
            return ready, "ready" if ready else " ".join((await response.text()).split())[:300]
    except (aiohttp.ClientError, TimeoutError) as error:
        return False, f"no answer ({type(error).__name__})"
