import socket
from collections.abc import Mapping

import aiohttp
import pytest

from mintline.admin import Admin, Check, process_registry
from mintline.aws.session import AwsCalls


async def good() -> None:
    pass


async def broken() -> None:
    raise ConnectionError("refused")


def admin(checks: Mapping[str, Check], *, port: int = 0) -> Admin:
    registry = process_registry()
    AwsCalls(registry).record("sqs", "ReceiveMessage")
    return Admin(host="127.0.0.1", port=port, checks=checks, registry=registry)


def client(served: Admin) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(f"http://127.0.0.1:{served.port}")


async def test_admin__when_all_is_well__says_so_everywhere() -> None:
    async with (
        admin({"sqs": good}) as served,
        aiohttp.ClientSession(f"http://127.0.0.1:{served.port}") as http,
    ):
        async with http.get("/healthz") as response:
            assert (response.status, await response.json()) == (200, {"status": "ok"})
        async with http.get("/readyz") as response:
            assert response.status == 200
            body = await response.json()
            assert body == {"status": "ready", "missing": [], "checks": {"sqs": "ok"}}
        async with http.get("/metrics") as response:
            assert response.headers["Content-Type"].startswith("text/plain")
            text = await response.text()
        assert 'mintline_aws_requests_total{operation="ReceiveMessage",service="sqs"} 1.0' in text
        assert "python_gc_objects_collected_total" in text


async def test_admin__when_a_dependency_is_gone__names_it_and_stays_alive() -> None:
    checks: dict[str, Check] = {"sqs": good, "rpc": broken}
    async with admin(checks) as served, client(served) as http:
        async with http.get("/readyz") as response:
            assert response.status == 503
            body = await response.json()
        assert (body["status"], body["missing"]) == ("not_ready", ["rpc"])
        assert body["checks"]["rpc"] == "ConnectionError: refused"
        async with http.get("/healthz") as response:
            assert response.status == 200


async def test_admin__when_left__gives_its_port_back() -> None:
    async with admin({}) as served:
        port = served.port
        with pytest.raises(OSError, match="in use"):
            await admin({}, port=port).__aenter__()
    with socket.create_server(("127.0.0.1", port)):
        pass
