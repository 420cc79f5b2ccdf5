"""The policy of the intake key, which certifies the api's session keys (`mintline.acceptance`).

Only the api's role may have it sign. No statement lets the account's IAM policies, or a grant, allow that to
anyone else.
https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-overview.html
"""

from __future__ import annotations

from typing import Any

from mintline.wallet_key import ADMINISTRATION, statement

ALGORITHM = "ECDSA_SHA_256"


def key_policy(*, administrator: str, api: str) -> dict[str, Any]:
    """Return the key policy, for an administrator and the api's role by their ARNs."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            statement("AccountAdministersIntake", administrator, *ADMINISTRATION),
            *statements(administrator=administrator, api=api),
            statement("NobodyHandsSigningOn", "*", "kms:CreateGrant", Effect="Deny"),
        ],
    }


def statements(*, administrator: str, api: str) -> list[dict[str, Any]]:
    """Return who may use the key: the api has it sign, the administrator reads its public half."""
    by_algorithm = {"StringEquals": {"kms:SigningAlgorithm": ALGORITHM}}
    return [
        statement("ApiCertifiesSessionKeys", api, "kms:Sign", Condition=by_algorithm),
        statement("AdministratorReadsIntakeKey", administrator, "kms:GetPublicKey"),
    ]
