"""The lines of a drop with bad ones among them, by a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

IMAGE = "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3"
EMAILS = 0.01
"""The share of lines that name e-mail addresses: a user and a wallet are made for each."""
DAMAGES: tuple[Callable[[dict[str, Any]], Any], ...] = (
    lambda line: {**line, "recipient": {"email": "nobody"}},
    lambda line: {**line, "recipient": {"address": "0x12"}},
    lambda line: {**line, "recipient": {}},
    lambda line: {**line, "metadata": {"name": "No image"}},
    lambda line: {**line, "surprise": True},
    lambda line: [line],
)


@dataclass(frozen=True, slots=True)
class DropLines:
    """Lines as NDJSON, and the numbers of those that are to be refused."""

    body: bytes
    bad: tuple[int, ...]
    """Counted from 1, in order."""


def drop_lines(*, lines: int, bad: int, seed: int) -> DropLines:
    """Return so many lines, `bad` of which are to be refused, each for one of several reasons.

    Each line has metadata of its own, by which its token is known on chain.
    """
    rng = random.Random(f"drop {seed}")  # noqa: S311 - reproducible on purpose
    places = sorted(rng.sample(range(lines), bad))
    damaged = dict(zip(places, range(bad), strict=True))
    texts: list[str] = []
    for number in range(lines):
        recipient = {"address": f"0x{rng.randbytes(20).hex()}"}
        if rng.random() < EMAILS:
            recipient = {"email": f"drop-{seed}-{number}@example.com"}
        line: Any = {"recipient": recipient, "metadata": {"name": f"Drop {seed} #{number}", "image": IMAGE}}
        if number in damaged:
            line = DAMAGES[damaged[number] % len(DAMAGES)](line)
        texts.append(json.dumps(line) + "\n")
    return DropLines("".join(texts).encode(), tuple(place + 1 for place in places))
