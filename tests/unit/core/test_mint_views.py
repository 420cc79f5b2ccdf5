"""The public form of a mint as JSON, which events hold, is the one that is validated."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.records.operations import Attempt
from mintline.records.problems import Problem
from mintline.states import MintStatus
from mintline.views.mints import mint_json, mint_view
from mintline_testkit.records import make_key, make_mint

URL = "https://mint.example"
HASH = bytes(range(32))
PROBLEM = Problem(code="paused", reason="The collection is paused.")
ATTEMPT = Attempt(tx_hash=HASH, max_fee_per_gas=10**20, max_priority_fee_per_gas=0, at=1_700_000_002_345)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"waiting": PROBLEM},
        {"client_id": "client", "external_id": "order 7", "tags": ("a", "b"), "token_id": 2**255},
        {"client_id": "client", "sub": "client", "custody": "sponsored"},
        {"item_id": 7, "quantity": 2**64 - 1, "token_id": 2**200},
        {"status": MintStatus.REJECTED, "problem": PROBLEM, "cancel_requested_at": 1_700_000_000_001},
        {
            "status": MintStatus.FINALIZED,
            "sender": make_key(),
            "nonce": 5,
            "attempts": (ATTEMPT, ATTEMPT.evolve(at=1)),
            "tx_hash": HASH,
            "block_number": 9,
            "block_hash": bytes(32),
            "built_at": 1,
            "submitted_at": 1_000,
            "mined_at": 1_700_000_003_999,
            "finalized_at": 1_700_000_004_000,
        },
        {
            "custody": "self",
            "status": MintStatus.ISSUED,
            "token_id": 3,
            "deadline": 1_800_000_000,
            "voucher_signature": bytes(65),
            "issued_at": 2,
        },
    ],
    ids=["accepted", "waiting", "client", "own", "item", "rejected", "finalized", "self-custody"],
)
def test_json__when_a_mint_is_shown__then_it_is_that_of_the_validated_form(changes: dict[str, Any]) -> None:
    mint = make_mint(**changes)

    for reader in (mint.asked_by, "another"):
        json = mint_json(mint, reader=reader, public_url=URL)

        assert json == mint_view(mint, reader=reader, public_url=URL).model_dump(mode="json", by_alias=True)
    assert json["external_id"] is None
    assert json["tags"] == []
