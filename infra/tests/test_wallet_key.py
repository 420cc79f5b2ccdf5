from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mintline.errors import Misconfigured
from mintline_infra.deployment import Deployment
from policies import allows
from synthesis import Templates, described, listed, properties, resources, synthesized

ROOT_PRINCIPAL = "arn:aws:iam::111122223333:root"
SERVICES = ("api", "builder", "signer", "broadcaster", "indexer", "notifier")
ATTESTED = "kms:RecipientAttestation:"
LEAKS = (
    "kms:CreateGrant",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)


def statements(templates: Templates) -> list[dict[str, Any]]:
    (key,) = wallet_keys(templates["data"]).values()
    key_statements: list[dict[str, Any]] = key["Properties"]["KeyPolicy"]["Statement"]
    return key_statements


def wallet_keys(data: dict[str, Any]) -> dict[str, Any]:
    """Return the keys that wrap other keys, by logical id."""
    keys = resources(data, "AWS::KMS::Key")
    return {
        name: resource
        for name, resource in keys.items()
        if "in custody" in resource["Properties"]["Description"]
    }


def attestation(deployment: Deployment, **changes: str) -> dict[str, str]:
    assert deployment.enclave.pcr8 is not None
    return {
        f"{ATTESTED}ImageSha384": deployment.enclave.pcr0[0],
        f"{ATTESTED}PCR3": deployment.pcr3(),
        f"{ATTESTED}PCR8": deployment.enclave.pcr8,
        f"{ATTESTED}PCR16": deployment.enclave.pcr16[0],
        "kms:EncryptionContext:chain": "1",
        "kms:EncryptionContext:sub": "user",
    } | {f"{ATTESTED}{name}": value for name, value in changes.items()}


def test_decrypt__when_the_enclave_is_attested__then_its_role_may(
    templates: Templates, deployment: Deployment
) -> None:
    assert allows(
        statements(templates),
        principal=deployment.role_arn("signer"),
        action="kms:Decrypt",
        context=attestation(deployment),
    )


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "signer"] + [None])
def test_decrypt__when_another_asks_even_attested__then_denied(
    templates: Templates, deployment: Deployment, service: str | None
) -> None:
    principal = ROOT_PRINCIPAL if service is None else deployment.role_arn(service)

    assert not allows(
        statements(templates), principal=principal, action="kms:Decrypt", context=attestation(deployment)
    )


@pytest.mark.parametrize("register", ["ImageSha384", "PCR3", "PCR8", "PCR16"])
def test_decrypt__when_one_measurement_differs__then_denied(
    templates: Templates, deployment: Deployment, register: str
) -> None:
    context = attestation(deployment, **{register: "00" * 48})

    assert not allows(
        statements(templates),
        principal=deployment.role_arn("signer"),
        action="kms:Decrypt",
        context=context,
    )


def test_decrypt__when_there_is_no_attestation__then_the_signers_role_is_denied_too(
    templates: Templates, deployment: Deployment
) -> None:
    assert not allows(
        statements(templates),
        principal=deployment.role_arn("signer"),
        action="kms:Decrypt",
        context={"kms:EncryptionContext:chain": "1"},
    )


def test_decrypt__when_a_grant_or_another_policy_would_allow_it_unattested__then_a_deny_stands_above(
    templates: Templates,
) -> None:
    (deny,) = (
        statement
        for statement in statements(templates)
        if statement["Effect"] == "Deny" and "kms:Decrypt" in listed(statement["Action"])
    )
    assert deny["Principal"] == {"AWS": "*"}
    assert deny["Condition"] == {"Null": {f"{ATTESTED}ImageSha384": "true"}}


@pytest.mark.parametrize("action", LEAKS)
@pytest.mark.parametrize("service", [*SERVICES, None])
def test_key__when_anyone_asks_for_what_leaks_or_moves_keys__then_denied(
    templates: Templates, deployment: Deployment, action: str, service: str | None
) -> None:
    principal = ROOT_PRINCIPAL if service is None else deployment.role_arn(service)
    context = attestation(deployment) | {"kms:DataKeyPairSpec": "ECC_SECG_P256K1"}

    assert not allows(statements(templates), principal=principal, action=action, context=context)


