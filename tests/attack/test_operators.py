"""A token of the operators' app client in the wrong hands: it acts as that client, and as nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mintline.messages.intents import SignTransfer
from mintline.scopes import OPERATOR_SCOPES
from mintline_client.sign_in import sign_in
from mintline_signer.errors import RefusalCode
from mintline_signer.protocol import Refusal, Signed
from mintline_testkit.signer import digest_of
from tests.attack.test_batches import evolve
from tests.attack.test_machine_clients import FAR, THIEF, Backend, backend

if TYPE_CHECKING:
    from tests.attack.conftest import Socket, Victim

__all__ = ["backend"]  # a fixture
pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]


async def token_of(victim: Victim, account: str) -> str:
    """Return the token of a person, `cognito` or `console` in the run file, by the operators' app client."""
    console = victim.info["console"]
    pool = {"client_id": console["client_id"], "redirect_uri": console["url"], "scopes": OPERATOR_SCOPES}
    person = victim.info[account]
    tokens = await sign_in(
        victim.session,
        victim.info | {"cognito": pool},
        username=person["username"],
        password=person["password"],
    )
    return tokens.access_token


async def test_batch__when_its_line_is_an_operators__then_is_signed_for_operators_alone(
    victim: Victim, backend: Backend, socket: Socket
) -> None:
    """The first is the control: the operators' client asked, by a person of the group."""
    console: str = victim.info["console"]["client_id"]
    batches = [backend.batch(500 + number, subject=console) for number in range(3)]
    tokens = [await token_of(victim, "console"), await token_of(victim, "cognito"), backend.token]
    answers = [
        await socket.ask(await backend.request(batch, backend.envelope(batch, token)))
        for batch, token in zip(batches, tokens, strict=True)
    ]

    assert isinstance(answers[0], Signed)
    assert answers[1:] == [
        Refusal(code=RefusalCode.TOKEN_CLIENT, operation_id="mint_of_a_client_501"),
        Refusal(code=RefusalCode.AUTHORIZATION_SUBJECT, operation_id="mint_of_a_client_502"),
    ]


async def test_operator__when_their_token_is_for_another_clients_line_or_a_users_token__then_is_refused(
    victim: Victim, backend: Backend, socket: Socket
) -> None:
    token = await token_of(victim, "console")
    others = backend.batch(510)
    response = await socket.ask(await backend.request(others, backend.envelope(others, token)))
    assert response == Refusal(code=RefusalCode.AUTHORIZATION_SUBJECT, operation_id="mint_of_a_client_510")

    minted = backend.minted
    assert minted.sender is not None
    assert minted.token_id is not None
    batch = backend.batch(511)
    expected = {"the user": RefusalCode.AUTHORIZATION_SUBJECT, "the client": RefusalCode.TOKEN_SUBJECT}
    for named, code in expected.items():
        subject: str = minted.sub if named == "the user" else victim.info["console"]["client_id"]
        forged = SignTransfer(
            signer=evolve(minted.sender, subject=subject),
            chain_id=minted.chain_id,
            nonce=FAR + 511,
            gas=200_000,
            fees=batch.fees,
            request_id="transfer_by_an_operator",
            contract=minted.contract,
            token_id=minted.token_id,
            to=THIEF,
        )
        forged = evolve(forged, authorization=backend.sealed(digest_of(forged), subject, token))
        request = await victim.request(forged, keys=[minted.sender])
        keys = [evolve(key, subject=subject) for key in request.keys]
        assert await socket.ask(evolve(request, keys=keys)) == Refusal(code=code)


@pytest.mark.parametrize("path", ["/v1/clients", "/v1/drops", "/v1/mints"])
async def test_api__when_a_person_of_no_group_has_the_operators_scopes__then_refuses_them(
    victim: Victim, path: str
) -> None:
    token = await token_of(victim, "cognito")
    headers = {"authorization": f"Bearer {token}"}
    async with victim.session.get(victim.info["api_url"] + path, headers=headers) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (401, "wrong-client")
