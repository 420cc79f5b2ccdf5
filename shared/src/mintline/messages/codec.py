"""Messages as JSON: the union of all of them, and what can be said of a body that is none."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from mintline.errors import Unsupported
from mintline.messages.intents import Intent, Intents, IssueVoucher, SignMint, SignNoop
from mintline.messages.parts import VERSION, Message
from mintline.messages.signed import Broadcast, SelfRedeem, SigningRefused, VoucherIssued
from mintline.messages.work import BuildLines, BuildMint, FinishBatch, FundWallet, RenewNonce, ReviewMint

AnyMessage: TypeAlias = Annotated[
    Intents
    | IssueVoucher
    | BuildMint
    | BuildLines
    | FundWallet
    | RenewNonce
    | FinishBatch
    | ReviewMint
    | Broadcast
    | VoucherIssued
    | SelfRedeem
    | SigningRefused,
    Field(discriminator="type"),
]

_ADAPTER: TypeAdapter[AnyMessage] = TypeAdapter(AnyMessage)
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,63}")


def encode(message: Message) -> str:
    """Return the message as compact JSON."""
    return message.model_dump_json()


def decode(body: str | bytes) -> AnyMessage:
    """Parse and validate one message, at any depth without the fields that this release does not know.

    Raises Unsupported for a message, or one inside it, whose type or version this release does not know, and
    pydantic's ValidationError for anything else that is not valid.
    """
    try:
        return _ADAPTER.validate_json(body, extra="ignore")
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            if (unknown := _unknown(fault)) is not None:
                raise Unsupported(f"this release does not know messages of {unknown}") from None
        raise


def _unknown(fault: ErrorDetails) -> str | None:
    """Return the type or version that a fault is about, if it is one that another release may know."""
    match fault:
        case {"type": "union_tag_invalid", "ctx": {"tag": str(name)}} if _TYPE.fullmatch(name):
            return f"type {name}"
        case {"type": "literal_error", "loc": (*_, "type"), "input": str(name)} if _TYPE.fullmatch(name):
            return f"type {name}"
        case {"type": "literal_error", "loc": (*_, "version"), "input": int(version)} if version > VERSION:
            return f"version {version}"
    return None


def members_of(body: str) -> dict[str, Any]:
    """Return the JSON object in a body that may be no message; an empty one if it is no object."""
    try:
        # It bounds nesting by itself, where `json` goes on to the interpreter's limit, or the stack's end.
        members = from_json(body)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}


def mint_id_of(message: AnyMessage) -> str | None:
    """Return the one mint that a message is about, or None: it is about a wallet, a token, or many mints."""
    match message:
        case (
            BuildMint()
            | RenewNonce()
            | ReviewMint()
            | SignMint()
            | SignNoop()
            | IssueVoucher()
            | SelfRedeem()
        ):
            return message.mint_id
        case Broadcast() | VoucherIssued() | SigningRefused():
            return mint_id_of(message.intent)
        case BuildLines() | FundWallet() | FinishBatch() | Intent():
            return None
