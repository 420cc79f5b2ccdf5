"""Operations on webhooks."""

from __future__ import annotations

from aiohttp import web

from mintline.scopes import Scope
from mintline.views.webhooks import attempt_view, created_webhook_view, webhook_view
from mintline_api.auth.callers import read_caller
from mintline_api.features.pages import Page, next_cursor, read_page
from mintline_api.features.webhooks import examples
from mintline_api.features.webhooks.models import (
    AttemptList,
    CreatedWebhookView,
    ReplayRequest,
    TestView,
    WebhookChange,
    WebhookList,
    WebhookPath,
    WebhookRequest,
    WebhookView,
)
from mintline_api.features.webhooks.problems import (
    TESTS_PENDING,
    TOO_MANY_WEBHOOKS,
    UNKNOWN_WEBHOOK,
    WEBHOOK_DISABLED,
    WEBHOOK_URL,
)
from mintline_api.features.webhooks.use_cases import (
    WebhookManagement,
    change_webhook,
    create_webhook,
    delete_webhook,
    get_webhook,
    list_webhooks,
    replay,
    rotate_secret,
    send_test,
)
from mintline_api.http.models import NoQuery, PageQuery
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import BODY, INVALID_CURSOR, INVALID_PARAMETER
from mintline_api.http.requests import read_body, read_path, read_query
from mintline_api.http.responses import json_response
from mintline_api.limits.writes import count_write

WEBHOOKS = web.AppKey("webhooks", WebhookManagement)
operations = Operations(
    "Webhooks",
    "Have your events posted to a URL of yours, signed as the Standard Webhooks convention "
    "(https://www.standardwebhooks.com) says. Every event is delivered at least once, and those of one "
    "resource in order.",
    reads=Scope.WEBHOOKS_WRITE,
    changes=Scope.WEBHOOKS_WRITE,
)


@operations.add(
    "POST",
    "/v1/webhooks",
    clients=True,
    summary="Create a webhook",
    description="Delivers what happens from now on. The secret is in this answer alone. To repeat the "
    "request makes another webhook: if an answer was lost, look for the webhook in the list, and rotate its "
    "secret.",
    body_model=WebhookRequest,
    body_example=examples.WEBHOOK_REQUEST_JSON,
    answers=(Answer(201, "The new webhook.", CreatedWebhookView, examples.CREATED),),
    problems=(*BODY, WEBHOOK_URL, TOO_MANY_WEBHOOKS),
)
async def post_webhook(request: web.Request) -> web.Response:
    """Create a webhook."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    body = await read_body(request, WebhookRequest)
    await count_write(request, caller.sub)
    webhook, secret = await create_webhook(body, caller, management=request.app[WEBHOOKS])
    return json_response(created_webhook_view(webhook, secret), status=201)


@operations.add(
    "GET",
    "/v1/webhooks",
    clients=True,
    summary="List webhooks",
    description="Your webhooks, newest first; those for operators' events too, with the scope `admin`.",
    answers=(Answer(200, "The webhooks.", WebhookList, examples.WEBHOOKS),),
    problems=(INVALID_PARAMETER,),
)
async def read_webhooks(request: web.Request) -> web.Response:
    """Return the caller's webhooks."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    listed = await list_webhooks(caller, management=request.app[WEBHOOKS])
    return json_response(WebhookList(items=[webhook_view(*record) for record in listed]))


@operations.add(
    "GET",
    "/v1/webhooks/{webhook_id}",
    clients=True,
    summary="A webhook",
    description="What it delivers, and whether its receiver has acknowledged everything.",
    path_model=WebhookPath,
    answers=(Answer(200, "The webhook.", WebhookView, examples.WEBHOOK),),
    problems=(INVALID_PARAMETER, UNKNOWN_WEBHOOK),
)
async def read_webhook(request: web.Request) -> web.Response:
    """Return a webhook."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, WebhookPath)
    record = await get_webhook(path.webhook_id, caller, management=request.app[WEBHOOKS])
    return json_response(webhook_view(*record))


@operations.add(
    "PATCH",
    "/v1/webhooks/{webhook_id}",
    clients=True,
    summary="Change a webhook",
    description="Another URL, other types of events, or whether it is enabled. A webhook that was disabled "
    "goes on where it stopped: what happened meanwhile is delivered, as far as the event log still has it.",
    path_model=WebhookPath,
    body_model=WebhookChange,
    body_example=examples.CHANGE_JSON,
    answers=(Answer(200, "The webhook as it is now.", WebhookView, examples.WEBHOOK),),
    problems=(*BODY, UNKNOWN_WEBHOOK, WEBHOOK_URL),
)
async def patch_webhook(request: web.Request) -> web.Response:
    """Change a webhook."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, WebhookPath)
    body = await read_body(request, WebhookChange)
    await count_write(request, caller.sub)
    changed = await change_webhook(path.webhook_id, body, caller, management=request.app[WEBHOOKS])
    return json_response(webhook_view(*changed))


