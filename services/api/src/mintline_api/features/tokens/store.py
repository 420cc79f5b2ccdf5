"""The index in DynamoDB, as the indexer and the builder write it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from mintline.aws.dynamo import Dynamo, Item
from mintline.aws.dynamo import Page as ItemPage
from mintline.aws.records import balance_place, read, readable, token_place
from mintline.errors import Unreadable
from mintline.query_keys import items_partition, owned_key
from mintline.records.collections import Collection, RegisteredContract
from mintline.records.index import Balance, Checkpoint, Token, Transfer
from mintline.records.keys import position, scoped, token_ref
from mintline.resources import BALANCES, CHECKPOINTS, COLLECTIONS, TOKENS, TRANSFERS
from mintline.set_aside import SetAside
from mintline_api.features.pages import Page, text_of
from mintline_api.features.tokens.ports import EVERY_BLOCK, BlockRange, CollectionPage, CountedToken

_BY_OWNER = TOKENS.index("by_owner")
_BALANCES_BY_OWNER = BALANCES.index("by_owner")
_IDS_AT_ONCE = 100
_IDS_PER_PAGE = 500
"""Token ids that are looked for in one request for a collection's tokens."""
_LAST_LOG = 999_999
_SAMPLES = 50
"""Token ids that are looked for at once to find the highest one."""


