"""Forged collections: whose they are, what they are made of, and who may change them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from mintline.clone_calls import address_of
from mintline.clones import CloneArgs
from mintline.kinds.mint import sign_mint
from mintline.messages.intents import SignAdminister, SignBatch, SignDeploy
from mintline.messages.parts import Clone, CollectionChange
from mintline_signer.enclave.kinds import required_authorizations
from mintline_signer.errors import RefusalCode
from mintline_signer.protocol import Refusal, Sign, Signed
from tests.attack.test_batches import evolve
from tests.attack.test_machine_clients import FAR, THIEF, Backend, backend

if TYPE_CHECKING:
    from tests.attack.conftest import Socket, User

__all__ = ["backend"]

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

NONCE = FAR + 10**5
PAUSE = CollectionChange(action="pause")


@dataclass(slots=True)
class Collections:
    """The collections of the client whose token, and the API's session key, the attacker holds."""

    backend: Backend

    def clone(self, number: int, **changes: Any) -> Clone:
        factory = self.backend.victim.known.factory
        assert factory is not None
        clone = Clone(
            factory=factory.address,
            implementation=factory.implementation,
            principal=self.backend.client_id,
            operation_id=f"deploy_{number}",
            args=CloneArgs(name="Name", symbol="SYM", owner=THIEF),
        )
        return clone.model_copy(update=changes)

    def deploy(self, number: int, clone: Clone | None = None) -> SignDeploy:
        clone = clone or self.clone(number)
        return SignDeploy(
            **self._common(number),
            request_id=clone.operation_id,
            contract=address_of(clone),
            clone=clone,
        )

    def administer(self, number: int, clone: Clone | None = None) -> SignAdminister:
        clone = clone or self.clone(number)
        return SignAdminister(
            **self._common(number + 5000),
            request_id=f"change_{number}",
            contract=address_of(clone),
            change=PAUSE,
            clone=clone,
        )

    def batch(self, number: int, clone: Clone) -> SignBatch:
        return evolve(self.backend.batch(2 * 10**5 + number), contract=address_of(clone), clone=clone)  # type: ignore[no-any-return]

    def _common(self, number: int) -> dict[str, Any]:
        backend = self.backend
        return {
            "signer": backend.relayer,
            "chain_id": backend.relayer.chain_id,
            "nonce": NONCE + number,
            "gas": 300_000,
            "fees": sign_mint(backend.minted).fees,
        }

    async def request(self, intent: Any, *, sealed: Any = None, token: str | None = None) -> Sign:
        """Return the request for an intent with the authorization of another one, or its own."""
        [required] = required_authorizations(sealed or intent)
        envelope = self.backend.sealed(required.digest, required.subject, token or self.backend.token)
        keys = [await self.backend.victim.wrapped(intent.signer)]
        return Sign(intent=evolve(intent, authorization=envelope), keys=keys)


@pytest_asyncio.fixture(loop_scope="session")
async def collections(backend: Backend) -> Collections:
    return Collections(backend)


async def test_collection__when_its_client_asks__is_deployed_changed_and_minted_into(
    collections: Collections, socket: Socket
) -> None:
    """The control of all that follow."""
    for intent in (collections.deploy(1), collections.administer(1)):
        assert isinstance(await socket.ask(await collections.request(intent)), Signed)
    batch = collections.batch(1, collections.clone(1))
    envelope = collections.backend.envelope(batch)
    assert isinstance(await socket.ask(await collections.backend.request(batch, envelope)), Signed)


FORGED: dict[str, tuple[RefusalCode, Callable[[Any], Any]]] = {
    "another address": (RefusalCode.CLONE, lambda i: evolve(i, contract=THIEF)),
    "another factory": (RefusalCode.FACTORY, lambda i: evolve(i, clone=evolve(i.clone, factory=THIEF))),
    "another implementation": (
        RefusalCode.FACTORY,
        lambda i: evolve(i, clone=evolve(i.clone, implementation=THIEF)),
    ),
    "other arguments": (
        RefusalCode.CLONE,
        lambda i: evolve(i, clone=evolve(i.clone, args=evolve(i.clone.args, name="Other"))),
    ),
    "another principal": (
        RefusalCode.CLONE,
        lambda i: evolve(i, clone=evolve(i.clone, principal="other-client")),
    ),
    "another operation's salt": (
        RefusalCode.CLONE,
        lambda i: evolve(i, clone=evolve(i.clone, operation_id="deploy_of_another")),
    ),
}


