"""A relayer's batch, and a transfer, by an owner of the signer's host: every wrapped key, every envelope."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from mintline.acceptance import ACCEPTANCE
from mintline.authorization import PublicAuthorizationKey
from mintline.kinds.mint import sign_mint
from mintline.messages.intents import BatchMint, SignBatch, SignTransfer
from mintline.messages.parts import KeyRef
from mintline_signer.enclave.kinds import required_authorizations
from mintline_signer.errors import RefusalCode
from mintline_signer.protocol import Failure, Refusal, Sign, Signed
from mintline_testkit.signer import digest_of

if TYPE_CHECKING:
    from mintline.records.operations import Mint
    from mintline_api.auth.intake_sessions import IntakeSessions
    from tests.attack.conftest import Socket, User, Victim

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

FAR = 2 * 10**6
"""Nonces from here on are no other test's: the enclave remembers what it signed for each."""
THIEF = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def evolve(model: Any, **changes: Any) -> Any:
    return model.model_copy(update=changes)


def sub_of(user: User) -> str:
    payload = user.token.split(".")[1]
    sub: str = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"]
    return sub


@dataclass(slots=True)
class Batches:
    """Batches of two sponsored mints, one by each of two users, and what authorizes them."""

    victim: Victim
    api: IntakeSessions
    relayer: KeyRef
    minted: Mint
    user: User
    other: User

    def batch(self, nonce: int) -> SignBatch:
        lines = [
            BatchMint(
                mint_id=f"mint_sponsored_{nonce}_{line}",
                token_id=10**9 + 2 * nonce + line,
                to=self.minted.to,
                metadata_digest=bytes(32),
                subject=sub_of(user),
            )
            for line, user in enumerate((self.user, self.other))
        ]
        return SignBatch(
            signer=self.relayer,
            chain_id=self.relayer.chain_id,
            nonce=FAR + nonce,
            gas=500_000,
            fees=sign_mint(self.minted).fees,
            contract=self.minted.contract,
            mints=tuple(lines),
        )

    def authorizations(self, batch: SignBatch, *users: User) -> list[bytes]:
        """Return what the api seals of each line, by these users' tokens."""
        return [
            self.sealed(required.digest, required.subject, user)
            for required, user in zip(required_authorizations(batch, [b"", b""]), users, strict=True)
        ]

    def sealed(self, digest: bytes, subject: str, user: User) -> bytes:
        assert self.victim.known.authorization_key is not None
        key = PublicAuthorizationKey(base64.b64decode(self.victim.known.authorization_key.public_key))
        accepted = self.api.state(ACCEPTANCE, digest, subject.encode(), at=time.time_ns() // 10**6)
        return key.seal(user.token, digest, accepted)

    async def request(self, batch: SignBatch, authorizations: list[bytes]) -> Sign:
        keys = [await self.victim.wrapped(batch.signer)]
        return Sign(intent=batch, keys=keys, authorizations=authorizations)


@pytest_asyncio.fixture(loop_scope="session")
async def batches(victim: Victim, minted: Mint, user: User, mallory: User) -> AsyncIterator[Batches]:
    assert victim.known.relayer is not None
    async with victim.intake() as api:
        yield Batches(victim, api, victim.known.relayer, minted, user, mallory)


async def test_batch__when_every_line_is_authorized__is_signed(batches: Batches, socket: Socket) -> None:
    """The control of all that follow."""
    batch = batches.batch(1)
    authorizations = batches.authorizations(batch, batches.user, batches.other)
    assert isinstance(await socket.ask(await batches.request(batch, authorizations)), Signed)


async def test_batch__when_one_line_has_no_authorization__is_refused_and_names_it(
    batches: Batches, socket: Socket
) -> None:
    batch = batches.batch(2)
    authorizations = batches.authorizations(batch, batches.user, batches.other)
    refusal = Refusal(code=RefusalCode.AUTHORIZATION_MISSING, operation_id=batch.mints[1].mint_id)
    assert await socket.ask(await batches.request(batch, [authorizations[0], b""])) == refusal


async def test_batch__when_one_line_has_another_users_envelope__is_refused(
    batches: Batches, socket: Socket
) -> None:
    """Neither another line's own, nor one that the other user's token is in."""
    batch = batches.batch(3)
    authorizations = batches.authorizations(batch, batches.user, batches.other)
    stolen = batches.authorizations(batch, batches.other, batches.other)
    for given, line, code in (
        ([authorizations[0], authorizations[0]], 1, RefusalCode.ACCEPTANCE_SIGNATURE),
        ([stolen[0], authorizations[1]], 0, RefusalCode.AUTHORIZATION_SUBJECT),
    ):
        refusal = Refusal(code=code, operation_id=batch.mints[line].mint_id)
        assert await socket.ask(await batches.request(batch, given)) == refusal


async def test_batch__when_a_custodial_mints_envelope_is_used_for_a_line__is_refused(
    batches: Batches, socket: Socket
) -> None:
    """A user who asked for a mint from their own wallet did not ask for one by a relayer."""
    custodial, batch = batches.minted, batches.batch(4)
    assert custodial.authorization is not None
    assert custodial.token_id is not None
    line = BatchMint(
        mint_id=custodial.mint_id,
        token_id=custodial.token_id,
        to=custodial.to,
        metadata_digest=custodial.metadata_digest,
        subject=custodial.sub,
    )
    forged = evolve(batch, mints=(line,))
    response = await socket.ask(await batches.request(forged, [custodial.authorization]))
    assert response == Refusal(code=RefusalCode.ACCEPTANCE_SIGNATURE, operation_id=custodial.mint_id)


@pytest.mark.parametrize("key", ["treasury", "issuer", "wallet"])
async def test_batch__when_another_key_than_a_relayers_is_to_sign__is_refused(
    victim: Victim, batches: Batches, socket: Socket, key: str
) -> None:
    signer = batches.minted.sender if key == "wallet" else getattr(victim.known, key)
    batch = evolve(batches.batch(5), signer=signer)
    authorizations = batches.authorizations(batch, batches.user, batches.other)
    response = await socket.ask(await batches.request(batch, authorizations))
    expected = RefusalCode.ISSUER_TRANSACTS if key == "issuer" else RefusalCode.SIGNER
    assert response == Refusal(code=expected)


async def test_batch__when_the_host_leaves_authorizations_out__gets_no_signature(
    batches: Batches, socket: Socket
) -> None:
    batch = batches.batch(6)
    authorizations = batches.authorizations(batch, batches.user, batches.other)
    for given in ([], authorizations[:1], [*authorizations, authorizations[0]]):
        assert isinstance(await socket.ask(await batches.request(batch, given)), Failure)


async def test_transfer__when_it_is_asked_for_again_under_another_nonce__is_refused(
    victim: Victim, batches: Batches, socket: Socket
) -> None:
    """A token that went out and came back must not go out again by the same request."""
    minted = batches.minted
    assert minted.sender is not None
    assert minted.token_id is not None
    transfer = SignTransfer(
        signer=minted.sender,
        chain_id=minted.chain_id,
        nonce=FAR,
        gas=200_000,
        fees=sign_mint(minted).fees,
        request_id="transfer_of_an_attacked_user",
        contract=minted.contract,
        token_id=minted.token_id,
        to=THIEF,
    )
    required = batches.sealed(digest_of(transfer), minted.sub, batches.user)
    wanted = evolve(transfer, authorization=required)
    assert isinstance(await socket.ask(await victim.request(wanted)), Signed)

    replayed = await socket.ask(await victim.request(evolve(wanted, nonce=FAR + 1)))

    assert replayed == Refusal(code=RefusalCode.REQUEST)
    assert isinstance(await socket.ask(await victim.request(wanted)), Signed)
