"""The ports over AWS: DynamoDB, SQS, KMS and S3, and a key store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import Field

from mintline.acceptance import Certificate
from mintline.authorizations import Authorization
from mintline.aws.authorizations import keep_authorization
from mintline.aws.dynamo import (
    Change,
    Clause,
    ConditionFailed,
    Contended,
    Dynamo,
    Item,
    Put,
    TransactionCancelled,
    Update,
)
from mintline.aws.dynamo import Page as ItemPage
from mintline.aws.keys import GeneratedKey, generate_key
from mintline.aws.records import read, readable, to_item, token_place, transition, unusable
from mintline.aws.session import error_code, translated
from mintline.aws.standing import filling, read_mint, read_operation, read_transaction, standing
from mintline.errors import Unavailable, Unreadable, Unwritable
from mintline.fields import Wei
from mintline.key_stores import KeyStores, StoredKey, StoreName
from mintline.messages import BuildMint, Frozen, ReviewMint, SelfRedeem
from mintline.queue_port import SendingPort
from mintline.records import (
    OPEN_SHARDS,
    Checkpoint,
    Mint,
    Operation,
    Problem,
    RegisteredContract,
    Token,
    Transfer,
    Wallet,
    created_key,
    open_shard,
    scoped,
    token_ref,
)
from mintline.resources import (
    ACCOUNTS,
    BROADCAST,
    BUILD,
    CHECKPOINTS,
    COLLECTIONS,
    INTAKE_KEY,
    METADATA,
    MINTS,
    RATES,
    REVOCATIONS,
    TOKENS,
    TRANSFERS,
    WALLET_KEY,
    WALLETS,
)
from mintline.set_aside import SetAside
from mintline.states import MintStatus
from mintline.transaction_records import carried_by, may_still_be_stopped
from mintline_api.features.collections.problems import UNKNOWN_CONTRACT
from mintline_api.http.problems import Refused
from mintline_api.ports import OperationT, Page

if TYPE_CHECKING:
    from types_aiobotocore_kms import KMSClient
    from types_aiobotocore_s3 import S3Client

_BY_USER = MINTS.index("by_user")
_BY_OWNER = TOKENS.index("by_owner")
_OPEN = MINTS.index("open")
_NEWEST_OPEN = 5
"""Mints of each shard of the open ones that are asked for the highest token id."""
_OPEN_PAGE = 25
"""Open operations of a shard that are looked through for mints at once."""
_OPEN_PAGES = 8
"""Such pages at most: behind as many transfers and burns no mint is looked for."""
_MINT = "mint_"
"""What a mint's id begins with, and no other operation's."""
_SAMPLES = 50
"""Token ids that are looked for at once to find the highest one."""
_REPEAT = 5_000
"""Milliseconds within which a repeated transaction is a retry of the request, not the user's second try."""


