"""Every privileged function refuses every caller without its role, and the roles are the ones documented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from web3 import Web3
from web3.exceptions import ContractCustomError

if TYPE_CHECKING:
    from tests.integration.collection.conftest import Collection

pytestmark = pytest.mark.integration

ADDRESS = "0x000000000000000000000000000000000000dEaD"
ADMIN_ROLE = bytes(32)
ROLES = {
    name: bytes(Web3.keccak(text=f"{name}_ROLE")) for name in ("ISSUER", "RELAYER", "PAUSER", "METADATA")
}

PRIVILEGED: list[tuple[str, tuple[Any, ...], bytes, str]] = [
    ("mintBatch", ([(1, ADDRESS, bytes(32))],), ROLES["RELAYER"], "relayer"),
    ("pause", (), ROLES["PAUSER"], "pauser"),
    ("unpause", (), ROLES["PAUSER"], "pauser"),
    ("setBaseURI", ("ipfs://base/",), ROLES["METADATA"], "metadata"),
    ("setContractURI", ("ipfs://collection",), ROLES["METADATA"], "metadata"),
    ("refreshMetadata", (1,), ROLES["METADATA"], "metadata"),
    ("setDefaultRoyalty", (ADDRESS, 1), ADMIN_ROLE, "admin"),
    ("setOwner", (ADDRESS,), ADMIN_ROLE, "admin"),
    ("grantRole", (ROLES["RELAYER"], ADDRESS), ADMIN_ROLE, "admin"),
    ("revokeRole", (ROLES["ISSUER"], ADDRESS), ADMIN_ROLE, "admin"),
]
# Anyone's to call: on the caller's own tokens, approvals or roles, or with a signature of an issuer.
OPEN = {"redeem", "burn", "approve", "setApprovalForAll", "transferFrom", "safeTransferFrom", "renounceRole"}


@pytest.mark.parametrize(
    ("name", "arguments", "role", "holder"), PRIVILEGED, ids=[entry[0] for entry in PRIVILEGED]
)
def test_privileged_call__when_role_is_missing__then_refused(
    collection: Collection, name: str, arguments: tuple[Any, ...], role: bytes, holder: str
) -> None:
    call = getattr(collection.functions, name)(*arguments)
    holders = {"admin", "relayer", "pauser", "metadata", "stranger"} - {holder}

    for other in sorted(holders):
        sender = getattr(collection.cast, other)
        refusal = collection.refuse(call, sender)
        assert (refusal.name, refusal.args) == ("AccessControlUnauthorizedAccount", (sender.lower(), role))


@pytest.mark.parametrize(
    ("name", "arguments", "role", "holder"), PRIVILEGED, ids=[entry[0] for entry in PRIVILEGED]
)
def test_privileged_call__when_role_is_held__then_it_succeeds(
    collection: Collection, name: str, arguments: tuple[Any, ...], role: bytes, holder: str
) -> None:
    if name == "unpause":
        collection.send(collection.functions.pause(), collection.cast.pauser)
    if name == "refreshMetadata":
        collection.mint(1)

    receipt = collection.send(
        getattr(collection.functions, name)(*arguments), getattr(collection.cast, holder)
    )

    assert receipt["status"] == 1
    assert collection.functions.hasRole(role, getattr(collection.cast, holder)).call() is True


def test_functions__when_they_change_state__then_each_is_known_as_privileged_or_open(
    collection: Collection,
) -> None:
    changing = {
        entry["name"]
        for entry in collection.abi
        if entry["type"] == "function" and entry["stateMutability"] not in {"view", "pure"}
    }

    assert changing == {entry[0] for entry in PRIVILEGED} | OPEN


def test_roles__when_read__then_they_are_the_documented_hashes(collection: Collection) -> None:
    for name, role in ROLES.items():
        assert getattr(collection.functions, f"{name}_ROLE")().call() == role
        assert collection.functions.getRoleAdmin(role).call() == ADMIN_ROLE


def test_deployment__when_done__then_deployer_holds_no_role(collection: Collection) -> None:
    deployer = collection.w3.eth.accounts[0]

    for role in (ADMIN_ROLE, *ROLES.values()):
        assert collection.functions.hasRole(role, deployer).call() is False


@pytest.mark.parametrize(
    ("position", "value", "error"),
    [
        (4, "0x0000000000000000000000000000000000000000", "InvalidAdmin"),
        (5, "0x0000000000000000000000000000000000000000", "InvalidIssuer"),
        (6, "0x0000000000000000000000000000000000000000", "ERC2981InvalidDefaultRoyaltyReceiver"),
        (7, 10_001, "ERC2981InvalidDefaultRoyalty"),
    ],
    ids=["admin", "issuer", "royalty_receiver", "royalty"],
)
def test_deployment__when_an_argument_is_senseless__then_refused(
    collection: Collection, artifact: dict[str, Any], position: int, value: object, error: str
) -> None:
    arguments: list[object] = ["Name", "SYM", "", "", ADDRESS, ADDRESS, ADDRESS, 0]
    arguments[position] = value
    factory = collection.w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])

    with pytest.raises(ContractCustomError) as caught:
        factory.constructor(*arguments).estimate_gas({"from": collection.cast.alice})

    assert collection._decode_error(str(caught.value.data)).name == error
