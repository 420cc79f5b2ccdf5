"""Records as another release may have stored them."""

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from mintline.aws.changes import expression
from mintline.aws.records import from_item, readable, to_item, transition
from mintline.errors import Unreadable
from mintline.messages.parts import Fees, KeyRef
from mintline.records.operations import Attempt, Mint
from mintline.records.problems import Problem
from mintline.resources import MINTS
from mintline.set_aside import SetAside
from mintline.states import MintStatus
from mintline_testkit.records import make_mint

if TYPE_CHECKING:
    from mintline.aws.dynamo import Item

WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
MINT = make_mint(
    status=MintStatus.SUBMITTED,
    to=WALLET,
    sender=KeyRef(address=WALLET, subject="user", chain_id=31337, secret_id="s"),
    request_digest="00",
    created_at=1,
    updated_at=2,
    fees=Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1),
    attempts=(Attempt(tx_hash=bytes(32), max_fee_per_gas=2, max_priority_fee_per_gas=1, at=1, nonce=3),),
    problem=Problem(code="c", reason="r"),
)


def extended(value: Any) -> Any:
    """Return an item as the next release may store it: with an attribute more in every object."""
    if isinstance(value, dict):
        return {name: extended(inner) for name, inner in value.items()} | {"added": {"n": 1}}
    if isinstance(value, list):
        return [extended(inner) for inner in value]
    return value


def test_record__when_the_next_release_added_attributes__then_is_read_without_them() -> None:
    item: Item = extended(to_item(MINT))
    assert from_item(Mint, item) == MINT


def test_record__when_the_next_release_has_more_states__then_is_set_aside_and_the_others_are_read() -> None:
    item = to_item(MINT)
    items = [item | {"mint_id": "mint_0", "status": "dropped"}, item]
    with capture_logs() as logs:
        read = [mint for _, mint in readable(Mint, MINTS, items, SetAside())]
    assert read == [MINT]
    assert [(line["event"], line["key"]) for line in logs] == [("record_set_aside", "mint_0")]
    with pytest.raises(Unreadable, match="status: enum"):
        from_item(Mint, items[0])


def test_transition__when_it_is_written__then_names_only_attributes_of_its_own() -> None:
    written = expression(transition("mint_1", MintStatus.FINALIZED, at=3, set={"finalized_at": 3}), "p")
    assert "Item" not in written
    names = set(written["ExpressionAttributeNames"].values())
    assert names == {"status", "updated_at", "finalized_at", "open_shard", "authorization"}
