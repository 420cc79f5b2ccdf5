"""What a running line is doing: its processes, their readiness, the index's progress."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp

TIMEOUT = aiohttp.ClientTimeout(total=3)


async def look(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the line's addresses and one entry per process: name, pid, ready, detail."""
    async with aiohttp.ClientSession(timeout=TIMEOUT) as http:
        processes = await asyncio.gather(*(_process(http, info, name) for name in _names(info)))
    shared = ("api_url", "rpc_url", "aws_endpoint_url", "kms_url", "chain_id", "contract", "state_dir")
    return {**{key: info[key] for key in shared}, "processes": list(processes)}


def _names(info: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([*info["pids"], *info["admin"]]))


async def _process(http: aiohttp.ClientSession, info: Mapping[str, Any], name: str) -> dict[str, Any]:
    pid = info["pids"].get(name)
    admin = info["admin"].get(name)
    if pid is None:
        return {"name": name, "pid": None, "ready": False, "detail": "restarting"}
    if admin is None:
        return {"name": name, "pid": pid, "ready": True, "detail": "running"}
    try:
        async with http.get(f"{admin}/readyz") as answer:
            detail = "ready" if answer.status == 200 else " ".join((await answer.text()).split())[:300]
            return {"name": name, "pid": pid, "ready": answer.status == 200, "detail": detail}
    except (aiohttp.ClientError, TimeoutError) as error:
        return {"name": name, "pid": pid, "ready": False, "detail": f"no answer ({type(error).__name__})"}
