"""The ports in memory: for tests and simulations, and true to the real ones in all that handlers can see."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, TypeVar

from mintline.authorizations import Authorization, Key, key_of
from mintline.aws.key_stores import secret_name
from mintline.aws.keys import GeneratedKey
from mintline.chain.answers import FeeMarket
from mintline.chain.calls import Call
from mintline.errors import Unavailable
from mintline.eth import keccak256, to_checksum_address
from mintline.messages import BuildMint, ReviewMint, SelfRedeem
from mintline.records import (
    Challenge,
    Checkpoint,
    Link,
    Mint,
    Operation,
    Problem,
    RegisteredContract,
    Token,
    TokenOperation,
    Transfer,
    Wallet,
    created_key,
    position,
    scoped,
    token_key,
)
from mintline.states import TERMINAL, MintStatus, may
from mintline.transaction_records import (
    Place,
    Transaction,
    as_far_as,
    as_far_as_any,
    carried_by,
    may_still_be_stopped,
)
from mintline_api.ports import AddressTaken, ChallengeSpent, OperationT, Page

T = TypeVar("T")


def _page(items: Iterable[tuple[str, T]], *, limit: int, after: str | None, newest_first: bool) -> Page[T]:
    ordered = sorted(items, key=lambda item: item[0], reverse=newest_first)
    if after is not None:
        ordered = [item for item in ordered if (item[0] < after if newest_first else item[0] > after)]
    return Page(tuple(ordered[:limit]), more=len(ordered) > limit)


class MemoryMints:
    """Mints in a dict, and the transactions that carry them in another."""

    def __init__(self) -> None:
        self.items: dict[str, Mint] = {}
        """As they are stored: see `as_far_as`."""
        self.token_operations: dict[str, TokenOperation] = {}
        """Transfers and burns, which lie in the same table."""
        self.transactions: dict[Place, Transaction] = {}
        self.authorizations: dict[Key, Authorization] = {}

    async def create(self, operation: OperationT, authorization: Authorization) -> OperationT | None:
        """Create unless it exists."""
        key = key_of(operation)
        assert key is not None
        self.authorizations.setdefault(key, authorization)
        existing = await self.operation(operation.operation_id)
        if existing is not None:
            assert isinstance(existing, type(operation))
            return existing
        if isinstance(operation, Mint):
            self.items[operation.mint_id] = operation
        elif isinstance(operation, TokenOperation):
            self.token_operations[operation.operation_id] = operation
        return None

    async def operation(self, operation_id: str) -> Operation | None:
        """Return an operation of any kind as it stands."""
        found = self.token_operations.get(operation_id)
        return self._standing(operation_id) if found is None else as_far_as_any(found, self.transactions)

    async def get(self, mint_id: str) -> Mint | None:
        """Return the mint as it stands."""
        return self._standing(mint_id)

    def _standing(self, mint_id: str) -> Mint | None:
        mint = self.items.get(mint_id)
        place = None if mint is None else carried_by(mint)
        return mint if mint is None or place is None else as_far_as(mint, self.transactions.get(place))

    async def cancel(self, mint: Mint, problem: Problem, *, at: int) -> Mint:
        """Reject a mint that was not sent, or note on a submitted one that it is to be stopped."""
        current = self.items[mint.mint_id]
        place = carried_by(mint)
        carried = None if place is None else self.transactions.get(place)
        stored = mint.status if carried is None else MintStatus.BUILT
        there = (current.status, current.nonce, current.cancel_requested_at) == (stored, mint.nonce, None)
        there = there and may(mint.status, MintStatus.REJECTED)
        if there and (carried is None or may_still_be_stopped(mint, carried)):
            fields: dict[str, object] = {"cancel_requested_at": at, "updated_at": at}
            if mint.status is not MintStatus.SUBMITTED:
                fields |= {"status": MintStatus.REJECTED, "problem": problem}
            self.items[mint.mint_id] = current.evolve(**fields)
            if place is not None and carried is not None:
                self.transactions[place] = carried.evolve(filling_at=carried.filling_at or at, updated_at=at)
        return self._standing(mint.mint_id) or mint

    async def ids_of(self, sub: str, *, limit: int, after: str | None) -> Page[str]:
        """Return a user's mint ids, newest first."""
        mine = [
            (created_key(m.created_at, m.mint_id), m.mint_id) for m in self.items.values() if m.sub == sub
        ]
        return _page(mine, limit=limit, after=after, newest_first=True)

    async def highest_token_id(self, contract: str, ids: range) -> int | None:
        """Return the highest of `ids` that a collection's open mints have."""
        mints = (m for m in self.items.values() if m.contract == contract and m.status not in TERMINAL)
        return max((m.token_id for m in mints if m.token_id is not None and m.token_id in ids), default=None)


