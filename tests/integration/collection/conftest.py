"""One anvil and one deployed collection per session; every test starts from the same snapshot of both."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress, HexStr
from web3 import HTTPProvider, Web3
from web3.contract import Contract
from web3.exceptions import ContractCustomError
from web3.types import RPCEndpoint, TxReceipt

ROOT = Path(__file__).resolve().parents[3]
ANVIL_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
FAR_FUTURE = 10**12
# Enough for any call here but a large batch. Explicit: a refused transaction is then mined, not estimated.
CALL_GAS = 1_000_000


@dataclass(frozen=True)
class Voucher:
    """The voucher of MintlineCollection."""

    token_id: int
    to: ChecksumAddress
    metadata_digest: bytes
    deadline: int

    def as_tuple(self) -> tuple[int, ChecksumAddress, bytes, int]:
        return (self.token_id, self.to, self.metadata_digest, self.deadline)


@dataclass(frozen=True)
class Refusal:
    """A custom error that a call reverted with."""

    name: str
    args: tuple[Any, ...]


@dataclass(frozen=True)
class Cast:
    """Who is who: accounts that the node signs for, and the issuer, whose key signs vouchers only."""

    admin: ChecksumAddress
    relayer: ChecksumAddress
    pauser: ChecksumAddress
    metadata: ChecksumAddress
    alice: ChecksumAddress
    bob: ChecksumAddress
    stranger: ChecksumAddress
    royalties: ChecksumAddress
    issuer: LocalAccount
    impostor: LocalAccount


@dataclass(frozen=True)
class Collection:
    """A deployed collection, and what the tests do with it."""

    w3: Web3
    contract: Contract
    cast: Cast
    abi: Sequence[dict[str, Any]]

    @property
    def functions(self) -> Any:
        return self.contract.functions

    def voucher(self, token_id: int = 1, to: ChecksumAddress | None = None, **fields: Any) -> Voucher:
        """A voucher for alice that does not expire."""
        digest = Web3.keccak(text=f"metadata of {token_id}")
        return replace(Voucher(token_id, to or self.cast.alice, bytes(digest), FAR_FUTURE), **fields)

    def typed_data(self, voucher: Voucher, **domain: Any) -> dict[str, Any]:
        """The EIP-712 message, written out independently of the contract."""
        return {
            "types": {
                "EIP712Domain": [
                    {"name": "name", "type": "string"},
                    {"name": "version", "type": "string"},
                    {"name": "chainId", "type": "uint256"},
                    {"name": "verifyingContract", "type": "address"},
                ],
                "Voucher": [
                    {"name": "tokenId", "type": "uint256"},
                    {"name": "to", "type": "address"},
                    {"name": "metadataDigest", "type": "bytes32"},
                    {"name": "deadline", "type": "uint256"},
                ],
            },
            "primaryType": "Voucher",
            "domain": {
                "name": "Mintline",
                "version": "1",
                "chainId": self.w3.eth.chain_id,
                "verifyingContract": self.contract.address,
            }
            | domain,
            "message": {
                "tokenId": voucher.token_id,
                "to": voucher.to,
                "metadataDigest": voucher.metadata_digest,
                "deadline": voucher.deadline,
            },
        }

    def sign(self, voucher: Voucher, *, signer: LocalAccount | None = None, **domain: Any) -> bytes:
        """The issuer's (or another's) signature; keyword arguments replace fields of the EIP-712 domain."""
        message = self.typed_data(voucher, **domain)
        return bytes((signer or self.cast.issuer).sign_typed_data(full_message=message).signature)

    def redeeming(self, voucher: Voucher, signature: bytes | None = None) -> Any:
        """The call that redeems a voucher."""
        return self.functions.redeem(
            voucher.as_tuple(), self.sign(voucher) if signature is None else signature
        )

    def send(self, call: Any, sender: ChecksumAddress, gas: int = CALL_GAS) -> TxReceipt:
        """Send a call in a transaction that must succeed."""
        receipt = self._mine(call, sender, gas)
        assert receipt["status"] == 1
        return receipt

    def refuse(self, call: Any, sender: ChecksumAddress, gas: int = CALL_GAS) -> Refusal:
        """Send a call in a transaction that must revert, and give the error that it reverts with."""
        assert self._mine(call, sender, gas)["status"] == 0
        with pytest.raises(ContractCustomError) as caught:
            call.call({"from": sender, "gas": gas})
        return self._decode_error(str(caught.value.data))

    def mint(self, token_id: int = 1, to: ChecksumAddress | None = None) -> Voucher:
        """Mint by a voucher, and give the redeemed voucher."""
        voucher = self.voucher(token_id, to)
        self.send(self.redeeming(voucher), self.cast.stranger)
        return voucher

    def events(self, receipt: TxReceipt) -> list[tuple[str, dict[str, Any]]]:
        """The collection's own events of a receipt, in order."""
        by_topic = {
            bytes(Web3.keccak(text=_signature(entry))): entry["name"] for entry in self._entries("event")
        }
        logs = [log for log in receipt["logs"] if log["address"] == self.contract.address]
        names = [by_topic[bytes(log["topics"][0])] for log in logs]
        return [
            (name, dict(self.contract.events[name]().process_log(log)["args"]))
            for name, log in zip(names, logs, strict=True)
        ]

    def rpc(self, method: str, *params: Any) -> Any:
        """Call a method of anvil's own."""
        response = self.w3.provider.make_request(RPCEndpoint(method), list(params))
        assert "error" not in response, response
        return response["result"]

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Undo on leaving whatever happened to the chain inside."""
        snapshot = self.rpc("evm_snapshot")
        try:
            yield
        finally:
            assert self.rpc("evm_revert", snapshot) is True

    def _mine(self, call: Any, sender: ChecksumAddress, gas: int) -> TxReceipt:
        return self.w3.eth.wait_for_transaction_receipt(
            call.transact({"from": sender, "gas": gas}), poll_latency=0.005
        )

    def _entries(self, kind: str) -> list[dict[str, Any]]:
        return [entry for entry in self.abi if entry["type"] == kind]

    def _decode_error(self, data: str) -> Refusal:
        raw = bytes.fromhex(data.removeprefix("0x"))
        for entry in self._entries("error"):
            if bytes(Web3.keccak(text=_signature(entry))[:4]) == raw[:4]:
                return Refusal(entry["name"], decode([item["type"] for item in entry["inputs"]], raw[4:]))
        pytest.fail(f"reverted with an error that the ABI does not name: {data}")


def _signature(entry: dict[str, Any]) -> str:
    return f"{entry['name']}({','.join(item['type'] for item in entry['inputs'])})"


def _anvil_binary() -> Path:
    system, machine = platform.system().lower(), ANVIL_ARCHITECTURES[platform.machine().lower()]
    binary = ROOT / "node_modules" / "@foundry-rs" / f"anvil-{system}-{machine}" / "bin" / "anvil"
    if not binary.exists():
        pytest.fail(f"{binary} is missing: run npm ci --ignore-scripts")
    return binary


def _wait_for_address(output: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        if matched := re.search(r"Listening on (127\.0\.0\.1:\d+)", output.read_text()):
            return f"http://{matched[1]}"
        time.sleep(0.02)
    pytest.fail(f"anvil did not start:\n{output.read_text()}")


@pytest.fixture(scope="session")
def node_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private anvil on a free port; it mines every transaction at once."""
    output = tmp_path_factory.mktemp("anvil") / "output"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [_anvil_binary(), "--host", "127.0.0.1", "--port", "0", "--hardfork", "osaka"],
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _wait_for_address(output, process)
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture(scope="session")
def w3(node_url: str) -> Web3:
    return Web3(HTTPProvider(node_url))


