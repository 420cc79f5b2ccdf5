"""A file is named by a token's metadata and served to everyone; the mint's receipt needs no Mintline."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import struct
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from eth_abi.abi import decode, encode

from mintline.chain.calls import Call
from mintline.cids import cid_of
from mintline.eth import selector
from mintline_client.api import Api
from mintline_client.uploads import upload

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness, User

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


def picture(rng: random.Random, side: int = 400) -> bytes:
    """Return a PNG of noise, some 480 KB: two chunks of a content id."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + rng.randbytes(side * 3) for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


async def command(*arguments: str) -> tuple[int | None, str, str]:
    """Run the command line, in an environment that knows nothing of a stack."""
    program = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("mintline")),
        *arguments,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await asyncio.wait_for(program.communicate(), 120)
    return program.returncode, out.decode(), error.decode()


async def test_upload__when_a_mint_names_it__then_everyone_sees_it_and_the_receipt_proves_it(
    harness: Harness, user: User, tmp_path: Path
) -> None:
    data = picture(random.Random(11))
    uploaded = await upload(Api(harness.session, user.api, user.token), harness.session, data)
    assert uploaded["cid"] == cid_of(data)

    body = {"metadata": {"name": "Noise", "image": f"upload:{uploaded['upload_id']}"}}
    accepted = await user.call("POST", "/v1/mints", body, idempotency_key="noise")
    assert accepted.status == 202, accepted
    mint = await user.until(accepted.body["mint_id"], "finalized")

    metadata = await fetched(harness, await token_uri(harness, mint["contract"], int(mint["token_id"])))
    image = json.loads(metadata)["image"]
    assert image == uploaded["url"]
    assert await fetched(harness, image) == data
    assert await fetched(harness, image, Range="bytes=100-199") == data[100:200]

    path = f"/v1/tokens/{mint['contract']}/{mint['token_id']}/proof"
    async with harness.session.get(
        user.api + path, headers={"Authorization": f"Bearer {user.token}"}
    ) as response:
        assert response.status == 200, await response.text()
        receipt = await response.read()
    assert json.loads(receipt)["metadata"].encode() == metadata
    file = tmp_path / "receipt.json"
    file.write_bytes(receipt)
    code, out, error = await command("verify", str(file), "--rpc", harness.info["rpc_url"])
    assert code == 0, (out, error)
    assert "verified" in out.splitlines()[-1]
    file.write_bytes(receipt.replace(b"Noise", b"Voice"))
    code, out, error = await command("verify", str(file), "--rpc", harness.info["rpc_url"], "--json")
    assert code == 1
    assert json.loads(out)["failed"]["check"] == "metadata"


async def test_upload__when_it_is_put_with_other_bytes_or_by_others__then_storage_or_api_refuses(
    harness: Harness, user: User, tmp_path: Path
) -> None:
    data = picture(random.Random(12), side=10)
    announced = {
        "content_type": "image/png",
        "size": len(data),
        "sha256": "0x" + hashlib.sha256(data).hexdigest(),
    }
    created = (await user.call("POST", "/v1/uploads", announced)).body
    put = created["put"]
    # The emulator checks presigned URLs; it takes requests without any signature, which S3 does not.
    changes = [{"x-amz-checksum-sha256": "A" * 43 + "="}]
    if harness.stack is not None:
        # In containers the emulator does not know the keys that sign URLs, and checks the digest alone.
        changes.append({"Content-Type": "text/html"})
    for changed in changes:
        headers = {**put["headers"], **changed}
        async with harness.session.put(put["url"], data=data, headers=headers) as response:
            assert response.status in {400, 403}, changed
    path = f"/v1/uploads/{created['upload_id']}/complete"
    assert (await user.call("POST", path)).body["code"] == "upload-not-received"
    other = await harness.sign_in()
    assert (await other.call("POST", path)).status == 404

    if harness.stack is not None:
        file = tmp_path / "noise.png"
        file.write_bytes(data)
        state = str(harness.info["state_dir"])
        code, out, error = await command("upload", str(file), "--state", state, "--json")
        assert code == 0, (out, error)
        shown: dict[str, Any] = json.loads(out)
        assert await fetched(harness, shown["url"]) == data
        file.write_text("<svg/>")
        code, _, error = await command("upload", str(file), "--state", state)
        assert (code, "accepted type" in error) == (1, True)


async def fetched(harness: Harness, url: str, **headers: str) -> bytes:
    """Return what anybody gets from a URL, without a token."""
    async with harness.session.get(url, headers=headers) as response:
        assert response.status in {200, 206}, (url, response.status)
        return await response.read()


async def token_uri(harness: Harness, contract: str, token_id: int) -> str:
    """Return where a marketplace looks."""
    call = Call("0x" + "00" * 20, contract, selector("tokenURI(uint256)") + encode(["uint256"], [token_id]))
    uri: str
    (uri,) = decode(["string"], await harness.node.call(call))
    return uri