@pytest.mark.parametrize(
    ("new_key", "expected"),
    [
        (("api", "user", "1"), True),
        (("api", "user", "5"), False),
        (("builder", "user", "1"), False),
        (("signer", "user", "1"), False),
        ((None, "platform:treasury", "1"), True),
        ((None, "user", "1"), False),
    ],
)
def test_key_pairs__when_asked_for__then_only_the_api_makes_users_and_operators_make_platform_keys(
    templates: Templates,
    deployment: Deployment,
    new_key: tuple[str | None, str, str],
    expected: bool,  # noqa: FBT001 - the table's last column
) -> None:
    service, subject, chain = new_key
    principal = ROOT_PRINCIPAL if service is None else deployment.role_arn(service)
    context = {
        "kms:DataKeyPairSpec": "ECC_SECG_P256K1",
        "kms:EncryptionContext:chain": chain,
        "kms:EncryptionContext:sub": subject,
    }
    action = "kms:GenerateDataKeyPairWithoutPlaintext"

    assert allows(statements(templates), principal=principal, action=action, context=context) is expected


def test_key__when_no_image_is_known__then_nobody_decrypts(tmp_path: Path) -> None:
    templates = synthesized(described(enclave={}), tmp_path)

    allowed = [s for s in statements(templates) if s["Effect"] == "Allow"]
    assert not [s for s in allowed if "kms:Decrypt" in listed(s["Action"])]


def test_key__when_an_action_is_allowed__then_it_is_named_without_wildcards(templates: Templates) -> None:
    named = [a for s in statements(templates) if s["Effect"] == "Allow" for a in listed(s["Action"])]

    assert named
    assert not [action for action in named if "*" in action]


def test_pcr3__when_computed__then_it_is_the_hash_of_zeros_and_the_roles_arn() -> None:
    # By the recipe of the Nitro Enclaves user guide, for the role acme-mintline-signer of 111122223333.
    expected = (
        "60b903ff7fb03d89ac4c4dd5616daf8b071d7e20568b4c3441effdbea718209ee1257b9b77e7cfa3c2f83c64680847e7"
    )
    assert described().pcr3() == expected


def test_decrypt__when_a_policy_is_rolled__then_both_documents_may_and_no_other(tmp_path: Path) -> None:
    measured = ["ef" * 48, "12" * 48]
    deployment = described(enclave={"pcr0": ["ab" * 48], "pcr8": "cd" * 48, "pcr16": measured})
    key_statements = statements(synthesized(deployment, tmp_path))

    def decrypts(**changes: str) -> bool:
        context = attestation(deployment, **changes)
        principal = deployment.role_arn("signer")
        return allows(key_statements, principal=principal, action="kms:Decrypt", context=context)

    assert decrypts(PCR16="ef" * 48)
    assert decrypts(PCR16="12" * 48)
    assert not decrypts(PCR16="00" * 48)
    unmeasured = attestation(deployment)
    del unmeasured[f"{ATTESTED}PCR16"]
    assert not allows(
        key_statements, principal=deployment.role_arn("signer"), action="kms:Decrypt", context=unmeasured
    )


def test_deployment__when_images_are_named_and_no_policy_documents__then_it_is_refused() -> None:
    with pytest.raises(Misconfigured, match="mintline attest policy"):
        described(enclave={"pcr0": ["ab" * 48]})


def test_key_pairs__when_for_sealing__then_only_operators_make_them(
    templates: Templates, deployment: Deployment
) -> None:
    context = {
        "kms:DataKeyPairSpec": "ECC_NIST_P256",
        "kms:EncryptionContext:chain": "1",
        "kms:EncryptionContext:sub": "platform:sealing",
    }
    action = "kms:GenerateDataKeyPairWithoutPlaintext"

    def made_by(principal: str) -> bool:
        return allows(statements(templates), principal=principal, action=action, context=context)

    assert made_by(ROOT_PRINCIPAL)
    assert not made_by(deployment.role_arn("api"))


def aliased(template: dict[str, Any]) -> str:
    """Return the logical id of the key that the alias points at."""
    aliases = properties(template, "AWS::KMS::Alias")
    (alias,) = (alias for alias in aliases if alias["AliasName"] == "alias/acme-mintline-wallets")
    target: str = alias["TargetKeyId"]["Fn::GetAtt"][0]
    return target