class DynamoMints:
    """The tables of mints and of their authorizations.

    ::

        authorizations   new_authorization ─▶ it stays as it is
        mints            new_mint          ─▶ the mint that is there
    """

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def create(self, operation: OperationT, authorization: Authorization) -> OperationT | None:
        """Create an operation unless its id exists; return None if created, else the one that was there."""
        # First: a crash in between leaves an authorization that nobody reads, never a mint without its own.
        await keep_authorization(self._dynamo, operation, authorization)
        operation_id = operation.operation_id
        item = {
            **to_item(operation),
            "created_key": created_key(operation.created_at, operation_id),
            "open_shard": open_shard(operation_id),
        }
        try:
            await self._dynamo.write(Put(MINTS, item, where=(Clause("new_mint", "mint_id", "missing"),)))
        except ConditionFailed as lost:
            found: Operation | None
            if lost.item is not None:
                found = await standing(self._dynamo, lost.item, self._set_aside)
            else:
                found = await self.operation(operation_id)
            # An id begins with its kind.
            assert isinstance(found, type(operation))
            return found
        return None

    async def operation(self, operation_id: str) -> Operation | None:
        """Return an operation of any kind as it stands now."""
        return await read_operation(self._dynamo, operation_id, self._set_aside)

    async def get(self, mint_id: str) -> Mint | None:
        """Return the mint as it stands now."""
        return await read_mint(self._dynamo, mint_id, self._set_aside)

    async def cancel(self, mint: Mint, problem: Problem, *, at: int) -> Mint:
        """Reject a mint that was not sent, or note on a submitted one that it is to be stopped.

        The nonce of a transaction that carries it is for a no-op from then on, by the same write.
        """
        place = carried_by(mint)
        carried = None if place is None else await read_transaction(self._dynamo, place, self._set_aside)
        if carried is not None and not may_still_be_stopped(mint, carried):
            return await self.get(mint.mint_id) or mint
        stored = mint.status if carried is None else MintStatus.BUILT
        still = (
            Clause("still_there", "status", "eq", (stored.value,)),
            Clause("first_request", "cancel_requested_at", "missing"),
            *(() if place is None else (Clause("its_nonce", "nonce", "eq", (place.nonce,)),)),
        )
        if mint.status is MintStatus.SUBMITTED:
            asked: Item = {"cancel_requested_at": at, "updated_at": at}
            update = Update(MINTS, {"mint_id": mint.mint_id}, set=asked, where=still)
        else:
            ended: Item = {"problem": to_item(problem), "cancel_requested_at": at}
            update = transition(mint.mint_id, MintStatus.REJECTED, at=at, set=ended, where=still)
        with suppress(ConditionFailed, TransactionCancelled):
            if carried is None:
                await self._dynamo.write(update)
            else:
                await self._together(update, filling(carried, at=at))
        return await self.get(mint.mint_id) or mint

    async def _together(self, *changes: Change) -> None:
        try:
            await self._dynamo.transact(changes)
        except Contended:
            raise Unavailable("other writers kept moving the mint or its transaction") from None

    async def ids_of(self, sub: str, *, limit: int, after: str | None) -> Page[str]:
        """Return a user's mint ids, newest first; the index lags behind `create` by moments."""
        start: Item | None = None
        if after is not None:
            start = {"mint_id": after.partition("#")[2], "sub": sub, "created_key": after}
        page = await self._dynamo.query(
            MINTS, index=_BY_USER, partition=sub, forward=False, limit=limit, start=start
        )
        return Page(
            tuple((_text(item, "created_key"), _text(item, "mint_id")) for item in page.items),
            more=page.next is not None,
        )

    async def highest_token_id(self, contract: str, ids: range) -> int | None:
        """Return the highest of `ids` in a collection that the newest open mints of all collections have."""
        shards = await asyncio.gather(*map(self._newest_open, range(OPEN_SHARDS)))
        keys: list[Item] = [{"mint_id": mint_id} for ids_of_shard in shards for mint_id in ids_of_shard]
        items = await asyncio.gather(*(self._dynamo.get(MINTS, key) for key in keys))
        present = (item for item in items if item is not None)
        return max(
            (
                mint.token_id
                for _, mint in readable(Mint, MINTS, present, self._set_aside)
                if mint.contract == contract and mint.token_id is not None and mint.token_id in ids
            ),
            default=None,
        )

    async def _newest_open(self, shard: int) -> list[str]:
        """Return the ids of a shard's newest open mints: the transfers and burns among them are no mints.

        Those name tokens that they did not take from a counter.
        """
        found: list[str] = []
        start: Item | None = None
        for _ in range(_OPEN_PAGES):
            page = await self._dynamo.query(
                MINTS, index=_OPEN, partition=str(shard), forward=False, limit=_OPEN_PAGE, start=start
            )
            ids = (_text(item, "mint_id") for item in page.items)
            found += [one for one in ids if one.startswith(_MINT)]
            start = page.next
            if start is None or len(found) >= _NEWEST_OPEN:
                break
        return found[:_NEWEST_OPEN]


class _Counter(Frozen):
    """The part of a collection that is counted."""

    next_token_id: int = Field(ge=0, strict=True)


