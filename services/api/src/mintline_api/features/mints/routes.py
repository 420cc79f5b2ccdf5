"""Operations on the caller's mints."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

from mintline.records.operations import Mint
from mintline.scopes import Scope
from mintline.states import MintStatus
from mintline_api.auth.callers import read_caller, require_scope
from mintline_api.auth.problems import TOKEN_TOO_LONG
from mintline_api.features.collections.minting import CLOSED_TO_MINTS
from mintline_api.features.collections.problems import SPONSORED_ONLY
from mintline_api.features.contracts.problems import UNKNOWN_CONTRACT
from mintline_api.features.examples import MINT_ID
from mintline_api.features.items.problems import ITEM_METADATA_DIFFERS, WRONG_STANDARD
from mintline_api.features.links.problems import WALLET_NOT_LINKED
from mintline_api.features.mints import examples
from mintline_api.features.mints.context import MINTS
from mintline_api.features.mints.intake import accept_mint
from mintline_api.features.mints.models import (
    MintList,
    MintPath,
    MintRequest,
    MintsQuery,
    MintView,
    TransactionRequest,
    mint_view,
)
from mintline_api.features.mints.problems import (
    AMBIGUOUS_RECIPIENT,
    CUSTODY_NOT_AVAILABLE,
    EXTERNAL_ID_USED,
    MALFORMED_TRANSACTION,
    NOT_SPONSORED,
    NOT_WAITING,
    TRANSACTION_MISMATCH,
    UNKNOWN_MINT,
    UNKNOWN_RECIPIENT,
)
from mintline_api.features.mints.self_custody import (
    SubmitTransaction,
    submit_signed_transaction,
    unsigned_transaction,
)
from mintline_api.features.mints.use_cases import (
    CancelMint,
    ListMints,
    cancel_mint,
    find_mint,
    get_mint,
    list_mints,
)
from mintline_api.features.operations.headers import (
    IDEMPOTENCY_KEY,
    IDEMPOTENT_REPLAYED,
    PREFER,
    PREFERENCE_APPLIED,
    location,
)
from mintline_api.features.operations.problems import KEY_REUSED, NOT_CANCELLABLE
from mintline_api.features.operations.requests import accepted_headers, nudges_of, read_submission
from mintline_api.features.operations.waiting import has_heard_of, moved_from, rests, waited
from mintline_api.features.pages import read_page
from mintline_api.features.uploads.problems import UPLOAD_NOT_USABLE
from mintline_api.features.users.problems import CLIENTS_ONLY, INVALID_EMAIL, NO_USER_POOL
from mintline_api.features.wallets.problems import WALLET_DELETED, WALLET_REASSIGNED
from mintline_api.http.context import DEADLINE, HTTP, METRICS
from mintline_api.http.models import NoQuery
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import BODY, INVALID_CURSOR, INVALID_PARAMETER
from mintline_api.http.requests import read_body, read_path, read_query
from mintline_api.http.responses import json_response
from mintline_api.http.tracing import TRACE
from mintline_api.limits.problems import CLIENT_BUDGET_REACHED, COLLECTION_NOT_ALLOWED, GAS_BUDGET_REACHED
from mintline_api.limits.writes import RATE_LIMIT_HEADERS, count_write, tell_rate

operations = Operations(
    "Mints",
    "Ask for an NFT and follow it to the chain.",
    reads=Scope.MINTS_READ,
    changes=Scope.MINTS_CREATE,
)


@operations.add(
    "POST",
    "/v1/mints",
    summary="Mint an NFT",
    clients=True,
    description="Accepts a mint and answers at once; the token is on chain a few seconds later. Follow it at "
    "`Location` until its status is `finalized`, `rejected` or `reverted`.\n\n"
    "The metadata is stored as canonical JSON (sorted keys, no spaces, UTF-8); its SHA-256 is in the mint's "
    "event on chain, so anyone can check that what `metadata_url` serves is what was minted. A file of yours "
    "is named by `upload:ID` in `image` or `animation_url` once its upload is complete.\n\n"
    "In an ERC-1155 collection a mint is of `quantity` tokens of the item `token_id`. The item's first mint "
    "fixes its metadata, and later ones send the same.\n\n"
    "With an `Idempotency-Key`, the same key and body give the same mint back, as it is now; the same key "
    "with another body is refused (422). Without one, every request is another mint.\n\n"
    "With `custody: self` the token goes to a wallet that you have linked, which sends the transaction and "
    "pays for it. The mint stops at `issued`, where `self_custody` holds the voucher, its signature and a "
    "transaction to sign. Sign it and post it to `…/transaction`, or send it on your own: we notice it on "
    "chain either way.\n\n"
    "With `custody: sponsored`, which all mints of machine clients have and all in a client's collection, "
    "the platform sends the transaction and pays for it, together with others' mints of the same "
    "collection: the recipient's wallet needs no ether. A machine client says by `recipient` who receives "
    "the token, by `external_id` what it calls the mint, so that it can find it again and makes no second "
    "one of that name, and by `tags` what it belongs to.",
    headers=(IDEMPOTENCY_KEY, PREFER),
    body_model=MintRequest,
    body_example=examples.MINT_REQUEST_JSON,
    answers=(
        Answer(
            202,
            "The mint is on record and on its way.",
            MintView,
            examples.ACCEPTED,
            headers=(
                location(f"/v1/mints/{MINT_ID}"),
                IDEMPOTENT_REPLAYED,
                PREFERENCE_APPLIED,
                *RATE_LIMIT_HEADERS,
            ),
        ),
    ),
    problems=(
        *BODY,
        AMBIGUOUS_RECIPIENT,
        INVALID_EMAIL,
        NO_USER_POOL,
        CLIENTS_ONLY,
        UNKNOWN_CONTRACT,
        UNKNOWN_RECIPIENT,
        NOT_SPONSORED,
        CUSTODY_NOT_AVAILABLE,
        EXTERNAL_ID_USED,
        WRONG_STANDARD,
        ITEM_METADATA_DIFFERS,
        KEY_REUSED,
        WALLET_NOT_LINKED,
        WALLET_DELETED,
        WALLET_REASSIGNED,
        UPLOAD_NOT_USABLE,
        TOKEN_TOO_LONG,
        GAS_BUDGET_REACHED,
        CLIENT_BUDGET_REACHED,
        COLLECTION_NOT_ALLOWED,
        *CLOSED_TO_MINTS,
        SPONSORED_ONLY,
    ),
)
async def create_mint(request: web.Request) -> web.Response:
    """Accept a mint."""
    submission = await read_submission(request, MintRequest)
    recipient = submission.request.recipient
    if submission.client_id is not None and recipient is not None and recipient.email is not None:
        await require_scope(request, Scope.USERS_WRITE)
    accepted = await accept_mint(submission, intake=request.app[MINTS].intake(nudges_of(request)))
    mint = accepted.operation
    if submission.client_id is None:
        tell_rate(request, submission.sub)
    headers = accepted_headers(accepted, "/v1/mints")
    if not accepted.replayed:
        request.app[METRICS].stages.reached(MintStatus.ACCEPTED)
    return await _mint_response(request, mint, rests, reader=submission.sub, status=202, headers=headers)


@operations.add(
    "GET",
    "/v1/mints/{mint_id}",
    summary="Follow a mint",
    clients=True,
    description="Returns the mint with its status. Only the caller's own mints exist here: a user's, and "
    "those that a machine client requested.",
    path_model=MintPath,
    headers=(PREFER,),
    answers=(Answer(200, "The mint as it is now.", MintView, examples.MINED, headers=(PREFERENCE_APPLIED,)),),
    problems=(INVALID_PARAMETER, UNKNOWN_MINT),
)
async def read_mint(request: web.Request) -> web.Response:
    """Return one mint."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, MintPath)
    mint = await get_mint(path.mint_id, sub=caller.sub, mints=request.app[MINTS].mints)
    return await _mint_response(request, mint, moved_from(mint), reader=caller.sub, status=200)


