"""The policy of the key that wraps every key in custody.

Attestation conditions restrict only the statement that they stand in, so no other statement may allow
Decrypt, or anything that leads to it: not to the account's root, not to administrators, not by a grant.
https://docs.aws.amazon.com/kms/latest/developerguide/conditions-nitro-enclaves.html
"""

from __future__ import annotations

from typing import Any

from aws_cdk import aws_iam as iam

from mintline_infra.deployment import Deployment

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

_PAIR = "kms:GenerateDataKeyPairWithoutPlaintext"


def key_policy(deployment: Deployment) -> iam.PolicyDocument:
    """Return the key policy: the attested enclave unwraps, and nobody else ever does."""
    on_this_chain = {"kms:EncryptionContext:chain": str(deployment.chain.chain_id)}
    secp256k1 = {**on_this_chain, "kms:DataKeyPairSpec": "ECC_SECG_P256K1"}
    root: iam.IPrincipal = iam.AccountPrincipal(deployment.account)
    everyone: iam.IPrincipal = iam.AnyPrincipal()
    statements = [
        _statement("AccountAdministers", root, *ADMINISTRATION),
        _statement(
            "ApiMakesWalletKeys",
            iam.ArnPrincipal(deployment.role_arn("api")),
            _PAIR,
            conditions={"StringEquals": secp256k1},
        ),
        _statement(
            "OperatorMakesPlatformKeys",
            root,
            _PAIR,
            conditions={"StringEquals": secp256k1, "StringLike": {"kms:EncryptionContext:sub": "platform:*"}},
        ),
        _statement("NobodySeesKeys", everyone, *PLAINTEXT, effect=iam.Effect.DENY),
        _statement(
            "NobodyDecryptsUnattested",
            everyone,
            "kms:Decrypt",
            effect=iam.Effect.DENY,
            conditions={"Null": {"kms:RecipientAttestation:ImageSha384": "true"}},
        ),
    ]
    if deployment.enclave.pcr0:
        statements.append(_unwrapping(deployment, on_this_chain))
    return iam.PolicyDocument(statements=statements)


def _unwrapping(deployment: Deployment, on_this_chain: dict[str, str]) -> iam.PolicyStatement:
    """Return the one statement that allows Decrypt. Without a known image there is none."""
    measured: dict[str, Any] = {
        "kms:RecipientAttestation:ImageSha384": list(deployment.enclave.pcr0),
        "kms:RecipientAttestation:PCR3": deployment.pcr3(),
    }
    if deployment.enclave.pcr8 is not None:
        measured["kms:RecipientAttestation:PCR8"] = deployment.enclave.pcr8
    return _statement(
        "AttestedEnclaveUnwraps",
        iam.ArnPrincipal(deployment.role_arn("signer")),
        "kms:Decrypt",
        conditions={"StringEqualsIgnoreCase": measured, "StringEquals": on_this_chain},
    )


def _statement(
    sid: str,
    principal: iam.IPrincipal,
    *actions: str,
    effect: iam.Effect = iam.Effect.ALLOW,
    conditions: dict[str, Any] | None = None,
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid,
        effect=effect,
        principals=[principal],
        actions=list(actions),
        resources=["*"],
        conditions=conditions,
    )
