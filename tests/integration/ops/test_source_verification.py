"""Publishing contracts' source: against a node in memory and stubs of both kinds of service."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from eth_abi.abi import encode
from typer.testing import CliRunner

from mintline.chain.compiled import CONTRACTS, compiled, creation_code
from mintline.errors import MintlineError, Rejected, Unavailable
from mintline_cli.main import app
from mintline_ops.source_verification import SourceRequest, Verified, contract_of, verify_source

pytestmark = pytest.mark.integration

ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
CLONE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
FACTORY = "0xDc64a140Aa3E981100a9becA4E685f962f0cF6C9"
TRANSACTION = "0x" + "5c" * 32
PROXY = "0x363d3d373d3d3d363d73" + ADDRESS[2:].lower() + "5af43d82803e903d91602b57fd5bf3"


def on_chain(contract: str) -> bytes:
    """Return a contract's code with something in the place of each immutable."""
    artifact = compiled(contract)
    code = bytearray.fromhex(artifact["deployedBytecode"][2:])
    for places in artifact["immutableReferences"].values():
        for place in places:
            code[place["start"] : place["start"] + place["length"]] = b"\x07" * place["length"]
    return bytes(code)


class Stub:
    """A node and a service under one address, which keeps what it is sent."""

    def __init__(self) -> None:
        self.codes = {ADDRESS.lower(): on_chain("MintlineClone"), CLONE.lower(): bytes.fromhex(PROXY[2:])}
        self.sent: list[Any] = []
        self.submitted: tuple[int, Any] = (202, {"verificationId": "job-1"})
        self.looks: list[tuple[int, Any]] = []
        self.url = ""

    async def node(self, request: web.Request) -> web.Response:
        body = await request.json()
        many = body if isinstance(body, list) else [body]
        answers = [
            {"jsonrpc": "2.0", "id": call["id"], "result": self._result(call["method"], call["params"])}
            for call in many
        ]
        return web.json_response(answers if isinstance(body, list) else answers[0])

    def _result(self, method: str, params: list[Any]) -> Any:
        if method == "eth_chainId":
            return "0x7a69"
        if method == "eth_getCode":
            return "0x" + self.codes.get(params[0].lower(), b"").hex()
        assert method == "eth_getTransactionByHash"
        data = creation_code("MintlineClone", FACTORY)
        return {"input": "0x" + data.hex()} if params[0] == TRANSACTION else None

    async def submit(self, request: web.Request) -> web.Response:
        body = await request.json() if "json" in request.content_type else dict(await request.post())
        self.sent.append((str(request.rel_url), body))
        status, response = self.submitted
        return web.json_response(response, status=status)

    async def answer(self, request: web.Request) -> web.Response:
        self.sent.append((str(request.rel_url), None))
        status, response = self.looks.pop(0)
        return web.json_response(response, status=status)


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    stub = Stub()
    application = web.Application(client_max_size=4 * 2**20)
    application.add_routes(
        [
            web.post("/node", stub.node),
            web.post("/{path:.*}", stub.submit),
            web.get("/{path:.*}", stub.answer),
        ]
    )
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    stub.url = f"http://{host}:{port}"
    yield stub
    await runner.cleanup()


async def verify(stub: Stub, **more: Any) -> Verified:
    async def at_once(_: float) -> None:
        return None

    fields: dict[str, Any] = {"service": "sourcify", "address": ADDRESS, **more}
    return await verify_source(
        SourceRequest(url=stub.url, rpc_url=f"{stub.url}/node", **fields), sleep=at_once
    )


async def refusal(stub: Stub, **more: Any) -> MintlineError:
    with pytest.raises(MintlineError) as caught:
        await verify(stub, **more)
    return caught.value


def test_code__when_it_is_of_a_release__then_it_is_told_by_all_but_its_immutables() -> None:
    assert [contract_of(on_chain(contract)) for contract in CONTRACTS] == list(CONTRACTS)
    changed = bytearray(on_chain("MintlineFactory"))
    changed[100] ^= 1
    assert contract_of(bytes(changed)) is None
    assert contract_of(b"") is None


