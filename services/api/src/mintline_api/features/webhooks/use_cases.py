"""Managing webhooks: each change is one conditional write of the record, which the notifier reads.

The notifier alone writes how far deliveries have come. What changes that, a replay or a webhook that is
enabled again, is asked of it by the record (`mintline.webhooks.records.Rewind`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from mintline.errors import Conflict, Unavailable
from mintline.events import OPERATORS, START, event_id
from mintline.scopes import Scope
from mintline.webhooks.records import (
    OVERLAP_MS,
    PENDING_TESTS,
    SECRETS,
    WEBHOOKS_OF_ONE,
    PendingEvent,
    Rewind,
    Webhook,
    WebhookProgress,
)
from mintline.webhooks.signing import SigningSecret
from mintline.webhooks.targets import BadTarget, check_url
from mintline_api.auth.access_tokens import Caller
from mintline_api.auth.problems import INSUFFICIENT_SCOPE
from mintline_api.features.events.positions import BEYOND, LogEnds, check_within
from mintline_api.features.webhooks.models import ReplayRequest, WebhookChange, WebhookRequest
from mintline_api.features.webhooks.ports import SecretEncryptor, Webhooks
from mintline_api.features.webhooks.problems import (
    TESTS_PENDING,
    TOO_MANY_WEBHOOKS,
    UNKNOWN_WEBHOOK,
    WEBHOOK_DISABLED,
    WEBHOOK_URL,
)
from mintline_api.http.problems import INVALID_BODY, Fault, RequestRefused

log = structlog.get_logger()

_TRIES = 10

Change = Callable[[Webhook, WebhookProgress], Webhook]
"""Returns a webhook as it is to be; its version is counted elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookManagement:
    """What it takes to manage webhooks. `entropy` returns random bytes, `now` Unix milliseconds."""

    webhooks: Webhooks
    encryptor: SecretEncryptor
    log: LogEnds
    allow_loopback: bool
    entropy: Callable[[int], bytes]
    now: Callable[[], int]


async def create_webhook(
    request: WebhookRequest, caller: Caller, *, management: WebhookManagement
) -> tuple[Webhook, str]:
    """Create a webhook that delivers what happens from now on, and return it with its secret.

    Raises RequestRefused for its URL, for another's events, and beyond the number that one may have.
    """
    _check_url(request.url, management)
    principal = request.principal or caller.sub
    if principal == OPERATORS and Scope.ADMIN not in caller.scopes:
        raise RequestRefused(INSUFFICIENT_SCOPE, "The events of operators take the scope mintline/admin.")
    existing = await management.webhooks.of_principal(principal)
    if len(existing) >= WEBHOOKS_OF_ONE:
        raise RequestRefused(TOO_MANY_WEBHOOKS, f"There are {len(existing)} webhooks already.")
    webhook_id = f"wh_{management.entropy(16).hex()}"
    now = management.now()
    secret = SigningSecret.new(management.entropy)
    webhook = Webhook(
        webhook_id=webhook_id,
        principal=principal,
        url=request.url,
        types=_distinct(request.types),
        description=request.description,
        secrets=(await management.encryptor.encrypt(webhook_id, secret, at=now),),
        created_at=now,
        updated_at=now,
    )
    cursor = await management.log.tail(principal)
    await management.webhooks.create(webhook, WebhookProgress(webhook_id=webhook_id, cursor=cursor))
    log.info("webhook_created", webhook_id=webhook_id, types=request.types)
    return webhook, secret.secret


async def list_webhooks(
    caller: Caller, *, management: WebhookManagement
) -> list[tuple[Webhook, WebhookProgress | None]]:
    """Return the webhooks that a caller manages, newest first."""
    webhooks = await management.webhooks.of_principal(caller.sub)
    if Scope.ADMIN in caller.scopes:
        webhooks += await management.webhooks.of_principal(OPERATORS)
    return [(webhook, await management.webhooks.progress(webhook.webhook_id)) for webhook in webhooks]


async def get_webhook(
    webhook_id: str, caller: Caller, *, management: WebhookManagement
) -> tuple[Webhook, WebhookProgress]:
    """Return a webhook and its progress; raises RequestRefused if the caller has none of this id."""
    webhook = await management.webhooks.webhook(webhook_id)
    progress = await management.webhooks.progress(webhook_id)
    if webhook is None or progress is None or not _may_manage(caller, webhook):
        raise RequestRefused(UNKNOWN_WEBHOOK, "Webhook not found.")
    return webhook, progress


async def change_webhook(
    webhook_id: str, change: WebhookChange, caller: Caller, *, management: WebhookManagement
) -> tuple[Webhook, WebhookProgress]:
    """Change a webhook; raises RequestRefused. Safe to repeat."""
    if change.url is not None:
        _check_url(change.url, management)
    named = change.model_fields_set

    def apply(webhook: Webhook, progress: WebhookProgress) -> Webhook:
        changed = webhook.evolve(
            url=change.url or webhook.url,
            types=_distinct(change.types) if "types" in named else webhook.types,
            description=webhook.description if change.description is None else change.description,
        )
        if change.status == "disabled" and webhook.status == "enabled":
            changed = changed.evolve(status="disabled", disabled_reason=None)
        enabled = change.status == "enabled" and webhook.status == "disabled"
        if enabled:
            changed = changed.evolve(status="enabled", disabled_reason=None)
        if enabled or changed.url != webhook.url:
            changed = changed.evolve(rewind=_begin_again(webhook, progress))
        return changed

    return await _change(webhook_id, caller, apply, management)