class MemoryTokenIds:
    """Counters in a dict; each contract's begins at 1."""

    def __init__(self, counters: dict[str, int] | None = None) -> None:
        self.counters = {} if counters is None else counters
        self.leases: list[tuple[str, int]] = []

    async def upcoming(self, contract: str) -> int:
        """Return the next token id."""
        return self.counters.setdefault(contract, 1)

    async def advance(self, contract: str, to: int) -> None:
        """Move forward."""
        self.counters[contract] = max(to, self.counters.setdefault(contract, 1))

    async def lease(self, contract: str, count: int) -> int:
        """Take token ids."""
        await asyncio.sleep(0)
        first = self.counters.setdefault(contract, 1)
        self.counters[contract] += count
        self.leases.append((contract, count))
        return first


class MemoryWallets:
    """Wallets in a dict."""

    def __init__(self) -> None:
        self.items: dict[str, Wallet] = {}

    async def get(self, wallet_id: str) -> Wallet | None:
        """Return the wallet."""
        return self.items.get(wallet_id)

    async def create(self, wallet: Wallet) -> Wallet | None:
        """Create unless it exists."""
        existing = self.items.get(wallet.wallet_id)
        if existing is None:
            self.items[wallet.wallet_id] = wallet
        return existing

    async def mark_ready(self, wallet_id: str) -> None:
        """Mark as ready."""
        wallet = self.items[wallet_id]
        self.items[wallet_id] = wallet.evolve(ready=True, wrapped=None, kms_key=None)


class MemoryLinks:
    """Links and challenges in dicts."""

    def __init__(self, *, chain_id: int = 31337) -> None:
        self._chain_id = chain_id
        self.open: dict[str, Challenge] = {}
        self.items: dict[str, Link] = {}

    async def challenge(self, challenge: Challenge) -> None:
        """Keep a challenge."""
        self.open[challenge.nonce] = challenge

    async def link(self, link: Link, *, now: int) -> Link:
        """Spend the challenge and link the address."""
        present = self.items.get(link.link_id)
        if present is not None and present.sub != link.sub:
            raise AddressTaken("the address is another user's")
        if present is not None and present.nonce == link.nonce:
            return present
        challenge = self.open.get(link.nonce)
        if challenge is None or challenge.sub != link.sub or challenge.expires <= now:
            raise ChallengeSpent("the challenge is not open")
        del self.open[link.nonce]
        self.items[link.link_id] = link
        return link

    async def get(self, address: str) -> Link | None:
        """Return an address's link."""
        return self.items.get(scoped(self._chain_id, address))

    async def of_user(self, sub: str) -> tuple[Link, ...]:
        """Return a user's links, oldest first."""
        mine = (link for link in self.items.values() if link.sub == sub)
        return tuple(sorted(mine, key=lambda link: (link.linked_at, link.address)))

    async def unlink(self, address: str, *, sub: str) -> bool:
        """Drop a user's link."""
        link = await self.get(address)
        if link is None or link.sub != sub:
            return False
        del self.items[link.link_id]
        return True


class MemoryChain:
    """A chain that a test fills; a contract wallet accepts the digests in `accepts`."""

    def __init__(self) -> None:
        self.codes: dict[str, bytes] = {}
        self.accepts: dict[str, set[bytes]] = {}
        self.nonces: dict[str, int] = {}
        self.market = FeeMarket(base_fee=10**9, priority_fee=10**8)
        self.failure: Exception | None = None
        self.now: int | None = None
        """The latest block's timestamp; None for a node that has no block yet."""

    async def code(self, address: str) -> bytes:
        """Return an account's code."""
        self._answer()
        return self.codes.get(address, b"")

    async def call(self, call: Call) -> bytes:
        """Answer `isValidSignature` as EIP-1271 has it."""
        self._answer()
        method, digest = call.data[:4], call.data[4:36]
        accepted = call.to is not None and digest in self.accepts.get(call.to, ())
        return (method if accepted else bytes.fromhex("ffffffff")) + bytes(28)

    async def transaction_count(self, address: str) -> int:
        """Return an account's next nonce."""
        self._answer()
        return self.nonces.get(address, 0)

    async def fees(self) -> FeeMarket:
        """Return what the next block asks."""
        self._answer()
        return self.market

    async def time(self) -> int:
        """Return the latest block's timestamp."""
        self._answer()
        if self.now is None:
            raise Unavailable("the node has no latest block")
        return self.now

    def _answer(self) -> None:
        if self.failure is not None:
            raise self.failure


class MemoryKeys:
    """Keys by counting: every generated key is another one, as with KMS; none can sign."""

    def __init__(self, *, prefix: str = "mintline", chain_id: int = 31337) -> None:
        self._prefix = prefix
        self._chain_id = chain_id
        self.generated: list[GeneratedKey] = []
        self.kept: dict[str, tuple[str, bytes]] = {}

    async def generate(self, sub: str) -> GeneratedKey:
        """Make a key."""
        seed = keccak256(f"{sub}#{len(self.generated)}".encode())
        key = GeneratedKey(address=to_checksum_address(seed[12:]), wrapped=b"wrapped:" + seed)
        self.generated.append(key)
        return key

    async def keep(self, wallet: Wallet) -> None:
        """Keep a key; the first one stays."""
        assert wallet.wrapped is not None
        self.kept.setdefault(wallet.secret_id, (wallet.sub, wallet.wrapped))

    def secret_id(self, address: str) -> str:
        """Return the secret's name."""
        return secret_name(self._prefix, self._chain_id, address)