async def test_sourcify__when_it_compiles_the_source__then_the_clones_implementation_is_verified(
    stub: Stub,
) -> None:
    stub.looks = [
        (200, {"isJobCompleted": False}),
        (200, {"isJobCompleted": True, "contract": {"match": "match"}}),
    ]
    verified = await verify(stub, address=CLONE, transaction=TRANSACTION)

    assert verified == Verified(ADDRESS, "MintlineClone", is_clone=True, new=True, message="match")
    path, body = stub.sent[0]
    assert path == f"/v2/verify/31337/{ADDRESS}"
    assert body["contractIdentifier"] == "contracts/src/MintlineClone.sol:MintlineClone"
    assert body["compilerVersion"] == "0.8.37+commit.f401782d"
    assert body["creationTransactionHash"] == TRANSACTION
    assert "contracts/src/MintlineClone.sol" in body["stdJsonInput"]["sources"]
    assert stub.sent[1][0] == "/v2/verify/job-1"


async def test_sourcify__when_it_has_or_refuses_the_source__then_that_is_said(stub: Stub) -> None:
    stub.submitted = (409, {"customCode": "already_verified", "message": "Already."})
    assert (await verify(stub)).new is False

    stub.submitted = (202, {"verificationId": "job-2"})
    stub.looks = [(200, {"isJobCompleted": True, "error": {"message": "no\u202e match"}})]
    refused = await refusal(stub)
    assert isinstance(refused, Rejected)
    assert "no\\u202e match" in str(refused)

    stub.submitted = (503, {})
    assert isinstance(await refusal(stub), Unavailable)


async def test_etherscan__when_it_compiles_the_source__then_it_gets_the_constructors_arguments(
    stub: Stub,
) -> None:
    stub.submitted = (200, {"status": "1", "message": "OK", "result": "guid-1"})
    stub.looks = [
        (200, {"status": "0", "result": "Pending in queue"}),
        (200, {"status": "1", "result": "Pass - Verified"}),
    ]
    verified = await verify(stub, service="etherscan", api_key="key", transaction=TRANSACTION)

    assert (verified.new, verified.message) == (True, "Pass - Verified")
    path, form = stub.sent[0]
    assert path == "/?chainid=31337"
    assert form["constructorArguements"] == encode(["address"], [FACTORY]).hex()
    assert (form["action"], form["apikey"]) == ("verifysourcecode", "key")
    assert form["compilerversion"] == "v0.8.37+commit.f401782d"
    assert json.loads(form["sourceCode"])["language"] == "Solidity"
    assert "guid=guid-1" in stub.sent[1][0]


async def test_etherscan__when_it_has_or_refuses_the_source__then_that_is_said(stub: Stub) -> None:
    stub.submitted = (200, {"status": "0", "result": "Contract source code already verified"})
    assert (await verify(stub, service="etherscan")).new is False
    stub.submitted = (200, {"status": "0", "result": "Invalid API Key"})
    assert "Invalid API Key" in str(await refusal(stub, service="etherscan"))
    stub.submitted = (200, {"status": "1", "result": "guid-1"})
    stub.looks = [(200, {"status": "0", "result": "Fail - Unable to verify"})]
    assert "Fail" in str(await refusal(stub, service="etherscan"))
    stub.looks = [(200, {"status": "0", "result": "Pending in queue"})] * 30
    assert isinstance(await refusal(stub, service="etherscan"), Unavailable)


async def test_verify__when_the_code_is_none_of_ours__then_nothing_is_sent(stub: Stub) -> None:
    assert "has no code" in str(await refusal(stub, address=FACTORY))
    stub.codes[ADDRESS.lower()] = b"\x60\x00"
    assert "none of this release's contracts" in str(await refusal(stub))
    stub.codes[ADDRESS.lower()] = on_chain("MintlineClone")
    other = await refusal(stub, transaction="0x" + "00" * 32)
    assert "did not create a MintlineClone" in str(other)
    assert stub.sent == []


def test_command__when_its_arguments_make_none__then_it_says_what_to_send() -> None:
    run = CliRunner().invoke
    command = ["operator", "verify", ADDRESS, "--rpc", "http://127.0.0.1:1"]
    assert run(app, ["operator", "verify", "0x12", "--rpc", "http://127.0.0.1:1"]).exit_code == 2
    assert run(app, [*command, "--service", "other"]).exit_code == 2
    assert run(app, [*command, "--service", "etherscan"], env={"MINTLINE_ETHERSCAN_KEY": ""}).exit_code == 1
