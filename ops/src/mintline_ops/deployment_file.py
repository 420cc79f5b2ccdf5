"""The document that describes a deployment to `infra/`, as the operator's commands read and complete it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mintline.atomic_files import replace_file
from mintline.errors import Misconfigured
from mintline.fields import Address
from mintline.key_stores import StoreName
from mintline.messages import KeyRef


class Chain(BaseModel):
    """The chain, and what was made on it and for it so far."""

    model_config = ConfigDict(frozen=True)

    chain_id: int = Field(gt=0)
    issuer: KeyRef | None = None
    treasury: KeyRef | None = None
    relayer: KeyRef | None = None
    sealing: dict[str, Any] | None = None
    intake_key: str | None = None
    default_collection: Address | None = None


class Described(BaseModel):
    """What the commands need to know of a deployment; `infra/` checks the rest."""

    model_config = ConfigDict(frozen=True)

    prefix: str
    region: str
    chain: Chain
    wallet_store: StoreName = "dynamodb"
    public_url: str | None = None


def read(path: Path) -> Described:
    """Read a deployment's document; raises Misconfigured, one line that names what is wrong."""
    try:
        return Described.model_validate(_json(path))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise Misconfigured(f"{path}: {where}: {fault['msg']}") from None


@contextmanager
def changing(path: Path) -> Iterator[dict[str, Any]]:
    """Give a document to change, and write it in one step unless the change fails; raises Misconfigured."""
    document = _json(path)
    yield document
    content = f"{json.dumps(document, indent=2)}\n".encode()
    replace_file(path, content, mode=stat.S_IMODE(path.stat().st_mode))


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
    except ValueError as error:
        raise Misconfigured(f"{path}: expected JSON: {error}") from None
    if not isinstance(document, dict):
        raise Misconfigured(f"{path}: not the document of a deployment")
    return document
