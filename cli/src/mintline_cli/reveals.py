"""`mintline collections commit | reveal | verify-reveal`: metadata that is revealed later."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mintline.chain.calls import Call
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.clones import COMMITMENT_SELECTOR
from mintline.merkle import merkle_paths
from mintline.reveals import CHUNK, commitment_of
from mintline_cli.caller import Caller, calls_api
from mintline_cli.collections import Contract, Wait
from mintline_cli.commitments import (
    leaves_of,
    new_commitment,
    read_commitment,
    read_texts,
    write_commitment,
)
from mintline_cli.execution import stop
from mintline_cli.options import Json
from mintline_cli.output import Screen
from mintline_client import AsyncMintline
from mintline_client.models import CollectionView, Document

_NOBODY = "0x" + "00" * 20
Texts = Annotated[
    Path, typer.Argument(metavar="TEXTS", help="A file with one JSON object a line; line 1 is of token 1.")
]


def commit(
    texts: Texts,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new file for commitment and secret salt.")],
    *,
    as_json: Json = False,
) -> None:
    """Commit to the metadata of tokens that is to be revealed later.

    Keep both files, and keep them secret: without them nothing can be revealed. Then deploy the collection by
    `mintline collections create NAME SYMBOL --reveal OUT`.

    Example: mintline collections commit cards.ndjson cards.commitment.json
    """
    screen = Screen(as_json=as_json)
    committed = new_commitment(read_texts(texts))
    write_commitment(out, committed)
    screen.stage("commitment", "0x" + committed.commitment.hex())
    screen.stage("tokens", f"1 to {committed.tokens}")
    screen.result(committed.request())


@calls_api("client")
def reveal(
    caller: Caller,
    contract: Contract,
    texts: Texts,
    commitment: Annotated[Path, typer.Argument(metavar="OUT", help="What `commit` wrote.")],
    *,
    wait: Wait = True,
) -> None:
    """Reveal metadata that was committed to: serve it, and have the contract announce it. Safe to repeat.

    Example: mintline collections reveal 0x5FbD… cards.ndjson cards.commitment.json
    """
    screen = caller.screen
    committed, lines = read_commitment(commitment), read_texts(texts)
    leaves = leaves_of(lines, committed.salt)
    if len(lines) != committed.tokens or commitment_of(leaves) != committed.commitment:
        stop(f"{texts}: not the texts that {commitment} was made of")
    paths, salt = list(merkle_paths(leaves)), "0x" + committed.salt.hex()

    async def work(client: AsyncMintline) -> CollectionView:
        collections = client.collections
        current = await collections.get(contract)
        shown = current["reveal"]
        if shown is None:
            stop(f"{contract} was created without a commitment")
        if shown["salt"] == salt:
            return current
        for first in range(1, len(lines) + 1, CHUNK):
            ids = range(first, min(first + CHUNK, len(lines) + 1))
            documents = [
                Document(text=lines[token_id - 1], path=["0x" + node.hex() for node in paths[token_id - 1]])
                for token_id in ids
            ]
            await collections.keep_documents(
                contract,
                {"salt": salt, "first_token_id": str(first), "documents": documents},
            )
        screen.stage("handed over", f"{len(lines)} texts")
        revealed = await collections.reveal(contract, salt)
        if not wait:
            return revealed
        with screen.waiting("waiting for its announcement"):
            return await collections.wait(revealed)

    revealed = caller.run(work)
    screen.stage("revealed", contract)
    screen.result(revealed)


@calls_api("client")
def verify_reveal(
    caller: Caller,
    contract: Contract,
    *,
    rpc: Annotated[str, typer.Option("--rpc", help="Any node of the chain: a JSON-RPC URL.")],
) -> None:
    """Verify that what a collection revealed is what its contract was committed to when it was created.

    The texts and the salt come from the API, the commitment from the node. Exits 1 unless they agree.

    Example: mintline collections verify-reveal 0x5FbD… --rpc https://a-node.example.com
    """
    screen = caller.screen

    async def work(client: AsyncMintline) -> tuple[bytes, bytes, int]:
        collections = client.collections
        shown = (await collections.get(contract))["reveal"]
        if shown is None or shown["salt"] is None:
            stop(f"{contract} has revealed nothing")
        texts: list[str] = []
        while len(texts) < shown["tokens"]:
            page = (await collections.revealed_documents(contract, len(texts) + 1))["texts"]
            if not page:
                stop(f"the API has no text of token {len(texts) + 1}")
            texts += page
        salt = bytes.fromhex(shown["salt"][2:])
        return await _on_chain(rpc, contract), commitment_of(leaves_of(texts, salt)), len(texts)

    committed, revealed, tokens = caller.run(work)
    screen.stage("on chain", "0x" + committed.hex())
    screen.stage("revealed", f"0x{revealed.hex()}, of {tokens} texts and the salt")
    verified = committed == revealed
    screen.result({"verified": verified, "commitment": "0x" + committed.hex(), "tokens": tokens})
    if not verified:
        stop(f"{contract}: what was revealed is not what was committed to", answered=True)
    screen.say("what was revealed is what was committed to", style="bold")


async def _on_chain(url: str, contract: str) -> bytes:
    rpc = Rpc([url], timeout=30.0)
    try:
        return await Node(rpc).call(Call(sender=_NOBODY, to=contract, data=COMMITMENT_SELECTOR))
    finally:
        await rpc.aclose()


COMMANDS = (("commit", commit), ("reveal", reveal), ("verify-reveal", verify_reveal))
"""Commands of `mintline collections`."""
