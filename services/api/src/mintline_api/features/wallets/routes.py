"""Operations on the caller's wallet in custody."""

from __future__ import annotations

from aiohttp import web

from mintline.scopes import Scope
from mintline_api.auth.callers import read_caller
from mintline_api.features.wallets import examples
from mintline_api.features.wallets.models import WalletView, wallet_view
from mintline_api.features.wallets.problems import WALLET_REASSIGNED
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.http.models import NoQuery
from mintline_api.http.operations import Answer, Operations
from mintline_api.http.problems import INVALID_PARAMETER
from mintline_api.http.requests import read_query
from mintline_api.http.responses import json_response

WALLETS = web.AppKey("wallets", WalletDirectory)
operations = Operations("Wallet", "The caller's wallet in custody.", reads=Scope.WALLETS_MANAGE)


@operations.add(
    "GET",
    "/v1/wallet",
    summary="Your wallet",
    description="The caller's address, made on first use: KMS makes the key pair, and only the attested "
    "enclave can use its private half.",
    answers=(Answer(200, "The wallet.", WalletView, examples.USER_WALLET),),
    problems=(INVALID_PARAMETER, WALLET_REASSIGNED),
)
async def read_wallet(request: web.Request) -> web.Response:
    """Return the caller's wallet."""
    caller = await read_caller(request)
    read_query(request, NoQuery)
    return json_response(wallet_view(await request.app[WALLETS].of(caller.sub)))