@operations.add(
    "DELETE",
    "/v1/webhooks/{webhook_id}",
    clients=True,
    summary="Delete a webhook",
    description="Nothing more is sent to it, but for what is on its way.",
    path_model=WebhookPath,
    answers=(Answer(204, "The webhook is deleted."),),
    problems=(INVALID_PARAMETER, UNKNOWN_WEBHOOK),
)
async def remove_webhook(request: web.Request) -> web.Response:
    """Delete a webhook."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, WebhookPath)
    await count_write(request, caller.sub)
    await delete_webhook(path.webhook_id, caller, management=request.app[WEBHOOKS])
    return web.Response(status=204)


@operations.add(
    "POST",
    "/v1/webhooks/{webhook_id}/secret",
    clients=True,
    summary="Rotate a webhook's secret",
    description="Gives the webhook another secret, and another public key. For 24 hours each delivery is "
    "signed with the one before too, so that the receiver can change without a gap.",
    path_model=WebhookPath,
    answers=(Answer(201, "The webhook with its new secret.", CreatedWebhookView, examples.CREATED),),
    problems=(INVALID_PARAMETER, UNKNOWN_WEBHOOK),
)
async def post_webhook_secret(request: web.Request) -> web.Response:
    """Rotate a webhook's secret."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, WebhookPath)
    await count_write(request, caller.sub)
    webhook, secret = await rotate_secret(path.webhook_id, caller, management=request.app[WEBHOOKS])
    return json_response(created_webhook_view(webhook, secret), status=201)


@operations.add(
    "POST",
    "/v1/webhooks/{webhook_id}/test",
    clients=True,
    summary="Test a webhook",
    description="Appends an event of the type `webhook.test` to your event log, which is delivered to this "
    "webhook alone, whatever its `types`, within seconds. `GET …/deliveries` has what the receiver answered.",
    path_model=WebhookPath,
    answers=(Answer(202, "The event that will be sent.", TestView, examples.TEST),),
    problems=(INVALID_PARAMETER, UNKNOWN_WEBHOOK, WEBHOOK_DISABLED, TESTS_PENDING),
)
async def post_webhook_test(request: web.Request) -> web.Response:
    """Have a test event sent."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, WebhookPath)
    await count_write(request, caller.sub)
    event = await send_test(path.webhook_id, caller, management=request.app[WEBHOOKS])
    return json_response(TestView(event_id=event), status=202)


@operations.add(
    "GET",
    "/v1/webhooks/{webhook_id}/deliveries",
    clients=True,
    summary="Deliveries of a webhook",
    description="The attempts of the last seven days to deliver an event, newest first: the status, the time "
    "it took, and the beginning of the response.",
    path_model=WebhookPath,
    query_model=PageQuery,
    answers=(Answer(200, "A page of attempts.", AttemptList, examples.ATTEMPTS),),
    problems=(INVALID_PARAMETER, INVALID_CURSOR, UNKNOWN_WEBHOOK),
)
async def read_webhook_deliveries(request: web.Request) -> web.Response:
    """Return attempts to deliver."""
    caller = await read_caller(request)
    query = read_query(request, PageQuery)
    path = read_path(request, WebhookPath)
    management = request.app[WEBHOOKS]
    bound = ("webhook-deliveries", caller.sub, path.webhook_id)
    wanted = read_page(request, bound, query)
    await get_webhook(path.webhook_id, caller, management=management)
    attempts, more = await management.webhooks.attempts_of(
        path.webhook_id, limit=wanted.limit, after=wanted.after
    )
    page = Page(tuple(attempts), more=more)
    return json_response(
        AttemptList(
            items=[attempt_view(attempt) for _, attempt in attempts],
            next_cursor=next_cursor(request, bound, page),
        )
    )


@operations.add(
    "POST",
    "/v1/webhooks/{webhook_id}/replay",
    clients=True,
    summary="Replay events to a webhook",
    description="Sends all events after a position of your event log again, in the log's order, with the "
    "ids and bodies that they had. Receivers know by `webhook-id` which ones they have.",
    path_model=WebhookPath,
    body_model=ReplayRequest,
    body_example=examples.REPLAY_JSON,
    answers=(Answer(202, "The replay begins within seconds.", WebhookView, examples.WEBHOOK),),
    problems=(*BODY, UNKNOWN_WEBHOOK, WEBHOOK_DISABLED),
)
async def post_webhook_replay(request: web.Request) -> web.Response:
    """Have events sent again."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, WebhookPath)
    body = await read_body(request, ReplayRequest)
    await count_write(request, caller.sub)
    changed = await replay(path.webhook_id, body, caller, management=request.app[WEBHOOKS])
    return json_response(webhook_view(*changed), status=202)
