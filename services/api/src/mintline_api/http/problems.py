"""Every way in which a request is answered with other than what it asked for (RFC 9457).

::

    Rejected
    └── Refused          one request, refused: a kind of problem, and what is wrong this time

A kind's type URI is `{public_url}/docs#{slug}`, where the documentation explains it; `code` repeats the slug,
so that a client can tell problems apart whatever the API's address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field

from mintline.errors import Rejected

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """A problem type: its slug never changes, its title says it in a few words, `meaning` what to do."""

    slug: str
    status: int
    title: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request: a JSON pointer into the body, or a parameter's or header's name."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None

    def view(self) -> dict[str, str]:
        """Return the members of one item of a problem's `errors`."""
        members = {"pointer": self.pointer, "parameter": self.parameter, "header": self.header}
        return {**{k: v for k, v in members.items() if v is not None}, "detail": self.detail}


class FaultView(BaseModel):
    """One fault, and where it lies."""

    detail: str
    pointer: str | None = Field(default=None, description="JSON pointer into the body, as a URI fragment.")
    parameter: str | None = Field(default=None, description="A path or query parameter.")
    header: str | None = Field(default=None, description="A request header.")


class ProblemDocument(BaseModel):
    """Why a request was not answered as asked (RFC 9457)."""

    type: str = Field(description="URI of the problem type; explained there.")
    title: str
    status: int
    detail: str = Field(description="What is wrong this time, and what to do.")
    instance: str = Field(description="The path of the request.")
    code: str = Field(description="The problem type's slug: the same on every deployment.")
    trace: str = Field(description="Names the request in our logs; quote it to support.")
    errors: list[FaultView] | None = Field(default=None, description="Each fault of an invalid request.")


