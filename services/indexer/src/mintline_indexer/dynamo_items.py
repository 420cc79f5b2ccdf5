"""The items of the index's tables, and what is read from them."""

from __future__ import annotations

from mintline.aws.dynamo import Item
from mintline.aws.records import balance_place, to_item, token_place
from mintline.fields import Bytes32
from mintline.frozen import Frozen
from mintline.query_keys import balance_query_keys, owned_key, token_query_keys, transfer_query_keys
from mintline.records.index import LAYOUT, Balance, Checkpoint, Token, Transfer
from mintline.records.keys import scoped
from mintline.records.transactions import TransactionKey
from mintline_indexer.chain_port import Ref
from mintline_indexer.store_port import Attempted, Mixed, Progress
from mintline_indexer.writes import transfer_key


class _MixedItem(Frozen):
    number: int
    hash: Bytes32
    tail: str


class CheckpointItem(Checkpoint):
    """The public checkpoint, and the indexer's own fields beside it."""

    revision: int
    writer: str
    finalized_hash: Bytes32
    finalized_timestamp: int
    mixed: _MixedItem | None = None
    tail: str = ""
    epoch: int = 0
    index: str = ""
    layout: int = 1
    """Counts the forms that the index's tables have had: a writer must not meet another than its own."""


class FollowedItem(Frozen):
    """A contract's item of FOLLOWED."""

    contract: str
    index: str
    next_block: int | None = None


def checkpoint_item(chain: str, progress: Progress) -> CheckpointItem:
    """Return the item of CHECKPOINTS that holds the progress."""
    mixed_item = None
    if (mixed := progress.mixed) is not None:
        mixed_item = _MixedItem(number=mixed.number, hash=mixed.hash, tail=mixed.tail)
    return CheckpointItem(
        chain=chain,
        head_number=progress.head.number,
        head_hash=progress.head.hash,
        head_timestamp=progress.head.timestamp,
        finalized_number=progress.finalized.number,
        updated_at=progress.at,
        revision=progress.revision,
        writer=progress.writer,
        finalized_hash=progress.finalized.hash,
        finalized_timestamp=progress.finalized.timestamp,
        mixed=mixed_item,
        tail=progress.tail,
        epoch=progress.epoch,
        index=progress.index,
        layout=LAYOUT,
    )


def progress_of(item: CheckpointItem) -> Progress:
    """Return the progress that a checkpoint holds, without its contracts."""
    mixed = item.mixed
    return Progress(
        revision=item.revision,
        writer=item.writer,
        head=Ref(item.head_number, item.head_hash, item.head_timestamp),
        finalized=Ref(item.finalized_number, item.finalized_hash, item.finalized_timestamp),
        mixed=None if mixed is None else Mixed(mixed.number, mixed.hash, mixed.tail),
        tail=item.tail,
        epoch=item.epoch,
        index=item.index,
        at=item.updated_at,
    )


def place_item(chain: str, contract: str, following: int | None, *, index: str) -> Item:
    """Return a contract's item of FOLLOWED; `following` is its next block, None once it is at the head."""
    place: Item = {"chain": chain, "contract": contract, "index": index}
    return place if following is None else place | {"next_block": following}


def aside_partition(chain_id: int) -> str:
    """Return the partition of BLOCKS that holds what was set aside of one chain."""
    return scoped(chain_id, "set-aside")


def token_item(token: Token) -> Item:
    """Return the item of TOKENS that holds a token."""
    item = to_item(token) | token_place(token.chain_id, token.contract, token.token_id)
    if token.owner is not None:
        item["owner_id"] = scoped(token.chain_id, token.owner)
        item["owned_key"] = owned_key(token.contract, token.token_id)
    return item | token_query_keys(token)


def balance_item(balance: Balance) -> Item:
    """Return the item of BALANCES that holds a balance."""
    place = balance_place(balance.chain_id, balance.contract, balance.token_id, balance.holder)
    return to_item(balance) | place | balance_query_keys(balance)


def transfer_item(transfer: Transfer) -> Item:
    """Return the item of TRANSFERS that holds a transfer."""
    return to_item(transfer) | transfer_place(transfer_key(transfer)) | transfer_query_keys(transfer)


def transfer_place(key: tuple[str, str]) -> Item:
    """Return a transfer's key in TRANSFERS."""
    return {"token_ref": key[0], "position": key[1]}


def attempt_of(item: Item) -> Attempted:
    """Return the attempt that an item of ATTEMPTS holds."""
    own = item.get("kind") == "self_redeem"
    mint_id, at, trace = item.get("mint_id"), item.get("at"), item.get("trace")
    return Attempted(
        key=None if own else _place(item),
        mint_id=mint_id if isinstance(mint_id, str) else None,
        at=at if isinstance(at, int) else None,
        trace=trace if isinstance(trace, str) else "",
        own=own,
    )


def _place(attempt: Item) -> TransactionKey | None:
    chain_id, sender, nonce = attempt.get("chain_id"), attempt.get("sender"), attempt.get("nonce")
    if not isinstance(chain_id, int) or not isinstance(sender, str) or not isinstance(nonce, int):
        return None
    return TransactionKey(scoped(chain_id, sender), nonce)
