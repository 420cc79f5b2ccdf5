"""The api's port with TLS, called as a load balancer calls it."""

from __future__ import annotations

from contextlib import AsyncExitStack

import aiohttp
import pytest
from aiohttp import web

from mintline_api.service import listen


async def answer(request: web.Request) -> web.Response:
    return web.json_response({"secure": request.secure, "scheme": request.scheme})


@pytest.mark.parametrize(("tls", "scheme", "other"), [(True, "https", "http"), (False, "http", "https")])
async def test_port__when_it_speaks_tls_or_not__then_the_other_way_gets_no_answer(
    tls: bool,  # noqa: FBT001 - the table's first column
    scheme: str,
    other: str,
) -> None:
    app = web.Application()
    app.router.add_get("/healthz", answer)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        port = await listen(stack, app, host="127.0.0.1", port=0, tls=tls)

        # As the balancer does, the client checks no certificate.
        async with session.get(f"{scheme}://127.0.0.1:{port}/healthz", ssl=False) as response:
            assert await response.json() == {"secure": tls, "scheme": scheme}
        with pytest.raises(aiohttp.ClientError):
            async with session.get(f"{other}://127.0.0.1:{port}/healthz", ssl=False) as refused:
                refused.raise_for_status()
