"""Publishes a contract's source at services that compile it and compare: Sourcify's, or of Etherscan's kind.

What is sent is the compiler's standard JSON input that lies beside the compiled contracts. Which contract an
address has is read off its code; a clone's source is that of its implementation.

Source: "API v2" in Sourcify's documentation (https://docs.sourcify.dev/docs/api/); "Verify Source Code" in
Etherscan's (https://docs.etherscan.io/api-reference/endpoint/verifysourcecode); ERC-1167 for clones.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

import aiohttp

from mintline.chain.compiled import CONTRACTS, Contract, compiled, standard_input
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.errors import MintlineError, Rejected, Unavailable
from mintline.eth import to_checksum_address
from mintline.text import escaped

SOURCIFY = "https://sourcify.dev/server"
ETHERSCAN = "https://api.etherscan.io/v2/api"
Service = Literal["sourcify", "etherscan"]
_PROXY = bytes.fromhex("363d3d373d3d3d363d73")
_ATTEMPTS = 30
_PAUSE = 4.0
"""Seconds between two questions whether it has compiled."""
_TIMEOUT = 60.0
_MOST_TEXT = 300
_COMPILER = re.compile(r"\d+\.\d+\.\d+\+commit\.[0-9a-f]{8}")
_ALREADY = re.compile(r"already[ _]verified", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verified:
    """A contract whose source is published: of a clone, its implementation at `address`."""

    address: str
    contract: Contract
    is_clone: bool
    new: bool
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRequest:
    """What to publish where; `url` is the service's, `arguments` are the constructor's, encoded.

    `transaction` is the one that created the contract. Etherscan's kind wants `api_key`.
    """

    service: Service
    url: str
    rpc_url: str
    address: str
    api_key: str | None = None
    transaction: str | None = None


async def verify_source(
    request: SourceRequest, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> Verified:
    """Have a service compile a contract's source, compare it with its code, and publish it.

    Safe to repeat. Raises Rejected for an address whose code is none of ours, and with the service's own
    words if it refuses; Unavailable if node or service do not answer.
    """
    rpc = Rpc([request.rpc_url], timeout=30.0)
    try:
        node = Node(rpc)
        address, code = request.address, await node.code(request.address)
        is_clone = code.startswith(_PROXY)
        if is_clone:
            address = to_checksum_address(code[len(_PROXY) : len(_PROXY) + 20])
            code = await node.code(address)
        contract = contract_of(code)
        if contract is None:
            raise Rejected(
                "source_unknown",
                f"{address} has no code at this node: pass --rpc of the contract's chain"
                if not code
                else f"the code at {address} is none of this release's contracts ({', '.join(CONTRACTS)})",
            )
        chain_id = await node.chain_id()
        arguments = await _arguments(rpc, contract, request.transaction)
    finally:
        await rpc.aclose()
    timeout = aiohttp.ClientTimeout(_TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        service = _Sourcify if request.service == "sourcify" else _Etherscan
        job = service(http, request, address, contract, chain_id, arguments, sleep)
        new, message = await job.run()
    return Verified(address, contract, is_clone, new, message)


def contract_of(code: bytes) -> Contract | None:
    """Return which of our contracts has this code, its immutables left out; None if none has."""
    for contract in CONTRACTS:
        artifact = compiled(contract)
        expected = bytearray.fromhex(artifact["deployedBytecode"][2:])
        actual = bytearray(code)
        if len(actual) != len(expected):
            continue
        for places in artifact["immutableReferences"].values():
            for place in places:
                start, length = place["start"], place["length"]
                expected[start : start + length] = actual[start : start + length] = bytes(length)
        if actual == expected:
            return contract
    return None


async def _arguments(rpc: Rpc, contract: Contract, transaction: str | None) -> str:
    """Return the constructor's arguments in hex, from the transaction that created the contract, if any."""
    if transaction is None:
        return ""
    sent = await rpc.call("eth_getTransactionByHash", [transaction])
    data = sent.get("input") if isinstance(sent, dict) else None
    bytecode = str(compiled(contract)["bytecode"])
    if not isinstance(data, str) or not data.startswith(bytecode):
        raise Rejected("source_unknown", f"transaction {transaction} did not create a {contract}")
    return data.removeprefix(bytecode)


