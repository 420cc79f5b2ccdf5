"""Forged and replayed signatures of holders: what moves a user's token at a relayer's expense."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from mintline.clone_calls import address_of
from mintline.clones import CloneArgs
from mintline.holder_signatures import carried_signature
from mintline.kinds.mint import sign_mint
from mintline.messages.intents import SignRelayedBurn, SignRelayedTransfer, SignTransfer
from mintline.messages.parts import Clone
from mintline.messages.work import BuildMint
from mintline.raw_transactions import decode
from mintline.resources import BROADCAST, BUILD, SIGN
from mintline_signer.errors import FailureCode, RefusalCode
from mintline_signer.protocol import Failure, Refusal, Sign, Signed
from mintline_testkit.signer import digest_of
from tests.attack.test_batches import evolve
from tests.attack.test_machine_clients import FAR, THIEF, Backend, backend
from tests.attack.test_queue_writer import handled, logged, sent_as_of_now

if TYPE_CHECKING:
    from tests.attack.conftest import Socket, User, Victim

__all__ = ["backend"]

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

NONCE = FAR + 4 * 10**5


@dataclass(slots=True)
class Signatures:
    """What an attacker makes who holds the API's session key, and all that is on record."""

    backend: Backend
    user: User

    def transfer(self, number: int, **changes: Any) -> SignRelayedTransfer:
        fields = {**self._fields(number), "request_id": f"transfer_{number}", "to": THIEF}
        return SignRelayedTransfer(**{**fields, **changes})

    def burn(self, number: int, **changes: Any) -> SignRelayedBurn:
        return SignRelayedBurn(**{**self._fields(number), "request_id": f"burn_{number}", **changes})

    def _fields(self, number: int) -> dict[str, Any]:
        known, minted = self.backend.victim.known, self.backend.minted
        assert known.factory is not None
        clone = Clone(
            factory=known.factory.address,
            implementation=known.factory.implementation,
            principal="somebody's backend",
            operation_id="deploy_of_somebody",
            args=CloneArgs(name="Name", symbol="SYM"),
        )
        return {
            "signer": self.backend.relayer,
            "chain_id": minted.chain_id,
            "nonce": NONCE + number,
            "gas": 150_000,
            "fees": sign_mint(minted).fees,
            "holder": minted.sender,
            "contract": address_of(clone),
            "token_id": minted.token_id,
            "counter": 0,
            "deadline": int(time.time()) + 1800,
            "clone": clone,
        }

    async def request(
        self, intent: Any, *, sealed: Any = None, subject: str | None = None, token: str | None = None
    ) -> Sign:
        """Return the request for an intent with the authorization of another one, or its own."""
        subject = subject or self.backend.minted.sub
        envelope = self.backend.sealed(digest_of(sealed or intent), subject, token or self.user.token)
        keys = [await self.backend.victim.wrapped(key) for key in (intent.signer, intent.holder)]
        return Sign(intent=evolve(intent, authorization=envelope), keys=keys)


@pytest_asyncio.fixture(loop_scope="session")
async def signatures(backend: Backend, user: User) -> Signatures:
    return Signatures(backend, user)


async def test_holder__when_its_user_asked__is_signed_for_once_under_whichever_nonce(
    signatures: Signatures, socket: Socket
) -> None:
    """The control of all that follow: one signature for one request, however often it is asked for."""
    for intent in (signatures.transfer(1), signatures.burn(2)):
        first = await socket.ask(await signatures.request(intent))
        again = await socket.ask(
            await signatures.request(evolve(intent, nonce=intent.nonce + 1000), sealed=intent)
        )
        assert isinstance(first, Signed)
        assert isinstance(again, Signed)
        carried = [carried_signature(decode(signed.raw).transaction.data) for signed in (first, again)]
        assert carried[0] == carried[1] != b""
        for other in ({"counter": 1}, {"deadline": intent.deadline + 1}):
            response = await socket.ask(await signatures.request(evolve(intent, **other), sealed=intent))
            assert response == Refusal(code=RefusalCode.REQUEST)


REPLAYED: dict[str, Callable[[Any], Any]] = {
    "to another recipient": lambda i: evolve(i, to="0x" + "77" * 20),
    "of another token": lambda i: evolve(i, token_id=i.token_id + 1),
    "for another request": lambda i: evolve(i, request_id="transfer_again"),
}


@pytest.mark.parametrize("what", REPLAYED)
async def test_envelope__when_it_is_replayed__is_refused(
    signatures: Signatures, socket: Socket, what: str
) -> None:
    intent = signatures.transfer(10)
    response = await socket.ask(await signatures.request(REPLAYED[what](intent), sealed=intent))
    assert response == Refusal(code=RefusalCode.ACCEPTANCE_SIGNATURE)


