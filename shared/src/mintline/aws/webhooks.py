"""Items of webhooks in DynamoDB."""

from __future__ import annotations

from mintline.aws.items import Item
from mintline.aws.records import to_item
from mintline.records.keys import created_key, open_shard
from mintline.webhooks.records import KEPT_SECONDS, Attempt, Webhook, attempt_key


def webhook_item(webhook: Webhook) -> Item:
    """Return the item of a webhook, with its keys in indexes: only one with something to do is in `open`."""
    webhook_id = webhook.webhook_id
    item: Item = {**to_item(webhook), "created_key": created_key(webhook.created_at, webhook_id)}
    if webhook.open:
        item["open_shard"] = open_shard(webhook_id)
    return item


def attempt_item(attempt: Attempt) -> Item:
    """Return the item of an attempt, which expires by itself."""
    return {
        **to_item(attempt),
        "attempt_key": attempt_key(attempt.at, attempt.event_id),
        "expires": attempt.at // 1000 + KEPT_SECONDS,
    }


def lease_key(shard: str) -> Item:
    """Return the key of a shard's lease, an item in the table of webhooks' progress."""
    return {"webhook_id": f"shard#{shard}"}
