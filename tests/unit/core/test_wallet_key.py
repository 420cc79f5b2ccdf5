"""The key policy's own statements: an implicit denial holds against no grant, and no added statement."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from mintline.wallet_key import Measured, Parties, key_policy

PARTIES = Parties("arn:aws:iam::1:root", "arn:aws:iam::1:role/api", "arn:aws:iam::1:role/enclave")
MEASURED = Measured(images=("ab" * 48,), role="cd" * 48, policies=("ef" * 48, "12" * 48))
UNPOLICED = Measured(images=MEASURED.images, role=MEASURED.role)
NOBODY = Measured(images=(), role="cd" * 48)
SHOWS_KEYS = {
    "kms:CreateGrant",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
}
"""Each of these shows a wrapped key, moves it to another key, or plants one."""

ALL = list(product((MEASURED, UNPOLICED, NOBODY), (True, False), (True, False)))


def denied_to_all(document: dict[str, Any]) -> set[str]:
    """Return the actions that the policy denies to everyone, whatever the request says."""
    denials = [
        statement
        for statement in document["Statement"]
        if statement["Effect"] == "Deny" and "Condition" not in statement
    ]
    assert all(denial["Principal"] == {"AWS": "*"} and denial["Resource"] == "*" for denial in denials)
    return {action for denial in denials for action in denial["Action"]}


@pytest.mark.parametrize(("measured", "makes", "receives"), ALL)
def test_policy__when_an_action_could_show_a_key__denies_it_to_everyone_by_a_statement(
    measured: Measured, makes: Any, receives: Any
) -> None:
    document = key_policy(PARTIES, chain_id=1, measured=measured, makes=makes, receives=receives)
    assert denied_to_all(document) == SHOWS_KEYS - ({"kms:Encrypt"} if receives else set())


@pytest.mark.parametrize(("measured", "makes", "receives"), ALL)
def test_policy__when_nobody_attests__denies_decrypt_to_everyone_by_a_statement(
    measured: Measured, makes: Any, receives: Any
) -> None:
    document = key_policy(PARTIES, chain_id=1, measured=measured, makes=makes, receives=receives)
    (denial,) = [
        statement
        for statement in document["Statement"]
        if statement["Effect"] == "Deny" and "Condition" in statement
    ]
    assert (denial["Principal"], denial["Resource"]) == ({"AWS": "*"}, "*")
    assert denial["Action"] == ["kms:Decrypt"]
    assert denial["Condition"] == {"Null": {"kms:RecipientAttestation:ImageSha384": "true"}}


@pytest.mark.parametrize(("measured", "makes", "receives"), ALL)
def test_policy__when_it_allows_something__allows_decrypt_to_the_attested_enclave_alone(
    measured: Measured, makes: Any, receives: Any
) -> None:
    document = key_policy(PARTIES, chain_id=1, measured=measured, makes=makes, receives=receives)
    allowed = [statement for statement in document["Statement"] if statement["Effect"] == "Allow"]
    actions = {action for statement in allowed for action in statement["Action"]}
    assert not any("*" in action for action in actions)
    assert not actions & denied_to_all(document)
    unwrapping = [statement for statement in allowed if "kms:Decrypt" in statement["Action"]]
    assert len(unwrapping) == (measured == MEASURED), "an image alone may sign by any policy document"
    for statement in unwrapping:
        assert statement["Action"] == ["kms:Decrypt"]
        assert statement["Principal"] == {"AWS": PARTIES.enclave}
        attested = statement["Condition"]["StringEqualsIgnoreCase"]
        assert attested["kms:RecipientAttestation:ImageSha384"] == list(measured.images)
        assert attested["kms:RecipientAttestation:PCR3"] == measured.role
        assert attested["kms:RecipientAttestation:PCR16"] == list(measured.policies)


@pytest.mark.parametrize("receives", [True, False])
def test_policy__when_wallets_are_reassigned__allows_encrypt_under_the_new_users_contexts(
    *, receives: bool
) -> None:
    document = key_policy(PARTIES, chain_id=1, measured=MEASURED, receives=receives, reassigned=("new",))

    assert denied_to_all(document) == SHOWS_KEYS - {"kms:Encrypt"}
    (added,) = [s for s in document["Statement"] if s["Sid"] == "EnclaveReassigns"]
    assert (added["Principal"], added["Action"]) == ({"AWS": PARTIES.enclave}, ["kms:Encrypt"])
    assert added["Condition"]["StringEquals"] == {
        "kms:EncryptionContext:chain": "1",
        "kms:EncryptionContext:sub": ["new"],
    }
