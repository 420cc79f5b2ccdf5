"""The document that describes a deployment to `infra/`, as the operator's commands read and complete it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from mintline.atomic_files import replace_file
from mintline.errors import Misconfigured
from mintline.fields import Address
from mintline.key_stores import StoreName
from mintline.key_subjects import MAX_RELAYERS
from mintline.messages.parts import KeyRef

MOST_ADMITTED = 2
"""Images, or policies, at once: the one that runs, and the one that is rolled out."""


class Factory(BaseModel):
    """The factory of clients' collections, and the code of its collections."""

    model_config = ConfigDict(frozen=True)

    address: Address
    implementation: Address
    multi_token: Address | None = None
    """The code of its ERC-1155 collections; None before a version that has it."""


class ChainSection(BaseModel):
    """The chain, and what was made on it and for it so far."""

    model_config = ConfigDict(frozen=True)

    chain_id: int = Field(gt=0)
    issuer: KeyRef | None = None
    treasury: KeyRef | None = None
    relayer: KeyRef | None = None
    """The only relayer, as earlier versions named it."""
    relayers: tuple[KeyRef, ...] = Field(default=(), max_length=MAX_RELAYERS)
    authorization_key: dict[str, Any] | None = Field(
        default=None, validation_alias=AliasChoices("authorization_key", "sealing")
    )
    """`sealing` is its name in earlier versions."""
    intake_key: str | None = None
    default_collection: Address | None = None
    factory: Factory | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_one_name(cls, given: Any) -> Any:
        if isinstance(given, dict) and {"authorization_key", "sealing"} <= given.keys():
            raise ValueError("authorization_key and sealing are two names of one key: remove one")
        return given

    @property
    def pool(self) -> tuple[KeyRef, ...]:
        """The relayers, by whichever name."""
        return self.relayers or ((self.relayer,) if self.relayer is not None else ())


class Described(BaseModel):
    """What the commands need to know of a deployment; `infra/` checks the rest."""

    model_config = ConfigDict(frozen=True)

    prefix: str
    region: str
    chain: ChainSection
    wallet_store: StoreName = "dynamodb"
    size: Literal["standard", "small"] = "standard"
    public_url: str | None = None
    pool: bool = True
    """Whether there is a user pool."""
    other_issuers: tuple[dict[str, Any], ...] = ()
    """OIDC issuers that are no user pool, each with its `jwks_url`; the policy's reader checks them."""


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


def admit_policy(path: Path, pcr16: str) -> None:
    """Let the wallets' key answer enclaves that sign by another policy document too; raises Misconfigured."""
    with changing(path) as document:
        _add(path, _enclave(path, document), "pcr16", pcr16)


def admit_image(path: Path, measured: Mapping[str, str]) -> bool:
    """Let the wallets' key answer an image too, by its `pcr0`, and `pcr16` if it holds a signing policy.

    The first policy that is named shuts out the images of all others, so one is named unasked only with the
    first image, or beside others. Return False if the image's policy was not named.
    """
    with changing(path) as document:
        enclave = _enclave(path, document)
        alone = not set(enclave.get("pcr0") or ()) - {measured["pcr0"]}
        _add(path, enclave, "pcr0", measured["pcr0"])
        policy = measured.get("pcr16")
        if policy is None:
            return True
        if alone or enclave.get("pcr16"):
            _add(path, enclave, "pcr16", policy)
            return True
        return False


def _enclave(path: Path, document: dict[str, Any]) -> dict[str, Any]:
    enclave = document.setdefault("enclave", {})
    if not isinstance(enclave, dict):
        raise Misconfigured(f"{path}: not the document of a deployment")
    return enclave


def _add(path: Path, enclave: dict[str, Any], register: str, value: str) -> None:
    known: list[str] = enclave.setdefault(register, [])
    if value not in known:
        known.append(value)
    if len(known) > MOST_ADMITTED:
        raise Misconfigured(f"{path}: enclave.{register} is full; take out what is retired")


def _json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
    except ValueError as error:
        raise Misconfigured(f"{path}: expected JSON: {error}") from None
    if not isinstance(document, dict):
        raise Misconfigured(f"{path}: not the document of a deployment")
    return document
