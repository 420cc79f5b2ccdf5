"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline.canonical_json import canonical_json
from mintline_api.features.examples import CONTRACT, DIGEST, TX_HASH
from mintline_api.features.metadata.examples import METADATA_JSON
from mintline_api.features.reveals.models import (
    Document,
    DocumentsRequest,
    DocumentsView,
    RevealPublication,
)

_TEXT = canonical_json(METADATA_JSON)
DOCUMENTS_JSON = DocumentsRequest(
    salt=DIGEST, first_token_id=1, documents=[Document(text=_TEXT, path=[TX_HASH])]
).model_dump(mode="json")
KEPT = DocumentsView(contract=CONTRACT, first_token_id=1, texts=None, tokens=1)
SHOWN = DocumentsView(contract=CONTRACT, first_token_id=1, texts=[_TEXT], tokens=1)
PUBLICATION_JSON = RevealPublication(salt=DIGEST).model_dump(mode="json")
