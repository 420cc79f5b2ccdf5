"""The committed artifact is what the sources give, and what a deployed collection runs."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from eth_abi.abi import encode
from web3 import Web3

from mintline.chain.compiled import CONTRACTS, Contract, compiled, standard_input
from tests.integration.conftest import node_binary

if TYPE_CHECKING:
    from tests.integration.collection.conftest import Collection

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]
ARTIFACTS = Path("shared/src/mintline/chain/artifacts")
ARTIFACT = ARTIFACTS / "MintlineCollection.json"

Build = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the build reads and writes, to be spoiled."""
    shutil.copytree(ROOT / "contracts", tmp_path / "contracts")
    shutil.copytree(ROOT / ARTIFACTS, tmp_path / ARTIFACTS)
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    return tmp_path


def test_artifact__when_rebuilt__then_identical(build: Build, checkout: Path) -> None:
    shutil.rmtree(checkout / ARTIFACTS)

    built = build(root=checkout)

    assert built.returncode == 0, built.stderr
    committed = {path.name: path.read_bytes() for path in (ROOT / ARTIFACTS).iterdir()}
    assert {path.name: path.read_bytes() for path in (checkout / ARTIFACTS).iterdir()} == committed
    assert len(committed) == 2 * len(CONTRACTS)


def test_check__when_artifact_is_current__then_silent(build: Build) -> None:
    checked = build("--check")

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_check__when_source_and_artifact_changed__then_one_line_says_what(
    build: Build, checkout: Path
) -> None:
    source, artifact = checkout / "contracts/src/MintlineCollection.sol", checkout / ARTIFACT
    source.write_text(source.read_text() + "// a comment\n")
    artifact.write_text(artifact.read_text().replace('"bytecode": "0x', '"bytecode": "0x00'))
    before = artifact.read_bytes()

    checked = build("--check", root=checkout)

    assert (checked.returncode, checked.stdout) == (1, "")
    assert checked.stderr == (
        f"{ARTIFACT} is out of date (bytecode, sourceHash, sources changed): "
        "run node contracts/build.mjs and commit it\n"
    )
    assert artifact.read_bytes() == before


@pytest.mark.parametrize(("content", "reason"), [(None, "it is missing"), ("{", "it is not JSON")])
def test_check__when_artifact_is_unreadable__then_one_line_says_so(
    build: Build, checkout: Path, content: str | None, reason: str
) -> None:
    (checkout / ARTIFACT).unlink()
    if content is not None:
        (checkout / ARTIFACT).write_text(content)

    checked = build("--check", root=checkout)

    assert checked.returncode == 1
    assert (
        checked.stderr
        == f"{ARTIFACT} is out of date ({reason}): run node contracts/build.mjs and commit it\n"
    )


def test_check__when_source_does_not_compile__then_the_compilers_message(
    build: Build, checkout: Path
) -> None:
    source = checkout / "contracts/src/MintlineCollection.sol"
    source.write_text(source.read_text().replace("_mint(to, tokenId);", "_mint(to);"))

    checked = build("--check", root=checkout)

    assert checked.returncode == 1
    assert "contracts/src/MintlineCollection.sol:" in checked.stderr


def test_build__when_arguments_are_unknown__then_usage(build: Build) -> None:
    answered = build("--chekc")

    assert answered.returncode == 1
    assert answered.stderr.startswith("usage:")


def test_source_hash__when_computed_independently__then_equal(artifact: dict[str, Any]) -> None:
    def path_of(name: str) -> Path:
        return ROOT / "node_modules" / name if name.startswith("@") else ROOT / name

    digests = {name: hashlib.sha256(path_of(name).read_bytes()).hexdigest() for name in artifact["sources"]}
    listing = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))

    assert artifact["sources"] == digests
    assert artifact["sourceHash"] == hashlib.sha256(listing.encode()).hexdigest()
    assert "@openzeppelin/contracts/token/ERC721/ERC721.sol" in digests


def test_standard_input__when_the_compiler_alone_reads_it__then_the_deployed_code(
    tmp_path: Path,
) -> None:
    """What a service that verifies source code does with it."""
    given = json.loads(standard_input("MintlineFactory"))
    script = tmp_path / "compile.mjs"
    script.write_text(
        f"import solc from {json.dumps(str(ROOT / 'node_modules/solc/index.js'))};"
        "import {readFileSync} from 'node:fs';"
        "process.stdout.write(solc.compile(readFileSync(0, 'utf8')));"
    )

    done = subprocess.run(
        [node_binary(), str(script)], input=json.dumps(given), capture_output=True, check=True, text=True
    )

    built = json.loads(done.stdout)["contracts"]["contracts/src/MintlineFactory.sol"]["MintlineFactory"]
    assert "0x" + built["evm"]["bytecode"]["object"] == compiled("MintlineFactory")["bytecode"]


def test_compiler__when_compared_with_the_lock__then_the_pinned_one(artifact: dict[str, Any]) -> None:
    pinned = json.loads((ROOT / "package.json").read_text())["devDependencies"]["solc"]

    assert artifact["compiler"].startswith(f"{pinned}+commit.")


def test_deployed_code__when_immutables_are_masked__then_the_artifacts(
    collection: Collection, artifact: dict[str, Any]
) -> None:
    code = bytearray(collection.w3.eth.get_code(collection.contract.address))
    for places in artifact["immutableReferences"].values():
        for place in places:
            code[place["start"] : place["start"] + place["length"]] = bytes(place["length"])

    assert code.hex() == artifact["deployedBytecode"].removeprefix("0x")


def test_storage_layout__when_a_role_is_written_at_its_slot__then_the_account_holds_it(
    collection: Collection, artifact: dict[str, Any]
) -> None:
    """What a state override of eth_estimateGas or eth_call relies on."""
    role, account = Web3.keccak(text="RELAYER_ROLE"), collection.cast.stranger
    base = next(
        int(entry["slot"]) for entry in artifact["storageLayout"]["storage"] if entry["label"] == "_roles"
    )
    role_data = Web3.keccak(encode(["bytes32", "uint256"], [role, base]))
    slot = Web3.keccak(encode(["address", "bytes32"], [account, role_data]))
    override = {collection.contract.address: {"stateDiff": {slot.to_0x_hex(): "0x" + "00" * 31 + "01"}}}
    has_role = collection.functions.hasRole(role, account)

    assert has_role.call() is False
    assert has_role.call(state_override=override) is True


@pytest.mark.parametrize("contract", CONTRACTS)
def test_code_size__when_deployed__then_within_the_limit(contract: Contract) -> None:
    artifact = compiled(contract)
    # EIP-170: 24,576 bytes; EIP-3860: 49,152 bytes of init code.
    assert len(bytes.fromhex(artifact["deployedBytecode"][2:])) <= 24_576
    assert len(bytes.fromhex(artifact["bytecode"][2:])) <= 49_152