async def delete_webhook(webhook_id: str, caller: Caller, *, management: WebhookManagement) -> None:
    """Delete a webhook; raises RequestRefused if there is none."""
    for _ in range(_TRIES):
        webhook, _progress = await get_webhook(webhook_id, caller, management=management)
        try:
            await management.webhooks.delete(webhook)
        except Conflict:
            continue
        log.info("webhook_deleted", webhook_id=webhook_id)
        return
    raise Unavailable("the webhook kept moving")


async def rotate_secret(
    webhook_id: str, caller: Caller, *, management: WebhookManagement
) -> tuple[Webhook, str]:
    """Give a webhook another secret, and return it; the one before signs for a day too."""
    await get_webhook(webhook_id, caller, management=management)
    secret = SigningSecret.new(management.entropy)
    now = management.now()
    encrypted = await management.encryptor.encrypt(webhook_id, secret, at=now)

    def apply(webhook: Webhook, _: WebhookProgress) -> Webhook:
        before = [
            secret if secret.expires_at is not None else secret.evolve(expires_at=now + OVERLAP_MS)
            for secret in webhook.signing(now)
        ]
        return webhook.evolve(secrets=(encrypted, *before[: SECRETS - 1]))

    webhook, _ = await _change(webhook_id, caller, apply, management)
    log.info("webhook_secret_rotated", webhook_id=webhook_id)
    return webhook, secret.secret


async def send_test(webhook_id: str, caller: Caller, *, management: WebhookManagement) -> str:
    """Have a test event sent to a webhook, and return the event's id; raises RequestRefused."""
    now = management.now()
    event = PendingEvent(
        id=event_id("webhook.test", webhook_id, management.entropy(16).hex()), type="webhook.test", at=now
    )

    def apply(webhook: Webhook, _: WebhookProgress) -> Webhook:
        _check_enabled(webhook)
        if len(webhook.pending) >= PENDING_TESTS:
            raise RequestRefused(TESTS_PENDING, f"{len(webhook.pending)} test events are not sent yet.")
        return webhook.evolve(pending=(*webhook.pending, event))

    await _change(webhook_id, caller, apply, management)
    return event.id


async def replay(
    webhook_id: str, request: ReplayRequest, caller: Caller, *, management: WebhookManagement
) -> tuple[Webhook, WebhookProgress]:
    """Have all events after a position sent again; raises RequestRefused, also for one behind the log's end.

    The notifier would begin there, and send nothing until the log has come so far.
    """
    if request.after is not None:
        webhook, _ = await get_webhook(webhook_id, caller, management=management)
        fault = Fault(BEYOND, pointer="#/after")
        await check_within(management.log, webhook.principal, request.after, fault, problem=INVALID_BODY)
    after = START if request.after is None else request.after

    def apply(webhook: Webhook, progress: WebhookProgress) -> Webhook:
        _check_enabled(webhook)
        return webhook.evolve(rewind=_begin_again(webhook, progress, after))

    changed = await _change(webhook_id, caller, apply, management)
    log.info("webhook_replay_requested", webhook_id=webhook_id, after=after)
    return changed


async def _change(
    webhook_id: str, caller: Caller, apply: Change, management: WebhookManagement
) -> tuple[Webhook, WebhookProgress]:
    for _ in range(_TRIES):
        webhook, progress = await get_webhook(webhook_id, caller, management=management)
        changed = apply(webhook, progress)
        if changed == webhook:
            return webhook, progress
        changed = changed.evolve(updated_at=management.now(), version=webhook.version + 1)
        try:
            await management.webhooks.replace(changed)
        except Conflict:
            continue
        return changed, progress
    raise Unavailable("the webhook kept moving")


def _begin_again(webhook: Webhook, progress: WebhookProgress, after: str | None = None) -> Rewind:
    """Return the next request to begin again; a replay that was not begun yet is not lost by it."""
    before = webhook.rewind
    if after is None and before is not None and before.number > progress.rewinds:
        after = before.after
    return Rewind(number=(before.number if before else 0) + 1, after=after)


def _may_manage(caller: Caller, webhook: Webhook) -> bool:
    if webhook.principal == OPERATORS:
        return Scope.ADMIN in caller.scopes
    return webhook.principal == caller.sub


def _check_url(url: str, management: WebhookManagement) -> None:
    try:
        check_url(url, allow_loopback=management.allow_loopback)
    except BadTarget as error:
        fault = Fault(f"the URL {error.reason}", pointer="#/url")
        raise RequestRefused(WEBHOOK_URL, f"The URL {error.reason}.", faults=[fault]) from None


def _check_enabled(webhook: Webhook) -> None:
    if webhook.status != "enabled":
        raise RequestRefused(WEBHOOK_DISABLED, webhook.disabled_reason or "The webhook is disabled.")


def _distinct(types: list[str] | None) -> tuple[str, ...] | None:
    return None if types is None else tuple(sorted(set(types)))
