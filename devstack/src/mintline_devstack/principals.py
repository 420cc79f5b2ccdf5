"""Who is who on the local stack: one AWS principal per process, and what KMS lets each of them do."""

from __future__ import annotations

import secrets
from typing import Any

from mintline import intake_key, wallet_key
from mintline.attestation.registers import role_register
from mintline.resources import WEBHOOK_KEY
from mintline.wallet_key import Measured, Parties
from mintline.webhooks import kms_policy as webhook_key
from mintline_devstack.state_folder import StateFolder, write_json
from mintline_ops.aws_clients import AwsCredentials
from mintline_ops.run_file import corrupt, read_json

ACCOUNT = "000000000000"
ROLES = (
    *("operator", "api", "builder", "signer-host", "enclave", "broadcaster"),
    *("indexer", "reconciler", "notifier"),
)
"""`operator` sets the stack up: in production, the infrastructure's role."""
WEBHOOK_ALIAS = WEBHOOK_KEY.alias("mintline")
_ABOUT_NO_KEY = frozenset({"kms:CreateKey", "kms:ListAliases", "kms:ListKeys"})


def role_arn(role: str) -> str:
    """Return the ARN of a role of the local stack."""
    return f"arn:aws:iam::{ACCOUNT}:role/mintline-{role}"


def issue_credentials(state: StateFolder) -> dict[str, AwsCredentials]:
    """Return every role's credentials: those of the state folder, or new ones stored there (mode 0600).

    A folder of an earlier version gets those of the roles that came since.
    """
    path = state.kms / "principals.json"
    known: dict[str, dict[str, str]] = read_json(path) if path.exists() else {}
    missing = {role_arn(role) for role in ROLES} - {entry.get("arn") for entry in known.values()}
    if missing:
        known |= {
            f"LOCAL{secrets.token_hex(8).upper()}": {"secret": secrets.token_urlsafe(30), "arn": arn}
            for arn in sorted(missing)
        }
        write_json(path, known)
    by_arn = {entry["arn"]: (key_id, entry["secret"]) for key_id, entry in known.items()}
    try:
        return {role: AwsCredentials(*by_arn[role_arn(role)]) for role in ROLES}
    except KeyError as missing:
        raise corrupt(path, f"no credentials for {missing}") from None


def key_policy(
    chain_id: int,
    *,
    images: tuple[str, ...] = (),
    policies: tuple[str, ...] = (),
    receives: bool = False,
    reassigned: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the key policy that AWS would deploy, for these principals.

    `images` and `policies` are what enclaves may measure as (PCR0 and PCR16, hex); without an image none
    unwraps. `receives`: keys are rewrapped under it. `reassigned`: users for whom others' wallets are
    wrapped. The local KMS has one policy for all its keys, so the intake key's statements are in it too.
    """
    parties = Parties(administrator=role_arn("operator"), api=role_arn("api"), enclave=role_arn("enclave"))
    role = role_register(parties.enclave).hex()
    measured = Measured(images=images, role=role, policies=policies)
    document = wallet_key.key_policy(
        parties, chain_id=chain_id, measured=measured, receives=receives, reassigned=reassigned
    )
    document["Statement"] += intake_key.statements(administrator=parties.administrator, api=parties.api)
    return document


def webhook_key_policy() -> dict[str, Any]:
    """Return the key policy of the webhooks' key, which no enclave uses."""
    return webhook_key.key_policy(
        administrator=role_arn("operator"), api=role_arn("api"), notifier=role_arn("notifier")
    )


def account_allows(arn: str, action: str) -> bool:
    """Tell whether the account itself lets a principal do what no key's policy speaks about."""
    return action == "kms:GenerateRandom" or (action in _ABOUT_NO_KEY and arn == role_arn("operator"))
