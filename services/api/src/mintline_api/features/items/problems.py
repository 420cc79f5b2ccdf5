"""Problems of items of ERC-1155 collections."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

WRONG_STANDARD = ProblemType(
    "wrong-standard",
    422,
    "Not of the collection's standard",
    "In an ERC-1155 collection a request names its item by `token_id`, and how many tokens of it by "
    "`quantity` (1 if absent), and for a receipt its `mint`. In an ERC-721 collection a mint has neither, a "
    "transfer or burn no `quantity`, and a receipt is asked for without `mint`. `GET "
    "/v1/collections/{contract}` says which `standard` a collection has.",
)
ITEM_METADATA_DIFFERS = ProblemType(
    "item-metadata-differs",
    409,
    "Item with other metadata",
    "All tokens of an item have the same metadata: that of its first mint, or what replaced it since. Send "
    "what `GET /v1/metadata/{contract}/{token_id}` gives, or another `token_id`. `PATCH "
    "/v1/tokens/{contract}/{token_id}` changes it.",
)
