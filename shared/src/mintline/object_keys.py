"""The S3 keys of tokens' and collections' metadata, and of files."""

from __future__ import annotations


def metadata_object_key(chain_id: int, contract: str, token_id: int) -> str:
    """Return the S3 key of a token's metadata."""
    return f"{chain_id}/{contract}/{token_id}.json"


def collection_object_key(chain_id: int, contract: str) -> str:
    """Return the S3 key of a collection's own metadata (ERC-7572)."""
    return f"{chain_id}/{contract}/contract.json"


def collection_version_key(chain_id: int, contract: str, digest: bytes) -> str:
    """Return the S3 key of a version of a collection's own metadata, by its SHA-256: written once."""
    return f"{chain_id}/{contract}/contract-{digest.hex()}.json"


def media_object_key(sha256: bytes) -> str:
    """Return the S3 key of a file that is served, which is also the path behind the public address."""
    return f"media/{sha256.hex()}"
