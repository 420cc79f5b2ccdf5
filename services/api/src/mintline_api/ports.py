"""What the handlers need of the world; `stores` and `memory` provide it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from mintline.authorizations import Authorization
from mintline.aws.keys import GeneratedKey
from mintline.chain.answers import FeeMarket
from mintline.chain.calls import Call
from mintline.errors import Conflict
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
    Transfer,
    Wallet,
)

T = TypeVar("T")
OperationT = TypeVar("OperationT", bound=Operation)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list: items with the position of each, and whether more may follow."""

    items: tuple[tuple[str, T], ...]
    more: bool


class MintStore(Protocol):
    """The operations: mints, transfers and burns."""

    async def create(self, operation: OperationT, authorization: Authorization) -> OperationT | None:
        """Create an operation unless its id exists; return None if created, else the one that was there.

        Its authorization is on record before it is.
        """
        ...

    async def operation(self, operation_id: str) -> Operation | None:
        """Return an operation of any kind as it is now."""
        ...

    async def get(self, mint_id: str) -> Mint | None:
        """Return the mint as it is now."""
        ...

    async def cancel(self, mint: Mint, problem: Problem, *, at: int) -> Mint:
        """Reject a mint that was not sent, note on a submitted one that it is to be stopped.

        Only if its status is still `mint`'s. Returns the mint as it is then, changed or not; `at` is in Unix
        milliseconds.
        """
        ...

    async def ids_of(self, sub: str, *, limit: int, after: str | None) -> Page[str]:
        """Return a user's mint ids, newest first; may lag behind `create` by moments."""
        ...

    async def highest_token_id(self, contract: str, ids: range) -> int | None:
        """Return the highest of `ids` that a collection's newest open mints have; None if they have none."""
        ...


class TokenIdCounter(Protocol):
    """The collections' counters of token ids; all raise Refused for a contract that is not registered."""

    async def upcoming(self, contract: str) -> int:
        """Return the token id with which the next lease begins."""
        ...

    async def lease(self, contract: str, count: int) -> int:
        """Take `count` token ids and return the first."""
        ...

    async def advance(self, contract: str, to: int) -> None:
        """Have the next lease begin with `to`, unless it begins with a higher one."""
        ...


class UsedTokenIds(Protocol):
    """Records by which token ids are known that were given out."""

    async def highest_token_id(self, contract: str, ids: range) -> int | None:
        """Return the highest of `ids` that is known to be in use in a collection; None if none is."""
        ...


class WalletStore(Protocol):
    """The users' wallets."""

    async def get(self, wallet_id: str) -> Wallet | None:
        """Return the wallet as it is now."""
        ...

    async def create(self, wallet: Wallet) -> Wallet | None:
        """Create a wallet unless its id exists; return None if created, else the wallet that was there."""
        ...

    async def mark_ready(self, wallet_id: str) -> None:
        """Note that the wrapped key is in its store, and drop the copy; harmless if that is done."""
        ...


class ChallengeSpent(Conflict):
    """A challenge that is not open: answered, expired, or never this user's."""


class AddressTaken(Conflict):
    """An address that is linked to another user."""


class LinkStore(Protocol):
    """The users' own wallets, and the challenges by which they prove themselves."""

    async def challenge(self, challenge: Challenge) -> None:
        """Keep a challenge until it expires."""
        ...

    async def link(self, link: Link, *, now: int) -> Link:
        """Spend the link's challenge and link its address, both or neither; return the link on record.

        `now` is in Unix seconds. An address that is the user's already stays so. Raises ChallengeSpent or
        AddressTaken.
        """
        ...

    async def get(self, address: str) -> Link | None:
        """Return an address's link as it is now."""
        ...

    async def of_user(self, sub: str) -> tuple[Link, ...]:
        """Return a user's links, oldest first; may lag behind `link` by moments."""
        ...

    async def unlink(self, address: str, *, sub: str) -> bool:
        """Drop a user's link; tell whether there was one."""
        ...


