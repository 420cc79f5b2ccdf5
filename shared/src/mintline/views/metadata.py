"""Where metadata is served."""

from __future__ import annotations


def metadata_url(public_url: str, contract: str, token_id: int) -> str:
    """Return the address of a token's metadata: what `tokenURI` gives."""
    return f"{public_url}/v1/metadata/{contract}/{token_id}"
