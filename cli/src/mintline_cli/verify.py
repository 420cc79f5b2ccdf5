"""`mintline verify`: check the receipt of a mint against any node of the chain, without Mintline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.proofs.mint_receipt import MOST_BYTES, MintReceipt, ReceiptRefused, read_receipt
from mintline.proofs.receipt_checks import CHAIN_CHECKS, CHECKS
from mintline_cli.execution import execute, stop
from mintline_cli.options import Json
from mintline_cli.output import Screen


def verify(
    file: Annotated[Path, typer.Argument(help="The receipt, as `GET /v1/tokens/…/proof` gave it.")],
    *,
    rpc: Annotated[str, typer.Option("--rpc", help="Any node of the chain: a JSON-RPC URL.")],
    as_json: Json = False,
) -> None:
    """Verify a mint's receipt: what was minted, to whom, in which final block of the chain.

    Prints a line for each check, and exits 1 at the first that fails. Needs nothing but the file and a node.

    Example: mintline verify receipt.json --rpc https://ethereum.example.com
    """
    try:
        with file.open("rb") as opened:
            document = opened.read(MOST_BYTES + 1)
    except OSError as error:
        stop(f"{file}: {error.strerror}")
    report = _Report(Screen(as_json=as_json), file)
    with report.check("form") as passed:
        receipt = read_receipt(document)
        passed.append(f"version {receipt.version} of a mint's receipt")
    for check in CHECKS:
        with report.check(check.name) as passed:
            passed.append(check.run(receipt))
    execute(_check_chain(receipt, rpc, report))
    report.verified(receipt)


async def _check_chain(receipt: MintReceipt, url: str, report: _Report) -> None:
    rpc = Rpc([url], timeout=30.0)
    try:
        for check in CHAIN_CHECKS:
            with report.check(check.name) as passed:
                passed.append(await check.run(receipt, Node(rpc)))
    finally:
        await rpc.aclose()


def _of_item(receipt: MintReceipt) -> dict[str, str]:
    if receipt.serial is None:
        return {}
    return {"serial": str(receipt.serial), "quantity": str(receipt.quantity)}


class _Report:
    """Prints each check as it passes, and ends the command at the first that fails."""

    def __init__(self, screen: Screen, file: Path) -> None:
        self._screen = screen
        self._file = file
        self._passed: list[dict[str, Any]] = []

    @contextmanager
    def check(self, name: str) -> Iterator[list[str]]:
        """Run one check, whose line goes into the list."""
        lines: list[str] = []
        try:
            yield lines
        except ReceiptRefused as refused:
            self._screen.stage(refused.check, str(refused), style="red")
            self._screen.result(
                {
                    "verified": False,
                    "failed": {"check": refused.check, "reason": str(refused)},
                    "passed": self._passed,
                }
            )
            stop(f"{self._file}: not verified: {refused.check}: {refused}", answered=True)
        for line in lines:
            self._screen.stage(name, line)
            self._passed.append({"check": name, "detail": line})

    def verified(self, receipt: MintReceipt) -> None:
        """Say that everything has passed."""
        self._screen.say(f"{self._file} is verified", style="bold")
        self._screen.result(
            {
                "verified": True,
                "chain_id": receipt.chain_id,
                "contract": receipt.contract,
                "token_id": str(receipt.token_id),
                **_of_item(receipt),
                "to": receipt.to,
                "metadata_digest": f"0x{receipt.metadata_digest.hex()}",
                "block_number": receipt.block_number,
                "transaction_hash": f"0x{receipt.transaction_hash.hex()}",
                "passed": self._passed,
            }
        )
