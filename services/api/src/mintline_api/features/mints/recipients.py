"""Who a mint is for: what a request may name, and whose wallet that is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from mintline.records.wallets import Wallet
from mintline_api.features.mints.models import MintRequest
from mintline_api.features.mints.problems import (
    AMBIGUOUS_RECIPIENT,
    CUSTODY_NOT_AVAILABLE,
    UNKNOWN_RECIPIENT,
)
from mintline_api.features.operations.use_cases import Submission
from mintline_api.features.users.emails import Email
from mintline_api.features.users.problems import CLIENTS_ONLY
from mintline_api.features.users.use_cases import UserDirectory
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.http.problems import Fault, ProblemType, RequestRefused

_RECIPIENT = "#/recipient"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who receives a mint that a relayer sends: the user whose mint it is, and the address."""

    sub: str
    to: str


FindRecipient: TypeAlias = Callable[[], Awaitable[Recipient]]
"""Finds a recipient; may make a user, and a wallet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipients:
    """Finds recipients, and makes those of e-mail addresses."""

    users: UserDirectory
    wallets: WalletDirectory

    def read(self, submission: Submission[MintRequest]) -> tuple[Submission[MintRequest], FindRecipient]:
        """Return a submission that names no e-mail address, and what finds its recipient.

        The address is in the request's digest by its name, which is a keyed hash: nothing that is stored of
        a mint tells whose address it was. Raises RequestRefused for a recipient that is not named once, that
        the caller may not name, or whose e-mail address is none.
        """
        _check_named_once(submission)
        recipient = submission.request.recipient
        if recipient is not None and recipient.user is not None:
            self.users.check_pool(pointer=f"{_RECIPIENT}/user")
        if recipient is None or recipient.email is None:
            return submission, lambda: self._of(submission)
        email = self.users.email(recipient.email, pointer=f"{_RECIPIENT}/email")
        request = MintRequest.model_validate({**dict(submission.request), "recipient": {"email": email.name}})
        return replace(submission, request=request), lambda: self._of_email(email)

    async def _of_email(self, email: Email) -> Recipient:
        ensured = await self.users.ensure(email)
        return _in(await self.wallets.usable(ensured.user.sub))

    async def _of(self, submission: Submission[MintRequest]) -> Recipient:
        """Return the recipient; raises RequestRefused for a user whom the pool does not have."""
        request = submission.request
        if request.destination is not None:
            return Recipient(submission.sub, request.destination)
        if request.recipient is None or request.recipient.user is None:
            return _in(await self.wallets.usable(submission.sub))
        user = await self.users.known(request.recipient.user)
        if user is None:
            raise _refused(UNKNOWN_RECIPIENT, "the user pool has no user with this sub", "/user")
        return _in(await self.wallets.usable(user.sub))


def _in(wallet: Wallet) -> Recipient:
    return Recipient(wallet.sub, wallet.address)


def _check_named_once(submission: Submission[MintRequest]) -> None:
    request, client = submission.request, submission.client_id is not None
    recipient = request.recipient
    if recipient is not None:
        named = [recipient.address, recipient.user, recipient.email]
        if sum(value is not None for value in named) != 1:
            raise _refused(AMBIGUOUS_RECIPIENT, "expected exactly one of address, user and email")
        if request.to is not None:
            raise _refused(AMBIGUOUS_RECIPIENT, "expected either recipient or to, not both")
        if not client and recipient.address is None:
            raise _refused(CLIENTS_ONLY, "only a machine client may name a user or an e-mail address")
    if client and recipient is None and request.to is None:
        raise _refused(AMBIGUOUS_RECIPIENT, "a machine client has no wallet: name the recipient")
    if client and request.custody not in (None, "sponsored"):
        fault = Fault("expected sponsored, or nothing", pointer="#/custody")
        raise RequestRefused(
            CUSTODY_NOT_AVAILABLE, "#/custody: a machine client's mints are sponsored.", faults=[fault]
        )


def _refused(kind: ProblemType, detail: str, member: str = "") -> RequestRefused:
    pointer = _RECIPIENT + member
    return RequestRefused(kind, f"{pointer}: {detail}.", faults=[Fault(detail, pointer=pointer)])
