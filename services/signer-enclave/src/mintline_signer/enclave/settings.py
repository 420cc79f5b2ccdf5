"""Settings of the enclave: none of them secret, since an enclave's environment is part of its image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from mintline.settings import Settings
from mintline_signer.addresses import AddressText
from mintline_signer.enclave.kms import parse_endpoint


def _endpoint(url: str) -> str:
    parse_endpoint(url)
    return url


class EnclaveSettings(Settings):
    """Settings of the enclave process."""

    enclave_address: AddressText
    """Where the enclave serves the host: `vsock://any:PORT`, or `unix:///path`."""
    kms_proxy_address: AddressText
    """Where the host's KMS proxy listens: `vsock://3:PORT`, or `unix:///path`."""
    parent_cid: int = Field(default=3, ge=0, lt=2**32)
    """The context id of the parent instance: over vsock, no one else is served."""
    kms_endpoint_url: Annotated[str, AfterValidator(_endpoint)]
    """KMS as its certificate names it; the proxy chooses the route."""
    kms_key_id: str = Field(min_length=1, max_length=2048)
    """The one key that may unwrap: its ARN, or an alias where no one can move it."""
    signing_policy: Path | None = None
    """The policy document (JSON), where it is part of the image. None: the host hands it over."""
    nsm: Literal["device", "development"] = "device"
    """The security module: an enclave's own, or one that signs with an authority from a file."""
    development_authority: Path | None = None
    """The authority's file (PEM): a private key, its certificate, and the root."""
    development_role: str = ""
    """The ARN of the IAM role that a development module measures in the place of the parent's."""
    development_kms_roots: Path | None = None
    """More roots (PEM) for TLS to KMS, beside Amazon's; with a development module alone."""
    recipient_rotation: float = Field(default=3600.0, gt=0)
    """Seconds after which the key that KMS answers to is replaced."""
    audit_rotation: float = Field(default=86_400.0, gt=0)
    """Seconds after which the key that signs the audit trail hands over to another."""
    kms_connections: int = Field(default=16, ge=1, le=256)
    kms_timeout: float = Field(default=5.0, gt=0)
    """Seconds for one request to KMS, the wait for a connection included."""
    key_cache_size: int = Field(default=10_000, ge=2)
    key_cache_ttl: float = Field(default=900.0, gt=0)
    """Seconds that an unwrapped key is held at most."""
    memory_size: int = Field(default=200_000, ge=1000)
    """Nonces, and mints, that the enclave remembers to have signed for: 48 bytes each, taken at the start."""
    max_connections: int = Field(default=16, ge=1)
    max_in_flight: int = Field(default=256, ge=1)
    """Requests of one connection that may wait for KMS before nothing more is read from it."""
    idle_timeout: float = Field(default=60.0, gt=0)
    """Seconds without a byte from the host after which its connection is closed."""

    @model_validator(mode="after")
    def _amazons_roots_alone(self) -> Self:
        if self.development_kms_roots is not None and self.nsm != "development":
            raise ValueError(
                "development_kms_roots needs nsm=development: an enclave trusts Amazon's roots alone"
            )
        return self