class DynamoTokenIds:
    """The counters of one chain's collections."""

    def __init__(self, dynamo: Dynamo, *, chain_id: int, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def upcoming(self, contract: str) -> int:
        """Return what the counter stands at; raises Unusable if that cannot be read."""
        item = await self._dynamo.get(COLLECTIONS, self._key(contract))
        if item is None:
            raise _unregistered(contract)
        return read(_Counter, COLLECTIONS, item, self._set_aside).next_token_id

    async def advance(self, contract: str, to: int) -> None:
        """Move the counter forward, never back."""
        behind = Clause("behind", "next_token_id", "lt", (to,))
        update = Update(COLLECTIONS, self._key(contract), set={"next_token_id": to}, where=(behind,))
        with suppress(ConditionFailed):
            # Alone, like the addition: the role has no permission for PartiQL here.
            await self._dynamo.update_returning(update)

    async def lease(self, contract: str, count: int) -> int:
        """Take token ids by one addition; raises Unusable for a counter that cannot be read.

        No other value can stand in for it: ids that are made up may be on other mints' records.
        """
        key = self._key(contract)
        # Only a number of 0 or more passes, as DynamoDB compares: what was damaged is not added to.
        countable = Clause("countable", "next_token_id", "ge", (0,))
        update = Update(COLLECTIONS, key, add={"next_token_id": count}, where=(countable,))
        try:
            item = await self._dynamo.update_returning(update)
        except ConditionFailed as lost:
            present = lost.item or await self._dynamo.get(COLLECTIONS, key)
            if present is None:
                raise _unregistered(contract) from None
            read(_Counter, COLLECTIONS, present, self._set_aside)
            raise Unavailable("the counter of token ids was repaired meanwhile") from None
        except Unwritable as error:
            raise unusable(COLLECTIONS, key, error, self._set_aside) from None
        return read(_Counter, COLLECTIONS, item, self._set_aside).next_token_id - count

    def _key(self, contract: str) -> Item:
        return {"collection_id": scoped(self._chain_id, contract)}


def _unregistered(contract: str) -> Refused:
    return Refused(UNKNOWN_CONTRACT, f"{contract} is no collection of this API.")


class DynamoWallets:
    """The wallets table."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def get(self, wallet_id: str) -> Wallet | None:
        """Return the wallet as it is now."""
        item = await self._dynamo.get(WALLETS, {"wallet_id": wallet_id})
        return None if item is None else self._read(item)

    async def create(self, wallet: Wallet) -> Wallet | None:
        """Create a wallet unless its id exists; return None if created, else the wallet that was there."""
        lock = Clause("first_wallet", "wallet_id", "missing")
        try:
            await self._dynamo.write(Put(WALLETS, to_item(wallet), where=(lock,)))
        except ConditionFailed as lost:
            if lost.item is not None:
                return self._read(lost.item)
            return await self.get(wallet.wallet_id)
        return None

    async def mark_ready(self, wallet_id: str) -> None:
        """Note that the wrapped key is in its store, and drop the copy; harmless if that is done."""
        await self._dynamo.write(
            Update(
                WALLETS,
                {"wallet_id": wallet_id},
                set={"ready": True},
                remove=("wrapped", "kms_key"),
                where=(Clause("wallet_exists", "wallet_id", "exists"),),
            )
        )

    def _read(self, item: Item) -> Wallet:
        wallet = read(Wallet, WALLETS, item, self._set_aside)
        if not wallet.ready and wallet.wrapped is None:
            error = Unreadable("Wallet: wrapped: missing, although ready is false")
            raise unusable(WALLETS, item, error, self._set_aside)
        return wallet


class KmsKeys:
    """Keys made by KMS; new ones are kept in the store that is `picked`."""

    def __init__(
        self,
        kms: KMSClient,
        stores: KeyStores,
        *,
        picked: StoreName,
        pinned: Sequence[str],
        prefix: str,
        chain_id: int,
    ) -> None:
        self._kms = kms
        self._pinned = pinned
        self._stores = stores
        self._picked = stores.named(picked)
        self._prefix = prefix
        self._chain_id = chain_id

    async def generate(self, sub: str) -> GeneratedKey:
        """Make a key for a user; raises WrongKmsKey when none of the pinned KMS keys wrapped it."""
        return await generate_key(
            self._kms,
            key_id=WALLET_KEY.alias(self._prefix),
            subject=sub,
            chain_id=self._chain_id,
            pinned=self._pinned,
        )

    async def keep(self, wallet: Wallet) -> None:
        """Keep a wrapped key in the store that was picked when the wallet was made."""
        await self._stores.holding(wallet.secret_id).create(kept_key(wallet))

    def secret_id(self, address: str) -> str:
        """Return where the wrapped key of a new address is to be kept."""
        return self._picked.reference(self._chain_id, address)


def kept_key(wallet: Wallet) -> StoredKey:
    """Return what is to be kept of a wallet whose record still holds its wrapped key."""
    if wallet.wrapped is None:
        raise Unreadable(f"the wallet {wallet.address} is not ready, and its wrapped key is gone")
    return StoredKey(
        address=wallet.address,
        chain_id=wallet.chain_id,
        subject=wallet.sub,
        wrapped=wallet.wrapped,
        kms_key=wallet.kms_key,
    )


class KmsIntake:
    """The platform's intake key, which KMS signs with for the api's role alone."""

    def __init__(self, kms: KMSClient, *, prefix: str) -> None:
        self._kms = kms
        self._alias = INTAKE_KEY.alias(prefix)

    async def certify(self, certificate: Certificate) -> Certificate:
        """Return a session key's certificate with the intake key's signature (KMS API reference, Sign)."""
        with translated():
            answer = await self._kms.sign(
                KeyId=self._alias,
                Message=certificate.to_sign(),
                MessageType="RAW",
                SigningAlgorithm="ECDSA_SHA_256",
            )
        try:
            return certificate.signed(answer["Signature"])
        except ValueError:
            raise Unavailable("KMS answered with no signature of P-256") from None


class DynamoIndex:
    """The tables that the indexer and the builder write, as one chain's index."""

    def __init__(self, dynamo: Dynamo, *, chain_id: int, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def collection(self, contract: str) -> RegisteredContract | None:
        """Return a collection of ours."""
        key: Item = {"collection_id": scoped(self._chain_id, contract)}
        item = await self._dynamo.get(COLLECTIONS, key)
        return None if item is None else read(RegisteredContract, COLLECTIONS, item, self._set_aside)

    async def checkpoint(self) -> Checkpoint | None:
        """Return how far the index has come; None before its first block."""
        item = await self._dynamo.get(CHECKPOINTS, {"chain": str(self._chain_id)})
        if item is None or "head_number" not in item:
            return None
        return read(Checkpoint, CHECKPOINTS, item, self._set_aside)

    async def token(self, contract: str, token_id: int) -> Token | None:
        """Return a token that was ever minted."""
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
            found = [token_id for token_id, is_there in zip(samples, minted, strict=True) if is_there]
            if not found:
                break
            highest = found[-1]
            above = next((token_id for token_id in samples if token_id > highest), ids.stop)
            between = range(highest + 1, above)
            samples = list(between[:: max(1, len(between) // _SAMPLES)])
        return highest

    async def _minted(self, contract: str, token_id: int) -> bool:
        return await self._dynamo.get(TOKENS, token_place(self._chain_id, contract, token_id)) is not None

    async def tokens_of(
        self, owner: str, *, contract: str | None, limit: int, after: str | None
    ) -> Page[Token]:
        """Return an owner's tokens by contract and id; the index lags behind the table by moments."""
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
                (_text(item, "owned_key"), token)
                for item, token in readable(Token, TOKENS, page.items, self._set_aside)
            ),
            more=page.next is not None,
        )

    async def transfers(
        self, contract: str, token_id: int, *, limit: int, after: str | None
    ) -> Page[Transfer]:
        """Return a token's transfers, newest first."""
        ref = token_ref(self._chain_id, contract, token_id)
        page: ItemPage = await self._dynamo.query(
            TRANSFERS,
            partition=ref,
            forward=False,
            limit=limit,
            start=None if after is None else {"token_ref": ref, "position": after},
        )
        return Page(
            tuple(
                (_text(item, "position"), transfer)
                for item, transfer in readable(Transfer, TRANSFERS, page.items, self._set_aside)
            ),
            more=page.next is not None,
        )


class _Taken(Frozen):
    """The part of a rate's item that is counted."""

    taken: int = Field(ge=0, strict=True)


def _first_samples(ids: range) -> list[int]:
    """Return the first few of `ids`, and further ones whose distance from these grows by the same factor."""
    factor = len(ids) ** (1 / _SAMPLES)
    offsets = {*range(_SAMPLES // 3), *(int(factor**power) for power in range(_SAMPLES))}
    return [ids[offset] for offset in sorted(offsets) if offset < len(ids)]


class DynamoRates:
    """The table of rates."""

    def __init__(self, dynamo: Dynamo, *, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._set_aside = set_aside or SetAside()

    async def add(self, rate_id: str, count: int, *, expires: int) -> int:
        """Add to a count and return what it is then; raises Unusable for one that cannot be read.

        That refuses one user's writes until the next minute, whose count is another item. To go on
        uncounted would lift the limit, and all copies would have to agree on any number in its place.
        """
        key: Item = {"rate_id": rate_id}
        update = Update(RATES, key, set={"expires": expires}, add={"taken": count})
        try:
            item = await self._dynamo.update_returning(update)
        except Unwritable as error:
            raise unusable(RATES, key, error, self._set_aside) from None
        return read(_Taken, RATES, item, self._set_aside).taken


class _Revocation(Frozen):
    """The part of a revocation that the api reads."""

    revoked_before: int = Field(ge=0, strict=True)


class DynamoRevocations:
    """The table of revocations, as one chain's."""

    def __init__(self, dynamo: Dynamo, *, chain_id: int, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain = str(chain_id)
        self._set_aside = set_aside or SetAside()

    async def record(self, sub: str, *, revoked_before: int, statement: bytes, expires: int) -> None:
        """Record a revocation; `revoked_before` only moves forward.

        Raises Unreadable if it cannot, for what is on record has no time to compare with.
        """
        key: Item = {"chain": self._chain, "sub": sub}
        told: Item = {"revoked_before": revoked_before, "statement": statement, "expires": expires}
        absent = Clause("new_user", "chain", "missing")
        earlier = Clause("earlier", "revoked_before", "lt", (revoked_before,))
        try:
            await self._dynamo.write(Put(REVOCATIONS, {**key, **told}, where=(absent,)))
        except ConditionFailed:
            try:
                await self._dynamo.write(Update(REVOCATIONS, key, set=told, where=(earlier,)))
            except ConditionFailed as lost:
                if lost.item is not None:
                    read(_Revocation, REVOCATIONS, lost.item, self._set_aside)

    async def revoked_before(self, sub: str) -> int:
        """Return until when the user's tokens were issued that count no more."""
        item = await self._dynamo.get(REVOCATIONS, {"chain": self._chain, "sub": sub})
        return 0 if item is None else read(_Revocation, REVOCATIONS, item, self._set_aside).revoked_before


class _GasGiven(Frozen):
    """The part of an account that tells of its gas, absent before the first top-up."""

    gas_day: int = Field(default=0, strict=True)
    gas_given: Wei = 0


class DynamoGas:
    """The accounts table, as one chain's wallets' gas."""

    def __init__(self, dynamo: Dynamo, *, chain_id: int, set_aside: SetAside | None = None) -> None:
        self._dynamo = dynamo
        self._chain_id = chain_id
        self._set_aside = set_aside or SetAside()

    async def gas_given(self, address: str) -> tuple[int, int]:
        """Return the last day on which a wallet got gas, and how much then (wei).

        What cannot be read is set aside and counts as none: the builder keeps the budget, and needs the same
        record for it.
        """
        item = await self._dynamo.get(ACCOUNTS, {"account_id": scoped(self._chain_id, address)})
        if item is None:
            return 0, 0
        with suppress(Unreadable):
            account = read(_GasGiven, ACCOUNTS, item, self._set_aside)
            return account.gas_day, account.gas_given
        return 0, 0


class S3Metadata:
    """The metadata bucket."""

    def __init__(self, s3: S3Client, *, prefix: str) -> None:
        self._s3 = s3
        self._bucket = METADATA.bucket_name(prefix)

    async def read(self, key: str) -> bytes | None:
        """Return an object's bytes."""
        try:
            with translated():
                answer = await self._s3.get_object(Bucket=self._bucket, Key=key)
                async with answer["Body"] as stream:
                    return await stream.read()
        except ClientError as error:
            if error_code(error) in ("NoSuchKey", "404"):
                return None
            raise


class SqsLine:
    """The queues that the builder and the broadcaster read."""

    def __init__(self, queues: SendingPort) -> None:
        self._queues = queues

    async def build(self, message: BuildMint, *, group: str) -> None:
        """Ask for an operation to be built; the group's messages keep their order."""
        await self._queues.send(BUILD, message, group=group, dedup=f"build:{message.mint_id}")

    async def review(self, message: ReviewMint) -> None:
        """Ask for a mint to be looked at; nobody's order matters to that."""
        mint_id = message.mint_id
        await self._queues.send(BROADCAST, message, group=mint_id, dedup=f"cancel:{mint_id}")

    async def redeem(self, message: SelfRedeem, *, at: int) -> None:
        """Have a user's own transaction sent; repeated within seconds it is sent once."""
        dedup = f"redeem:0x{message.tx_hash.hex()}:{at // _REPEAT}"
        await self._queues.send(BROADCAST, message, group=message.mint_id, dedup=dedup)


def _text(item: Item, name: str) -> str:
    value = item[name]
    assert isinstance(value, str)
    return value
