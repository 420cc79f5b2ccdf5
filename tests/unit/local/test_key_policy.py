"""The key policy lets the enclave alone decrypt, and reads nothing into a policy that it does not say."""

import pytest
from pydantic import ValidationError

from mintline_local.key_policy import KeyPolicy
from mintline_local.principals import ROLES, key_policy, role_arn

CHAIN = 31337
ON_CHAIN = {"kms:EncryptionContext:chain": str(CHAIN), "kms:EncryptionContext:sub": "user"}
PAIR = {**ON_CHAIN, "kms:DataKeyPairSpec": "ECC_SECG_P256K1"}


def allows(role: str, action: str, context: dict[str, str]) -> bool:
    policy = KeyPolicy.model_validate(key_policy(CHAIN))
    return policy.allows(principal=role_arn(role), action=action, context=context)


@pytest.mark.parametrize("role", ROLES)
def test_decrypt__when_asked_by_each_role__is_the_enclaves_alone(role: str) -> None:
    assert allows(role, "kms:Decrypt", ON_CHAIN) == (role == "enclave")


@pytest.mark.parametrize("context", [{}, {"kms:EncryptionContext:chain": "1"}])
def test_decrypt__when_the_context_is_not_this_chains__is_refused_to_the_enclave(
    context: dict[str, str],
) -> None:
    assert not allows("enclave", "kms:Decrypt", context)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", ["kms:GenerateDataKeyPair", "kms:GenerateDataKey", "kms:ReEncryptFrom"])
def test_plaintext_keys__when_asked_by_anyone__are_refused(role: str, action: str) -> None:
    assert not allows(role, action, PAIR)


@pytest.mark.parametrize(
    ("role", "expected"), [("api", True), ("operator", True), ("builder", False), ("enclave", False)]
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
