"""Linking a wallet by Sign-In with Ethereum, over HTTP: what links, and every way in which it must not."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.errors import Unavailable
from mintline_api.features.links.signatures import ERC6492_SUFFIX, personal_hash
from mintline_testkit.api.client import Answered, MemoryClient
from mintline_testkit.api.harness import Harness
from mintline_testkit.constants import CHAIN_ID
from mintline_testkit.user_pool import OwnWallet

WALLET = OwnWallet(7)
CONTRACT_WALLET = OwnWallet(8).address


async def challenged(
    harness: Harness, client: MemoryClient, address: str = WALLET.address, **fields: Any
) -> Any:
    response = await client.post_json(
        "/v1/wallet/links/challenges", {"address": address, **fields}, headers=harness.headers()
    )
    assert response.status == 201, response.body
    return response.json()


async def link(
    harness: Harness, client: MemoryClient, message: str, signature: str, *, sub: str = "alice"
) -> Answered:
    body = {"message": message, "signature": signature}
    return await client.post_json("/v1/wallet/links", body, headers=harness.headers(sub))


async def linked(
    harness: Harness, client: MemoryClient, wallet: OwnWallet = WALLET, sub: str = "alice"
) -> Any:
    challenge = await client.post_json(
        "/v1/wallet/links/challenges", {"address": wallet.address}, headers=harness.headers(sub)
    )
    message = challenge.json()["message"]
    response = await link(harness, client, message, wallet.personal_sign(message), sub=sub)
    assert response.status == 201, response.body
    return response.json()


async def test_challenge__when_asked_for__names_site_wallet_chain_and_time(
    harness: Harness, client: MemoryClient
) -> None:
    challenge = await challenged(harness, client)

    assert challenge["domain"] == "api.example.com"
    assert challenge["chain_id"] == CHAIN_ID
    assert (challenge["issued_at"], challenge["expires_at"]) == (
        "2026-11-23T01:50:54.000Z",
        "2026-11-23T02:00:54.000Z",
    )
    assert challenge["message"].startswith(
        f"api.example.com wants you to sign in with your Ethereum account:\n{WALLET.address}\n\nLink this"
    )
    assert f"\nNonce: {challenge['nonce']}\n" in challenge["message"]


async def test_wallet__when_it_signs_the_challenge__is_linked_and_listed(
    harness: Harness, client: MemoryClient
) -> None:
    linked_wallet = await linked(harness, client)

    assert linked_wallet == {
        "address": WALLET.address,
        "chain_id": CHAIN_ID,
        "kind": "account",
        "linked_at": "2026-11-23T01:50:54.000Z",
    }
    mine = await client.request("GET", "/v1/wallet/links", headers=harness.headers())
    others = await client.request("GET", "/v1/wallet/links", headers=harness.headers("bob"))
    assert mine.json() == {"items": [linked_wallet]}
    assert others.json() == {"items": []}


async def test_message__when_the_client_composed_it_for_an_allowed_site__is_as_good(
    harness: Harness, client: MemoryClient
) -> None:
    challenge = await challenged(harness, client, domain="app.example.com")
    message = challenge["message"].replace("URI: https://api.", "URI: https://app.").replace("costs", "takes")
    assert message.startswith("app.example.com ")

    assert (await link(harness, client, message, WALLET.personal_sign(message))).status == 201


async def test_challenge__when_the_site_is_not_allowed__is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    body = {"address": WALLET.address, "domain": "evil.example.com"}
    response = await client.post_json("/v1/wallet/links/challenges", body, headers=harness.headers())

    assert (response.status, response.json()["code"]) == (422, "sign-in-mismatch")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("api.example.com wants", "evil.example.com wants"),
        ("URI: https://api.example.com", "URI: https://evil.example.com"),
        ("URI: https://api.example.com", "URI: https://[api.example.com"),
        (f"Chain ID: {CHAIN_ID}", "Chain ID: 1"),
        ("Issued At: 2026-11-23T01:50:54.000Z", "Issued At: 2026-11-23T01:52:54.000Z"),
        ("Expiration Time: 2026-11-23T02:00:54.000Z", "Expiration Time: 2026-11-23T01:50:54.000Z"),
        (
            "Expiration Time: 2026-11-23T02:00:54.000Z",
            "Expiration Time: 2026-11-23T02:00:54.000Z\nNot Before: 2026-11-23T01:59:54Z",
        ),
    ],
)
async def test_message__when_it_is_for_something_else__is_refused_and_spends_nothing(
    harness: Harness, client: MemoryClient, old: str, new: str
) -> None:
    challenge = await challenged(harness, client)
    message = challenge["message"].replace(old, new)
    assert message != challenge["message"]

    response = await link(harness, client, message, WALLET.personal_sign(message))

    assert (response.status, response.json()["code"]) == (422, "sign-in-mismatch")
    assert challenge["nonce"] in harness.links.open


async def test_message__when_it_breaks_the_grammar__says_where(
    harness: Harness, client: MemoryClient
) -> None:
    response = await link(harness, client, "hello", "0x00")

    assert (response.status, response.json()["code"]) == (400, "malformed-sign-in")
    assert response.json()["errors"][0]["pointer"] == "#/message"


async def test_signature__when_by_another_key__is_refused_and_spends_nothing(
    harness: Harness, client: MemoryClient
) -> None:
    challenge = await challenged(harness, client)

    response = await link(
        harness, client, challenge["message"], OwnWallet(9).personal_sign(challenge["message"])
    )

    assert (response.status, response.json()["code"]) == (422, "not-the-wallets-signature")
    assert challenge["nonce"] in harness.links.open
    assert harness.links.items == {}


async def test_signature__when_of_another_message__is_refused(harness: Harness, client: MemoryClient) -> None:
    first = await challenged(harness, client)
    second = await challenged(harness, client)

    response = await link(harness, client, second["message"], WALLET.personal_sign(first["message"]))

    assert response.json()["code"] == "not-the-wallets-signature"


async def test_challenge__when_answered_twice__links_once_and_harmlessly(
    harness: Harness, client: MemoryClient
) -> None:
    message = (await challenged(harness, client))["message"]
    signature = WALLET.personal_sign(message)
    first = await link(harness, client, message, signature)
    harness.now += 5
    again = await link(harness, client, message, signature)

    assert (first.status, again.status) == (201, 201)
    assert first.json() == again.json()


async def test_challenge__when_replayed_after_unlinking__is_spent(
    harness: Harness, client: MemoryClient
) -> None:
    message = (await challenged(harness, client))["message"]
    signature = WALLET.personal_sign(message)
    await link(harness, client, message, signature)
    await client.request("DELETE", f"/v1/wallet/links/{WALLET.address}", headers=harness.headers())

    response = await link(harness, client, message, signature)

    assert (response.status, response.json()["code"]) == (409, "challenge-spent")


async def test_challenge__when_another_user_answers_it__is_refused(
    harness: Harness, client: MemoryClient
) -> None:
    message = (await challenged(harness, client))["message"]

    response = await link(harness, client, message, WALLET.personal_sign(message), sub="mallory")

    assert (response.status, response.json()["code"]) == (409, "challenge-spent")
    assert harness.links.items == {}


async def test_challenge__when_never_given__is_refused(harness: Harness, client: MemoryClient) -> None:
    challenge = await challenged(harness, client)
    message = challenge["message"].replace(challenge["nonce"], "a" * 32)

    response = await link(harness, client, message, WALLET.personal_sign(message))

    assert response.json()["code"] == "challenge-spent"


async def test_challenge__when_answered_too_late__is_refused_even_if_the_message_does_not_expire(
    harness: Harness, client: MemoryClient
) -> None:
    challenge = await challenged(harness, client)
    message = challenge["message"].partition("\nExpiration Time")[0]
    harness.now += 600

    response = await link(harness, client, message, WALLET.personal_sign(message))

    assert response.json()["code"] == "challenge-spent"


async def test_wallet__when_linked_by_another_user__is_taken_until_unlinked(
    harness: Harness, client: MemoryClient
) -> None:
    await linked(harness, client, sub="bob")
    message = (await challenged(harness, client))["message"]
    signature = WALLET.personal_sign(message)

    taken = await link(harness, client, message, signature)
    stranger = await client.request("DELETE", f"/v1/wallet/links/{WALLET.address}", headers=harness.headers())
    owner = await client.request(
        "DELETE", f"/v1/wallet/links/{WALLET.address}", headers=harness.headers("bob")
    )
    free = await link(harness, client, message, signature)

    assert (taken.status, taken.json()["code"]) == (409, "wallet-taken")
    assert (stranger.status, stranger.json()["code"]) == (404, "unknown-link")
    assert (owner.status, owner.body) == (204, b"")
    assert free.status == 201


async def test_contract_wallet__when_it_accepts_the_signature__is_linked(
    harness: Harness, client: MemoryClient
) -> None:
    assert harness.chain is not None
    challenge = await challenged(harness, client, CONTRACT_WALLET)
    harness.chain.codes[CONTRACT_WALLET] = b"\x60\x80"
    harness.chain.accepts[CONTRACT_WALLET] = {personal_hash(challenge["message"].encode())}

    response = await link(harness, client, challenge["message"], WALLET.personal_sign(challenge["message"]))

    assert (response.status, response.json()["kind"]) == (201, "contract")


@pytest.mark.parametrize(
    ("code", "message"),
    [(b"\x60\x80", "EIP-1271"), (b"", "no contract wallet"), (b"\xef\x01\x00" + bytes(20), "no contract")],
)
async def test_contract_wallet__when_it_does_not_accept__is_refused(
    harness: Harness, client: MemoryClient, code: bytes, message: str
) -> None:
    assert harness.chain is not None
    harness.chain.codes[CONTRACT_WALLET] = code
    challenge = await challenged(harness, client, CONTRACT_WALLET)

    response = await link(harness, client, challenge["message"], WALLET.personal_sign(challenge["message"]))

    assert (response.status, response.json()["code"]) == (422, "not-the-wallets-signature")
    assert message in response.json()["detail"]


async def test_contract_wallet__when_it_is_not_deployed_yet__is_told_so(
    harness: Harness, client: MemoryClient
) -> None:
    challenge = await challenged(harness, client, CONTRACT_WALLET)

    response = await link(harness, client, challenge["message"], "0x" + (bytes(96) + ERC6492_SUFFIX).hex())

    assert "ERC-6492" in response.json()["detail"]


async def test_contract_wallet__when_the_chain_is_silent__is_asked_to_come_back(
    harness: Harness, client: MemoryClient
) -> None:
    assert harness.chain is not None
    harness.chain.failure = Unavailable("no endpoint")
    challenge = await challenged(harness, client, CONTRACT_WALLET)

    response = await link(harness, client, challenge["message"], "0x" + bytes(65).hex())

    assert response.status == 503
    assert challenge["nonce"] in harness.links.open


async def test_links__when_there_are_twenty__no_more_are_begun(
    harness: Harness, client: MemoryClient
) -> None:
    for key in range(1, 21):
        await linked(harness, client, OwnWallet(key))

    response = await client.post_json(
        "/v1/wallet/links/challenges", {"address": OwnWallet(21).address}, headers=harness.headers()
    )

    assert (response.status, response.json()["code"]) == (409, "too-many-wallets")
