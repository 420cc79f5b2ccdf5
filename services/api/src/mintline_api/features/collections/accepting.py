"""What accepting a collection and accepting a change of one have in common."""

from __future__ import annotations

from typing import Any

from mintline.canonical_json import canonical_json, digest_of
from mintline.object_keys import collection_version_key
from mintline.states import MintStatus
from mintline_api.features.collections.context import CollectionsContext
from mintline_api.features.collections.models import CollectionMetadata
from mintline_api.features.operations.use_cases import Intake, Submission


async def publish_metadata(
    context: CollectionsContext, contract: str, *, name: str, symbol: str, metadata: CollectionMetadata
) -> bytes:
    """Store a collection's metadata under its digest (SHA-256), and return that."""
    shown = {"name": name, "symbol": symbol, **metadata.model_dump(mode="json", exclude_none=True)}
    text = canonical_json(shown)
    digest = digest_of(text)
    key = collection_version_key(context.chain_id, contract, digest)
    await context.metadata.publish(key, text.encode())
    return digest


def accepted_fields(
    submission: Submission[Any], intake: Intake, *, operation_id: str, contract: str
) -> dict[str, Any]:
    """Return the fields of an accepted operation, whatever its kind."""
    return {
        "mint_id": operation_id,
        "status": MintStatus.ACCEPTED,
        "chain_id": intake.chain_id,
        "contract": contract,
        "request_digest": submission.digest(),
        "trace": submission.trace,
        "created_at": submission.now,
        "updated_at": submission.now,
    }
