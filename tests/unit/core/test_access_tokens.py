"""One table of odd tokens, judged by the api and by the enclave: both have the same outcome for each."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mintline.access_tokens.jws import MAX_TOKEN
from mintline.access_tokens.keys import Jwk, unpadded_base64url
from mintline.access_tokens.rules import LEEWAY, TokenFault
from mintline.clock import UnixSeconds
from mintline.scopes import ACCOUNT_ADMIN, Scope
from mintline_api.auth.access_tokens import AccessTokens, UserPool
from mintline_api.auth.jwks import KeySet
from mintline_api.http.problems import RequestRefused as Unauthorized
from mintline_signer.enclave.tokens import AuthorizationPolicy, TokenVerifier
from mintline_signer.errors import EnclaveRefusal as NotSigned
from mintline_signer.errors import RefusalCode
from mintline_testkit.api.users import MemoryJwks, MemoryUserPool
from mintline_testkit.signer import CLIENT_ID, ISSUER, Authority, base64url

NOW = 1_800_000_000
SUB = "11111111-2222-3333-4444-555555555555"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
AUTHORITY = Authority()
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CLAIMS = AUTHORITY.claims(SUB, now=NOW)
HEAD = json.dumps({"kid": AUTHORITY.kid, "alg": "RS256"})
BODY = json.dumps(CLAIMS)
GOOD = AUTHORITY.sign(CLAIMS)
H, P, S = GOOD.split(".")

FAULTS: dict[TokenFault, tuple[str, RefusalCode]] = {
    TokenFault.MALFORMED: ("malformed-token", RefusalCode.TOKEN_MALFORMED),
    TokenFault.ALGORITHM: ("token-algorithm", RefusalCode.TOKEN_ALGORITHM),
    TokenFault.KEY: ("unknown-key", RefusalCode.TOKEN_KEY),
    TokenFault.SIGNATURE: ("bad-signature", RefusalCode.TOKEN_SIGNATURE),
    TokenFault.CLAIMS: ("bad-claims", RefusalCode.TOKEN_MALFORMED),
    TokenFault.USE: ("not-an-access-token", RefusalCode.TOKEN_USE),
    TokenFault.ISSUER: ("wrong-issuer", RefusalCode.TOKEN_ISSUER),
    TokenFault.CLIENT: ("wrong-client", RefusalCode.TOKEN_CLIENT),
    TokenFault.SUBJECT: ("bad-claims", RefusalCode.TOKEN_SUBJECT),
    TokenFault.SCOPE: ("insufficient-scope", RefusalCode.TOKEN_SCOPE),
    TokenFault.EXPIRED: ("token-expired", RefusalCode.TOKEN_EXPIRED),
    TokenFault.NOT_YET_VALID: ("token-not-yet-valid", RefusalCode.TOKEN_NOT_YET_VALID),
}


def signed(parts: str, key: rsa.RSAPrivateKey = AUTHORITY.pool_key) -> str:
    """Return header and payload, both encoded, with a genuine signature."""
    return f"{parts}.{base64url(key.sign(parts.encode(), padding.PKCS1v15(), SHA256()))}"


def raw(head: str | bytes, body: str | bytes, key: rsa.RSAPrivateKey = AUTHORITY.pool_key) -> str:
    """Return a token of texts that need not be JSON."""
    encoded = (base64url(part if isinstance(part, bytes) else part.encode()) for part in (head, body))
    return signed(".".join(encoded), key)


def with_claims(**changes: Any) -> str:
    return AUTHORITY.sign({**CLAIMS, **changes})


def without(name: str) -> str:
    return AUTHORITY.sign({key: value for key, value in CLAIMS.items() if key != name})


def with_header(**changes: Any) -> str:
    return AUTHORITY.sign(CLAIMS, **changes)


def with_raw(name: str, text: str) -> str:
    """Return a token whose claim is a JSON text of ours."""
    return raw(HEAD, BODY.replace(f'"{name}": {json.dumps(CLAIMS[name])}', f'"{name}": {text}'))


def with_member(text: str) -> str:
    """Return a token whose claims end with another member, as text."""
    return raw(HEAD, f"{BODY[:-1]}, {text}}}")


def with_header_member(text: str) -> str:
    return raw(f"{HEAD[:-1]}, {text}}}", BODY)


def hmac_by(secret: bytes) -> str:
    parts = f"{base64url(json.dumps({'kid': AUTHORITY.kid, 'alg': 'HS256'}).encode())}.{P}"
    return f"{parts}.{base64url(hmac.digest(secret, parts.encode(), 'sha256'))}"


def pem() -> bytes:
    return AUTHORITY.pool_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def padded(data: bytes) -> str:
    """Return base64url with at least one character of padding."""
    text = base64.urlsafe_b64encode(data + b" " * (2 if len(data) % 3 == 0 else 0)).decode()
    assert text.endswith("=")
    return text


def last_bits_changed(part: str) -> str:
    """Return another spelling of the same bytes: the bits that the last character has to spare are set."""
    assert len(part) % 4
    return part[:-1] + ALPHABET[ALPHABET.index(part[-1]) | 1]


NESTED = "[" * 2500 + "]" * 2500
STRANGERS_JWK = {"kty": "RSA", "kid": AUTHORITY.kid, "n": "AQAB", "e": "AQAB"}

Case: TypeAlias = tuple[str, str | TokenFault, Callable[[], str]]
"""A name, the outcome (a `sub` that is believed, or a fault), and the token."""

FORM: list[Case] = [
    ("empty parts", TokenFault.MALFORMED, lambda: ".."),
    ("nothing", TokenFault.MALFORMED, lambda: "x"),
    ("two parts", TokenFault.MALFORMED, lambda: f"{H}.{P}"),
    ("four parts", TokenFault.MALFORMED, lambda: GOOD + ".x"),
    ("JSON serialization", TokenFault.MALFORMED, lambda: f'{{"payload":"{P}"}}'),
    ("at the limit of length", SUB, lambda: of_length(MAX_TOKEN)),
    ("beyond the limit of length", TokenFault.MALFORMED, lambda: of_length(MAX_TOKEN + 1)),
    ("15 kB", TokenFault.MALFORMED, lambda: with_claims(x="a" * 11_000)),
    ("signature with padding", TokenFault.MALFORMED, lambda: GOOD + "=="),
    ("signature with one =", TokenFault.MALFORMED, lambda: GOOD + "="),
    ("signature with ~", TokenFault.MALFORMED, lambda: GOOD + "~"),
    ("signature with four ~", TokenFault.MALFORMED, lambda: GOOD + "~~~~"),
    ("signature with ~ inside", TokenFault.MALFORMED, lambda: f"{H}.{P}.{S[:10]}~{S[10:]}"),
    (
        "signature in base64",
        TokenFault.MALFORMED,
        lambda: f"{H}.{P}.+/{S[2:]}",
    ),
    ("signature with spare bits", TokenFault.MALFORMED, lambda: f"{H}.{P}.{last_bits_changed(S)}"),
    ("payload with padding", TokenFault.MALFORMED, lambda: signed(f"{H}.{padded(BODY.encode())}")),
    ("payload with ~", TokenFault.MALFORMED, lambda: signed(f"{H}.{P}~")),
    ("header with padding", TokenFault.MALFORMED, lambda: signed(f"{padded(HEAD.encode())}.{P}")),
    ("header that is a list", TokenFault.MALFORMED, lambda: raw("[]", BODY)),
    ("header that is null", TokenFault.MALFORMED, lambda: raw("null", BODY)),
    ("header that is no JSON", TokenFault.MALFORMED, lambda: raw("{", BODY)),
    ("header in UTF-16", TokenFault.MALFORMED, lambda: raw(HEAD.encode("utf-16"), BODY)),
    ("header with a BOM", TokenFault.MALFORMED, lambda: raw(b"\xef\xbb\xbf" + HEAD.encode(), BODY)),
    ("header in depth", TokenFault.MALFORMED, lambda: with_header_member(f'"x": {NESTED}')),
    ("header with a huge number", TokenFault.MALFORMED, lambda: with_header_member(f'"x": {"9" * 4400}')),
    (
        "header with two alg",
        TokenFault.MALFORMED,
        lambda: raw('{"alg":"none","kid":"key-1","alg":"RS256"}', BODY),
    ),
    (
        "header with two kid",
        TokenFault.MALFORMED,
        lambda: raw('{"kid":"x","alg":"RS256","kid":"key-1"}', BODY),
    ),
    ("payload that is a list", TokenFault.MALFORMED, lambda: raw(HEAD, "[]")),
    ("payload that is a string", TokenFault.MALFORMED, lambda: raw(HEAD, '"x"')),
    ("payload that is no JSON", TokenFault.MALFORMED, lambda: raw(HEAD, BODY + "x")),
    ("payload in UTF-16", TokenFault.MALFORMED, lambda: raw(HEAD, BODY.encode("utf-16"))),
    ("payload with a BOM", TokenFault.MALFORMED, lambda: raw(HEAD, b"\xef\xbb\xbf" + BODY.encode())),
    (
        "payload in Latin-1",
        TokenFault.MALFORMED,
        lambda: raw(HEAD, BODY[:-1].encode() + b', "x":"\xe9"}'),
    ),
    ("payload in depth", TokenFault.MALFORMED, lambda: with_member(f'"a": {NESTED}')),
    ("payload with two sub", TokenFault.MALFORMED, lambda: with_member('"sub": "victim"')),
    ("payload with two of a claim within", TokenFault.MALFORMED, lambda: with_member('"x": {"a":1,"a":2}')),
    ("payload with half a surrogate pair", TokenFault.MALFORMED, lambda: with_raw("sub", '"\\ud800"')),
    ("payload with an object", SUB, lambda: with_claims(address={"country": "AT"}, groups=["a", "b"])),
]
HEADERS: list[Case] = [
    (
        "alg none, unsigned",
        TokenFault.ALGORITHM,
        lambda: f"{base64url(json.dumps({'alg': 'none', 'kid': AUTHORITY.kid}).encode())}.{P}.",
    ),
    ("alg absent", TokenFault.ALGORITHM, lambda: raw('{"kid":"key-1"}', BODY)),
    ("alg in lower case", TokenFault.ALGORITHM, lambda: with_header(alg="rs256")),
    ("alg in a list", TokenFault.ALGORITHM, lambda: with_header(alg=["RS256"])),
    ("alg null", TokenFault.ALGORITHM, lambda: with_header(alg=None)),
    ("alg PS256", TokenFault.ALGORITHM, lambda: with_header(alg="PS256")),
    ("alg ES256", TokenFault.ALGORITHM, lambda: with_header(alg="ES256")),
    ("alg RS512", TokenFault.ALGORITHM, lambda: with_header(alg="RS512")),
    ("HMAC by the public key", TokenFault.ALGORITHM, lambda: hmac_by(pem())),
    ("HMAC by nothing", TokenFault.ALGORITHM, lambda: hmac_by(b"")),
    ("crit b64", TokenFault.ALGORITHM, lambda: with_header(crit=["b64"], b64=True)),
    ("crit b64 false", TokenFault.ALGORITHM, lambda: with_header(crit=["b64"], b64=False)),
    ("crit exp", TokenFault.ALGORITHM, lambda: with_header(crit=["exp"])),
    ("crit of something", TokenFault.ALGORITHM, lambda: with_header(crit=["x"], x=1)),
    ("crit empty", TokenFault.ALGORITHM, lambda: with_header(crit=[])),
    ("crit null", TokenFault.ALGORITHM, lambda: with_header(crit=None)),
    ("b64 without crit", TokenFault.ALGORITHM, lambda: with_header(b64=False)),
    ("b64 as a number", TokenFault.ALGORITHM, lambda: with_header(b64=0)),
    ("enc", TokenFault.ALGORITHM, lambda: with_header(enc="A256GCM")),
    ("zip", TokenFault.ALGORITHM, lambda: with_header(zip="DEF")),
    ("cty", TokenFault.ALGORITHM, lambda: with_header(cty="JWT")),
    ("typ JWE", TokenFault.ALGORITHM, lambda: with_header(typ="JWE")),
    ("typ null", TokenFault.ALGORITHM, lambda: with_header(typ=None)),
    ("typ JWT", SUB, lambda: with_header(typ="JWT")),
    ("typ at+jwt", SUB, lambda: with_header(typ="at+jwt")),
    ("a header nobody knows", SUB, lambda: with_header(x="y")),
    ("kid absent", TokenFault.KEY, lambda: raw('{"alg":"RS256"}', BODY)),
    ("kid null", TokenFault.KEY, lambda: with_header(kid=None)),
    ("kid in a list", TokenFault.KEY, lambda: with_header(kid=["key-1"])),
    ("kid an object", TokenFault.KEY, lambda: with_header(kid={"a": 1})),
    ("kid empty", TokenFault.KEY, lambda: with_header(kid="")),
    ("kid a path", TokenFault.KEY, lambda: with_header(kid="../../../../dev/null")),
    ("kid SQL", TokenFault.KEY, lambda: with_header(kid="key-1' OR '1'='1")),
    ("kid long", TokenFault.KEY, lambda: with_header(kid="k" * 257)),
    (
        "a key of its own",
        TokenFault.SIGNATURE,
        lambda: raw(json.dumps({"kid": AUTHORITY.kid, "alg": "RS256", "jwk": STRANGERS_JWK}), BODY, STRANGER),
    ),
    (
        "an address of keys",
        TokenFault.SIGNATURE,
        lambda: raw(
            json.dumps({"kid": AUTHORITY.kid, "alg": "RS256", "jku": "http://evil.example"}), BODY, STRANGER
        ),
    ),
    ("another pool's key", TokenFault.SIGNATURE, lambda: raw(HEAD, BODY, STRANGER)),
    ("no signature", TokenFault.SIGNATURE, lambda: f"{H}.{P}."),
    ("a short signature", TokenFault.SIGNATURE, lambda: f"{H}.{P}.{S[:-6]}"),
    ("a signature of zeros", TokenFault.SIGNATURE, lambda: f"{H}.{P}.{base64url(bytes(256))}"),
    (
        "a signature with a zero before it",
        TokenFault.SIGNATURE,
        lambda: f"{H}.{P}.{base64url(bytes(1) + unpadded_base64url(S))}",
    ),
    (
        "another payload",
        TokenFault.SIGNATURE,
        lambda: f"{H}.{base64url(BODY.replace(SUB, 'victim').encode())}.{S}",
    ),
]
CLAIM_CASES: list[Case] = [
    ("good", SUB, lambda: GOOD),
    ("an id token", TokenFault.USE, lambda: with_claims(token_use="id", aud=CLIENT_ID)),
    ("a refresh token", TokenFault.USE, lambda: with_claims(token_use="refresh")),
    ("token_use in a list", TokenFault.USE, lambda: with_claims(token_use=["access"])),
    ("token_use null", TokenFault.USE, lambda: with_claims(token_use=None)),
    ("another client", TokenFault.CLIENT, lambda: with_claims(client_id="other")),
    ("clients in a list", TokenFault.CLIENT, lambda: with_claims(client_id=[CLIENT_ID])),
    ("aud as well", SUB, lambda: with_claims(aud="other")),
    ("issuer with a slash", TokenFault.ISSUER, lambda: with_claims(iss=ISSUER + "/")),
    ("issuers in a list", TokenFault.ISSUER, lambda: with_claims(iss=[ISSUER])),
    ("issuer in upper case", TokenFault.ISSUER, lambda: with_claims(iss=ISSUER.upper())),
    ("issuer null", TokenFault.ISSUER, lambda: with_claims(iss=None)),
    ("scope absent", TokenFault.SCOPE, lambda: without("scope")),
    ("scope empty", TokenFault.SCOPE, lambda: with_claims(scope="")),
    ("scope openid", TokenFault.SCOPE, lambda: with_claims(scope="openid")),
    ("scope of reading", TokenFault.SCOPE, lambda: with_claims(scope=f"openid {Scope.MINTS_READ}")),
    ("scope in upper case", TokenFault.SCOPE, lambda: with_claims(scope=Scope.MINTS_CREATE.upper())),
    ("scope of another server", TokenFault.SCOPE, lambda: with_claims(scope="other/mints:create")),
    ("scope of direct sign-in", TokenFault.SCOPE, lambda: with_claims(scope=ACCOUNT_ADMIN)),
    (
        "scope over the account as well",
        TokenFault.SCOPE,
        lambda: with_claims(scope=f"{CLAIMS['scope']} {ACCOUNT_ADMIN}"),
    ),
    ("scope that just suffices", SUB, lambda: with_claims(scope=f"openid {Scope.MINTS_CREATE}")),
    ("exp a string", TokenFault.CLAIMS, lambda: with_claims(exp=str(NOW + 9))),
    ("exp a fraction", SUB, lambda: with_claims(exp=NOW + 99.5)),
    ("exp negative", TokenFault.CLAIMS, lambda: with_claims(exp=-1)),
    ("exp minus zero", TokenFault.EXPIRED, lambda: with_raw("exp", "-0")),
    ("exp 2^53", TokenFault.MALFORMED, lambda: with_claims(exp=2**53)),
    ("exp 2^53 as a fraction", TokenFault.CLAIMS, lambda: with_claims(exp=float(2**53))),
    ("exp 1e300", TokenFault.CLAIMS, lambda: with_claims(exp=1e300)),
    ("exp 1e400", TokenFault.MALFORMED, lambda: with_raw("exp", "1e400")),
    ("exp of 309 digits", TokenFault.MALFORMED, lambda: with_raw("exp", "1" + "0" * 309)),
    ("exp of 4,200 digits", TokenFault.MALFORMED, lambda: with_raw("exp", "9" * 4200)),
    ("exp of 4,400 digits", TokenFault.MALFORMED, lambda: with_raw("exp", "9" * 4400)),
    ("exp true", TokenFault.CLAIMS, lambda: with_claims(exp=True)),
    ("exp null", TokenFault.CLAIMS, lambda: with_claims(exp=None)),
    ("exp a list", TokenFault.CLAIMS, lambda: with_claims(exp=[NOW + 9])),
    ("exp an object", TokenFault.CLAIMS, lambda: with_claims(exp={})),
    ("exp NaN", TokenFault.MALFORMED, lambda: with_raw("exp", "NaN")),
    ("exp Infinity", TokenFault.MALFORMED, lambda: with_raw("exp", "Infinity")),
    ("exp now", SUB, lambda: with_claims(exp=NOW)),
    ("exp within the leeway", SUB, lambda: with_claims(exp=NOW - LEEWAY + 1)),
    ("exp at the leeway", TokenFault.EXPIRED, lambda: with_claims(exp=NOW - int(LEEWAY))),
    ("iat within the leeway", SUB, lambda: with_claims(iat=NOW + int(LEEWAY))),
    ("iat beyond the leeway", TokenFault.NOT_YET_VALID, lambda: with_claims(iat=NOW + int(LEEWAY) + 1)),
    ("iat negative", TokenFault.CLAIMS, lambda: with_claims(iat=-5)),
    ("iat a string", TokenFault.CLAIMS, lambda: with_claims(iat="x")),
    ("iat NaN", TokenFault.MALFORMED, lambda: with_raw("iat", "NaN")),
    ("nbf within the leeway", SUB, lambda: with_claims(nbf=NOW + int(LEEWAY))),
    ("nbf beyond the leeway", TokenFault.NOT_YET_VALID, lambda: with_claims(nbf=NOW + int(LEEWAY) + 1)),
    ("nbf negative", TokenFault.CLAIMS, lambda: with_claims(nbf=-1)),
    ("nbf null", TokenFault.CLAIMS, lambda: with_claims(nbf=None)),
    ("nbf a string", TokenFault.CLAIMS, lambda: with_claims(nbf="0")),
    ("nbf NaN", TokenFault.MALFORMED, lambda: with_member('"nbf": NaN')),
    ("sub of the platform", TokenFault.SUBJECT, lambda: with_claims(sub="platform:treasury")),
    ("sub of the Platform", TokenFault.SUBJECT, lambda: with_claims(sub="Platform:treasury")),
    ("sub empty", TokenFault.SUBJECT, lambda: with_claims(sub="")),
    ("sub a number", TokenFault.SUBJECT, lambda: with_claims(sub=5)),
    ("sub in a list", TokenFault.SUBJECT, lambda: with_claims(sub=["a"])),
    ("sub null", TokenFault.SUBJECT, lambda: with_claims(sub=None)),
    ("sub with a NUL", TokenFault.SUBJECT, lambda: with_claims(sub="a\x00b")),
    ("sub with a line end", TokenFault.SUBJECT, lambda: with_claims(sub="a\n")),
    ("sub with a #", TokenFault.SUBJECT, lambda: with_claims(sub="a#b")),
    ("sub of 128", "a" * 128, lambda: with_claims(sub="a" * 128)),
    ("sub of 129", TokenFault.SUBJECT, lambda: with_claims(sub="a" * 129)),
    ("sub in wide letters", TokenFault.SUBJECT, lambda: with_claims(sub="\uff41")),
]
CASES = FORM + HEADERS + CLAIM_CASES


def of_length(length: int) -> str:
    """Return a good token that is this long."""
    about = (length - len(GOOD)) * 3 // 4
    for size, more in itertools.product(range(about - 20, about), range(3)):
        token = AUTHORITY.sign({**CLAIMS, "x": "a" * size}, x="b" * more)
        if len(token) == length:
            return token
    raise AssertionError(f"no token has {length} characters")


@dataclass(frozen=True, slots=True)
class Sides:
    api: AccessTokens
    enclave: TokenVerifier

    async def by_api(self, token: str) -> str:
        try:
            return (await self.api.caller(f"Bearer {token}", Scope.MINTS_CREATE)).sub
        except Unauthorized as error:
            return error.kind.slug

    def by_enclave(self, token: str) -> str:
        try:
            return self.enclave.subject_of(token, now=UnixSeconds(NOW))
        except NotSigned as error:
            return str(error.code)


@pytest.fixture
def sides() -> Sides:
    keys = KeySet(MemoryJwks([AUTHORITY.jwk()]), clock=lambda: 0.0)
    pool = UserPool(keys=keys, status=MemoryUserPool(), issuer=ISSUER, client_id=CLIENT_ID)
    api = AccessTokens(pool=pool, now=lambda: NOW)
    policy = AuthorizationPolicy.model_validate_json(json.dumps(AUTHORITY.policy(grace=0)))
    return Sides(api, TokenVerifier(policy))


@pytest.mark.parametrize(("outcome", "token"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
async def test_token__when_both_sides_judge_it__has_the_same_outcome(
    sides: Sides, outcome: str | TokenFault, token: Callable[[], str]
) -> None:
    text = token()
    verdicts = await sides.by_api(text), sides.by_enclave(text)

    if isinstance(outcome, TokenFault):
        slug, code = FAULTS[outcome]
        assert verdicts == (slug, code.value)
    else:
        assert verdicts == (outcome, outcome)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("exp", RefusalCode.TOKEN_MALFORMED),
        ("iat", RefusalCode.TOKEN_MALFORMED),
        ("iss", RefusalCode.TOKEN_ISSUER),
        ("sub", RefusalCode.TOKEN_SUBJECT),
        ("token_use", RefusalCode.TOKEN_USE),
        ("client_id", RefusalCode.TOKEN_CLIENT),
    ],
)
async def test_token__when_a_claim_is_missing__is_refused_by_both(
    sides: Sides, name: str, code: RefusalCode
) -> None:
    token = without(name)

    assert (await sides.by_api(token), sides.by_enclave(token)) == ("bad-claims", code.value)


def test_table__when_there_is_a_fault__some_token_has_it() -> None:
    assert {outcome for _, outcome, _ in CASES if isinstance(outcome, TokenFault)} == set(TokenFault)
    assert set(FAULTS) == set(TokenFault)


@pytest.mark.parametrize(("grace", "seconds"), [(0, LEEWAY), (5, LEEWAY), (600, 600)])
def test_enclave__when_its_policy_has_a_grace__accepts_a_token_so_long_and_by_the_leeway_at_least(
    grace: int, seconds: float
) -> None:
    policy = AuthorizationPolicy.model_validate_json(json.dumps(AUTHORITY.policy(grace=grace)))
    verifier = TokenVerifier(policy)
    expiry = CLAIMS["exp"]

    assert verifier.subject_of(GOOD, now=expiry + seconds - 1) == SUB
    with pytest.raises(NotSigned) as caught:
        verifier.subject_of(GOOD, now=expiry + seconds)
    assert caught.value.code == RefusalCode.TOKEN_EXPIRED.value


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "EC"},
        {"use": "enc"},
        {"alg": "RS512"},
        {"kid": ""},
        {"kid": 1},
        {"n": base64url(STRANGER.public_key().public_numbers().n.to_bytes(256)) + "=="},
        {"n": base64url(b"\xff" * 128)},
        {"n": base64url(b"\xff" * 1536)},
        {"e": "AQ"},
        {"e": "BA"},
        {"e": ""},
    ],
)
def test_key__when_it_is_not_for_rs256__is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Jwk.model_validate({**AUTHORITY.jwk(), **change}).key()