@pytest.mark.parametrize("what", FORGED)
async def test_collection__when_its_proof_is_forged__is_refused(
    collections: Collections, socket: Socket, what: str
) -> None:
    code, forge = FORGED[what]
    for intent in (collections.deploy(2), collections.administer(2)):
        request = await collections.request(forge(intent), sealed=intent)
        assert await socket.ask(request) == Refusal(code=code)
    batch = collections.batch(2, collections.clone(2))
    forged = forge(batch)
    envelope = collections.backend.envelope(batch)
    assert await socket.ask(await collections.backend.request(forged, envelope)) == Refusal(code=code)


async def test_collection__when_what_was_sealed_is_changed_consistently__is_refused(
    collections: Collections, socket: Socket
) -> None:
    """Another collection of the same client, with its own good proof: nobody asked for that."""
    deploy, administer = collections.deploy(3), collections.administer(3)
    other = evolve(collections.clone(3), args=CloneArgs(name="Other", symbol="SYM", owner=THIEF))
    unpause = CollectionChange(action="unpause")
    for sealed, changed in (
        (deploy, collections.deploy(3, other)),
        (administer, collections.administer(3, other)),
        (administer, evolve(administer, change=unpause)),
        (administer, evolve(administer, request_id="change_again")),
    ):
        response = await socket.ask(await collections.request(changed, sealed=sealed))
        assert response == Refusal(code=RefusalCode.ACCEPTANCE_SIGNATURE)


async def test_collection__when_it_is_anothers__is_not_deployed_changed_or_minted_into(
    collections: Collections, socket: Socket
) -> None:
    """A good proof of a good collection: but the token is not its principal's."""
    theirs = collections.clone(4, principal="other-client")
    for intent in (collections.deploy(4, theirs), collections.administer(4, theirs)):
        response = await socket.ask(await collections.request(intent))
        assert response == Refusal(code=RefusalCode.AUTHORIZATION_SUBJECT)
    batch = collections.batch(4, theirs)
    response = await socket.ask(await collections.backend.request(batch, collections.backend.envelope(batch)))
    assert response == Refusal(code=RefusalCode.CLIENT_COLLECTION, operation_id=batch.mints[0].mint_id)


async def test_collection__when_the_token_lacks_the_scope__is_not_deployed_or_changed(
    collections: Collections, socket: Socket, user: User
) -> None:
    own = collections.clone(5, principal=collections.backend.minted.sub)
    for intent in (collections.deploy(5, own), collections.administer(5, own)):
        response = await socket.ask(await collections.request(intent, token=user.token))
        assert response == Refusal(code=RefusalCode.TOKEN_SCOPE)


async def test_change__when_it_is_signed_again_under_another_nonce__is_refused(
    collections: Collections, socket: Socket
) -> None:
    change = collections.administer(6)
    assert isinstance(await socket.ask(await collections.request(change)), Signed)
    again = evolve(change, nonce=change.nonce + 1000)
    response = await socket.ask(await collections.request(again, sealed=change))
    assert response == Refusal(code=RefusalCode.REQUEST)


async def test_collection__when_another_key_is_to_send_it__is_refused(
    collections: Collections, socket: Socket
) -> None:
    known = collections.backend.victim.known
    for signer, code in (
        (known.treasury, RefusalCode.SIGNER),
        (known.issuer, RefusalCode.ISSUER_TRANSACTS),
    ):
        for intent in (collections.deploy(7), collections.administer(7)):
            forged = evolve(intent, signer=signer)
            assert await socket.ask(await collections.request(forged, sealed=intent)) == Refusal(code=code)