class MemoryIndex:
    """The index in lists, to be filled by the test."""

    def __init__(self) -> None:
        self.collections: dict[str, RegisteredContract] = {}
        self.head: Checkpoint | None = None
        self.tokens: dict[tuple[str, int], Token] = {}
        self.events: list[Transfer] = []

    async def collection(self, contract: str) -> RegisteredContract | None:
        """Return a collection."""
        return self.collections.get(contract)

    async def checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint."""
        return self.head

    async def token(self, contract: str, token_id: int) -> Token | None:
        """Return a token."""
        return self.tokens.get((contract, token_id))

    async def highest_token_id(self, contract: str, ids: range) -> int | None:
        """Return the highest of `ids` that was minted."""
        minted = (token_id for of, token_id in self.tokens if of == contract and token_id in ids)
        return max(minted, default=None)

    async def tokens_of(
        self, owner: str, *, contract: str | None, limit: int, after: str | None
    ) -> Page[Token]:
        """Return an owner's tokens."""
        mine = [
            (f"{t.contract}#{token_key(t.token_id)}", t)
            for t in self.tokens.values()
            if t.owner == owner and contract in (None, t.contract)
        ]
        return _page(mine, limit=limit, after=after, newest_first=False)

    async def transfers(
        self, contract: str, token_id: int, *, limit: int, after: str | None
    ) -> Page[Transfer]:
        """Return a token's transfers."""
        events = [
            (position(e.block_number, e.log_index), e)
            for e in self.events
            if (e.contract, e.token_id) == (contract, token_id)
        ]
        return _page(events, limit=limit, after=after, newest_first=True)


class MemoryRates:
    """Counts in a dict."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}
        self.requests = 0

    async def add(self, rate_id: str, count: int, *, expires: int) -> int:  # noqa: ARG002 - nothing is dropped
        """Add to a count."""
        self.requests += 1
        self.taken[rate_id] = self.taken.get(rate_id, 0) + count
        return self.taken[rate_id]


class MemoryRevocations:
    """Revocations in a dict, or no place for them."""

    def __init__(self) -> None:
        self.recorded: dict[str, tuple[int, bytes, int]] = {}
        """By `sub`: `revoked_before`, the statement, `expires`."""
        self.failure: Exception | None = None
        self.requests = 0

    async def record(self, sub: str, *, revoked_before: int, statement: bytes, expires: int) -> None:
        """Record a revocation, or raise the planned failure."""
        self.requests += 1
        if self.failure is not None:
            raise self.failure
        if sub not in self.recorded or self.recorded[sub][0] < revoked_before:
            self.recorded[sub] = revoked_before, statement, expires

    async def revoked_before(self, sub: str) -> int:
        """Return until when the user's tokens were issued that count no more."""
        if self.failure is not None:
            raise self.failure
        return self.recorded[sub][0] if sub in self.recorded else 0


class MemoryGas:
    """Wallets' gas in a dict."""

    def __init__(self) -> None:
        self.given: dict[str, tuple[int, int]] = {}

    async def gas_given(self, address: str) -> tuple[int, int]:
        """Return day and wei."""
        return self.given.get(address, (0, 0))


class MemoryMetadata:
    """Objects in a dict."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    async def read(self, key: str) -> bytes | None:
        """Return an object."""
        return self.objects.get(key)


class MemoryLine:
    """A line that remembers what it was given, unless it is made to fail."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.sent: list[tuple[str, BuildMint]] = []
        self.reviews: list[ReviewMint] = []
        self.redeemed: list[tuple[int, SelfRedeem]] = []

    async def build(self, message: BuildMint, *, group: str) -> None:
        """Remember the message."""
        self._fail()
        self.sent.append((group, message))

    async def review(self, message: ReviewMint) -> None:
        """Remember the message."""
        self._fail()
        self.reviews.append(message)

    async def redeem(self, message: SelfRedeem, *, at: int) -> None:
        """Remember a user's transaction."""
        self._fail()
        self.redeemed.append((at, message))

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class MemoryUserPool:
    """A user pool that a test may sign users out of, or take away."""

    def __init__(self) -> None:
        self.signed_out: set[str] = set()
        """The `sub`s whose tokens count no more."""
        self.asked: list[str] = []
        self.failure: Exception | None = None

    async def counts(self, token: str, *, sub: str) -> bool:
        """Tell whether the user is still signed in, or raise the planned failure."""
        assert token
        self.asked.append(sub)
        if self.failure is not None:
            raise self.failure
        return sub not in self.signed_out


class MemoryJwks:
    """A JWKS document that a test may rotate or take away."""

    def __init__(self, keys: Iterable[dict[str, Any]] = ()) -> None:
        self.keys = list(keys)
        self.fetches = 0
        self.failure: Exception | None = None

    async def fetch(self) -> dict[str, Any]:
        """Return the document, or raise the planned failure."""
        self.fetches += 1
        if self.failure is not None:
            raise self.failure
        return {"keys": list(self.keys)}