class DynamoIndex:
    """The tables that the indexer and the builder write, as one chain's index."""

    def __init__(self, dynamo: Dynamo, *, chain_id: int, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def collection(self, contract: str) -> RegisteredContract | None:
        key: Item = {"collection_id": scoped(self._chain_id, contract)}
        item = await self._dynamo.get(COLLECTIONS, key)
        return None if item is None else read(RegisteredContract, COLLECTIONS, item, self._set_aside)

    async def checkpoint(self) -> Checkpoint | None:
        item = await self._dynamo.get(CHECKPOINTS, {"chain": str(self._chain_id)})
        if item is None or "head_number" not in item:
            return None
        return read(Checkpoint, CHECKPOINTS, item, self._set_aside)

    async def token(self, contract: str, token_id: int) -> Token | None:
        item = await self._dynamo.get(TOKENS, token_place(self._chain_id, contract, token_id))
        return None if item is None else read(Token, TOKENS, item, self._set_aside)

    async def highest_token_id(self, contract: str, ids: range) -> int | None:
        """Return a high one of `ids` that was minted, found by reading samples of them.

        The first samples lie ever further apart, the next ones between the highest that was minted and the
        one above. Ids are given out nearly without gaps, so few tokens are above the one that is found.
        """
        highest: int | None = None
        samples = _first_samples(ids)
        while samples:
            minted = await asyncio.gather(*(self._minted(contract, token_id) for token_id in samples))
            existing = [token_id for token_id, is_there in zip(samples, minted, strict=True) if is_there]
            if not existing:
                break
            highest = existing[-1]
            above = next((token_id for token_id in samples if token_id > highest), ids.stop)
            between = range(highest + 1, above)
            samples = list(between[:: max(1, len(between) // _SAMPLES)])
        return highest

    async def _minted(self, contract: str, token_id: int) -> bool:
        item = await self._dynamo.get(TOKENS, token_place(self._chain_id, contract, token_id))
        # The id of an ERC-1155 item is its caller's choice, and no mint's number.
        return item is not None and item.get("standard") != "erc1155"

    async def tokens_of(
        self, owner: str, *, contract: str | None, limit: int, after: str | None
    ) -> Page[CountedToken]:
        """Return an owner's tokens and items by contract and id; the indexes lag behind by moments."""
        tokens, items = await asyncio.gather(
            self._tokens_of(owner, contract=contract, limit=limit, after=after),
            self._balances_in(
                scoped(self._chain_id, owner), owner, contract=contract, limit=limit, after=after
            ),
        )
        merged = sorted([*tokens.items, *items.items], key=lambda entry: entry[0])
        # What comes after a page that goes on is not known yet.
        ends = [page.end for page in (tokens, items) if page.more and page.end is not None]
        known = [entry for entry in merged if not ends or entry[0] <= min(ends)]
        kept = known[:limit]
        last = min(ends) if ends and len(kept) == len(known) else None
        return Page(tuple(kept), more=tokens.more or items.more or len(kept) < len(merged), last=last)

    async def _tokens_of(
        self, owner: str, *, contract: str | None, limit: int, after: str | None
    ) -> Page[CountedToken]:
        owner_id = scoped(self._chain_id, owner)
        start: Item | None = None
        if after is not None:
            of_contract, _, key = after.partition("#")
            place = token_place(self._chain_id, of_contract, int(key))
            start = {"owner_id": owner_id, "owned_key": after, **place}
        page = await self._dynamo.query(
            TOKENS,
            index=_BY_OWNER,
            partition=owner_id,
            sort_begins=None if contract is None else f"{contract}#",
            limit=limit,
            start=start,
        )
        return Page(
            tuple(
                (text_of(item, "owned_key"), CountedToken(token))
                for item, token in readable(Token, TOKENS, page.items, self._set_aside)
            ),
            more=page.next is not None,
            last=_last(page, "owned_key"),
        )

    async def _balances_in(
        self, partition: str, holder: str | None, *, contract: str | None, limit: int, after: str | None
    ) -> Page[CountedToken]:
        """Return the items of a partition of balances: a holder's, or without one those of a collection."""
        start: Item | None = None
        if after is not None:
            of_contract, _, key = after.partition("#")
            place = balance_place(self._chain_id, of_contract, int(key), holder)
            start = {"owner_id": partition, "owned_key": after, **place}
        page = await self._dynamo.query(
            BALANCES,
            index=_BALANCES_BY_OWNER,
            partition=partition,
            sort_begins=None if contract is None else f"{contract}#",
            limit=limit,
            start=start,
        )
        balances = [balance for _, balance in readable(Balance, BALANCES, page.items, self._set_aside)]
        counted_tokens = await asyncio.gather(*map(self._counted, balances))
        items = [
            (owned_key(counted.token.contract, counted.token.token_id), counted)
            for counted in counted_tokens
            if counted is not None
        ]
        return Page(tuple(items), more=page.next is not None, last=_last(page, "owned_key"))

    async def _counted(self, balance: Balance) -> CountedToken | None:
        """Return the item of a balance; None if its row cannot be read."""
        contract, token_id = balance.contract, balance.token_id
        with suppress(Unreadable):
            if balance.holder is None:
                token = await self.token(contract, token_id)
                return None if token is None else CountedToken(token, balance.quantity)
            token, supply = await asyncio.gather(
                self.token(contract, token_id), self.held(contract, token_id, None)
            )
            return None if token is None else CountedToken(token, supply, balance.quantity)
        return None

    async def balance(self, owner: str, contract: str, *, most: int, items: bool = False) -> tuple[int, bool]:
        return await self._dynamo.count(
            BALANCES if items else TOKENS,
            index=_BALANCES_BY_OWNER if items else _BY_OWNER,
            partition=scoped(self._chain_id, owner),
            sort_begins=f"{contract}#",
            most=most,
        )

    async def held(self, contract: str, token_id: int, holder: str | None) -> int:
        item = await self._dynamo.get(BALANCES, balance_place(self._chain_id, contract, token_id, holder))
        return 0 if item is None else read(Balance, BALANCES, item, self._set_aside).quantity

    async def items_in(self, contract: str, *, limit: int, after: int | None) -> CollectionPage:
        key = None if after is None else owned_key(contract, after)
        partition = items_partition(self._chain_id, contract)
        page = await self._balances_in(partition, None, contract=None, limit=limit, after=key)
        end = page.end if page.more else None
        after = None if end is None else int(end.partition("#")[2])
        return CollectionPage(tuple(item for _, item in page.items), after)

    async def tokens_in(self, contract: str, *, limit: int, after: int | None) -> CollectionPage:
        """Return a collection's tokens by id, found by reading the ids that were given out.

        No index lists a collection's tokens: one more write a mint would pay for it. Ids are given out nearly
        without gaps, so few reads find nothing. A bounded number of ids is read, so a page may be short.
        """
        item = await self._dynamo.get(COLLECTIONS, {"collection_id": scoped(self._chain_id, contract)})
        if item is None:
            return CollectionPage((), None)
        given_out = read(Collection, COLLECTIONS, item, self._set_aside).next_token_id
        tokens: list[Token] = []
        first = 0 if after is None else after + 1
        until = min(given_out, first + _IDS_PER_PAGE)
        for start in range(first, until, _IDS_AT_ONCE):
            ids = range(start, min(start + _IDS_AT_ONCE, until))
            places = (token_place(self._chain_id, contract, token_id) for token_id in ids)
            items = await asyncio.gather(*(self._dynamo.get(TOKENS, place) for place in places))
            present = (item for item in items if item is not None)
            tokens += [token for _, token in readable(Token, TOKENS, present, self._set_aside)]
            if len(tokens) > limit:
                return CollectionPage(tuple(map(CountedToken, tokens[:limit])), tokens[limit - 1].token_id)
        return CollectionPage(tuple(map(CountedToken, tokens)), until - 1 if until < given_out else None)

    async def transfers(
        self,
        contract: str,
        token_id: int,
        *,
        limit: int,
        after: str | None,
        blocks: BlockRange = EVERY_BLOCK,
    ) -> Page[Transfer]:
        ref = token_ref(self._chain_id, contract, token_id)
        page: ItemPage = await self._dynamo.query(
            TRANSFERS,
            partition=ref,
            sort_between=(position(blocks.first, 0), position(blocks.last, _LAST_LOG)),
            forward=False,
            limit=limit,
            start=None if after is None else {"token_ref": ref, "position": after},
        )
        return Page(
            tuple(
                (text_of(item, "position"), transfer)
                for item, transfer in readable(Transfer, TRANSFERS, page.items, self._set_aside)
            ),
            more=page.next is not None,
            last=_last(page, "position"),
        )


def _last(page: ItemPage, key: str) -> str | None:
    """Return the position of a page's last row, whether or not it is readable."""
    return text_of(page.items[-1], key) if page.items else None


def _first_samples(ids: range) -> list[int]:
    """Return the first few of `ids`, and further ones whose distance from these grows by the same factor."""
    factor = len(ids) ** (1 / _SAMPLES)
    offsets = {*range(_SAMPLES // 3), *(int(factor**power) for power in range(_SAMPLES))}
    return [ids[offset] for offset in sorted(offsets) if offset < len(ids)]
