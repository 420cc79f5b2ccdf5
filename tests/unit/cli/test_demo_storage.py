"""The demo finds what S3 has of its mint: an object of its own, or a part of a pack on a stack in use."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, Self

import pytest
from botocore.exceptions import ClientError

from mintline.aws.outcomes import Page
from mintline.aws.records import to_item
from mintline.object_keys import metadata_object_key
from mintline.packs import pack_of
from mintline_cli import demo
from mintline_cli.demo import Mismatch, check_storage
from mintline_testkit.constants import CHAIN_ID, CONTRACT

TEXT = '{"name":"First light"}'
INFO = {"chain_id": CHAIN_ID, "prefix": "demo"}
MINT = {
    "contract": CONTRACT,
    "token_id": "7",
    "metadata_digest": "0x" + hashlib.sha256(TEXT.encode()).hexdigest(),
}
PACK = pack_of(CHAIN_ID, CONTRACT, 6, ['{"name":"of another"}', TEXT])


class Body:
    def __init__(self, content: bytes) -> None:
        self.read_all = content

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def read(self) -> bytes:
        return self.read_all


class S3:
    """A bucket of these objects."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects

    async def get_object(self, *, Bucket: str, Key: str, Range: str = "bytes=0-") -> Any:  # noqa: N803 - S3's
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, f"GetObject of {Bucket}")
        first, _, last = Range.removeprefix("bytes=").partition("-")
        return {"Body": Body(self.objects[Key][int(first) : int(last) + 1 if last else None])}


@pytest.mark.parametrize(
    ("packed", "objects", "agrees"),
    [
        (False, {metadata_object_key(CHAIN_ID, CONTRACT, 7): TEXT.encode()}, True),
        (True, {PACK.index.object_key: PACK.body}, True),
        (True, {PACK.index.object_key: PACK.body.replace(b"First", b"Other")}, False),
        (False, {}, False),
    ],
    ids=["alone", "packed", "other bytes", "missing"],
)
async def test_demo__when_it_checks_s3__then_the_text_is_that_of_the_pack_or_of_its_own_object(
    monkeypatch: pytest.MonkeyPatch, *, packed: bool, objects: dict[str, bytes], agrees: bool
) -> None:
    async def query(*_: object, **__: object) -> Page:
        return Page([to_item(PACK.index)] if packed else [], None)

    @asynccontextmanager
    async def s3(*_: object) -> AsyncIterator[S3]:
        yield S3(objects)

    @asynccontextmanager
    async def tables(_: object) -> AsyncIterator[Any]:
        yield SimpleNamespace(query=query)

    monkeypatch.setattr(demo, "operator_client", s3)
    monkeypatch.setattr(demo, "table_of_local_stack", tables)
    if agrees:
        await check_storage(INFO, MINT)
    else:
        with pytest.raises(Mismatch, match="the digest of what S3 has"):
            await check_storage(INFO, MINT)
