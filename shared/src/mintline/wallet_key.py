"""The policy of the key that wraps every key in custody: what AWS deploys, and what the local KMS obeys.

Attestation conditions restrict only the statement that they stand in, so no other statement may allow
Decrypt, or anything that leads to it: not to the account's root, not to administrators, not by a grant.
https://docs.aws.amazon.com/kms/latest/developerguide/conditions-nitro-enclaves.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ADMINISTRATION = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListResourceTags",
    "kms:ListRetirableGrants",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)
"""By name, since `kms:Create*` would include CreateGrant, which can hand Decrypt on."""

PLAINTEXT = (
    "kms:CreateGrant",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
"""What could show a wrapped key, move it to another key, or plant one."""

ATTESTED = "kms:RecipientAttestation:"
_PAIR = "kms:GenerateDataKeyPairWithoutPlaintext"
_WALLETS, _AUTHORIZATION_KEYS = "ECC_SECG_P256K1", "ECC_NIST_P256"


@dataclass(frozen=True, slots=True)
class Parties:
    """Who has to do with the key, by ARN."""

    administrator: str
    """Changes the policy and makes the platform's own keys: on AWS the account's root."""
    api: str
    """Makes the wallets' keys, and never sees one."""
    enclave: str
    """The role under which an enclave calls KMS: on AWS its parent instance's."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What an enclave must measure as to unwrap keys: registers in lower-case hex.

    Several values are for the time in which a new one is rolled out.
    """

    images: tuple[str, ...]
    """PCR0. None: nobody unwraps."""
    role: str
    """PCR3."""
    policies: tuple[str, ...] = ()
    """PCR16: the policy documents by which the enclave may sign. None: nobody unwraps."""
    signer: str | None = None
    """PCR8: the certificate that signed the image, if it is signed."""


def key_policy(
    parties: Parties,
    *,
    chain_id: int,
    measured: Measured,
    makes: bool = True,
    receives: bool = False,
    reassigned: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the key policy: the attested enclave unwraps, and nobody else ever does.

    Unless it `makes` new keys, those that it wrapped can be unwrapped, and that is all.
    With `receives` keys of another KMS key are rewrapped under this one, so the enclave's role may
    encrypt. Encrypt knows no attestation: anyone who has that role can wrap a key of its own making, which
    no wallet's record leads to.
    `reassigned` are the users (`sub`) for whom the enclave wraps the keys of wallets that were another
    user's: its role may encrypt under their contexts alone.
    """
    on_this_chain = {"kms:EncryptionContext:chain": str(chain_id)}
    made_for_wallets = {**on_this_chain, "kms:DataKeyPairSpec": _WALLETS}
    made_for_the_platform = {**on_this_chain, "kms:DataKeyPairSpec": [_WALLETS, _AUTHORIZATION_KEYS]}
    platform = {"StringLike": {"kms:EncryptionContext:sub": "platform:*"}}
    unattested = {"Null": {f"{ATTESTED}ImageSha384": "true"}}
    making = (
        statement("ApiMakesWalletKeys", parties.api, _PAIR, Condition={"StringEquals": made_for_wallets}),
        statement(
            "OperatorMakesPlatformKeys",
            parties.administrator,
            _PAIR,
            Condition={"StringEquals": made_for_the_platform, **platform},
        ),
    )
    statements = [
        statement("AccountAdministers", parties.administrator, *ADMINISTRATION),
        *(making if makes else ()),
        statement("NobodySeesKeys", "*", *_denied(encrypts=receives or bool(reassigned)), Effect="Deny"),
        statement("NobodyDecryptsUnattested", "*", "kms:Decrypt", Effect="Deny", Condition=unattested),
    ]
    if measured.images and measured.policies:
        conditions = {"StringEqualsIgnoreCase": _registers(measured), "StringEquals": on_this_chain}
        statements.append(
            statement("AttestedEnclaveUnwraps", parties.enclave, "kms:Decrypt", Condition=conditions)
        )
    if receives:
        conditions = {"StringEquals": on_this_chain}
        statements.append(statement("EnclaveWrapsAnew", parties.enclave, "kms:Encrypt", Condition=conditions))
    if reassigned:
        for_them = {**on_this_chain, "kms:EncryptionContext:sub": list(reassigned)}
        statements.append(
            statement(
                "EnclaveReassigns", parties.enclave, "kms:Encrypt", Condition={"StringEquals": for_them}
            )
        )
    return {"Version": "2012-10-17", "Statement": statements}


def _denied(*, encrypts: bool) -> tuple[str, ...]:
    return tuple(action for action in PLAINTEXT if not (encrypts and action == "kms:Encrypt"))


def _registers(measured: Measured) -> dict[str, str | list[str]]:
    registers: dict[str, str | list[str]] = {
        f"{ATTESTED}ImageSha384": list(measured.images),
        f"{ATTESTED}PCR3": measured.role,
        f"{ATTESTED}PCR16": list(measured.policies),
    }
    if measured.signer is not None:
        registers[f"{ATTESTED}PCR8"] = measured.signer
    return registers


def statement(sid: str, principal: str, *actions: str, **rest: Any) -> dict[str, Any]:
    """Return one statement of a key policy; `rest` are its other members."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": list(actions),
        "Resource": "*",
        **rest,
    }
