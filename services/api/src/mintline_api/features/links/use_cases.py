"""The users' own wallets: each proves itself by Sign-In with Ethereum (EIP-4361) before it is linked.

::

    challenge: nonce ──▶ the wallet signs a message that holds it ──▶ link: nonce spent, address taken
                                                                      (one transaction)

The nonce is of one user and good once, so a signature can be neither replayed nor used by who overhears it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

import structlog

from mintline.records.keys import scoped
from mintline.records.wallets import Challenge, Link
from mintline.recovery import recover
from mintline_api.chain import ChainReader, is_contract
from mintline_api.features.links.ports import AddressTaken, ChallengeSpent, LinkStore
from mintline_api.features.links.problems import (
    CHALLENGE_SPENT,
    MALFORMED_SIGN_IN,
    NOT_THE_WALLETS_SIGNATURE,
    SIGN_IN_MISMATCH,
    TOO_MANY_WALLETS,
    UNKNOWN_LINK,
    WALLET_NOT_LINKED,
    WALLET_TAKEN,
)
from mintline_api.features.links.signatures import ERC6492_SUFFIX, contract_accepts, personal_hash
from mintline_api.features.links.siwe import SiweMessage, compose, parse
from mintline_api.http.problems import Fault, RequestRefused

log = structlog.get_logger()

MAX_LINKS = 20
LIFETIME = timedelta(minutes=10)
"""How long a challenge may be answered."""
SKEW = timedelta(minutes=1)
"""By how much a client's clock may be ahead of ours."""
STATEMENT = "Link this wallet to your Mintline account. This costs nothing and sends no transaction."
_NONCE_BYTES = 16


