"""The notifier's settings."""

from __future__ import annotations

from pydantic import Field, field_validator

from mintline.settings import ServiceSettings


class NotifierSettings(ServiceSettings):
    """Read from `MINTLINE_…`; see README.md."""

    public_url: str = Field(pattern=r"^https?://[^/?#\s]+(/[^?#\s]*)?$")
    """Where the api is reached from outside, as its own setting of this name: events have links to it."""
    event_poll_interval: float = Field(default=0.5, gt=0)
    """Seconds between two looks at the change streams while they have something; up to twice as long
    while they have nothing."""
    kms_endpoint_url: str | None = None
    """None means the endpoint of the other AWS services."""
    webhook_allow_loopback: bool = False
    """Whether webhooks may lead to this machine, by http too: for local stacks alone."""
    instance: str | None = Field(default=None, min_length=1, max_length=128)
    """Names this copy across restarts, so that it need not wait for its own lease; None makes up a name."""

    @field_validator("public_url")
    @classmethod
    def _without_trailing_slash(cls, value: str) -> str:
        return value.rstrip("/")
