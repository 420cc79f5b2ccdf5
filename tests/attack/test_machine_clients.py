"""A machine client's token in the wrong hands, and messages that name a client."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from mintline.acceptance import ACCEPTANCE
from mintline.authorization import PublicAuthorizationKey
from mintline.kinds.mint import sign_mint
from mintline.messages.intents import BatchMint, IssueVoucher, SignBatch, SignBurn, SignTransfer
from mintline.messages.parts import KeyRef
from mintline.messages.work import BuildMint
from mintline.resources import BROADCAST, BUILD, SIGN
from mintline.scopes import MACHINE_SCOPES
from mintline_client.sign_in import demo_client_token
from mintline_signer.enclave.kinds import required_authorizations
from mintline_signer.errors import RefusalCode
from mintline_signer.protocol import Refusal, Sign, Signed
from mintline_testkit.signer import digest_of
from tests.attack.test_batches import evolve
from tests.attack.test_queue_writer import handled, logged, sent_as_of_now

if TYPE_CHECKING:
    from mintline.records.operations import Mint
    from mintline_api.auth.intake_sessions import IntakeSessions
    from tests.attack.conftest import Socket, User, Victim

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

FAR = 3 * 10**6
"""Nonces from here on are no other test's: the enclave remembers what it signed for each."""
THIEF = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@dataclass(slots=True)
class Backend:
    """A machine client whose token was stolen, together with the API's session key."""

    victim: Victim
    api: IntakeSessions
    relayer: KeyRef
    minted: Mint
    token: str
    client_id: str

    def batch(self, nonce: int, **changes: Any) -> SignBatch:
        line = BatchMint(
            mint_id=f"mint_of_a_client_{nonce}",
            token_id=2 * 10**9 + nonce,
            to=self.minted.to,
            metadata_digest=bytes(32),
            subject=self.client_id,
        )
        return SignBatch(
            signer=self.relayer,
            chain_id=self.relayer.chain_id,
            nonce=FAR + nonce,
            gas=300_000,
            fees=sign_mint(self.minted).fees,
            contract=self.minted.contract,
            mints=(evolve(line, **changes),),
        )

    def sealed(self, digest: bytes, subject: str, token: str) -> bytes:
        assert self.victim.known.authorization_key is not None
        key = PublicAuthorizationKey(base64.b64decode(self.victim.known.authorization_key.public_key))
        accepted = self.api.state(ACCEPTANCE, digest, subject.encode(), at=time.time_ns() // 10**6)
        return key.seal(token, digest, accepted)

    def envelope(self, batch: SignBatch, token: str | None = None) -> bytes:
        """Return what the api seals of the batch's line."""
        [required] = required_authorizations(batch, [b""])
        return self.sealed(required.digest, required.subject, token or self.token)

    async def request(self, batch: SignBatch, envelope: bytes) -> Sign:
        return Sign(intent=batch, keys=[await self.victim.wrapped(batch.signer)], authorizations=[envelope])


@pytest_asyncio.fixture(loop_scope="session")
async def backend(victim: Victim, minted: Mint) -> AsyncIterator[Backend]:
    assert victim.known.relayer is not None
    client_id: str = victim.info["demo_client"]["client_id"]
    tokens = await demo_client_token(victim.session, victim.info)
    async with victim.intake() as api:
        yield Backend(victim, api, victim.known.relayer, minted, tokens.access_token, client_id)


async def test_token__when_the_pool_issues_it_to_a_client__is_the_clients_for_its_scopes(
    backend: Backend,
) -> None:
    payload = backend.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (claims["sub"], claims["client_id"]) == (backend.client_id, backend.client_id)
    assert "username" not in claims
    assert set(claims["scope"].split()) <= set(MACHINE_SCOPES)


async def test_batch__when_the_client_asked_for_its_line__is_signed(backend: Backend, socket: Socket) -> None:
    """The control of all that follow."""
    batch = backend.batch(1)
    assert isinstance(await socket.ask(await backend.request(batch, backend.envelope(batch))), Signed)


async def test_batch__when_the_token_is_not_the_principals_that_the_line_names__is_refused(
    backend: Backend, socket: Socket, user: User
) -> None:
    """A user's token for a client's line, and a client's for a user's."""
    for_user = backend.batch(3, subject=backend.minted.sub)
    for batch, token in ((backend.batch(2), user.token), (for_user, backend.token)):
        response = await socket.ask(await backend.request(batch, backend.envelope(batch, token)))
        assert response == Refusal(
            code=RefusalCode.AUTHORIZATION_SUBJECT, operation_id=batch.mints[0].mint_id
        )


async def test_batch__when_an_envelope_is_replayed_for_another_recipient_or_collection__is_refused(
    backend: Backend, socket: Socket
) -> None:
    envelope = backend.envelope(backend.batch(4))
    refusal = Refusal(code=RefusalCode.ACCEPTANCE_SIGNATURE, operation_id="mint_of_a_client_4")
    assert await socket.ask(await backend.request(backend.batch(4, to=THIEF), envelope)) == refusal
    elsewhere = evolve(backend.batch(4), contract=THIEF)
    assert await socket.ask(await backend.request(elsewhere, envelope)) == Refusal(code=RefusalCode.CONTRACT)


@pytest.mark.parametrize("named", ["the user", "the client"])
@pytest.mark.parametrize("kind", ["mint", "voucher", "transfer", "burn"])
async def test_client__when_its_token_is_to_move_a_users_key__is_refused(
    victim: Victim, backend: Backend, socket: Socket, kind: str, named: str
) -> None:
    """Even by the API's own session key, and with the wallet's record turned to the client."""
    mint, minted = sign_mint(backend.minted), backend.minted
    assert minted.sender is not None
    assert minted.token_id is not None
    subject = minted.sub if named == "the user" else backend.client_id
    common = {
        "signer": evolve(minted.sender, subject=subject),
        "chain_id": minted.chain_id,
        "nonce": FAR,
        "gas": 200_000,
        "fees": mint.fees,
        "request_id": f"{kind}_by_a_client",
        "contract": minted.contract,
        "token_id": minted.token_id,
    }
    forgeries: dict[str, Callable[[], Any]] = {
        "mint": lambda: evolve(mint, signer=common["signer"], nonce=FAR, mint_id="mint_by_a_client"),
        "voucher": lambda: IssueVoucher(
            signer=victim.known.issuer,
            chain_id=minted.chain_id,
            mint_id="voucher_by_a_client",
            contract=minted.contract,
            voucher=mint.voucher,
            subject=subject,
        ),
        "transfer": lambda: SignTransfer(**common, to=THIEF),
        "burn": lambda: SignBurn(**common),
    }
    forged = forgeries[kind]()
    forged = evolve(forged, authorization=backend.sealed(digest_of(forged), subject, backend.token))
    request = await victim.request(forged, keys=_keys_of(victim, forged, minted))
    request = evolve(
        request,
        keys=[
            evolve(key, subject=subject) if key.address == minted.sender.address else key
            for key in request.keys
        ],
    )

    expected = RefusalCode.AUTHORIZATION_SUBJECT if named == "the user" else RefusalCode.TOKEN_SUBJECT
    assert await socket.ask(request) == Refusal(code=expected)


def _keys_of(victim: Victim, forged: Any, minted: Mint) -> list[KeyRef]:
    """Return the keys that it takes, as they are on record."""
    assert minted.sender is not None
    if isinstance(forged, IssueVoucher):
        return [victim.known.issuer]
    more = [victim.known.issuer] if forged.type == "sign_mint" else []
    return [minted.sender, *more]


async def test_queue_writer__when_its_messages_name_a_client__has_nothing_minted(
    victim: Victim, backend: Backend
) -> None:
    """Without the API nothing of the client's is on record: neither the mint nor its authorization."""
    before = await sent_as_of_now(victim, backend.relayer.address)
    forged = evolve(backend.batch(6), nonce=before)
    mint_id = forged.mints[0].mint_id

    await victim.queues.send(BUILD, BuildMint(mint_id=mint_id), group=mint_id, dedup=secrets.token_hex(8))
    await victim.queues.send(SIGN, forged, group=backend.relayer.address, dedup=secrets.token_hex(8))

    # Other tests have forged intents under this nonce refused, too: it stays the relayer's next.
    refused = {"nonce": before, "sender": backend.relayer.address, "code": "authorization_missing"}
    await logged(victim, "signer-host", "intent_refused", **refused)
    await handled(victim, SIGN, BROADCAST)
    await asyncio.sleep(0)
    assert await sent_as_of_now(victim, backend.relayer.address) == before


async def test_client__when_its_stolen_token_is_sent_to_the_api__may_do_nothing_of_users(
    victim: Victim, backend: Backend
) -> None:
    headers = {"authorization": f"Bearer {backend.token}"}
    for method, path in (
        ("GET", "/v1/wallet"),
        ("GET", "/v1/wallet/links"),
        ("POST", "/v1/wallet/links/challenges"),
        ("POST", "/v1/transfers"),
        ("POST", "/v1/burns"),
    ):
        url = victim.info["api_url"] + path
        async with victim.session.request(method, url, json={}, headers=headers) as response:
            assert (response.status, (await response.json())["code"]) == (403, "not-for-clients"), path
    users_mint = f"{victim.info['api_url']}/v1/mints/{backend.minted.mint_id}"
    for method, url in (("GET", users_mint), ("POST", f"{users_mint}/cancel")):
        async with victim.session.request(method, url, headers=headers) as response:
            assert (response.status, (await response.json())["code"]) == (404, "unknown-mint"), url
