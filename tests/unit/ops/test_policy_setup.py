"""A deployment's signing policy is what its document says, and what the enclave's own reader takes."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mintline.errors import Misconfigured
from mintline_ops import policy_setup
from mintline_ops.policy_setup import policy_of, write_new
from mintline_signer.enclave.policy import parse_policy
from mintline_testkit.constants import CONTRACT

ADDRESSES = tuple(f"0x{digit * 40}" for digit in "123")
INTAKE = base64.b64encode(
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Example"


def jwks() -> dict[str, Any]:
    numbers = rsa.generate_private_key(65537, 2048).public_key().public_numbers()
    modulus = base64.urlsafe_b64encode(numbers.n.to_bytes(256, "big")).rstrip(b"=").decode()
    key = {"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256", "n": modulus, "e": "AQAB"}
    return {"keys": [key]}


@pytest.fixture
def urls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have a user pool publish its keys; return where it was asked for them."""
    urls: list[str] = []
    published = jwks()

    async def read(url: str) -> dict[str, Any]:
        urls.append(url)
        return published

    monkeypatch.setattr(policy_setup, "read_jwks", read)
    return urls


def key(number: int, name: str) -> dict[str, Any]:
    return {
        "address": ADDRESSES[number],
        "subject": f"platform:{name}",
        "chain_id": 1,
        "secret_id": f"dynamodb:1#{ADDRESSES[number]}",
    }


def document(folder: Path, **changes: Any) -> Path:
    chain = {
        "chain_id": 1,
        "issuer": key(0, "issuer"),
        "treasury": key(1, "treasury"),
        "relayers": [key(2, "relayer-1")],
        "intake_key": INTAKE,
        "default_collection": CONTRACT,
    }
    path = folder / "deployment.json"
    described = {"prefix": "acme", "region": "us-east-1", "chain": chain | changes.pop("chain", {})}
    path.write_text(json.dumps(described | changes))
    return path


async def test_policy__when_the_document_is_complete__then_the_enclave_reads_it_and_it_fits_the_limits(
    tmp_path: Path, urls: list[str]
) -> None:
    limits = {"fee_cap": "7000000000", "max_transaction_cost": "30000000000000000", "user_rate": 60}

    content = await policy_of(
        document(tmp_path, limits=limits), user_pool="us-east-1_Example", clients=["abc123"]
    )

    policy = parse_policy(content)
    assert urls == [f"{ISSUER}/.well-known/jwks.json"]
    assert policy.authorization.issuer == ISSUER
    assert [*policy.authorization.client_ids] == ["abc123"]
    assert (policy.issuer.address, policy.treasury.address) == ADDRESSES[:2]
    assert [relayer.subject for relayer in policy.relayers] == ["platform:relayer-1"]
    assert [*policy.chain_ids, *policy.contracts] == [1, CONTRACT]
    assert (policy.max_fee_per_gas, policy.max_transaction_cost) == (7 * 10**9, 3 * 10**16)
    assert [*policy.user_actions] == ["mint"]


@pytest.mark.parametrize(
    ("limits", "grace", "ttl"),
    [
        ({}, 172_800, 172_800),
        ({"max_wait": 3600, "max_chain_skew": 60}, 172_800, 172_800),
        ({"max_wait": 100_000, "drop_grace": 40_000}, 226_400, 172_800),
        ({"max_chain_skew": 100_000}, 172_800, 186_700),
    ],
)
async def test_policy__when_mints_may_wait_or_the_chain_may_differ_for_longer__then_it_lasts_as_long(
    tmp_path: Path, urls: list[str], limits: dict[str, int], grace: int, ttl: int
) -> None:
    content = await policy_of(
        document(tmp_path, limits=limits), user_pool="us-east-1_Example", clients=["abc123"]
    )

    policy = parse_policy(content)
    assert len(urls) == 1
    assert (policy.authorization.grace, policy.max_voucher_ttl) == (grace, ttl)


@pytest.mark.parametrize("limits", [{"max_wait": 172_800}, {"max_wait": 86_400, "drop_grace": 86_400}])
async def test_policy__when_a_revoked_token_is_not_on_record_for_as_long__then_it_says_what_to_lower(
    tmp_path: Path, urls: list[str], limits: dict[str, int]
) -> None:
    path = document(tmp_path, limits=limits)

    with pytest.raises(Misconfigured, match=r"limits\.max_wait .* lower them to less than 172800 s together"):
        await policy_of(path, user_pool="us-east-1_Example", clients=["abc123"])

    assert len(urls) == 1


