"""The public forms of what happens to tokens, as events have them."""

from __future__ import annotations

from pydantic import Field

from mintline.fields import Address, Bytes32, TokenId, Uint256
from mintline.metadata_versions import MetadataVersion
from mintline.records.keys import token_of
from mintline.views.base import Time, View, rfc3339


class TokenTransferView(View):
    """One transfer of a token on chain, in the words of ERC-721's event, or of ERC-1155's for one id."""

    chain_id: int
    contract: Address
    token_id: TokenId
    from_: Address | None = Field(serialization_alias="from", description="Null for a mint.")
    to: Address | None = Field(description="Null for a burn.")
    quantity: Uint256 | None = Field(
        default=None, description="How many of an ERC-1155 token; null for ERC-721."
    )
    block_number: int
    block_hash: Bytes32
    log_index: int
    tx_hash: Bytes32
    timestamp: Time = Field(description="The block's.")


class TokenVersionView(View):
    """A version of a token's metadata."""

    contract: Address
    chain_id: int
    token_id: TokenId
    version: int = Field(description="1 as minted.")
    digest: Bytes32 = Field(description="SHA-256 of the text. That of version 1 is in the mint's event.")
    created_at: Time | None = Field(description="Null for version 1, which the mint made.")
    client_id: str | None = Field(description="The machine client that made it; null for version 1.")
    url: str = Field(description="The exact text of the version.")


def token_version_view(version: MetadataVersion, *, public_url: str) -> TokenVersionView:
    """Return the public form of a version after the minted one; the API is at `public_url`."""
    chain_id, contract, token_id = token_of(version.token_ref)
    return TokenVersionView(
        contract=contract,
        chain_id=chain_id,
        token_id=token_id,
        version=version.version,
        digest=version.digest,
        created_at=rfc3339(version.created_at),
        client_id=version.principal,
        url=version_url(contract, token_id, version.version, public_url),
    )


def version_url(contract: str, token_id: int, version: int, public_url: str) -> str:
    """Return where the exact text of a version of a token's metadata is."""
    return f"{public_url}/v1/tokens/{contract}/{token_id}/metadata/versions/{version}"
