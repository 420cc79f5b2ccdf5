"""The key policy lets the attested enclave alone decrypt, and nothing is read into a policy."""

import pytest
from pydantic import ValidationError

from mintline.attestation.registers import role_register
from mintline_devstack.key_policy import KeyPolicy
from mintline_devstack.principals import (
    ROLES,
    account_allows,
    key_policy,
    role_arn,
    webhook_key_policy,
)
from mintline_testkit.constants import CHAIN_ID

ON_CHAIN = {"kms:EncryptionContext:chain": str(CHAIN_ID), "kms:EncryptionContext:sub": "user"}
PAIR = {**ON_CHAIN, "kms:DataKeyPairSpec": "ECC_SECG_P256K1"}


IMAGE, POLICY = "ab" * 48, "cd" * 48
ATTESTED = {
    **ON_CHAIN,
    "kms:RecipientAttestation:ImageSha384": IMAGE,
    "kms:RecipientAttestation:PCR0": IMAGE,
    "kms:RecipientAttestation:PCR3": role_register(role_arn("enclave")).hex(),
    "kms:RecipientAttestation:PCR16": POLICY,
}


def allows(role: str, action: str, context: dict[str, str], *, images: tuple[str, ...] = (IMAGE,)) -> bool:
    policy = KeyPolicy.model_validate(key_policy(CHAIN_ID, images=images, policies=(POLICY,)))
    return policy.allows(principal=role_arn(role), action=action, context=context)


@pytest.mark.parametrize("role", ROLES)
def test_decrypt__when_asked_by_each_role__is_the_attested_enclaves_alone(role: str) -> None:
    assert allows(role, "kms:Decrypt", ATTESTED) == (role == "enclave")
    assert not allows(role, "kms:Decrypt", ON_CHAIN)
    assert not allows(role, "kms:Decrypt", ATTESTED, images=())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kms:EncryptionContext:chain", "1"),
        ("kms:RecipientAttestation:ImageSha384", "00" * 48),
        ("kms:RecipientAttestation:PCR3", role_register(role_arn("signer-host")).hex()),
        ("kms:RecipientAttestation:PCR16", "00" * 48),
    ],
)
def test_decrypt__when_one_condition_does_not_hold__is_refused_to_the_enclave(key: str, value: str) -> None:
    assert not allows("enclave", "kms:Decrypt", ATTESTED | {key: value})
    assert not allows("enclave", "kms:Decrypt", {k: v for k, v in ATTESTED.items() if k != key})


@pytest.mark.parametrize(
    ("role", "subject", "expected"),
    [("operator", "platform:sealing", True), ("operator", "user", False), ("api", "platform:sealing", False)],
)
def test_sealing_keys__when_asked_for__are_made_by_the_operator_for_the_platform_alone(
    role: str,
    subject: str,
    expected: bool,  # noqa: FBT001 - a parameter of the table above
) -> None:
    context = {**PAIR, "kms:DataKeyPairSpec": "ECC_NIST_P256", "kms:EncryptionContext:sub": subject}
    assert allows(role, "kms:GenerateDataKeyPairWithoutPlaintext", context) is expected


@pytest.mark.parametrize(
    ("role", "action", "expected"),
    [
        ("operator", "kms:CreateKey", True),
        ("api", "kms:CreateKey", False),
        ("api", "kms:GenerateRandom", True),
        ("operator", "kms:Decrypt", False),
    ],
)
def test_account__when_no_key_is_concerned__decides_by_itself(
    role: str,
    action: str,
    expected: bool,  # noqa: FBT001 - a parameter of the table above
) -> None:
    assert account_allows(role_arn(role), action) is expected


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", ["kms:GenerateDataKeyPair", "kms:GenerateDataKey", "kms:ReEncryptFrom"])
def test_plaintext_keys__when_asked_by_anyone__are_refused(role: str, action: str) -> None:
    assert not allows(role, action, PAIR)


@pytest.mark.parametrize(
    ("role", "expected"), [("api", True), ("operator", False), ("builder", False), ("enclave", False)]
)
def test_key_pairs__when_asked_by_each_role__are_for_those_who_make_wallets(
    role: str,
    expected: bool,  # noqa: FBT001 - a parameter of the table above
) -> None:
    assert allows(role, "kms:GenerateDataKeyPairWithoutPlaintext", PAIR) is expected


def test_key_pairs__when_of_another_curve__are_refused_to_the_api() -> None:
    context = {**PAIR, "kms:DataKeyPairSpec": "RSA_2048"}
    assert not allows("api", "kms:GenerateDataKeyPairWithoutPlaintext", context)


def statement(**changes: object) -> dict[str, object]:
    base = {"Sid": "S", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [{**base, **changes}]}


