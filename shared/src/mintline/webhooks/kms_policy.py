"""The policy of the KMS key that encrypts webhooks' secrets.

The api encrypts what it makes, and the notifier decrypts it to sign. Both must name the webhook in the
encryption context, which no other key's requests have.
https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
"""

from __future__ import annotations

from typing import Any

from mintline.wallet_key import ADMINISTRATION, statement


def encryption_context(webhook_id: str) -> dict[str, str]:
    """Return the context that a webhook's secret is encrypted under; KMS decrypts it under no other."""
    return {"webhook": webhook_id}


def key_policy(*, administrator: str, api: str, notifier: str) -> dict[str, Any]:
    """Return the key policy, for an administrator and the services' roles by their ARNs."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            statement("AccountAdministersWebhooks", administrator, *ADMINISTRATION),
            *statements(api=api, notifier=notifier),
            statement("NobodyHandsWebhooksOn", "*", "kms:CreateGrant", Effect="Deny"),
        ],
    }


def statements(*, api: str, notifier: str) -> list[dict[str, Any]]:
    """Return who may use the key: the api encrypts, the notifier decrypts."""
    of_a_webhook = {"StringLike": {"kms:EncryptionContext:webhook": "wh_*"}}
    return [
        statement("ApiEncryptsWebhookSecrets", api, "kms:Encrypt", Condition=of_a_webhook),
        statement("NotifierDecryptsWebhookSecrets", notifier, "kms:Decrypt", Condition=of_a_webhook),
    ]
