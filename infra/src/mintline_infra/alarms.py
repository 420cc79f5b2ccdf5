"""Which log lines of the services make an alarm fire. What to do about each: docs/aws-alarms.md."""

from __future__ import annotations

from dataclasses import dataclass

from mintline.notices import LOW_PAYMENTS
from mintline_infra.canary import NAME as CANARY
from mintline_infra.deployment import RECONCILER


@dataclass(frozen=True, slots=True)
class LogAlarm:
    """An alarm on how often a service logs an event."""

    name: str
    service: str
    event: str
    threshold: int
    text: str
    below: bool = False
    """Fires when the event stays away, rather than when it comes."""
    periods: int = 1
    """Periods of five minutes in a row."""
    others: tuple[str, ...] = ()
    """Further services that log the event; it is counted over all of them."""

    @property
    def services(self) -> tuple[str, ...]:
        """Return every service that logs the event."""
        return self.service, *self.others

    @property
    def metric(self) -> str:
        """Return the name of the metric that counts it."""
        return self.event if self.others else f"{self.service}-{self.event}"


LOG_ALARMS = (
    LogAlarm("treasury-low", "builder", "treasury_low", 1, "The treasury cannot pay for top-ups."),
    LogAlarm(
        "relayer-low", "builder", "relayer_low", 1, "No relayer can pay for a batch of sponsored mints."
    ),
    LogAlarm(
        "indexer-behind", "indexer", "block_indexed", 1, "No block was indexed for five minutes.", below=True
    ),
    LogAlarm("indexer-fails", "indexer", "round_failed", 10, "The indexer's rounds fail."),
    LogAlarm("webhook-disabled", "notifier", "webhook_disabled", 1, "A webhook was disabled."),
    LogAlarm("events-fail", "notifier", "round_failed", 10, "The notifier's rounds fail."),
    LogAlarm("event-gap", "notifier", "event_gap", 1, "Changes had left a stream before they became events."),
    LogAlarm("finality-broken", "indexer", "reorg_past_finality", 1, "A reorg past a final block."),
    LogAlarm(
        "index-damaged",
        "indexer",
        "index_record_damaged",
        1,
        "A checkpoint or undo record cannot be read: nothing is indexed.",
    ),
    LogAlarm(
        "wrong-kms-key",
        "api",
        "kms_key_mismatch",
        1,
        "A KMS key answered the API that is not the deployment's.",
    ),
    LogAlarm("metadata-altered", "api", "metadata_altered", 1, "Stored metadata is not what was minted."),
    LogAlarm("metadata-conflict", "builder", "metadata_conflict", 1, "Other bytes are in a mint's place."),
    LogAlarm(
        "mint-outcome-refused",
        "indexer",
        "mint_outcome_refused",
        1,
        "A message or the chain has an outcome for a mint that was not asked for.",
        others=("broadcaster",),
    ),
    LogAlarm(
        "record-set-aside",
        "api",
        "record_set_aside",
        1,
        "A record cannot be read or written as it is; the others go on.",
        others=("builder", "broadcaster", "indexer", "notifier"),
    ),
    LogAlarm(
        "message-unsupported",
        "builder",
        "message_unsupported",
        1,
        "Messages of another release have waited for a copy that knows them for 20 minutes.",
        periods=4,
        others=("signer", "broadcaster"),
    ),
    LogAlarm(
        "reconcile-missing",
        RECONCILER,
        "reconciled",
        1,
        "Nothing was reconciled for three quarters of an hour.",
        below=True,
        periods=9,
    ),
    LogAlarm("signing-refused", "signer", "intent_refused", 1, "The enclave's policy refused an intent."),
    LogAlarm(
        "audit-unwritable",
        "signer",
        "audit_trail_unwritable",
        1,
        "A host cannot write the audit trail, and signs nothing until it can.",
    ),
    LogAlarm(
        "audit-not-shipped",
        "signer",
        "audit_trail_not_shipped",
        3,
        "The audit trail does not reach its bucket: an instance that is lost now takes it away.",
    ),
    LogAlarm(
        "audit-left-behind",
        "signer",
        "audit_trail_left_behind",
        1,
        "A host ended before its last records were in the bucket: they are lost with its instance.",
    ),
    LogAlarm(
        "canary-decrypted", CANARY, "unattested_decrypt_answered", 1, "KMS gave a key without attestation."
    ),
    LogAlarm(
        "canary-silent",
        CANARY,
        "unattested_decrypt_refused",
        1,
        "The canary did not try.",
        below=True,
        periods=3,
    ),
)

POLICY_ALARMS = (
    LogAlarm(
        "policy-keys-lacking",
        CANARY,
        "policy_keys_lacking",
        1,
        "An issuer publishes a signing key that the policy document lacks: its tokens sign nothing.",
    ),
    LogAlarm(
        "policy-keys-unchecked",
        CANARY,
        "policy_keys_compared",
        1,
        "The policy document's signing keys were not compared with those published.",
        below=True,
        periods=3,
    ),
)
"""Where hosts hand the policy document over."""


@dataclass(frozen=True, slots=True)
class ValueAlarm:
    """An alarm on a number that a service logs with an event, at most once a minute."""

    name: str
    service: str
    event: str
    field: str
    threshold: int
    text: str
    below: bool = False
    """Fires when the number is under the threshold; it is not logged while nothing changes it."""
    now_and_then: bool = False
    """Logged less often than every five minutes: the alarm keeps its state until the next number."""
    while_wrong: bool = False
    """Logged only while something is wrong: the greatest number counts, and none means that all is well."""


VALUE_ALARMS = (
    ValueAlarm(
        "treasury-runs-low",
        "builder",
        "treasury_balance",
        "top_ups_left",
        LOW_PAYMENTS,
        f"The treasury can pay for fewer than {LOW_PAYMENTS} more top-ups.",
        below=True,
    ),
    ValueAlarm(
        "relayer-runs-low",
        "builder",
        "relayer_balance",
        "batches_left",
        LOW_PAYMENTS,
        f"A relayer can pay for fewer than {LOW_PAYMENTS} more batches of sponsored mints.",
        below=True,
    ),
    ValueAlarm(
        "indexer-stale",
        "indexer",
        "index_position",
        "head_age",
        180,
        "The newest indexed block is old, seconds.",
    ),
    ValueAlarm(
        "finality-stalls",
        "indexer",
        "index_position",
        "finalized_age",
        1800,
        "No block becomes final, seconds.",
    ),
    ValueAlarm(
        "events-late",
        "notifier",
        "event_lag",
        "lag_seconds",
        60,
        "Changes of records are not events yet, seconds; or no notifier reads them.",
    ),
    ValueAlarm(
        "reconcile-findings",
        RECONCILER,
        "reconciled",
        "findings",
        1,
        "Records, chain and index disagree, or a stranger minted.",
        now_and_then=True,
    ),
    ValueAlarm(
        "enclave-unreachable",
        "signer",
        "enclave_unreachable",
        "seconds",
        60,
        "A host has not reached its enclave for a minute.",
        while_wrong=True,
    ),
)