def test_policy__when_a_deny_and_an_allow_both_apply__denies() -> None:
    allow, deny = (
        KeyPolicy.model_validate(statement(**changes)).Statement
        for changes in ({}, {"Effect": "Deny", "Action": "kms:Decrypt"})
    )
    policy = KeyPolicy(Version="2012-10-17", Statement=(*allow, *deny))
    assert not policy.allows(principal="anyone", action="kms:Decrypt", context={})
    assert policy.allows(principal="anyone", action="kms:DescribeKey", context={})


@pytest.mark.parametrize(
    "changes",
    [
        {"NotAction": "kms:Decrypt"},
        {"Condition": {"NumericLessThan": {"kms:x": "1"}}},
        {"Resource": "arn:aws:kms:::key/1"},
        {"Principal": {"Service": "lambda.amazonaws.com"}},
    ],
)
def test_policy__when_it_says_what_is_not_understood__is_refused_whole(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        KeyPolicy.model_validate(statement(**changes))


def test_conditions__when_compared__follow_their_operator() -> None:
    def holds(operator: str, value: str, wanted: str) -> bool:
        policy = KeyPolicy.model_validate(statement(Condition={operator: {"k": wanted}}))
        return policy.allows(principal="p", action="kms:Decrypt", context={"k": value})

    assert not holds("StringEquals", "AB", "ab")
    assert holds("StringEqualsIgnoreCase", "AB", "ab")
    assert holds("StringLike", "arn:1:x", "arn:*:x")
    assert not holds("StringLike", "arn:1:y", "arn:*:x")
    assert holds("Null", "there", "false")
    assert not holds("Null", "there", "true")


@pytest.mark.parametrize("operator", ["StringEquals", "StringLike", "Null"])
def test_conditions__when_the_request_does_not_set_the_key__hold_for_null_alone(operator: str) -> None:
    policy = KeyPolicy.model_validate(statement(Condition={operator: {"k": "true"}}))
    assert policy.allows(principal="p", action="kms:Decrypt", context={}) is (operator == "Null")


@pytest.mark.parametrize("role", ROLES)
def test_encrypt__when_keys_are_wrapped_anew_under_the_key__is_the_enclaves_on_this_chain_alone(
    role: str,
) -> None:
    receiving = KeyPolicy.model_validate(
        key_policy(CHAIN_ID, images=(IMAGE,), policies=(POLICY,), receives=True)
    )
    other_chain = {**ON_CHAIN, "kms:EncryptionContext:chain": "1"}

    def received(action: str, context: dict[str, str]) -> bool:
        return receiving.allows(principal=role_arn(role), action=action, context=context)

    assert received("kms:Encrypt", ON_CHAIN) == (role == "enclave")
    assert not received("kms:Encrypt", other_chain)
    assert not allows(role, "kms:Encrypt", ON_CHAIN)
    assert received("kms:Decrypt", ATTESTED) == (role == "enclave")
    assert not received("kms:Decrypt", ON_CHAIN)
    for action in ("kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:CreateGrant", "kms:GenerateDataKey"):
        assert not received(action, ATTESTED)


@pytest.mark.parametrize("role", ROLES)
def test_encrypt__when_wallets_are_reassigned__is_the_enclaves_for_those_users_alone(role: str) -> None:
    document = key_policy(CHAIN_ID, images=(IMAGE,), policies=(POLICY,), reassigned=("new-1", "new-2"))
    reassigning = KeyPolicy.model_validate(document)

    def allowed(action: str, **context: str) -> bool:
        return reassigning.allows(principal=role_arn(role), action=action, context=ON_CHAIN | context)

    sub, chain = "kms:EncryptionContext:sub", "kms:EncryptionContext:chain"
    for user in ("new-1", "new-2"):
        assert allowed("kms:Encrypt", **{sub: user}) == (role == "enclave")
        assert not allowed("kms:Encrypt", **{sub: user, chain: "1"})
        for action in ("kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:CreateGrant", "kms:GenerateDataKey"):
            assert not allowed(action, **{sub: user})
    assert not allowed("kms:Encrypt")
    assert not allowed("kms:Decrypt", **{sub: "new-1"})


def test_webhook_key__when_a_request_names_a_webhook__then_the_api_encrypts_and_the_notifier_decrypts() -> (
    None
):
    policy = KeyPolicy.model_validate(webhook_key_policy())
    named = {"kms:EncryptionContext:webhook": "wh_1"}
    wallet = {"kms:EncryptionContext:sub": "alice", "kms:EncryptionContext:chain": str(CHAIN_ID)}
    allowed = {
        (role, action)
        for role in ROLES
        for action in ("kms:Encrypt", "kms:Decrypt", "kms:CreateGrant")
        if policy.allows(principal=role_arn(role), action=action, context=named)
    }
    assert allowed == {("api", "kms:Encrypt"), ("notifier", "kms:Decrypt")}
    assert not policy.allows(principal=role_arn("notifier"), action="kms:Decrypt", context=wallet)
