"""Types of a deployment document's members."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mintline.fields import Wei

PositiveWei = Annotated[Wei, Field(gt=0)]
_MEASUREMENT = re.compile(r"[0-9a-f]{96}")
_CALLBACK = re.compile(r"(https://[^\s#/?*]+|http://localhost(:[0-9]{1,5})?)(/[^\s#*]*)?")


def _measurement(text: str) -> str:
    if not _MEASUREMENT.fullmatch(text):
        raise ValueError("expected a SHA-384 in 96 lower-case hex digits")
    if set(text) == {"0"}:
        raise ValueError("an all-zero measurement is an enclave in debug mode")
    return text


Measurement = Annotated[str, AfterValidator(_measurement)]
"""A platform configuration register of an enclave, as `nitro-cli describe-eif` prints it."""
SPKI = r"^[A-Za-z0-9+/]{122}==$"
"""SubjectPublicKeyInfo of a P-256 key, DER in base64."""


def _callback(text: str) -> str:
    if not _CALLBACK.fullmatch(text):
        raise ValueError("expected https://…, or http://localhost for a client on the user's own machine")
    return text


_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:(\d{1,5}|\*))?|\*")


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise ValueError(
            "expected an origin such as https://shop.example, with :* for any port, or * for all"
        )
    return text


Origin = Annotated[str, AfterValidator(_origin)]
"""An origin as browsers name it (RFC 6454)."""
ImageName = Literal["api", "builder", "signer", "broadcaster", "indexer", "notifier"]
"""A service with an image; the reconciler runs the indexer's."""
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
"""An image's digest, as `docker push` and ECR print it."""
Size = Literal["standard", "small"]
"""What a deployment is made of: `small` has one signer and one task of each service in each zone."""
FeaturePlan = Literal["lite", "essentials"]
"""A plan of Cognito's, by name."""
Callback = Annotated[str, AfterValidator(_callback)]
"""A redirect URI of a client; Cognito compares it character by character."""


def _user(sub: str) -> str:
    if sub.startswith("platform:"):
        raise ValueError("expected a user's sub; platform: keys cannot be reassigned")
    return sub


Subject = Annotated[str, Field(pattern=r"^[A-Za-z0-9:_.-]{1,128}$"), AfterValidator(_user)]
"""A user, by `sub`. No character of it is a wildcard in a policy."""
