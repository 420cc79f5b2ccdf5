"""The texts of tokens that are revealed later, and the file that has what they were committed to with."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mintline.reveals import MOST_TEXT_BYTES, MOST_TOKENS, commitment_of, leaf_of
from mintline_cli.execution import stop

SALT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a commitment was made with; the salt is secret until the texts are revealed."""

    commitment: bytes
    tokens: int
    salt: bytes

    def request(self) -> dict[str, Any]:
        """Return the member `reveal` of a new collection."""
        return {"commitment": "0x" + self.commitment.hex(), "tokens": self.tokens}


def read_texts(file: Path) -> list[str]:
    """Return the text of each line, exactly; the first is of token 1."""
    try:
        data = file.read_bytes()
    except OSError as error:
        stop(f"{file}: {error.strerror}")
    lines = data.removesuffix(b"\n").split(b"\n")
    if len(lines) > MOST_TOKENS:
        stop(f"{file}: more than {MOST_TOKENS} lines")
    return [_checked(file, number, line) for number, line in enumerate(lines, 1)]


def _checked(file: Path, number: int, line: bytes) -> str:
    if len(line) > MOST_TEXT_BYTES:
        stop(f"{file}: line {number} has more than {MOST_TEXT_BYTES} bytes")
    try:
        text = line.decode()
        value = json.loads(text, parse_constant=_no_constant)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        stop(f"{file}: line {number} is no JSON object in UTF-8")
    return text


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def leaves_of(texts: list[str], salt: bytes) -> list[bytes]:
    """Return the leaf of each token, from 1 on."""
    return [leaf_of(salt, token_id, text.encode()) for token_id, text in enumerate(texts, 1)]


def new_commitment(texts: list[str]) -> Commitment:
    """Commit to texts with a new salt."""
    salt = secrets.token_bytes(SALT_BYTES)
    return Commitment(commitment_of(leaves_of(texts, salt)), len(texts), salt)


def write_commitment(file: Path, commitment: Commitment) -> None:
    """Write what a commitment was made with, for its owner to read alone; never over a file that is there."""
    content = {**commitment.request(), "salt": "0x" + commitment.salt.hex()}
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        stop(f"{file}: {error.strerror}")
    with os.fdopen(opened, "w") as out:
        json.dump(content, out, indent=2)
        out.write("\n")


def read_commitment(file: Path) -> Commitment:
    """Return what `write_commitment` wrote."""
    try:
        content = json.loads(file.read_bytes())
        commitment = Commitment(
            bytes.fromhex(content["commitment"].removeprefix("0x")),
            int(content["tokens"]),
            bytes.fromhex(content["salt"].removeprefix("0x")),
        )
    except OSError as error:
        stop(f"{file}: {error.strerror}")
    except (ValueError, KeyError, TypeError, AttributeError):
        stop(f"{file}: not what `mintline collections commit` writes")
    return commitment
