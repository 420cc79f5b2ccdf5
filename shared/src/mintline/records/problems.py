"""Why operations fail, or what they wait for, in the words that users see."""

from __future__ import annotations

from mintline.fields import BoundedText
from mintline.frozen import Frozen


class Problem(Frozen):
    """Why a mint ended badly, or what its owner has to do: a stable code, and one sentence for the user."""

    code: BoundedText
    reason: BoundedText


TOKEN_TAKEN = Problem(
    code="token_taken",
    reason="Another mint's token has the id that this mint was given. Send the request again, with another "
    "Idempotency-Key.",
)
TOKEN_ON_CHAIN = Problem(
    code="token_on_chain",
    reason="A token with the id of this mint is on chain already. The mint ends when its block is final: as "
    "finalized if the token is its own, and as rejected otherwise.",
)
"""What an accepted mint waits for: its record may be older than its token, from a restored backup."""
CANCELLED = Problem(code="cancelled", reason="The mint was cancelled before it reached the chain.")
TOKEN_OPERATION_CANCELLED = Problem(
    code="cancelled", reason="It was cancelled before it reached the chain. The token stays where it is."
)
"""Of a transfer or a burn."""
ALREADY_CREATED = Problem(
    code="already_created",
    reason="The collection is on chain already, by an earlier transaction for this deployment.",
)
"""A deployment that this ended has its collection: nothing else can have the address."""
NOT_DONE = Problem(
    code="not_done",
    reason="The transaction was mined, but did something else than what was asked for. Send the request "
    "again, with another Idempotency-Key.",
)
