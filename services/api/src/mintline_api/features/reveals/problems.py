"""Problems of reveals."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

NOTHING_TO_REVEAL = ProblemType(
    "nothing-to-reveal",
    409,
    "Collection has no commitment",
    "The collection was created without a commitment to later metadata (`reveal` of `POST /v1/collections`), "
    "and none can be added. Replace its tokens' metadata by `PATCH /v1/tokens/{contract}/{token_id}`.",
)
ALREADY_REVEALED = ProblemType(
    "already-revealed",
    409,
    "Metadata was revealed",
    "The collection's metadata was revealed, and cannot be revealed differently. Replace that of a token by "
    "`PATCH /v1/tokens/{contract}/{token_id}`.",
)
NOT_REVEALED = ProblemType(
    "not-revealed", 404, "Metadata not revealed", "The texts are shown to everyone once they are revealed."
)
REVEAL_INCOMPLETE = ProblemType(
    "reveal-incomplete",
    409,
    "Texts are missing",
    "Hand over the text of every token that was committed to; `detail` names the first that is missing. Then "
    "repeat the request.",
)
REVEAL_MISMATCH = ProblemType(
    "reveal-mismatch",
    422,
    "Not what was committed to",
    "Text, token id, salt and path lead to another commitment than the contract's. `errors` names each text "
    "that does. Send exactly the texts, byte for byte, and the salt that the commitment was made of.",
)
