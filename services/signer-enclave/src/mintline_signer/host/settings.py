"""Settings of the signer's host."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from mintline.messages.parts import KeyRef
from mintline.settings import FormerName, ServiceSettings
from mintline_signer.addresses import AddressText

_HOST_PORT = re.compile(r"[a-z0-9.-]{1,253}:([0-9]{1,5})")


def _host_port(text: str) -> str:
    match = _HOST_PORT.fullmatch(text)
    if match is None or not 0 < int(match[1]) < 2**16:
        raise ValueError("expected host:port")
    return text


class HostSettings(ServiceSettings):
    """Settings of the host process."""

    issuer: KeyRef
    """The key that signs vouchers (JSON)."""
    audit_dir: Path
    """The folder of the audit trail; several hosts may share it, of which one ships it."""
    audit_bucket: str | None = None
    """The bucket that the trail is shipped to, under this host's name; without it the folder keeps all."""
    audit_ship_every: float = Field(default=60.0, gt=0)
    """Seconds between two shipments."""
    authorization_key_secrets: Annotated[tuple[str, ...], FormerName("sealing_secrets")] = Field(
        min_length=1, max_length=8
    )
    """The secrets of the authorization keys in use (JSON)."""
    enclave_address: AddressText
    """Where the enclave serves: `vsock://CID:PORT`, or `unix:///path`."""
    signing_policy: Path | None = None
    """The policy document to hand to the enclave; None where it is part of the enclave's image."""
    kms_proxy_address: AddressText
    """Where the enclave finds KMS: `vsock://any:PORT`, or `unix:///path`."""
    kms_proxy_target: Annotated[str, AfterValidator(_host_port)]
    """`host:port` of KMS: the one place that the proxy connects to."""
    enclave_access_key_id: str | None = None
    """The enclave's own AWS key; without it the enclave gets this process's credentials."""
    enclave_secret_access_key: SecretStr | None = None
    enclave_session_token: SecretStr | None = None
    revocations_every: float = Field(default=10.0, gt=0)
    """Seconds between two looks for tokens that were revoked."""
    enclave_timeout: float = Field(default=10.0, gt=0)
    """Seconds to wait for one answer, a reconnection included."""
    proxy_connections: int = Field(default=64, ge=1)
    proxy_idle_timeout: float = Field(default=60.0, gt=0)
    """Seconds without a byte either way after which a proxied connection is closed."""
    key_cache_size: int = Field(default=100_000, ge=2)
    """Wrapped keys remembered; half a kilobyte each."""
    key_cache_ttl: float = Field(default=3600.0, gt=0)
    """Seconds that a wrapped key is remembered: how long one that was deleted or replaced can linger."""
    concurrency: int = Field(default=128, ge=1)
    """Intents in work at a time."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.enclave_access_key_id is None) != (self.enclave_secret_access_key is None):
            raise ValueError("enclave_access_key_id and enclave_secret_access_key come together")
        return self