@operations.add(
    "POST",
    "/v1/mints/{mint_id}/transaction",
    summary="Post your wallet's transaction",
    description="Takes the signed transaction of a self-custody mint and sends it. It must be what "
    "`self_custody.transaction` is, signed by `to`; nonce, gas and fees may be your own. If a node refuses "
    "it, `problem` says why and the mint stays `issued`: sign another one. Several may be on their way; the "
    "contract takes one. To repeat the request is harmless.",
    path_model=MintPath,
    headers=(PREFER,),
    body_model=TransactionRequest,
    body_example=examples.TRANSACTION_REQUEST_JSON,
    answers=(
        Answer(202, "It is on its way.", MintView, examples.SELF_SUBMITTED, headers=(PREFERENCE_APPLIED,)),
    ),
    problems=(
        *BODY,
        MALFORMED_TRANSACTION,
        UNKNOWN_MINT,
        NOT_WAITING,
        TRANSACTION_MISMATCH,
    ),
)
async def create_transaction(request: web.Request) -> web.Response:
    """Take a user's own transaction."""
    context = request.app[MINTS]
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, MintPath)
    body = await read_body(request, TransactionRequest)
    mint = await get_mint(path.mint_id, sub=caller.sub, mints=context.mints)
    await count_write(request, caller.sub)
    command = SubmitTransaction(raw=body.raw, mint=mint, now=request.app[HTTP].now())
    signed = await submit_signed_transaction(command, chain=context.chain, outbox=context.outbox)
    return await _mint_response(request, mint, has_heard_of(signed.tx_hash), reader=caller.sub, status=202)