@dataclass(frozen=True, slots=True)
class SignIn:
    """What every sign-in is for: the chain, and the sites that may ask; `uri` is this API's address."""

    chain_id: int
    sites: tuple[str, ...]
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Linking:
    """What it takes to link wallets; without `chain` no contract wallet can be linked."""

    sign_in: SignIn
    links: LinkStore
    chain: ChainReader | None
    entropy: Callable[[int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateChallenge:
    """Asks for a message that `address` signs at the site `domain`; `now` is in Unix milliseconds."""

    sub: str
    address: str
    domain: str | None
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkWallet:
    """Asks to link the wallet that signed a message; `now` is in Unix milliseconds."""

    sub: str
    message: str
    signature: bytes
    now: int


@dataclass(frozen=True, slots=True)
class Challenged:
    """A challenge, as a message and as the text to sign."""

    message: SiweMessage
    text: str


async def challenge(command: CreateChallenge, *, linking: Linking) -> Challenged:
    """Return a message for the wallet to sign, with a nonce that only its user can use.

    Raises RequestRefused for a site that may not ask, or if the user has too many links.
    """
    sign_in, links = linking.sign_in, linking.links
    site = command.domain or sign_in.sites[0]
    if site not in sign_in.sites:
        raise RequestRefused(SIGN_IN_MISMATCH, f"{site} is not a site that may link wallets here.")
    if len(await links.of_user(command.sub)) >= MAX_LINKS:
        raise RequestRefused(TOO_MANY_WALLETS, f"You have {MAX_LINKS} linked wallets.")
    at = datetime.fromtimestamp(command.now / 1000, UTC)
    message = SiweMessage(
        domain=site,
        address=command.address,
        statement=STATEMENT,
        uri=sign_in.uri,
        chain_id=sign_in.chain_id,
        nonce=linking.entropy(_NONCE_BYTES).hex(),
        issued_at=at,
        expires_at=at + LIFETIME,
    )
    expires = int((at + LIFETIME).timestamp())
    await links.challenge(Challenge(nonce=message.nonce, sub=command.sub, expires=expires))
    return Challenged(message, compose(message))


async def link(command: LinkWallet, *, linking: Linking) -> Link:
    """Link the wallet that signed a challenge of this user's.

    Raises RequestRefused with what is wrong, Unavailable or Throttled when the chain is needed and silent.
    """
    text, now, sign_in = command.message, command.now, linking.sign_in
    try:
        message = parse(text)
    except ValueError as error:
        fault = Fault(str(error), pointer="#/message")
        raise RequestRefused(MALFORMED_SIGN_IN, f"#/message: {error}.", faults=[fault]) from None
    if (wrong := _mismatch(message, sign_in, datetime.fromtimestamp(now / 1000, UTC))) is not None:
        raise RequestRefused(SIGN_IN_MISMATCH, wrong)
    kind = await _kind_of_signer(message.address, text, command.signature, linking.chain)
    wanted = Link(
        link_id=scoped(sign_in.chain_id, message.address),
        sub=command.sub,
        chain_id=sign_in.chain_id,
        address=message.address,
        kind=kind,
        nonce=message.nonce,
        linked_at=now,
    )
    try:
        linked = await linking.links.link(wanted, now=now // 1000)
    except ChallengeSpent:
        raise RequestRefused(
            CHALLENGE_SPENT, "The message's nonce is used or expired: request another challenge."
        ) from None
    except AddressTaken:
        raise RequestRefused(WALLET_TAKEN, f"{message.address} is linked to another user.") from None
    log.info("wallet_linked", address=linked.address, kind=linked.kind)
    return linked


async def unlink(address: str, *, sub: str, links: LinkStore) -> None:
    """Drop a link of the user's; mints on their way to it go on. Raises RequestRefused if there is none."""
    if not await links.unlink(address, sub=sub):
        raise RequestRefused(UNKNOWN_LINK, f"Linked wallet {address} not found.")
    log.info("wallet_unlinked", address=address)


async def linked_wallet(address: str | None, *, sub: str, links: LinkStore) -> str:
    """Return the linked wallet that a self-custody mint goes to: the one named, or the user's only one."""
    if address is not None:
        link = await links.get(address)
        if link is None or link.sub != sub:
            raise RequestRefused(WALLET_NOT_LINKED, f"{address} is not a wallet that you have linked.")
        return address
    linked = await links.of_user(sub)
    if len(linked) != 1:
        detail = (
            f"You have linked {len(linked)} wallets: name one as `to`."
            if linked
            else "You have linked no wallet."
        )
        raise RequestRefused(WALLET_NOT_LINKED, detail)
    return linked[0].address


def _mismatch(message: SiweMessage, sign_in: SignIn, now: datetime) -> str | None:
    """Return what the message is about that this request is not, None if all fits."""
    checks = (
        (
            message.domain in sign_in.sites,
            f"The message is for {message.domain}, which may not link wallets here.",
        ),
        (_site(message.uri) in sign_in.sites, "The message's URI leads to another site."),
        (
            message.chain_id == sign_in.chain_id,
            f"The message is for chain {message.chain_id}, not {sign_in.chain_id}.",
        ),
        (message.issued_at <= now + SKEW, "The message was issued in the future."),
        (message.expires_at is None or message.expires_at > now, "The message has expired."),
        (
            message.not_before is None or message.not_before <= now + SKEW,
            "The message is not valid yet.",
        ),
    )
    return next((wrong for fits, wrong in checks if not fits), None)


def _site(uri: str) -> str | None:
    try:
        return urlsplit(uri).netloc
    except ValueError:  # brackets that hold no IPv6 address
        return None


async def _kind_of_signer(
    address: str, text: str, signature: bytes, chain: ChainReader | None
) -> Literal["account", "contract"]:
    """Tell what kind of wallet signed the text; raises RequestRefused if `address` did not."""
    digest = personal_hash(text.encode())
    if recover(digest, signature) == address:
        return "account"
    if signature.endswith(ERC6492_SUFFIX):
        detail = "The signature is of a contract wallet that is not deployed yet (ERC-6492). Deploy it first."
    elif chain is None:
        detail = f"The signature is not by the key of {address}; contract wallets cannot be linked here."
    elif not is_contract(await chain.code(address)):
        detail = f"The signature is not by the key of {address}, which is no contract wallet on this chain."
    elif await contract_accepts(chain, address, digest, signature):
        return "contract"
    else:
        detail = f"The contract wallet {address} does not accept the signature (EIP-1271)."
    raise RequestRefused(NOT_THE_WALLETS_SIGNATURE, detail)
