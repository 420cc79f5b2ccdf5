"""A policy document's signing keys against those that its issuers publish."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from mintline.access_tokens.keys import Jwk
from mintline.errors import Misconfigured
from mintline_ops import issuer_keys
from mintline_ops.issuer_keys import USER_POOL, compare, thumbprint, with_published_keys
from mintline_signer.enclave.policy import parse_policy
from mintline_testkit.signer import ISSUER, Authority, base64url, policy_document

OTHER = "https://login.example.com/"
Published: TypeAlias = dict[str, Any]


def ec_jwk(kid: str) -> dict[str, Any]:
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    x, y = (base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "x": x, "y": y}


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[[Published], None]:
    """Return what makes URLs lead to documents, and any other URL to none."""

    def published(documents: Published) -> None:
        async def read(url: str, *, hint: str = "") -> Any:
            if url not in documents:
                raise Misconfigured(f"{url}: status 404: {hint}")
            return documents[url]

        monkeypatch.setattr(issuer_keys, "read_json", read)
        monkeypatch.setattr(issuer_keys, "read_jwks", read)

    return published


POOL_URL = f"{ISSUER}/.well-known/jwks.json"


def document(*keys: dict[str, Any], others: tuple[dict[str, Any], ...] = ()) -> bytes:
    policy = policy_document()
    policy["authorization"] |= {"jwks": {"keys": list(keys)}, "other_issuers": list(others)}
    return json.dumps(policy).encode()


async def test_compare__when_the_pool_publishes_what_the_policy_holds__then_it_suffices(
    publish: Callable[[Published], None],
) -> None:
    first, two = Authority(kid="one").jwk(), Authority(kid="two").jwk()
    publish({POOL_URL: {"keys": [two, first, {"kty": "oct", "kid": "other"}, "rubbish"]}})
    (keys,) = await compare(document(first, two), {})
    assert (keys.name, keys.issuer, keys.jwks_url) == (USER_POOL, ISSUER, POOL_URL)
    assert keys.suffices
    assert keys.policy == keys.published == {key["kid"]: thumbprint(Jwk(**key)) for key in (first, two)}


async def test_compare__when_keys_differ__then_each_is_named(publish: Callable[[Published], None]) -> None:
    kept, old, new = (Authority(kid=kid).jwk() for kid in ("kept", "old", "new"))
    publish({POOL_URL: {"keys": [kept, new]}})
    (keys,) = await compare(document(kept, old), {})
    assert (keys.missing, keys.changed, keys.unpublished) == (["new"], [], ["old"])
    assert not keys.suffices

    publish({POOL_URL: {"keys": [Authority(kid="kept").jwk()]}})
    (keys,) = await compare(document(kept), {})
    assert (keys.missing, keys.changed, keys.unpublished) == ([], ["kept"], [])
    assert not keys.suffices


async def test_compare__when_the_policy_has_one_key_more_than_is_published__then_it_suffices(
    publish: Callable[[Published], None],
) -> None:
    kept, old = Authority(kid="kept").jwk(), Authority(kid="old").jwk()
    publish({POOL_URL: {"keys": [kept]}})
    (keys,) = await compare(document(kept, old), {})
    assert keys.suffices
    assert keys.unpublished == ["old"]


async def test_compare__when_there_is_another_issuer__then_its_keys_are_where_it_says(
    publish: Callable[[Published], None],
) -> None:
    pool, key = Authority().jwk(), ec_jwk("p256")
    about = {"name": "auth0", "issuer": OTHER, "client_ids": ["app"], "jwks": {"keys": [key]}}
    keys_url = "https://keys.example.com/"
    discovery = f"{OTHER}.well-known/openid-configuration"
    publish({POOL_URL: {"keys": [pool]}, discovery: {"jwks_uri": keys_url}, keys_url: {"keys": [key]}})
    policy = document(pool, others=(about,))
    _, keys = await compare(policy, {})
    assert (keys.name, keys.jwks_url, keys.suffices) == ("auth0", keys_url, True)

    # The pool signs by RSA alone: what else it may publish is none of its tokens' keys.
    named = {USER_POOL: "https://pool.example/", "auth0": "https://told.example/"}
    publish({named[USER_POOL]: {"keys": [pool, ec_jwk("x")]}, named["auth0"]: {"keys": [ec_jwk("p256")]}})
    pools, keys = await compare(policy, named)
    assert (pools.suffices, keys.changed) == (True, ["p256"])


async def test_compare__when_the_policy_has_no_user_pool__then_its_issuers_are_compared_alone(
    publish: Callable[[Published], None],
) -> None:
    key, new = ec_jwk("p256"), ec_jwk("new")
    about = {"name": "auth0", "issuer": OTHER, "client_ids": ["app"], "jwks": {"keys": [key]}}
    policy = json.loads(document(Authority().jwk(), others=(about,)))
    for name in ("issuer", "client_ids", "jwks"):
        del policy["authorization"][name]
    without = json.dumps(policy).encode()
    urls = {"auth0": "https://keys.example.com/"}
    publish({urls["auth0"]: {"keys": [key, new]}})

    (keys,) = await compare(without, urls)
    assert (keys.name, keys.missing) == ("auth0", ["new"])
    changed = json.loads(await with_published_keys(without, urls))
    kids = [entry["kid"] for entry in changed["authorization"].pop("other_issuers")[0]["jwks"]["keys"]]
    assert kids == ["p256", "new"]
    del policy["authorization"]["other_issuers"]
    assert changed == policy
    with pytest.raises(Misconfigured, match="no issuer user pool"):
        await compare(without, {USER_POOL: "https://x.example"})


@pytest.mark.parametrize(
    ("documents", "urls", "message"),
    [
        ({}, {}, "status 404"),
        ({POOL_URL: {"keys": []}}, {}, "no key that signs access tokens"),
        ({POOL_URL: {"keys": {"kid": 1}}}, {}, "no key that signs access tokens"),
        ({}, {"nobody": "https://x.example"}, "no issuer nobody"),
    ],
)
async def test_compare__when_there_is_nothing_to_compare_with__then_it_says_so(
    publish: Callable[[Published], None], documents: Published, urls: dict[str, str], message: str
) -> None:
    publish(documents)
    with pytest.raises(Misconfigured, match=message):
        await compare(document(Authority().jwk()), urls)


@pytest.mark.parametrize("about", [None, {}, {"jwks_uri": 7}])
async def test_compare__when_an_issuer_does_not_say_where_its_keys_are__then_the_option_is_named(
    publish: Callable[[Published], None], about: Any
) -> None:
    pool = Authority().jwk()
    other = {"name": "auth0", "issuer": OTHER, "client_ids": ["app"], "jwks": {"keys": [ec_jwk("k")]}}
    publish({POOL_URL: {"keys": [pool]}, f"{OTHER}.well-known/openid-configuration": about})
    with pytest.raises(Misconfigured, match="--jwks-url auth0=URL"):
        await compare(document(pool, others=(other,)), {})


@pytest.mark.parametrize(("drop", "kids"), [(False, ["new", "kept", "old"]), (True, ["new", "kept"])])
async def test_policy_keys__when_the_pool_has_rotated__then_nothing_else_of_the_policy_changes(
    publish: Callable[[Published], None],
    drop: bool,  # noqa: FBT001 - a parameter of the test
    kids: list[str],
) -> None:
    kept, old, new = (Authority(kid=kid).jwk() for kid in ("kept", "old", "new"))
    publish({POOL_URL: {"keys": [new, kept]}})
    before = document(old, kept)
    after = await with_published_keys(before, {}, drop_unpublished=drop)
    jwks = parse_policy(after).authorization.jwks
    assert jwks is not None
    assert [key.kid for key in jwks.keys] == kids
    was, is_now = json.loads(before), json.loads(after)
    del was["authorization"]["jwks"], is_now["authorization"]["jwks"]
    assert was == is_now


async def test_policy_keys__when_another_issuer_has_rotated__then_its_keys_are_taken_over(
    publish: Callable[[Published], None],
) -> None:
    pool, old, new = Authority().jwk(), ec_jwk("old"), ec_jwk("new")
    other = {"name": "auth0", "issuer": OTHER, "client_ids": ["app"], "jwks": {"keys": [old]}}
    urls = {"auth0": "https://told.example/"}
    publish({POOL_URL: {"keys": [pool]}, urls["auth0"]: {"keys": [new]}})
    authorization = parse_policy(
        await with_published_keys(document(pool, others=(other,)), urls)
    ).authorization
    assert [key.kid for key in authorization.other_issuers[0].jwks.keys] == ["new", "old"]
    assert authorization.jwks is not None
    assert [key.kid for key in authorization.jwks.keys] == [pool["kid"]]


def test_thumbprint__when_the_key_is_the_rfcs_example__then_so_is_its_thumbprint() -> None:
    """RFC 7638, section 3.1."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZ"
        "CiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJ"
        "ZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBn"
        "iIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    key = Jwk(kty="RSA", kid="2011-04-29", alg="RS256", n=n, e="AQAB")
    assert thumbprint(key) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
