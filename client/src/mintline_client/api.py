"""The API, for one signed-in user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp

from mintline.errors import Rejected, Unavailable


class Api:
    """The line's API for one signed-in user."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str) -> None:
        self._http = http
        self.url = url
        self._headers = {"Authorization": f"Bearer {token}"}

    async def get(self, path: str) -> Any:
        """Return a resource's JSON; raises Rejected or Unavailable with the problem's own words."""
        return await self._call("GET", path)

    async def post(self, path: str, body: Mapping[str, Any] | None, *, idempotency_key: str) -> Any:
        """Post JSON, or nothing, and return the answer's; raises as `get` does."""
        return await self._call("POST", path, json=body, headers={"Idempotency-Key": idempotency_key})

    async def patch(self, path: str, body: Mapping[str, Any], *, idempotency_key: str) -> Any:
        """Patch a resource by JSON and return the answer's; raises as `get` does."""
        return await self._call("PATCH", path, json=body, headers={"Idempotency-Key": idempotency_key})

    async def send(self, method: str, path: str, data: Any, *, headers: Mapping[str, str]) -> Any:
        """Send a body that is no JSON, and return the answer's JSON; raises as `get` does."""
        return await self._call(method, path, data=data, headers=headers)

    async def get_bytes(self, path: str) -> bytes:
        """Return the exact bytes of a resource; raises as `get` does."""
        try:
            async with self._http.get(self.url + path, headers=self._headers) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._away(error) from None
        if answer.status != 200:
            raise Rejected("not_found", f"GET {path} was answered {answer.status}")
        return content

    async def _call(self, method: str, path: str, *, headers: Mapping[str, str] = {}, **sent: Any) -> Any:
        try:
            async with self._http.request(
                method, self.url + path, headers={**self._headers, **headers}, **sent
            ) as answer:
                body = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise self._away(error) from None
        if answer.status >= 500:
            raise Unavailable(f"{method} {path} was answered {answer.status}: {described(body)}")
        if answer.status >= 400:
            raise Rejected(str(answer.status), described(body))
        return body

    def _away(self, error: Exception) -> Unavailable:
        return Unavailable(f"no answer from the API at {self.url}: {error or type(error).__name__}")


def described(problem: Any) -> str:
    """Return what an RFC 9457 problem says, in one line."""
    if not isinstance(problem, dict):
        return str(problem)
    return str(problem.get("detail") or problem.get("title") or "no reason given")
