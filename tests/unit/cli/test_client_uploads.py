"""The client's uploads of lines, and its requests for many mints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from mintline.errors import Unavailable
from mintline_client import bulk, drops
from mintline_client.api import Api, Retries
from mintline_client.errors import Conflicting, error_of
from mintline_client.models import BulkView, LineRequest


class Server(Api):
    """An API that takes lines, and whose connection breaks once after `breaks_after` bytes."""

    def __init__(self, *, breaks_after: int | None = None) -> None:
        super().__init__(cast("aiohttp.ClientSession", None), "http://api", "token")
        self.taken = b""
        self.breaks_after = breaks_after
        self.refusals: list[tuple[str, bytes]] = []
        """Codes of uploads that are refused, each with the bytes that arrived meanwhile."""
        self.posted: list[tuple[str, Any, str]] = []
        self.statuses: list[dict[str, int]] = []

    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:  # noqa: ARG002
        if path.endswith("/lines"):
            return {"offset": len(self.taken)}
        return {"request_id": "bulk_1", "count": 2, "statuses": self.statuses.pop(0)}

    async def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        retries: Retries | None = None,
    ) -> Any:
        assert retries is None
        assert idempotency_key is not None
        self.posted.append((path, body, idempotency_key))
        return {"request_id": "bulk_1"}

    async def send(self, method: str, path: str, data: Any, *, headers: Mapping[str, str]) -> Any:
        assert (method, path) == ("PATCH", "/v1/drops/drop_1/lines")
        assert int(headers["Upload-Offset"]) == len(self.taken)
        sent = b"".join([piece async for piece in data])
        if self.refusals and self.breaks_after is None:
            code, arrived = self.refusals.pop(0)
            self.taken += arrived
            raise error_of(409, {"code": code, "detail": "Refused."})
        if self.breaks_after is not None:
            self.taken += sent[: self.breaks_after]
            self.breaks_after = None
            raise Unavailable("the connection broke")
        self.taken += sent
        return {"offset": len(self.taken)}


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drops, "POLL_SECONDS", 0)
    monkeypatch.setattr(bulk, "POLL_SECONDS", 0)


async def test_upload__when_it_breaks_off_and_another_file_follows__then_each_is_taken_once(
    tmp_path: Path,
) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_bytes(b"email\na@example.com\n")
    second.write_bytes(b"email\nb@example.com\n")
    server = Server(breaks_after=6)
    await drops.upload(server, "drop_1", first)
    assert server.taken == first.read_bytes()

    before = await drops.offset_of(server, "drop_1")
    server.breaks_after = 3
    await drops.upload(server, "drop_1", second, begins_at=before)
    assert server.taken == first.read_bytes() + second.read_bytes()
    # Again, as after a command that was ended: nothing is taken twice.
    await drops.upload(server, "drop_1", second, begins_at=before)
    assert server.taken == first.read_bytes() + second.read_bytes()

    with pytest.raises(ValueError, match=r"second\.csv: the drop has 40 bytes"):
        await drops.upload(server, "drop_1", second)
    assert server.taken == first.read_bytes() + second.read_bytes()


async def test_upload__when_bytes_of_a_broken_one_arrive_late__then_goes_on_behind_them(
    tmp_path: Path,
) -> None:
    file = tmp_path / "lines.csv"
    file.write_bytes(b"email\na@example.com\n")
    server = Server(breaks_after=2)
    server.refusals = [(drops.MOVED_ON, b"ail\n"), (drops.MOVED_ON, b"a@")]
    await drops.upload(server, "drop_1", file)
    assert server.taken == file.read_bytes()


@pytest.mark.parametrize(
    ("code", "breaks_after", "times"),
    [("lines-closed", 0, 1), (drops.MOVED_ON, 0, drops.TRIES), (drops.MOVED_ON, None, 1)],
)
async def test_upload__when_it_is_refused_for_good__then_that_is_raised(
    code: str, breaks_after: int | None, times: int, tmp_path: Path
) -> None:
    file = tmp_path / "lines.csv"
    file.write_bytes(b"email\n")
    server = Server(breaks_after=breaks_after)
    server.refusals = [(code, b"")] * times
    with pytest.raises(Conflicting):
        await drops.upload(server, "drop_1", file)
    assert server.refusals == []
    assert server.taken == b""


async def test_upload__when_another_one_is_under_way__then_the_two_files_are_not_mixed(
    tmp_path: Path,
) -> None:
    file = tmp_path / "lines.csv"
    file.write_bytes(b"email\nb@example.com\n")
    server = Server()
    server.refusals = [(drops.MOVED_ON, b"email\na@example.com\n")]
    with pytest.raises(Conflicting):
        await drops.upload(server, "drop_1", file)
    assert server.taken == b"email\na@example.com\n"


async def test_bulk__when_mints_are_asked_for__then_the_request_is_followed_until_all_have_ended() -> None:
    server = Server()
    line: LineRequest = {
        "recipient": {"email": "a@example.com"},
        "metadata": {"name": "1", "image": "ipfs://1"},
    }
    accepted = await bulk.mint_many(server, [line, line], contract="0x1", key="k")
    assert server.posted == [("/v1/mints/bulk", {"mints": [line, line], "contract": "0x1"}, "k")]

    server.statuses = [{"accepted": 2}, {"mined": 1, "rejected": 1}, {"finalized": 1, "rejected": 1}]
    heard: list[BulkView] = []
    ended = await bulk.follow_many(server, accepted, heard=heard.append)
    assert ended["statuses"] == {"finalized": 1, "rejected": 1}
    assert len(heard) == 3
    server.statuses = [{"accepted": 2}]
    with pytest.raises(Unavailable):
        await bulk.follow_many(server, accepted, patience=-1)