def _identifier(contract: Contract) -> str:
    return f"contracts/src/{contract}.sol:{contract}"


def _compiler(contract: Contract) -> str:
    version = _COMPILER.match(str(compiled(contract)["compiler"]))
    assert version is not None
    return version[0]


@dataclass(frozen=True, slots=True)
class _Job:
    """One contract at one service."""

    http: aiohttp.ClientSession
    request: SourceRequest
    address: str
    contract: Contract
    chain_id: int
    arguments: str
    sleep: Callable[[float], Awaitable[None]]

    async def run(self) -> tuple[bool, str]:
        """Submit the source and wait; return whether it is new there, and what the service says."""
        raise NotImplementedError

    async def ask(self, method: str, url: str, **sent: Any) -> tuple[int, Mapping[str, Any]]:
        """Send a request; return the status and the JSON object of the response."""
        try:
            async with self.http.request(method, url, **sent) as response:
                body = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            shown = url.partition("?")[0]
            raise Unavailable(f"no answer from {shown}: {error or type(error).__name__}") from None
        return response.status, body if isinstance(body, dict) else {}

    async def poll(self, look: Callable[[], Awaitable[tuple[bool, str] | None]]) -> tuple[bool, str]:
        """Return what `look` returns, once that is something."""
        for _ in range(_ATTEMPTS):
            await self.sleep(_PAUSE)
            outcome = await look()
            if outcome is not None:
                return outcome
        raise Unavailable(f"{self.request.url} has not compared the source after {_ATTEMPTS * _PAUSE:.0f} s")


class _Sourcify(_Job):
    async def run(self) -> tuple[bool, str]:
        base = self.request.url.rstrip("/")
        body: dict[str, Any] = {
            "stdJsonInput": json.loads(standard_input(self.contract)),
            "compilerVersion": _compiler(self.contract),
            "contractIdentifier": _identifier(self.contract),
        }
        if self.request.transaction is not None:
            body["creationTransactionHash"] = self.request.transaction
        url = f"{base}/v2/verify/{self.chain_id}/{self.address}"
        status, response = await self.ask("POST", url, json=body)
        if response.get("customCode") == "already_verified":
            return False, "already verified"
        ticket = response.get("verificationId")
        if status != 202 or not isinstance(ticket, str):
            raise _refused(self.request.url, response.get("message"), status)

        async def outcome() -> tuple[bool, str] | None:
            status, response = await self.ask("GET", f"{base}/v2/verify/{ticket}")
            if not response.get("isJobCompleted"):
                return None
            match = (response.get("contract") or {}).get("match")
            if match:
                return True, str(match)
            raise _refused(self.request.url, (response.get("error") or {}).get("message"), status)

        return await self.poll(outcome)


class _Etherscan(_Job):
    async def run(self) -> tuple[bool, str]:
        url = f"{self.request.url}?{urlencode({'chainid': self.chain_id})}"
        common = {"module": "contract", "apikey": self.request.api_key or ""}
        form = {
            **common,
            "action": "verifysourcecode",
            "codeformat": "solidity-standard-json-input",
            "sourceCode": standard_input(self.contract),
            "contractaddress": self.address,
            "contractname": _identifier(self.contract),
            "compilerversion": f"v{_compiler(self.contract)}",
            # Spelled so in their API.
            "constructorArguements": self.arguments,
        }
        status, response = await self.ask("POST", url, data=form)
        message = str(response.get("result"))
        if _ALREADY.search(message):
            return False, "already verified"
        if str(response.get("status")) != "1":
            raise _refused(self.request.url, message, status)

        async def outcome() -> tuple[bool, str] | None:
            query = {**common, "action": "checkverifystatus", "guid": message}
            status, response = await self.ask("GET", f"{url}&{urlencode(query)}")
            result = str(response.get("result"))
            if str(response.get("status")) == "1" or _ALREADY.search(result):
                return True, result
            if "pending" in result.lower():
                return None
            raise _refused(self.request.url, result, status)

        return await self.poll(outcome)


def _refused(url: str, message: object, status: int) -> MintlineError:
    text = escaped(" ".join(str(message or f"status {status}").split())[:_MOST_TEXT])
    if status >= 500:
        return Unavailable(f"{url} failed: {text}")
    return Rejected("source_refused", f"{url} refused the source: {text}")
