"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline_api.features.metadata.models import Attribute, Metadata

METADATA = Metadata(
    name="Aurora #1",
    description="The first light of the season.",
    image="ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
    attributes=[
        Attribute(trait_type="Colour", value="green"),
        Attribute(trait_type="Kp index", value=7, display_type="number", max_value=9),
    ],
)
METADATA_JSON = METADATA.model_dump(mode="json", exclude_none=True)
COLLECTION_METADATA = {"name": "Aurora", "symbol": "AUR"}