async def test_envelope__when_it_is_of_an_ordinary_transfer__is_refused(
    signatures: Signatures, socket: Socket
) -> None:
    """Else the token could move twice for one request: by the wallet's transaction, and by a relayer's."""
    intent = signatures.transfer(20)
    ordinary = SignTransfer(
        signer=intent.holder,
        **{
            name: getattr(intent, name)
            for name in ("chain_id", "nonce", "gas", "fees", "request_id", "contract", "token_id", "to")
        },
        clone=intent.clone,
    )
    response = await socket.ask(await signatures.request(intent, sealed=ordinary))
    assert response == Refusal(code=RefusalCode.ACCEPTANCE_SIGNATURE)
    wallets = await signatures.backend.victim.wrapped(intent.holder)
    envelope = (await signatures.request(intent)).intent.authorization  # type: ignore[union-attr]
    request = Sign(intent=evolve(ordinary, authorization=envelope), keys=[wallets])
    assert await socket.ask(request) == Refusal(code=RefusalCode.ACCEPTANCE_SIGNATURE)


async def test_client__when_its_token_is_to_move_a_users_token__is_refused(
    signatures: Signatures, socket: Socket
) -> None:
    """By the API's own session key, in the user's name and in the client's own."""
    client = signatures.backend
    for intent in (signatures.transfer(30), signatures.burn(31)):
        by_client = await signatures.request(intent, token=client.token)
        assert await socket.ask(by_client) == Refusal(code=RefusalCode.AUTHORIZATION_SUBJECT)
        turned = evolve(intent, holder=evolve(intent.holder, subject=client.client_id))
        envelope = client.sealed(digest_of(turned), client.client_id, client.token)
        keys = [evolve(key) for key in by_client.keys]
        keys[1] = evolve(keys[1], subject=client.client_id)
        response = await socket.ask(Sign(intent=evolve(turned, authorization=envelope), keys=keys))
        assert response == Refusal(code=RefusalCode.TOKEN_SUBJECT)


async def test_holder__when_it_is_another_users_or_the_platforms__is_not_signed_for(
    signatures: Signatures, socket: Socket, mallory: User
) -> None:
    known, intent = signatures.backend.victim.known, signatures.transfer(40)
    stranger = await signatures.request(intent, token=mallory.token)
    assert await socket.ask(stranger) == Refusal(code=RefusalCode.AUTHORIZATION_SUBJECT)
    for holder, code in (
        (signatures.backend.relayer, RefusalCode.HOLDER),
        (known.treasury, RefusalCode.HOLDER),
        (known.issuer, RefusalCode.ISSUER_TRANSACTS),
    ):
        forged = evolve(intent, holder=holder)
        assert await socket.ask(await signatures.request(forged, sealed=intent)) == Refusal(code=code)
    for signer, code in (
        (known.treasury, RefusalCode.SIGNER),
        (known.issuer, RefusalCode.ISSUER_TRANSACTS),
        (intent.holder, RefusalCode.SIGNER),
    ):
        forged = evolve(intent, signer=signer)
        assert await socket.ask(await signatures.request(forged, sealed=intent)) == Refusal(code=code)
    exchanged = await signatures.request(intent)
    exchanged = evolve(exchanged, keys=exchanged.keys[::-1])
    assert await socket.ask(exchanged) == Failure(code=FailureCode.KEYS_MISMATCH)


async def test_contract__when_no_factory_of_the_policy_made_it__is_refused(
    signatures: Signatures, socket: Socket
) -> None:
    intent = signatures.burn(50)
    listed = evolve(intent, contract=signatures.backend.minted.contract)
    assert await socket.ask(await signatures.request(listed)) == Refusal(code=RefusalCode.CLONE)
    elsewhere = evolve(intent, clone=evolve(intent.clone, factory=THIEF))
    assert await socket.ask(await signatures.request(elsewhere)) == Refusal(code=RefusalCode.FACTORY)
    for deadline, code in (
        (1, RefusalCode.SIGNATURE_EXPIRED),
        (10**12, RefusalCode.SIGNATURE_TTL),
    ):
        late = evolve(intent, deadline=deadline)
        assert await socket.ask(await signatures.request(late)) == Refusal(code=code)


async def test_queue_writer__when_it_forges_what_a_holder_signs__has_nothing_sent(
    victim: Victim, signatures: Signatures
) -> None:
    """Straight into the queues, with a client's token for the user's token: by message and by record."""
    relayer = signatures.backend.relayer
    before = await sent_as_of_now(victim, relayer.address)
    intent = signatures.transfer(60, nonce=before)
    subject, token = signatures.backend.client_id, signatures.backend.token
    forged = evolve(intent, authorization=signatures.backend.sealed(digest_of(intent), subject, token))

    await victim.queues.send(SIGN, forged, group=relayer.address, dedup=secrets.token_hex(8))
    await victim.queues.send(
        BUILD, BuildMint(mint_id=intent.request_id), group=intent.request_id, dedup=secrets.token_hex(8)
    )

    refused = {"nonce": before, "sender": relayer.address, "code": "acceptance_signature"}
    await logged(victim, "signer-host", "intent_refused", **refused)
    await handled(victim, SIGN, BROADCAST)
    assert await sent_as_of_now(victim, relayer.address) == before
