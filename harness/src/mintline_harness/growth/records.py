"""Records of each kind, as many as one likes, as the services write them."""

from __future__ import annotations

from collections.abc import Iterable

from mintline.aws.dynamo import Item
from mintline.aws.records import OPEN, operation_item, to_item, token_place
from mintline.query_keys import token_query_keys
from mintline.records.collections import Collection
from mintline.records.index import Token
from mintline.records.keys import created_key, open_shard, scoped, token_key
from mintline.records.operations import Mint
from mintline.states import MintStatus

HOUR = 3_600_000
"""Milliseconds."""
CONTRACT = "0x" + "c0" * 20


def tokens(owner: str, count: int, *, chain_id: int) -> Iterable[Item]:
    """Yield the items of an owner's tokens."""
    for token_id in range(1, count + 1):
        token = Token(
            chain_id=chain_id,
            contract=CONTRACT,
            token_id=token_id,
            owner=owner,
            metadata_digest=bytes(32),
            mint_id=None,
            minted_block=1,
            block_number=1,
            tx_hash=bytes(32),
        )
        owned: Item = {"owner_id": scoped(chain_id, owner), "owned_key": f"{CONTRACT}#{token_key(token_id)}"}
        place = token_place(chain_id, CONTRACT, token_id)
        yield {**to_item(token), **place, **owned, **token_query_keys(token)}


def collections(creator: str, count: int, *, chain_id: int) -> Iterable[Item]:
    """Yield the items of a client's collections."""
    for number in range(count):
        contract = f"0x{number:08x}{creator.encode().hex():0>32}"[:42]
        record = Collection(
            collection_id=scoped(chain_id, contract),
            chain_id=chain_id,
            contract=contract,
            name="Growth",
            symbol="GROW",
            deployed_block=1,
            created_at=number,
            read_only=True,
            next_token_id=1,
        )
        yield {
            **to_item(record),
            "created_by": scoped(chain_id, creator),
            "created_key": created_key(number, record.collection_id),
        }


def vouchers(sub: str, count: int, *, chain_id: int, now: int, age: int) -> Iterable[Item]:
    """Yield the items of mints whose voucher their user has not redeemed for `age` milliseconds."""
    for number in range(count):
        mint = Mint(
            mint_id=f"mint_{sub}_{number:06d}",
            sub=sub,
            status=MintStatus.ISSUED,
            custody="self",
            chain_id=chain_id,
            contract=CONTRACT,
            to="0x" + "0e" * 20,
            token_id=number + 1,
            metadata_digest=bytes(32),
            request_digest="",
            deadline=(now + 720 * HOUR) // 1000,
            created_at=now - age,
            updated_at=now - age,
        )
        yield {**operation_item(mint), OPEN: open_shard(mint.mint_id)}