class Refused(Rejected):
    """A request that is refused; rendered as a problem by the HTTP layer."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind.slug, detail)
        self.kind = kind
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})


def body_of(
    kind: Kind, detail: str, *, public_url: str, instance: str, trace: str, faults: Sequence[Fault] = ()
) -> bytes:
    """Return a problem document; `trace` is the id under which the logs know the request."""
    document: dict[str, Any] = {
        "type": f"{public_url}/docs#{kind.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": instance,
        "code": kind.slug,
        "trace": trace,
    }
    if faults:
        document["errors"] = [fault.view() for fault in faults]
    # ASCII escapes: a path or a key with a lone surrogate must not break the answer about it.
    return json.dumps(document).encode()


NO_TOKEN = Kind(
    "no-token",
    401,
    "No access token",
    "Send `Authorization: Bearer TOKEN` with an access token of the user pool.",
)
MALFORMED_TOKEN = Kind(
    "malformed-token", 401, "Malformed access token", "The bearer token is no JSON Web Token; get a new one."
)
TOKEN_ALGORITHM = Kind(
    "token-algorithm",
    401,
    "Signing algorithm not accepted",
    "Only RS256 is accepted: the user pool signs nothing else.",
)
UNKNOWN_KEY = Kind(
    "unknown-key",
    401,
    "Unknown signing key",
    "The token names a key that the user pool does not publish. Keys rotate: get a new token.",
)
BAD_SIGNATURE = Kind(
    "bad-signature", 401, "Signature does not verify", "The token was altered, or another pool signed it."
)
TOKEN_EXPIRED = Kind(
    "token-expired", 401, "Access token expired", "Refresh the token, then repeat the request."
)
TOKEN_NOT_YET_VALID = Kind(
    "token-not-yet-valid",
    401,
    "Access token not valid yet",
    "The token's `nbf` or `iat` lies in the future: a clock is wrong.",
)
WRONG_ISSUER = Kind(
    "wrong-issuer", 401, "Wrong token issuer", "The token comes from another user pool than this API's."
)
WRONG_CLIENT = Kind(
    "wrong-client", 401, "Wrong app client", "The token was issued to another app client than this API's."
)
NOT_AN_ACCESS_TOKEN = Kind(
    "not-an-access-token",
    401,
    "Not an access token",
    "Sign-in gives an id token and an access token; send the access token.",
)
TOKEN_TOO_LONG = Kind(
    "token-too-long",
    431,
    "Access token too long for a mint",
    "The token goes along with the mint, sealed, and `detail` says how long it may be. Sign in with fewer "
    "groups, scopes or custom claims.",
)
TOKEN_REVOKED = Kind(
    "token-revoked",
    401,
    "Token revoked",
    "The user was signed out, disabled or deleted since the token was issued: sign in again.",
)
INSUFFICIENT_SCOPE = Kind(
    "insufficient-scope",
    403,
    "Token not given for this",
    "Sign in by the authorization code flow for the scope that the operation names, and for `openid`. A "
    "token with `aws.cognito.signin.user.admin`, as direct sign-in gives it, is refused.",
)
BAD_CLAIMS = Kind(
    "bad-claims", 401, "Claims missing or malformed", "The token lacks a claim that every access token has."
)

NOT_JSON = Kind("not-json", 400, "Body is not JSON", "The body must be one JSON text (RFC 8259) in UTF-8.")
AMBIGUOUS_JSON = Kind(
    "ambiguous-json",
    400,
    "JSON that readers disagree on",
    "The body must be I-JSON (RFC 7493): no repeated keys, no numbers beyond a double, no lone surrogates, "
    "and at most 32 levels deep.",
)
INVALID_BODY = Kind(
    "invalid-body", 400, "Body does not fit", "`errors` names each fault by a JSON pointer into the body."
)
INVALID_PARAMETER = Kind(
    "invalid-parameter", 400, "Parameter does not fit", "`errors` names each parameter or header at fault."
)
INVALID_CURSOR = Kind(
    "invalid-cursor",
    400,
    "Cursor not valid here",
    "A cursor continues only the list that it came from, with the same filters. Start again without one.",
)
BODY_TOO_LARGE = Kind("body-too-large", 413, "Body too large", "A body may have 256 KB (262,144 bytes).")
UNSUPPORTED_MEDIA_TYPE = Kind(
    "unsupported-media-type",
    415,
    "Not a JSON media type",
    "Send `Content-Type: application/json`, in UTF-8.",
)
UNSUPPORTED_CODING = Kind(
    "unsupported-content-coding",
    415,
    "Content coding not supported",
    "`Content-Encoding` may be `gzip` or `deflate`, one of them and once; `Accept-Encoding` says so too.",
)
KEY_REUSED = Kind(
    "idempotency-key-reused",
    422,
    "Idempotency key used for another body",
    "A key names one request for ever. Repeat that very body, or choose a new key.",
)

MALFORMED_SIGN_IN = Kind(
    "malformed-sign-in",
    400,
    "Not a Sign-In with Ethereum message",
    "`message` must follow EIP-4361 to the letter; the challenge's own text does.",
)
SIGN_IN_MISMATCH = Kind(
    "sign-in-mismatch",
    422,
    "Signed for something else",
    "The message names another site, chain or time than this request. Sign the challenge's own text.",
)
CHALLENGE_SPENT = Kind(
    "challenge-spent",
    409,
    "Challenge not open",
    "Each challenge is good for one link, for ten minutes, and for who asked for it. Ask for another.",
)
NOT_THE_WALLETS_SIGNATURE = Kind(
    "not-the-wallets-signature",
    422,
    "Signature is not the wallet's",
    "An account signs by `personal_sign`; a contract wallet must accept the signature by EIP-1271.",
)
WALLET_TAKEN = Kind(
    "wallet-taken",
    409,
    "Wallet linked to another user",
    "An address belongs to one user at a time. Unlink it there first.",
)
TOO_MANY_WALLETS = Kind(
    "too-many-wallets", 409, "Too many linked wallets", "A user has 20 linked wallets at most. Unlink one."
)
WALLET_DELETED = Kind(
    "wallet-deleted",
    409,
    "Wallet is being deleted",
    "The key of your wallet is to be destroyed, or has been: nothing is minted with it. Until the time that "
    "`detail` names, support can keep it.",
)

WALLET_REASSIGNED = Kind(
    "wallet-reassigned",
    409,
    "Wallet reassigned",
    "Your wallet was reassigned to another account of yours: sign in with that one.",
)
NOT_CANCELLABLE = Kind(
    "not-cancellable",
    409,
    "Too late to cancel",
    "The mint is on chain, or its voucher is out of our hands. `detail` says which.",
)
WALLET_NOT_LINKED = Kind(
    "wallet-not-linked",
    422,
    "Not a wallet of yours",
    "A self-custody mint goes to a wallet that you have linked; without `to`, to the only one.",
)
MALFORMED_TRANSACTION = Kind(
    "malformed-transaction",
    400,
    "Not a signed transaction",
    "`raw` must be a signed EIP-1559 transaction with an empty access list: what your wallet's "
    "`signTransaction` gives.",
)
TRANSACTION_MISMATCH = Kind(
    "transaction-mismatch",
    422,
    "Not the transaction of this mint",
    "`errors` names each way in which it differs from `self_custody.transaction`, or cannot succeed.",
)
NOT_WAITING = Kind(
    "not-waiting",
    409,
    "Mint waits for no transaction",
    "Only a self-custody mint takes one, from `issued` until it is mined or its voucher expires.",
)

UNKNOWN_ROUTE = Kind("unknown-route", 404, "No such path", "See the list of operations on this page.")
UNKNOWN_MINT = Kind(
    "unknown-mint", 404, "No such mint", "Not an id of yours. Other users' mints are not shown to exist."
)
UNKNOWN_LINK = Kind("unknown-link", 404, "No such linked wallet", "You have not linked this address.")
UNKNOWN_CONTRACT = Kind(
    "unknown-contract", 404, "No such contract", "Not a collection that this API mints into or indexes."
)
UNKNOWN_TOKEN = Kind(
    "unknown-token",
    404,
    "No such token",
    "Never minted, as far as the index has come. A mint of yours shows its progress at its own address.",
)
UNKNOWN_METADATA = Kind(
    "unknown-metadata",
    404,
    "No such metadata",
    "The token is not on chain yet, as far as the index has come, or no mint of ours has made it.",
)
METADATA_ALTERED = Kind(
    "metadata-altered",
    502,
    "Stored metadata was altered",
    "What is stored is not what was minted, by the digest on chain, so it is not served. We have been told.",
)
BODY_TOO_SLOW = Kind(
    "body-too-slow",
    408,
    "Body did not arrive in time",
    "A body must arrive within 30 seconds, and sooner while very many others are on their way.",
)
METHOD_NOT_ALLOWED = Kind(
    "method-not-allowed", 405, "Method not allowed", "`Allow` lists the methods of this path."
)
BAD_HTTP = Kind("bad-request", 400, "Request not understood", "The request breaks HTTP's own rules.")

EXPECTATION_FAILED = Kind(
    "expectation-failed", 417, "Expectation not met", "`Expect` may be `100-continue`; leave out any other."
)

INTERNAL = Kind(
    "internal",
    500,
    "Internal error",
    "Our fault. Quote `trace` to support; repeating with the same key is safe.",
)
TOO_MANY_WRITES = Kind(
    "too-many-writes",
    429,
    "Too many writes",
    "Each user has a number of writes a minute (`RateLimit-Policy`). Nothing was done: repeat after "
    "`Retry-After` seconds. Repeating an idempotency key is not counted.",
)
GAS_BUDGET_REACHED = Kind(
    "gas-budget-reached",
    429,
    "Today's gas is used up",
    "The platform pays a bounded amount of gas for each wallet and UTC day. Nothing was done: repeat after "
    "`Retry-After` seconds, or mint with `custody: self`.",
)
OVERLOADED = Kind(
    "overloaded",
    503,
    "Too many requests in hand",
    "Nothing was done. Repeat after `Retry-After` seconds, with the same idempotency key.",
)
UNAVAILABLE = Kind(
    "unavailable",
    503,
    "Temporarily unavailable",
    "A dependency does not answer. Repeat after `Retry-After` seconds, with the same idempotency key.",
)
RECORD_UNUSABLE = Kind(
    "record-unusable",
    503,
    "Stored record unusable",
    "Nothing is wrong with the request. A record that it needs is damaged; an alarm tells the operator, who "
    "repairs what `record_set_aside` in the log names. Repeat after `Retry-After` seconds, with the same "
    "idempotency key, and quote `trace` to support.",
)

DEADLINE_PASSED = Kind(
    "deadline-passed",
    503,
    "Not done in time",
    "A dependency hangs. What was asked for may have been done: repeat after `Retry-After` seconds, "
    "with the same idempotency key.",
)

AUTHENTICATION = (
    NO_TOKEN,
    MALFORMED_TOKEN,
    TOKEN_ALGORITHM,
    UNKNOWN_KEY,
    BAD_SIGNATURE,
    TOKEN_EXPIRED,
    TOKEN_NOT_YET_VALID,
    WRONG_ISSUER,
    WRONG_CLIENT,
    NOT_AN_ACCESS_TOKEN,
    BAD_CLAIMS,
    INSUFFICIENT_SCOPE,
    TOKEN_REVOKED,
)
"""What any operation that needs a token may answer."""

KINDS = (
    *AUTHENTICATION,
    TOKEN_TOO_LONG,
    NOT_JSON,
    AMBIGUOUS_JSON,
    INVALID_BODY,
    INVALID_PARAMETER,
    INVALID_CURSOR,
    BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    UNSUPPORTED_CODING,
    KEY_REUSED,
    MALFORMED_SIGN_IN,
    SIGN_IN_MISMATCH,
    CHALLENGE_SPENT,
    NOT_THE_WALLETS_SIGNATURE,
    WALLET_TAKEN,
    TOO_MANY_WALLETS,
    WALLET_NOT_LINKED,
    MALFORMED_TRANSACTION,
    TRANSACTION_MISMATCH,
    NOT_WAITING,
    WALLET_DELETED,
    WALLET_REASSIGNED,
    NOT_CANCELLABLE,
    UNKNOWN_ROUTE,
    UNKNOWN_MINT,
    UNKNOWN_LINK,
    UNKNOWN_CONTRACT,
    UNKNOWN_TOKEN,
    UNKNOWN_METADATA,
    METADATA_ALTERED,
    METHOD_NOT_ALLOWED,
    BODY_TOO_SLOW,
    BAD_HTTP,
    EXPECTATION_FAILED,
    TOO_MANY_WRITES,
    GAS_BUDGET_REACHED,
    INTERNAL,
    OVERLOADED,
    UNAVAILABLE,
    RECORD_UNUSABLE,
    DEADLINE_PASSED,
)