async def _mint_response(
    request: web.Request,
    mint: Mint,
    until: Callable[[Mint], bool],
    *,
    reader: str,
    status: int,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Show a mint, now or when `until` holds of it, as the client prefers."""
    context, http, deadline = request.app[MINTS], request.app[HTTP], request[DEADLINE]
    mint, applied = await waited(request, mint, until, context.mints.get)
    transaction = await unsigned_transaction(mint, context.chain, within=deadline.left())
    view = mint_view(mint, reader=reader, public_url=http.public_url, transaction=transaction)
    return json_response(view, status=status, headers={**(headers or {}), **applied})


@operations.add(
    "POST",
    "/v1/mints/{mint_id}/cancel",
    summary="Cancel a mint",
    clients=True,
    description="Stops a mint that was not sent yet, at once. For one that was sent a transaction that does "
    "nothing competes for its place, at a higher fee, and what is mined decides. Follow the mint: it ends as "
    "`rejected` (`cancelled`) once that is final, or goes on as `mined` if it was faster. Safe to repeat.",
    path_model=MintPath,
    answers=(
        Answer(200, "The mint has ended, and nothing of it reaches the chain.", MintView, examples.CANCELLED),
        Answer(202, "The mint was sent; stopping it is tried.", MintView, examples.STOPPING),
    ),
    problems=(INVALID_PARAMETER, UNKNOWN_MINT, NOT_CANCELLABLE),
)
async def stop_mint(request: web.Request) -> web.Response:
    """Stop a mint, or ask for that."""
    context, http = request.app[MINTS], request.app[HTTP]
    caller = await read_caller(request)
    read_query(request, NoQuery)
    path = read_path(request, MintPath)
    await count_write(request, caller.sub)
    command = CancelMint(
        mint_id=path.mint_id, sub=caller.sub, trace=request[TRACE].traceparent(), now=http.now()
    )
    cancellation = await cancel_mint(
        command, mints=context.mints, outbox=context.outbox, nudges=nudges_of(request)
    )
    if cancellation.ended:
        request.app[METRICS].stages.reached(MintStatus.REJECTED)
    mint = cancellation.mint
    status = 200 if mint.status is MintStatus.REJECTED else 202
    return json_response(mint_view(mint, reader=caller.sub, public_url=http.public_url), status=status)


@operations.add(
    "GET",
    "/v1/mints",
    summary="List your mints",
    clients=True,
    description="The caller's mints, newest first; a new one shows up within moments. A machine client's are "
    "those that it asked for. Pass `next_cursor` as `cursor` to go on, with the same filters, until it is "
    "null.\n\n"
    "`status` and `tag` filter what is read, a bounded number of mints per request: a page may be short, "
    "even empty, and still have a `next_cursor`.\n\n"
    "`external_id` finds the one mint that you gave it, at once.",
    query_model=MintsQuery,
    answers=(Answer(200, "A page of mints.", MintList, examples.MINTS),),
    problems=(INVALID_PARAMETER, INVALID_CURSOR),
)
async def read_mints(request: web.Request) -> web.Response:
    """Return a page of mints."""
    http = request.app[HTTP]
    caller = await read_caller(request)
    query = read_query(request, MintsQuery)
    bound = ("mints", caller.sub, query.status or "", query.tag or "", query.external_id or "")
    command = ListMints(
        sub=caller.sub,
        client=caller.client_id is not None,
        status=query.status,
        tag=query.tag,
        page=read_page(request, bound, query),
    )
    mints = request.app[MINTS].mints
    if query.external_id is not None:
        page = await find_mint(query.external_id, command, mints=mints)
    else:
        page = await list_mints(command, mints=mints)
    return json_response(
        MintList(
            items=[mint_view(mint, reader=caller.sub, public_url=http.public_url) for mint in page.mints],
            next_cursor=http.cursors.issue(bound, page.after) if page.after else None,
        )
    )
