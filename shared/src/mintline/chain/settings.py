"""The settings of every process that calls a chain."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from mintline.chain.gas import DEFAULT_MARGIN, TRANSACTION_GAS_CAP, GasBound
from mintline.fields import Address
from mintline.settings import ServiceSettings


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bearer(_Part):
    """Authorization by a token in a header (RFC 6750)."""

    type: Literal["bearer"]
    token: SecretStr


class SigV4(_Part):
    """Authorization by AWS Signature Version 4 with the process's own credentials: Managed Blockchain.

    https://docs.aws.amazon.com/managed-blockchain/latest/ethereum-dev/ethereum-json-rpc.html
    """

    type: Literal["sigv4"]
    region: str | None = None
    """The node's; the process's own if None."""


class RpcEndpoint(_Part):
    """A node over HTTP; in settings either its URL, or an object with URL and authorization."""

    url: SecretStr
    """Secret, since providers put API keys into it."""
    ws_url: SecretStr | None = None
    """Where the node announces new heads, if it does; the indexer subscribes there."""
    auth: Annotated[Bearer | SigV4, Field(discriminator="type")] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_url(cls, value: Any) -> Any:
        return {"url": value} if isinstance(value, str | SecretStr) else value

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("an endpoint is an http:// or https:// URL")
        return url

    @field_validator("ws_url")
    @classmethod
    def _is_ws(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("ws://", "wss://")):
            raise ValueError("heads come from a ws:// or wss:// URL")
        return url


class FactorySettings(_Part):
    """The factory that makes collections, and the code that they run."""

    address: Address
    implementation: Address
    multi_token: Address | None = None
    """The code of its ERC-1155 collections; None if it makes none."""


class ChainSettings(ServiceSettings):
    """What a service that calls a chain reads in addition."""

    chain_id: int = Field(gt=0)
    rpc_urls: tuple[RpcEndpoint, ...] = Field(min_length=1)
    """The chain's nodes in order of preference."""
    rpc_timeout: float = Field(default=10.0, gt=0)
    """Seconds for one exchange with a node; a half of it is the longest silence within one."""


class GasSettings(ChainSettings):
    """What a service also reads that sets gas limits; the defaults suffice on Osaka and on Amsterdam."""

    gas_margin: int = Field(default=DEFAULT_MARGIN, ge=0, le=200)
    """What is added to an estimate of gas, in percent."""
    max_transfer_gas: int = Field(default=500_000, gt=0)
    """The highest gas limit of a top-up or no-op; within what the enclave's policy allows."""
    transaction_gas_cap: int = Field(default=TRANSACTION_GAS_CAP, gt=0)
    """The highest gas limit that the chain takes of any transaction (EIP-7825)."""

    @model_validator(mode="after")
    def _is_within_the_cap(self) -> Self:
        for bound in self.gas_bounds().values():
            if bound.most > self.transaction_gas_cap:
                raise ValueError(
                    f"{bound.setting} is {bound.most}, above MINTLINE_TRANSACTION_GAS_CAP "
                    f"({self.transaction_gas_cap}): lower it, or raise that if the chain takes more"
                )
        return self

    def gas_bounds(self) -> dict[str, GasBound]:
        """Return the bounds of this service by the names of their settings."""
        return {"max_transfer_gas": self.bound("max_transfer_gas", self.max_transfer_gas)}

    def bound(self, name: str, most: int) -> GasBound:
        """Return the bound that the setting `name` holds."""
        return GasBound(f"MINTLINE_{name.upper()}", most, self.gas_margin)
