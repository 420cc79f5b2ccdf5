"""Compare the signing keys in a policy document with those that its issuers publish, and take those over."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from mintline.errors import Misconfigured
from mintline.oidc_issuers import AnyJwk
from mintline_ops.published_keys import read_json, read_jwks, usable_keys
from mintline_signer.enclave.policy import parse_policy

USER_POOL = "user pool"
"""The name of the issuer that has none in a policy document."""
_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y")}
"""What a key's thumbprint is made of, by its type (RFC 7638, section 3.2)."""


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """One issuer's keys, by id: thumbprints (RFC 7638) of what the policy holds and of what is published."""

    name: str
    issuer: str
    jwks_url: str
    policy: Mapping[str, str]
    published: Mapping[str, str]

    @property
    def missing(self) -> list[str]:
        """The published keys that the policy lacks: a token signed by one of them is refused."""
        return sorted(self.published.keys() - self.policy.keys())

    @property
    def changed(self) -> list[str]:
        """The ids under which another key is published than the policy holds."""
        both = self.published.keys() & self.policy.keys()
        return sorted(kid for kid in both if self.published[kid] != self.policy[kid])

    @property
    def unpublished(self) -> list[str]:
        """The keys of the policy that are published no more: tokens signed by them still count."""
        return sorted(self.policy.keys() - self.published.keys())

    @property
    def suffices(self) -> bool:
        """Whether the policy holds every published key."""
        return not self.missing and not self.changed


async def compare(document: bytes, urls: Mapping[str, str]) -> list[IssuerKeys]:
    """Compare a policy document with what its issuers publish, the user pool, if it has one, first.

    `urls` are JWKS URLs by the issuer's name (`USER_POOL` for the pool); other ones follow from the issuer.
    Raises Misconfigured, also for a name that the policy does not have, and Unavailable.
    """
    return [
        _compared(name, issuer, url, held, published)
        for name, issuer, url, held, published in await _read(document, urls)
    ]


async def with_published_keys(
    document: bytes, urls: Mapping[str, str], *, drop_unpublished: bool = False
) -> bytes:
    """Return the policy document with every key that its issuers publish, otherwise as it is.

    A key that is not published any more stays, unless `drop_unpublished`. Raises as `compare` does.
    """
    policy = json.loads(document)
    authorization = policy["authorization"]
    others = {other["name"]: other for other in authorization.get("other_issuers", ())}
    for name, _, _, held, published in await _read(document, urls):
        kept = {} if drop_unpublished else {kid: key for kid, key in held.items() if kid not in published}
        keys = [key.model_dump() for key in (*published.values(), *kept.values())]
        others.get(name, authorization)["jwks"] = {"keys": keys}
    content = f"{json.dumps(policy, indent=2)}\n".encode()
    parse_policy(content)
    return content


async def _read(
    document: bytes, urls: Mapping[str, str]
) -> list[tuple[str, str, str, dict[str, AnyJwk], dict[str, AnyJwk]]]:
    authorization = parse_policy(document).authorization
    issuers: list[tuple[str, str, tuple[AnyJwk, ...]]] = [
        (other.name, other.issuer, other.jwks.keys) for other in authorization.other_issuers
    ]
    if authorization.issuer is not None and authorization.jwks is not None:
        issuers.insert(0, (USER_POOL, authorization.issuer, authorization.jwks.keys))
    if unknown := urls.keys() - {name for name, _, _ in issuers}:
        raise Misconfigured(f"the policy document has no issuer {min(unknown)}")
    rows = []
    for name, issuer, keys in issuers:
        url = urls.get(name) or await _jwks_url(name, issuer)
        published = usable_keys(await read_jwks(url), url, rsa_alone=name == USER_POOL)
        rows.append((name, issuer, url, {key.kid: key for key in keys}, published))
    return rows


async def _jwks_url(name: str, issuer: str) -> str:
    """Return where an issuer publishes its keys: Cognito at a fixed place, others as discovery says."""
    base = issuer.rstrip("/")
    if name == USER_POOL:
        return f"{base}/.well-known/jwks.json"
    hint = f"name its JWKS by --jwks-url {name}=URL"
    url = f"{base}/.well-known/openid-configuration"
    about = await read_json(url, hint=hint)
    jwks_uri = about.get("jwks_uri") if isinstance(about, dict) else None
    if not isinstance(jwks_uri, str):
        raise Misconfigured(f"{url}: no jwks_uri: {hint}")
    return jwks_uri


def _compared(
    name: str, issuer: str, url: str, held: Mapping[str, AnyJwk], published: Mapping[str, AnyJwk]
) -> IssuerKeys:
    return IssuerKeys(
        name=name,
        issuer=issuer,
        jwks_url=url,
        policy={kid: thumbprint(key) for kid, key in held.items()},
        published={kid: thumbprint(key) for kid, key in published.items()},
    )


def thumbprint(key: AnyJwk) -> str:
    """Return a key's thumbprint: the SHA-256 of its required members, in base64url (RFC 7638)."""
    members = {name: getattr(key, name) for name in _MEMBERS[key.kty]}
    digest = hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
