"""What an account lacks for a deployment, found before it fails half-way: read only, and each check alone."""

from __future__ import annotations

from pathlib import Path

from mintline_ops.preflight.account import open_account
from mintline_ops.preflight.checks import Finding, check, read_plan


async def run_preflight(document: Path, endpoint_url: str | None) -> list[Finding]:
    """Check the account of the usual chain of credentials for a document; raises Misconfigured."""
    planned = read_plan(document)
    async with open_account(planned.region, endpoint_url) as account:
        return await check(account, planned)
