"""Problems of access tokens."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

NO_TOKEN = ProblemType(
    "no-token",
    401,
    "No access token",
    "Send `Authorization: Bearer TOKEN` with an access token of the user pool.",
)
MALFORMED_TOKEN = ProblemType(
    "malformed-token",
    401,
    "Malformed access token",
    "The bearer token is not a JSON Web Token: get another.",
)
TOKEN_ALGORITHM = ProblemType(
    "token-algorithm",
    401,
    "Signing algorithm not accepted",
    "The token's issuer signs by another algorithm: RS256, or ES256 if it is no user pool.",
)
UNKNOWN_KEY = ProblemType(
    "unknown-key",
    401,
    "Unknown signing key",
    "The token names a key that the user pool does not publish. Keys rotate: get a new token.",
)
BAD_SIGNATURE = ProblemType(
    "bad-signature", 401, "Signature does not verify", "The token was altered, or another pool signed it."
)
TOKEN_EXPIRED = ProblemType(
    "token-expired", 401, "Access token expired", "Refresh the token, then repeat the request."
)
TOKEN_NOT_YET_VALID = ProblemType(
    "token-not-yet-valid",
    401,
    "Access token not valid yet",
    "The token's `nbf` or `iat` lies in the future: a clock is wrong.",
)
WRONG_ISSUER = ProblemType(
    "wrong-issuer", 401, "Wrong token issuer", "The token comes from another issuer than those of this API."
)
WRONG_CLIENT = ProblemType(
    "wrong-client", 401, "Wrong app client", "The token was issued to another app client than this API's."
)
NOT_AN_ACCESS_TOKEN = ProblemType(
    "not-an-access-token",
    401,
    "Not an access token",
    "Sign-in gives an id token and an access token; send the access token.",
)
TOKEN_TOO_LONG = ProblemType(
    "token-too-long",
    431,
    "Access token too long for a mint",
    "The token goes along with the mint, sealed, and `detail` says how long it may be. Sign in with fewer "
    "groups, scopes or custom claims.",
)
TOKEN_REVOKED = ProblemType(
    "token-revoked",
    401,
    "Token revoked",
    "The user was signed out, disabled or deleted since the token was issued: sign in again.",
)
UNKNOWN_CLIENT = ProblemType(
    "unknown-client",
    401,
    "Machine client unknown or disabled",
    "The token is a machine client's that has no record here, or that is disabled: have an operator create "
    "or enable it, then get a new token.",
)
NOT_FOR_CLIENTS = ProblemType(
    "not-for-clients",
    403,
    "Not for machine clients",
    "The operation acts for the user who signed in, and a machine client is no user: send a user's access "
    "token. A client mints for others by `recipient`, and reads what it asked for itself.",
)
INSUFFICIENT_SCOPE = ProblemType(
    "insufficient-scope",
    403,
    "Insufficient scope",
    "The token was not given for the scope that `detail` names. A user signs in again by the authorization "
    "code flow, for that scope and `openid`. A machine client asks for a token for it; its app client must "
    "be allowed the scope. Some scopes no user can have. A token with `aws.cognito.signin.user.admin`, as "
    "direct sign-in gives it, is refused.",
)
BAD_CLAIMS = ProblemType(
    "bad-claims", 401, "Claims missing or malformed", "The token lacks a claim that every access token has."
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
FOR_CLIENTS_TOO = (UNKNOWN_CLIENT,)
"""What an operation that machine clients may call can answer too."""
FOR_USERS_ALONE = (NOT_FOR_CLIENTS,)
"""What an operation that they may not call can answer instead."""
