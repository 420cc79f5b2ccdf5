"""A user pool, an authorization key and an intake key whose secrets are known: for tests and simulations."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mintline.acceptance import ACCEPTANCE, MAX_VALIDITY, Certificate, Session, request_certificate
from mintline.authorization import PublicAuthorizationKey, key_id
from mintline.messages.intents import (
    AnyRequest,
    IssueVoucher,
    SignAdminister,
    SignBatch,
    SignBurn,
    SignDeploy,
    SignMint,
    SignRelayedBurn,
    SignRelayedTransfer,
    SignTransfer,
)
from mintline.revocation import REVOCATION, revocation_fields
from mintline.scopes import MACHINE_SCOPES, SIGN_IN_SCOPES
from mintline_signer.enclave.kinds import required_authorizations
from mintline_signer.enclave.kinds.base import RequiredAuthorization
from mintline_signer.protocol import AuthorizationKeys, Revocation, WrappedAuthorizationKey

ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_TestPool"


CLIENT_ID = "test-client"


LIFETIME = 3600
"""Seconds that a token is good for, from its `iat` on."""


IntentT = TypeVar(
    "IntentT",
    SignMint,
    SignTransfer,
    SignBurn,
    SignRelayedTransfer,
    SignRelayedBurn,
    SignDeploy,
    SignAdminister,
    IssueVoucher,
)


def digest_of(intent: AnyRequest) -> bytes:
    """Return the digest that the user's authorization of an intent is sealed under."""
    [required] = required_authorizations(intent)
    return required.digest


