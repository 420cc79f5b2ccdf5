"""Users of the pool: found by `sub` or e-mail address, and made for an address that has no user.

::

    address ──▶ the user who signs in with it ──none──▶ create, named by a keyed hash ──exists──▶ that user
                        1                                           2  the lock                      3

The pool has a user name once, so step 2 is the lock on any number of copies, and a process that dies after
it has left everything that the next request needs: it comes to step 3. We store no address: what a mint has
is the user's `sub`, and deleting the user in the pool deletes the address.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from mintline.errors import Unavailable
from mintline_api.caches import BoundedCache, SingleFlight
from mintline_api.features.users.emails import Email, Emails
from mintline_api.features.users.ports import PoolUser, UserPool
from mintline_api.features.users.problems import INVALID_EMAIL, NO_USER_POOL
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.http.problems import Fault, RequestRefused

log = structlog.get_logger()

CACHE_SECONDS = 600.0
"""How long a user who was found in the pool is taken to be there: Cognito allows few requests a second."""
_CACHED_USERS = 100_000
_NO_POOL = "this deployment has no user pool: name the recipient by address"


@dataclass(frozen=True, slots=True)
class EnsuredUser:
    """The user of an address; `created` if this made them."""

    user: PoolUser
    created: bool


class UserDirectory:
    """The pool's users whom this process has met: a bounded cache, and one request per user at a time.

    Without a `pool`, a user named by `sub` or by e-mail address is refused (NO_USER_POOL).
    """

    def __init__(
        self,
        pool: UserPool | None,
        emails: Emails,
        *,
        clock: Callable[[], float],
        looked_up: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._users = pool
        self._emails = emails
        self._by_sub: BoundedCache[str, PoolUser] = BoundedCache(
            max_weight=_CACHED_USERS, clock=clock, looked_up=looked_up
        )
        self._by_name: BoundedCache[str, PoolUser] = BoundedCache(
            max_weight=_CACHED_USERS, clock=clock, looked_up=looked_up
        )
        self._subs: SingleFlight[str, PoolUser | None] = SingleFlight()
        self._names: SingleFlight[str, EnsuredUser] = SingleFlight()

    @property
    def _pool(self) -> UserPool:
        """The pool; raises RequestRefused if there is none."""
        if self._users is None:
            raise RequestRefused(NO_USER_POOL, f"{_NO_POOL.capitalize()}.")
        return self._users

    def email(self, text: str, *, pointer: str | None = None, parameter: str | None = None) -> Email:
        """Return the address that a text is; raises RequestRefused, which says where the text lies."""
        self.check_pool(pointer=pointer, parameter=parameter)
        try:
            return self._emails.read(text)
        except ValueError as error:
            fault = Fault(str(error), pointer=pointer, parameter=parameter)
            raise RequestRefused(INVALID_EMAIL, f"{pointer or parameter}: {error}.", faults=[fault]) from None

    def check_pool(self, *, pointer: str | None = None, parameter: str | None = None) -> None:
        """Refuse what names a user where there is no pool, and say where it lies: raises RequestRefused."""
        if self._users is None:
            fault = Fault(_NO_POOL, pointer=pointer, parameter=parameter)
            raise RequestRefused(NO_USER_POOL, f"{pointer or parameter}: {_NO_POOL}.", faults=[fault])

    async def known(self, sub: str) -> PoolUser | None:
        """Return the user with this `sub`, None if there is none; raises RequestRefused without a pool."""
        user = self._by_sub.get(sub)
        if user is None:
            user = await self._subs.run(sub, lambda: self._pool.by_sub(sub))
            if user is not None:
                self._by_sub.put(sub, user, ttl=CACHE_SECONDS)
        return user

    async def find(self, email: Email) -> PoolUser | None:
        """Return the user of an address, None if there is none."""
        return self._by_name.get(email.name) or await self._find(email)

    async def ensure(self, email: Email) -> EnsuredUser:
        """Return the user of an address, made if there is none."""
        user = self._by_name.get(email.name)
        if user is not None:
            return EnsuredUser(user, created=False)
        ensured = await self._names.run(email.name, lambda: self._ensure(email))
        self._by_name.put(email.name, ensured.user, ttl=CACHE_SECONDS)
        return ensured

    async def _find(self, email: Email) -> PoolUser | None:
        return await self._pool.by_address(email) or await self._pool.by_name(email)

    async def _ensure(self, email: Email) -> EnsuredUser:
        if (user := await self._pool.by_address(email)) is not None:
            return EnsuredUser(user, created=False)
        if (user := await self._pool.create(email)) is not None:
            log.info("user_created", sub=user.sub)
            return EnsuredUser(user, created=True)
        if (user := await self._find(email)) is not None:
            return EnsuredUser(user, created=False)
        raise Unavailable("the user pool has a user for this address, and does not show them yet")


@dataclass(frozen=True, slots=True)
class UserWithWallet:
    """A user, and their wallet's address if they have one; `created` if this made the user."""

    user: PoolUser
    wallet: str | None
    created: bool = False


async def find_user(email: Email, *, users: UserDirectory, wallets: WalletDirectory) -> UserWithWallet | None:
    """Return the user of an address and their wallet; makes neither."""
    user = await users.find(email)
    if user is None:
        return None
    wallet = await wallets.existing(user.sub)
    return UserWithWallet(user, None if wallet is None else wallet.address)


async def create_user(email: Email, *, users: UserDirectory, wallets: WalletDirectory) -> UserWithWallet:
    """Return the user of an address and their wallet, each made if there is none; safe to repeat."""
    ensured = await users.ensure(email)
    wallet = await wallets.of(ensured.user.sub)
    return UserWithWallet(ensured.user, wallet.address, created=ensured.created)
