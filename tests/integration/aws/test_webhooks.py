"""Webhooks' records as the api and the notifier have them: in DynamoDB and in memory they behave alike."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mintline.aws.dynamo import Dynamo
from mintline.aws.errors import AwsRefused
from mintline.aws.session import AwsCalls, open_client
from mintline.errors import Conflict, Throttled
from mintline.records.keys import open_shard
from mintline.settings import ServiceSettings
from mintline.webhooks.records import (
    Attempt,
    EncryptedSecret,
    Failing,
    PendingEvent,
    Rewind,
    Webhook,
    WebhookProgress,
)
from mintline.webhooks.signing import SigningSecret
from mintline_api.features.webhooks.ports import Webhooks
from mintline_api.features.webhooks.store import DynamoWebhooks as ApiWebhooks
from mintline_api.features.webhooks.store import KmsSecretEncryptor
from mintline_notifier.webhooks.ports import WebhookStore
from mintline_notifier.webhooks.secrets import KmsSecrets
from mintline_notifier.webhooks.store import DynamoWebhooks as NotifierWebhooks
from mintline_notifier.webhooks.worker import SHARDS
from mintline_testkit.webhooks import MemoryWebhooks

NOW = 1_795_398_654_000
WEBHOOK_ID = "wh_5d1f0a6be7c94d2f8a3b6c1e9f402d7a"
SHARD = open_shard(WEBHOOK_ID)


@dataclass(frozen=True, slots=True)
class Stores:
    api: Webhooks
    notifier: WebhookStore


@pytest.fixture(params=["memory", "dynamo"])
def stores(request: pytest.FixtureRequest, dynamo: Dynamo) -> Stores:
    if request.param == "memory":
        memory = MemoryWebhooks()
        return Stores(memory, memory)
    return Stores(ApiWebhooks(dynamo), NotifierWebhooks(dynamo))


def webhook(webhook_id: str = WEBHOOK_ID, **fields: Any) -> Webhook:
    secret = EncryptedSecret(sealed=b"sealed", public_key="whpk_", created_at=NOW)
    defaults: dict[str, Any] = {
        "webhook_id": webhook_id,
        "principal": "shop",
        "url": "https://shop.example.com/",
        "types": ("mint.finalized",),
        "secrets": (secret, secret.evolve(expires_at=NOW + 1)),
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Webhook(**(defaults | fields))


def progress(webhook_id: str = WEBHOOK_ID, **fields: Any) -> WebhookProgress:
    return WebhookProgress(webhook_id=webhook_id, **({"cursor": "0000000001000"} | fields))


async def test_webhook__when_it_is_created__then_both_services_find_it(stores: Stores) -> None:
    created = webhook(rewind=Rewind(number=1, after="0000000000000"))
    later = webhook("wh_" + "0" * 32, created_at=NOW + 1)
    await stores.api.create(created, progress())
    await stores.api.create(later, progress(later.webhook_id))
    assert await stores.api.webhook(WEBHOOK_ID) == created
    assert await stores.api.of_principal("shop") == [later, created]
    assert await stores.api.of_principal("other") == []
    assert created in await stores.notifier.open([SHARD])
    assert await stores.notifier.progress(WEBHOOK_ID) == progress()


async def test_webhook__when_two_change_it__then_one_fails(stores: Stores) -> None:
    created = webhook()
    await stores.api.create(created, progress())
    pending = (PendingEvent(id="evt_1", type="webhook.test", at=NOW),)
    await stores.api.replace(created.evolve(pending=pending, version=2))
    with pytest.raises(Conflict):
        await stores.notifier.replace(created.evolve(status="disabled", version=2))
    await stores.notifier.replace(created.evolve(status="disabled", pending=pending, version=3))
    (stored,) = await stores.notifier.open([SHARD])
    assert stored.pending == pending, "a disabled one with an event to announce is not forgotten"
    await stores.notifier.replace(stored.evolve(pending=(), version=4))
    assert await stores.notifier.open([SHARD]) == []


async def test_progress__when_two_processes_write_it__then_one_fails(stores: Stores) -> None:
    await stores.api.create(webhook(), progress())
    failing = (Failing(event_id="evt_2", since=NOW, attempts=3),)
    after = progress(version=2, acknowledged=("evt_3",), failing=failing, next_attempt_at=NOW + 5, down=True)
    await stores.notifier.advance(after)
    assert await stores.api.progress(WEBHOOK_ID) == after
    with pytest.raises(Conflict):
        await stores.notifier.advance(after)


async def test_webhook__when_it_is_deleted__then_a_late_write_does_not_bring_it_back(stores: Stores) -> None:
    created = webhook()
    await stores.api.create(created, progress())
    changed = created.evolve(url="https://other.example.com/", version=2)
    await stores.api.replace(changed)
    with pytest.raises(Conflict):
        await stores.api.delete(created)
    await stores.api.delete(changed)
    for late in (
        stores.notifier.advance(progress(version=2)),
        stores.notifier.replace(changed.evolve(version=3)),
    ):
        with pytest.raises(Conflict):
            await late
    assert await stores.api.webhook(WEBHOOK_ID) is None
    assert await stores.notifier.progress(WEBHOOK_ID) is None


async def test_lease__when_a_process_has_it__then_no_other_gets_it_until_it_ends(stores: Stores) -> None:
    lease, release = stores.notifier.lease, stores.notifier.release
    assert await lease("0", "one", now=NOW, until=NOW + 20)
    assert not await lease("0", "other", now=NOW + 10, until=NOW + 30)
    assert await lease("0", "one", now=NOW + 10, until=NOW + 30)
    assert await lease("1", "other", now=NOW + 10, until=NOW + 30)
    assert await lease("0", "other", now=NOW + 31, until=NOW + 51)
    await release("0", "one")
    assert not await lease("0", "one", now=NOW + 31, until=NOW + 51)
    await release("0", "other")
    assert await lease("0", "one", now=NOW + 31, until=NOW + 51)
    assert await stores.notifier.open(["0"]) == []


async def test_attempts__when_there_are_many__then_pages_are_newest_first(stores: Stores) -> None:
    attempts = [
        Attempt(
            webhook_id=WEBHOOK_ID,
            event_id=f"evt_{number}",
            event_type="mint.mined",
            at=NOW + number,
            number=1,
            status_code=None if number % 2 else 204,
            error="No connection was made." if number % 2 else None,
            latency_ms=number,
        )
        for number in range(30)
    ]
    await stores.notifier.note(attempts)
    page, more = await stores.api.attempts_of(WEBHOOK_ID, limit=20, after=None)
    assert more
    rest, more = await stores.api.attempts_of(WEBHOOK_ID, limit=20, after=page[-1][0])
    assert not more
    assert [attempt for _, attempt in (*page, *rest)] == attempts[::-1]
    assert await stores.api.attempts_of("wh_" + "0" * 32, limit=20, after=None) == ([], False)


async def test_secret__when_kms_encrypted_it__then_it_opens_for_its_webhook_alone(
    stack: AsyncExitStack, aws_settings: ServiceSettings, aws_prefix: str, calls: AwsCalls
) -> None:
    kms = await open_client(stack, "kms", aws_settings, calls=calls)
    secret = SigningSecret.new(os.urandom)
    sealed = await KmsSecretEncryptor(kms, prefix=aws_prefix).encrypt(WEBHOOK_ID, secret, at=NOW)
    assert secret.symmetric not in sealed.sealed
    opener = KmsSecrets(kms, prefix=aws_prefix, clock=time.monotonic)
    for _ in range(2):
        assert await opener.open(WEBHOOK_ID, sealed) == secret
    with pytest.raises(ClientError, match="InvalidCiphertext"):
        await opener.open("wh_" + "0" * 32, sealed)


async def test_open__when_there_are_few__then_a_statement_reads_all_shards_and_else_a_query_each(
    dynamo: Dynamo, calls: AwsCalls
) -> None:
    api, notifier = ApiWebhooks(dynamo), NotifierWebhooks(dynamo)
    ids = [f"wh_{number:032x}" for number in range(21)]
    await asyncio.gather(*(api.create(webhook(each), progress(each)) for each in ids[:20]))

    async def asked() -> tuple[int, ...]:
        before = calls.counts()
        webhooks = await notifier.open(SHARDS)
        assert {each.webhook_id for each in webhooks} <= set(ids)
        by_statement, by_query = (("dynamodb", name) for name in ("ExecuteStatement", "Query"))
        now = calls.counts()
        return len(webhooks), *(now.get(each, 0) - before.get(each, 0) for each in (by_statement, by_query))

    assert await asked() == (20, 1, 0)
    await api.create(webhook(ids[20]), progress(ids[20]))
    assert await asked() == (21, 1, 0)
    assert await asked() == (21, 0, len(SHARDS))
    await notifier.replace(webhook(ids[0], status="disabled", version=2))
    assert await asked() == (20, 0, len(SHARDS))
    assert await asked() == (20, 1, 0)


async def test_open__when_the_role_may_not_use_statements__then_queries_read_the_shards(
    dynamo: Dynamo, calls: AwsCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, notifier = ApiWebhooks(dynamo), NotifierWebhooks(dynamo)
    await api.create(webhook(WEBHOOK_ID), progress(WEBHOOK_ID))
    tries = []

    async def denied(*_: Any, **__: Any) -> Any:
        tries.append(1)
        raise AwsRefused("no right to PartiQLSelect", code="AccessDeniedException")

    monkeypatch.setattr(dynamo, "query_sparse", denied)
    for _ in range(2):
        assert [each.webhook_id for each in await notifier.open(SHARDS)] == [WEBHOOK_ID]
    assert len(tries) == 1


async def test_open__when_a_shard_is_not_read__then_the_others_are(
    dynamo: Dynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, notifier = ApiWebhooks(dynamo), NotifierWebhooks(dynamo)
    ids = [f"wh_{number:032x}" for number in range(21)]
    await asyncio.gather(*(api.create(webhook(each), progress(each)) for each in ids))
    assert len(await notifier.open(SHARDS)) == 21
    query, lost = dynamo.query, set[str]()

    async def throttled(*arguments: Any, partition: str, **more: Any) -> Any:
        if partition in lost:
            raise Throttled("too many reads of a partition")
        return await query(*arguments, partition=partition, **more)

    async def statement(*_: Any, **__: Any) -> Any:
        raise Throttled("too many reads of a partition")

    monkeypatch.setattr(dynamo, "query", throttled)
    monkeypatch.setattr(dynamo, "query_sparse", statement)
    lost.add(open_shard(ids[0]))
    expected = {each for each in ids if open_shard(each) not in lost}
    assert {each.webhook_id for each in await notifier.open(SHARDS)} == expected
    assert expected
    lost.update(SHARDS)
    with pytest.raises(Throttled):
        await notifier.open(SHARDS)