class Chain(Protocol):
    """The chain, read only, at its latest block; `mintline.chain.node.Node` is one."""

    async def code(self, address: str) -> bytes:
        """Return an account's code, empty unless it is a contract or delegates to one (EIP-7702)."""
        ...

    async def call(self, call: Call) -> bytes:
        """Return what a call returns; raises Rejected if it reverts or runs out of gas."""
        ...

    async def transaction_count(self, address: str) -> int:
        """Return an account's next nonce."""
        ...

    async def fees(self) -> FeeMarket:
        """Return what the next block asks."""
        ...

    async def time(self) -> int:
        """Return the latest block's timestamp, in Unix seconds."""
        ...


class Keys(Protocol):
    """Makes keys and keeps them wrapped."""

    async def generate(self, sub: str) -> GeneratedKey:
        """Make a key for a user."""
        ...

    async def keep(self, wallet: Wallet) -> None:
        """Keep the wrapped key of a record under its `secret_id`; harmless if that is done."""
        ...

    def secret_id(self, address: str) -> str:
        """Return where the wrapped key of a new address is to be kept."""
        ...


class Index(Protocol):
    """What the indexer knows of the chain."""

    async def collection(self, contract: str) -> RegisteredContract | None:
        """Return a collection of ours."""
        ...

    async def checkpoint(self) -> Checkpoint | None:
        """Return how far the index has come; None before its first block."""
        ...

    async def token(self, contract: str, token_id: int) -> Token | None:
        """Return a token that was ever minted."""
        ...

    async def highest_token_id(self, contract: str, ids: range) -> int | None:
        """Return a high one of `ids` that was minted in a collection: the highest, but for gaps; or None."""
        ...

    async def tokens_of(
        self, owner: str, *, contract: str | None, limit: int, after: str | None
    ) -> Page[Token]:
        """Return an owner's tokens by contract and id."""
        ...

    async def transfers(
        self, contract: str, token_id: int, *, limit: int, after: str | None
    ) -> Page[Transfer]:
        """Return a token's transfers, newest first."""
        ...


class RateCounter(Protocol):
    """Counts what all copies of the api have taken."""

    async def add(self, rate_id: str, count: int, *, expires: int) -> int:
        """Add to a count and return what it is then; it is dropped some time after `expires` (Unix s)."""
        ...


class RevocationStore(Protocol):
    """Where revoked tokens are on record, for the enclave."""

    async def record(self, sub: str, *, revoked_before: int, statement: bytes, expires: int) -> None:
        """Record it, unless as much is on record of the user; it is dropped some time after `expires`.

        Both times are in Unix seconds.
        """
        ...

    async def revoked_before(self, sub: str) -> int:
        """Return the Unix second before which issued tokens of the user do not count; 0 if all count."""
        ...


class GasAccounts(Protocol):
    """What the builder has noted of wallets' gas."""

    async def gas_given(self, address: str) -> tuple[int, int]:
        """Return the last day (since the epoch) on which a wallet got gas, and how much then (wei)."""
        ...


class MetadataStore(Protocol):
    """The metadata's bytes."""

    async def read(self, key: str) -> bytes | None:
        """Return an object's bytes."""
        ...


class Line(Protocol):
    """The way into the line of services."""

    async def build(self, message: BuildMint, *, group: str) -> None:
        """Ask for an operation to be built; those of a `group` keep their order."""
        ...

    async def review(self, message: ReviewMint) -> None:
        """Ask for a mint that was sent to be looked at."""
        ...

    async def redeem(self, message: SelfRedeem, *, at: int) -> None:
        """Have a user's own transaction sent; the same one again, some seconds later, is sent again."""
        ...


class TokenStatus(Protocol):
    """The user pool, asked about a token."""

    async def counts(self, token: str, *, sub: str) -> bool:
        """Tell whether the pool still accepts the token of this user; raises Unavailable."""
        ...


class JwksSource(Protocol):
    """Where the user pool's signing keys come from."""

    async def fetch(self) -> dict[str, Any]:
        """Return the JWKS document; raises Unavailable."""
        ...