def powers(template: dict[str, Any], deployment: Deployment, key: str) -> set[str]:
    """Return what a key's policy lets the services and the operator do, beyond administration."""
    key_statements = resources(template, "AWS::KMS::Key")[key]["Properties"]["KeyPolicy"]["Statement"]
    platform = {"kms:DataKeyPairSpec": "ECC_SECG_P256K1", "kms:EncryptionContext:sub": "platform:x"}
    pair = "kms:GenerateDataKeyPairWithoutPlaintext"
    requests = {
        "unwrap": (deployment.role_arn("signer"), "kms:Decrypt", {}),
        "make": (deployment.role_arn("api"), pair, {"kms:DataKeyPairSpec": "ECC_SECG_P256K1"}),
        "make the platform's": (ROOT_PRINCIPAL, pair, platform),
        "take in": (deployment.role_arn("signer"), "kms:Encrypt", {}),
    }
    context = attestation(deployment)
    return {
        power
        for power, (principal, action, more) in requests.items()
        if allows(key_statements, principal=principal, action=action, context=context | more)
    }


MAKES = {"unwrap", "make", "make the platform's"}


@pytest.mark.parametrize(
    ("numbers", "older", "newer"),
    [
        ([1, 2], MAKES, {"unwrap", "take in"}),
        ([2, 1], {"unwrap"}, MAKES | {"take in"}),
    ],
)
def test_keys__when_wrapped_keys_move_to_a_second_one__then_the_alias_makes_and_the_newer_takes_in(
    templates: Templates, tmp_path: Path, numbers: list[int], older: set[str], newer: set[str]
) -> None:
    (first,) = wallet_keys(templates["data"])
    deployment = described(wallet_keys=numbers)
    data = synthesized(deployment, tmp_path)["data"]
    keys_by_name = wallet_keys(data)
    (second,) = set(keys_by_name) - {first}

    assert powers(data, deployment, first) == older
    assert powers(data, deployment, second) == newer
    leaves, stays = (second, first) if numbers[0] == 1 else (first, second)
    assert aliased(data) == stays
    assert keys_by_name[leaves]["DependsOn"] == [
        name for name in resources(data, "AWS::KMS::Alias") if name.startswith("walletkeyalias")
    ]
    # The second one may have wrapped keys before the update that adds it fails: it stays even then.
    assert keys_by_name[first]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert keys_by_name[second]["DeletionPolicy"] == "Retain"


def test_keys__when_the_move_is_over__then_the_newer_one_is_like_the_one_before(
    templates: Templates, tmp_path: Path
) -> None:
    deployment = described(wallet_keys=[2])
    data = synthesized(deployment, tmp_path)["data"]
    (only,) = wallet_keys(data)

    assert only not in wallet_keys(templates["data"])
    assert (aliased(data), powers(data, deployment, only)) == (only, MAKES)


def test_notices__when_there_are_two_keys__then_they_are_of_both(tmp_path: Path) -> None:
    watch = synthesized(described(wallet_keys=[2, 1]), tmp_path)["watch"]
    about_keys = {
        rule["Name"].removeprefix("acme-mintline-"): len(rule["EventPattern"]["detail"]["resources"]["ARN"])
        for rule in properties(watch, "AWS::Events::Rule")
        if "resources" in rule["EventPattern"]["detail"]
    }

    assert about_keys == {"kms-denied": 5, "decrypt-unattested": 2, "key-policy-changed": 5}


@pytest.mark.parametrize("numbers", [[], [1, 1], [0], [1, 2, 3]])
def test_keys__when_the_numbers_make_no_sense__then_the_deployment_is_refused(numbers: list[int]) -> None:
    with pytest.raises(Misconfigured, match="wallet_keys"):
        described(wallet_keys=numbers)


@pytest.mark.parametrize("service", [*SERVICES, None])
def test_encrypt__when_wallets_are_reassigned__then_the_signer_may_for_those_users_alone(
    tmp_path: Path, service: str | None
) -> None:
    enclave = described().enclave.model_dump() | {"reassigned": ["new-1", "new-2"]}
    deployment = described(enclave=enclave)
    key_statements = statements(synthesized(deployment, tmp_path))
    principal = ROOT_PRINCIPAL if service is None else deployment.role_arn(service)

    def encrypts(sub: str, chain: str = "1") -> bool:
        context = {"kms:EncryptionContext:chain": chain, "kms:EncryptionContext:sub": sub}
        return allows(key_statements, principal=principal, action="kms:Encrypt", context=context)

    assert encrypts("new-1") is encrypts("new-2") is (service == "signer")
    assert not encrypts("user")
    assert not encrypts("new-1", "5")


@pytest.mark.parametrize("sub", ["platform:issuer", "*", "a?", ""])
def test_deployment__when_no_user_is_named_to_be_reassigned_to__then_it_is_refused(sub: str) -> None:
    with pytest.raises(Misconfigured, match="reassigned"):
        described(enclave={"reassigned": [sub]})