def elsewhere(**changes: Any) -> dict[str, Any]:
    """Return another issuer as a deployment's document has it."""
    return {
        "name": "auth0",
        "issuer": "https://login.example.com/",
        "client_claim": "azp",
        "client_ids": ["APP"],
        "machine_client_ids": ["BACKEND"],
        "audience": "https://api.example.com",
        "jwks_url": "https://login.example.com/keys",
    } | changes


async def test_policy__when_the_document_names_another_issuer__then_it_has_that_with_its_published_keys(
    tmp_path: Path, urls: list[str]
) -> None:
    path = document(tmp_path, other_issuers=[elsewhere()])

    content = await policy_of(path, user_pool="us-east-1_Example", clients=["abc123"])

    (other,) = parse_policy(content).authorization.other_issuers
    assert urls[1:] == ["https://login.example.com/keys"]
    assert (other.name, other.issuer, other.client_claim) == ("auth0", "https://login.example.com/", "azp")
    assert ([*other.client_ids], [*other.machine_client_ids]) == (["APP"], ["BACKEND"])
    assert [key.kid for key in other.jwks.keys] == ["one"]


@pytest.mark.parametrize("url", [None, "http://login.example.com/keys", 1])
async def test_policy__when_another_issuers_keys_are_not_published_by_tls__then_none_is_written(
    tmp_path: Path, urls: list[str], url: object
) -> None:
    path = document(tmp_path, other_issuers=[elsewhere(jwks_url=url)])

    with pytest.raises(Misconfigured, match="jwks_url, by https"):
        await policy_of(path, user_pool="us-east-1_Example", clients=["abc123"])

    assert len(urls) == 1


async def test_policy__when_keys_or_the_contract_are_missing__then_it_names_them(
    tmp_path: Path, urls: list[str]
) -> None:
    path = document(tmp_path, chain={"treasury": None, "default_collection": None})

    with pytest.raises(Misconfigured, match=r"chain\.treasury, chain\.default_collection"):
        await policy_of(path, user_pool="us-east-1_Example", clients=["abc123"])

    assert len(urls) == 1


def test_policy__when_there_is_one__then_it_stays(tmp_path: Path) -> None:
    out = tmp_path / "policy.json"
    write_new(out, b"{}")

    with pytest.raises(Misconfigured, match="is there already"):
        write_new(out, b"another")

    assert out.read_bytes() == b"{}"


SIGN_IN = {
    "client_id": "APP",
    "authorization_endpoint": "https://login.example.com/authorize",
    "token_endpoint": "https://login.example.com/token",
}


async def test_policy__when_there_is_no_user_pool__then_it_names_the_other_issuer_alone(
    tmp_path: Path, urls: list[str]
) -> None:
    path = document(tmp_path, pool=False, other_issuers=[elsewhere(sign_in=SIGN_IN)])

    authorization = parse_policy(await policy_of(path, user_pool=None, clients=[])).authorization

    assert urls == ["https://login.example.com/keys"]
    assert (authorization.issuer, authorization.client_ids, authorization.jwks) == (None, frozenset(), None)
    (other,) = authorization.other_issuers
    assert (other.issuer, other.client_ids) == ("https://login.example.com/", frozenset({"APP"}))


@pytest.mark.parametrize(
    ("pool", "options", "named"),
    [
        (False, ("us-east-1_Example", []), "leave out --user-pool and --client"),
        (False, (None, ["abc123"]), "leave out --user-pool and --client"),
        (True, (None, ["abc123"]), "pass --user-pool and --client"),
        (True, ("us-east-1_Example", []), "pass --user-pool and --client"),
    ],
)
async def test_policy__when_the_options_and_the_document_differ_about_a_pool__then_it_says_which_to_pass(
    tmp_path: Path,
    urls: list[str],
    pool: bool,  # noqa: FBT001 - a parameter of the test
    options: tuple[str | None, list[str]],
    named: str,
) -> None:
    path = document(tmp_path, pool=pool, other_issuers=[elsewhere()])
    user_pool, clients = options
    with pytest.raises(Misconfigured, match=named):
        await policy_of(path, user_pool=user_pool, clients=clients)
    assert urls == []