def base64url(data: bytes) -> str:
    """Return base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def policy_document() -> dict[str, Any]:
    """Return a sound policy document, whose pool, contract and keys are made up."""
    address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    return {
        "version": 1,
        "chain_ids": [31337],
        "contracts": ["0x5FbDB2315678afecb367f032d93F642f64180aa3"],
        "authorization": Authority().policy(),
        "issuer": {"address": address, "subject": "platform:issuer"},
        "treasury": {"address": address, "subject": "platform:treasury"},
        "rates": {"window": 60, "user": 60, "treasury": 600, "issuer": 6000},
        "max_gas": 500_000,
        "max_fee_per_gas": str(200 * 10**9),
        "max_transaction_cost": str(10**17),
        "max_top_up_value": str(10**18),
        "max_voucher_ttl": 172_800,
    }


class Authority:
    """Signs users' tokens as Cognito does, and seals them as the api does for the enclaves of one chain."""

    def __init__(self, *, chain_id: int = 31337, kid: str = "key-1") -> None:
        self.kid = kid
        self.chain_id = chain_id
        self.pool_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.authorization_key = ec.generate_private_key(ec.SECP256R1())
        self.public_authorization_key = PublicAuthorizationKey(_spki(self.authorization_key))
        self.intake_key = ec.generate_private_key(ec.SECP256R1())

    def jwk(self) -> dict[str, Any]:
        """Return the pool's public key as its JWKS has it."""
        numbers = self.pool_key.public_key().public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        return {
            "kty": "RSA",
            "kid": self.kid,
            "alg": "RS256",
            "use": "sig",
            "n": base64url(modulus),
            "e": base64url(numbers.e.to_bytes(3, "big")),
        }

    def policy(self, *, grace: int = 0) -> dict[str, Any]:
        """Return the `authorization` part of a policy document that believes this pool."""
        return {
            "issuer": ISSUER,
            "client_ids": [CLIENT_ID],
            "jwks": {"keys": [self.jwk()]},
            "intake_keys": [base64.b64encode(_spki(self.intake_key)).decode()],
            "grace": grace,
        }

    def claims(self, sub: str, *, now: int) -> dict[str, Any]:
        """Return the claims of a user's access token."""
        return {
            "sub": sub,
            "iss": ISSUER,
            "client_id": CLIENT_ID,
            "token_use": "access",
            "scope": " ".join(SIGN_IN_SCOPES),
            "iat": now,
            "exp": now + LIFETIME,
            "jti": hashlib.sha256(sub.encode()).hexdigest(),
            "username": sub,
        }

    def client_claims(self, client_id: str, *, now: int) -> dict[str, Any]:
        """Return the claims of a machine client's access token: it names no user."""
        claims = self.claims(client_id, now=now)
        del claims["username"]
        return {**claims, "client_id": client_id, "scope": " ".join(MACHINE_SCOPES)}

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """Return a token of these claims, right or wrong; `header` overrides members of its header."""
        head = {"kid": self.kid, "alg": "RS256", **header}
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
        signature = self.pool_key.sign(signed.encode(), padding.PKCS1v15(), SHA256())
        return f"{signed}.{base64url(signature)}"

    def token(self, sub: str, *, now: int) -> str:
        """Return a good access token of a user."""
        return self.sign(self.claims(sub, now=now))

    def client_token(self, client_id: str, *, now: int) -> str:
        """Return a good access token of a machine client."""
        return self.sign(self.client_claims(client_id, now=now))

    def certify(self, certificate: Certificate) -> Certificate:
        """Sign a session key's certificate, as KMS does with the intake key."""
        return certificate.signed(self.intake_key.sign(certificate.to_sign(), ec.ECDSA(SHA256())))

    def session(self, *, now: int) -> Session:
        """Return a session key as an api process has one, valid from `now` (Unix seconds) on."""
        key = Ed25519PrivateKey.generate()
        begins = now * 1000
        certificate = request_certificate(
            key, self.intake_key.public_key(), not_before=begins, not_after=begins + MAX_VALIDITY
        )
        return Session(key, self.certify(certificate))

    def authorized(self, intent: IntentT, token: str, *, now: int, session: Session | None = None) -> IntentT:
        """Return the intent as the api accepts it at `now` (Unix seconds) for the user that it names.

        The token goes along whatever it is.
        """
        [required] = required_authorizations(intent)
        session = session or self.session(now=now)
        return intent.evolve(authorization=self.sealed(required, token, now=now, session=session))

    def authorizations(self, batch: SignBatch, *, now: int, session: Session | None = None) -> list[bytes]:
        """Return a good authorization of each line of a batch, by the user that it names."""
        session = session or self.session(now=now)
        authorizations = required_authorizations(batch, [b""] * len(batch.mints))
        return [
            self.sealed(required, self.token(required.subject, now=now), now=now, session=session)
            for required in authorizations
        ]

    def sealed(self, required: RequiredAuthorization, token: str, *, now: int, session: Session) -> bytes:
        """Return the envelope of what a user asked for, as the api accepts it at `now`."""
        accepted = session.state(ACCEPTANCE, required.digest, required.subject.encode(), at=now * 1000)
        return self.public_authorization_key.seal(token, required.digest, accepted)

    def revocation(
        self, sub: str, *, revoked_before: int, at: float, session: Session | None = None
    ) -> Revocation:
        """Return what the api states of a user at `at`; both times are Unix seconds."""
        session = session or self.session(now=int(at))
        fields = revocation_fields(sub, revoked_before)
        stated = session.state(REVOCATION, *fields, at=int(at * 1000)).to_bytes()
        return Revocation(subject=sub, revoked_before=revoked_before, statement=stated)

    def authorization_keys(self) -> AuthorizationKeys:
        """Return what the host hands over; the wrapped key is one that `plaintext` belongs to."""
        name = key_id(self.public_authorization_key.spki)
        wrapped = b"sealing " + name
        return AuthorizationKeys(
            keys=[WrappedAuthorizationKey(key_id=name, chain_id=self.chain_id, wrapped=wrapped)]
        )

    def plaintext(self) -> bytes:
        """Return the authorization key's private half as KMS's plaintext has it: PKCS#8, DER."""
        return self.authorization_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
