"""A holder of the token of a user who was signed out, disabled or deleted: by API, by queue, by host."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Any

import pytest

from mintline.acceptance import ACCEPTANCE
from mintline.authorization import Envelope
from mintline.kinds.mint import sign_mint
from mintline.resources import SIGN
from mintline.scopes import ACCOUNT_ADMIN
from mintline_client.sign_in import sign_in
from mintline_ops.users import cognito_client, ensure_user
from mintline_signer.errors import RefusalCode
from mintline_signer.protocol import Refusal, Sign, Signed
from mintline_testkit.signer import digest_of

if TYPE_CHECKING:
    from mintline.records.operations import Mint
    from tests.attack.conftest import Socket, User, Victim

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

THIEF = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


def evolve(model: Any, **changes: Any) -> Any:
    return model.model_copy(update=changes)


async def user_named(victim: Victim, like: User, name: str) -> User:
    """Sign in as a new user of this name."""
    password, pool = f"Aa1!{secrets.token_urlsafe(20)}", victim.info["cognito"]["user_pool_id"]
    async with cognito_client(victim.info) as cognito:
        await ensure_user(cognito, user_pool_id=pool, username=name, password=password)
    tokens = await sign_in(victim.session, victim.info, username=name, password=password)
    return type(like)(victim.session, victim.info["api_url"], tokens.access_token)


async def ended(user: User, *, within: float) -> tuple[int, str]:
    """Return how the API answers once it serves the token no more."""
    async with asyncio.timeout(within):
        while True:
            status, response = await user.call("GET", "/v1/mints")
            if status != 200:
                return status, response["code"]
            await asyncio.sleep(0.5)


async def refused_by_the_host(victim: Victim, mint_id: str) -> str:
    """Return the code by which the enclave refused a mint's intent, as the host logged it."""
    async with asyncio.timeout(20):
        while True:
            for line in victim.logged("signer-host", "intent_refused"):
                if line.get("mint_id") == mint_id:
                    return str(line["code"])
            await asyncio.sleep(0.1)


async def test_revoked_token__when_its_users_are_gone__asks_for_no_mint_and_signs_none(
    victim: Victim, user: User, socket: Socket
) -> None:
    ways = ("admin_user_global_sign_out", "admin_disable_user", "admin_delete_user")
    named = {how: f"gone-{secrets.token_hex(4)}" for how in ways}
    gone = {how: await user_named(victim, user, name) for how, name in named.items()}
    minted = {how: await victim.minted(own, "while it counted") for how, own in gone.items()}
    async with cognito_client(victim.info) as cognito:
        for how, name in named.items():
            await getattr(cognito, how)(UserPoolId=victim.info["cognito"]["user_pool_id"], Username=name)
    begun = time.monotonic()

    answers = await asyncio.gather(*(ended(own, within=60) for own in gone.values()))
    assert set(answers) == {(401, "token-revoked")}
    assert time.monotonic() - begun < 60
    status, _ = await user.call("GET", "/v1/mints")
    assert status == 200, "another user's token goes on"

    for how, own in gone.items():
        old = minted[how]
        assert old.authorization is not None
        accepted = Envelope.from_bytes(old.authorization).acceptance
        intent = sign_mint(old)
        forged = evolve(
            intent,
            mint_id=f"mint_{secrets.token_hex(8)}",
            nonce=intent.nonce + 1,
            voucher=evolve(intent.voucher, to=THIEF, token_id=10**9),
        )
        forged = victim.sealed(forged, own.token, accepted)
        response = await socket.ask(await victim.request(forged))
        assert response == Refusal(code=RefusalCode.ACCEPTANCE_SIGNATURE)
        await victim.queues.send(SIGN, forged, group=old.wallet, dedup=secrets.token_hex(8))
        assert await refused_by_the_host(victim, forged.mint_id) == RefusalCode.ACCEPTANCE_SIGNATURE
        assert await victim.signs(old), "what the API accepted before the end was asked for"


async def accepted_by_a_taken_over_api(victim: Victim, user: User, old: Mint) -> Sign:
    """Return a request for a mint that a taken-over api accepts now, by a token that it has seen."""
    intent = sign_mint(old)
    forged = evolve(
        intent,
        mint_id=f"mint_{secrets.token_hex(8)}",
        nonce=intent.nonce + 1,
        voucher=evolve(intent.voucher, to=THIEF, token_id=10**9),
    )
    sub, now = forged.signer.subject.encode(), time.time_ns() // 1_000_000
    async with victim.intake() as api:
        accepted = api.state(ACCEPTANCE, digest_of(forged), sub, at=now)
    return await victim.request(victim.sealed(forged, user.token, accepted))


async def test_revoked_token__when_the_api_was_taken_over_afterwards__is_refused_by_the_enclave(
    victim: Victim, user: User, socket: Socket
) -> None:
    name = f"gone-{secrets.token_hex(4)}"
    gone = await user_named(victim, user, name)
    # Of its own: the enclave remembers the nonce that the control signs for.
    other = await user_named(victim, user, f"stays-{secrets.token_hex(4)}")
    old, others = await victim.minted(gone, "before"), await victim.minted(other, "another's")
    async with cognito_client(victim.info) as cognito:
        pool = victim.info["cognito"]["user_pool_id"]
        await cognito.admin_user_global_sign_out(UserPoolId=pool, Username=name)
    assert await ended(gone, within=60) == (401, "token-revoked")

    request = await accepted_by_a_taken_over_api(victim, gone, old)
    async with asyncio.timeout(30):
        while True:
            response = await socket.ask(request)
            if not isinstance(response, Signed):
                break
            await asyncio.sleep(0.2)
    assert response == Refusal(code=RefusalCode.TOKEN_REVOKED)

    control = await accepted_by_a_taken_over_api(victim, other, others)
    assert isinstance(await socket.ask(control), Signed), "by a token that counts the same way signs"
    assert await victim.signs(old), "what the API accepted before the end was asked for"


async def test_stolen_token__when_it_is_used_at_the_pool__cannot_touch_the_account(
    victim: Victim, mallory: User
) -> None:
    """Before, anyone who saw a token could delete its user, and with the user the way to the wallet."""
    assert ACCOUNT_ADMIN not in victim.info["cognito"]["scopes"]
    async with cognito_client(victim.info) as cognito:
        for call in (cognito.delete_user, cognito.global_sign_out, cognito.get_user):
            with pytest.raises(cognito.exceptions.NotAuthorizedException, match="required scopes"):
                await call(AccessToken=mallory.token)
    status, _ = await mallory.call("GET", "/v1/wallet")
    assert status == 200