@pytest.fixture(scope="session")
def artifact() -> dict[str, Any]:
    """The committed artifact, found as an installed service finds it."""
    path = resources.files("mintline").joinpath("chain", "artifacts", "MintlineCollection.json")
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="session")
def build() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run contracts/build.mjs of this checkout or a copy, with Node from PATH or from the environment."""
    beside_python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    node = shutil.which("node") or shutil.which("node", path=beside_python)
    if node is None:
        pytest.fail("node is neither on PATH nor in the environment of these tests")

    def run(*arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
        command = [node, str(root / "contracts" / "build.mjs"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, timeout=120)

    return run


@pytest.fixture(scope="session")
def receivers(build: Callable[..., subprocess.CompletedProcess[str]]) -> dict[str, dict[str, Any]]:
    """The compiled contracts of receivers/Receivers.sol, by name."""
    built = build("--compile", str(Path(__file__).parent / "receivers" / "Receivers.sol"))
    assert built.returncode == 0, built.stderr
    return {entry["contractName"]: entry for entry in json.loads(built.stdout)}


def deploy(w3: Web3, compiled: dict[str, Any], *arguments: Any) -> Contract:
    """Deploy a compiled contract from anvil's first account."""
    factory = w3.eth.contract(abi=compiled["abi"], bytecode=HexStr(compiled["bytecode"]))
    sent = factory.constructor(*arguments).transact({"from": w3.eth.accounts[0]})
    receipt = w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.005)
    assert receipt["status"] == 1
    assert receipt["contractAddress"] is not None
    return w3.eth.contract(address=receipt["contractAddress"], abi=compiled["abi"])


def deploy_collection(w3: Web3, artifact: dict[str, Any]) -> Collection:
    """Deploy a collection with every role granted."""
    keys = [Account.from_key(Web3.keccak(text=name)) for name in ("issuer", "impostor")]
    cast = Cast(*w3.eth.accounts[1:9], *keys)
    contract = deploy(
        w3,
        artifact,
        "Mintline Test",
        "MLT",
        "https://nft.example/metadata/",
        "https://nft.example/collection.json",
        cast.admin,
        cast.issuer.address,
        cast.royalties,
        500,
    )
    collection = Collection(w3, contract, cast, artifact["abi"])
    for role, account in (("RELAYER", cast.relayer), ("PAUSER", cast.pauser), ("METADATA", cast.metadata)):
        collection.send(contract.functions.grantRole(Web3.keccak(text=f"{role}_ROLE"), account), cast.admin)
    return collection


@pytest.fixture(scope="session")
def deployed(w3: Web3, artifact: dict[str, Any]) -> Collection:
    """The collection with every role granted; for the snapshotting fixture only."""
    return deploy_collection(w3, artifact)


@pytest.fixture
def collection(deployed: Collection) -> Iterator[Collection]:
    """The collection as first deployed; the test's traces on the chain are undone afterwards."""
    with deployed.undone():
        yield deployed


@pytest.fixture
def deploy_receiver(
    collection: Collection, receivers: dict[str, dict[str, Any]]
) -> Callable[[str], Contract]:
    """Deploy one of the tests' receivers by name."""
    return lambda name: deploy(collection.w3, receivers[name])
