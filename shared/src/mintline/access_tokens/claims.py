"""The claims of an access token whose signature is verified: the user pool's, or another issuer's."""

from __future__ import annotations

import re
from typing import Any

from mintline.access_tokens.rules import MAX_SUBJECT, NAMESPACE, BadToken, Claims, TokenFault, TokenRules
from mintline.scopes import ACCOUNT_ADMIN, OPERATORS

_SUBJECT = re.compile(r"(?!(?i:platform|oidc):)[A-Za-z0-9][A-Za-z0-9_.:@|-]{0,127}")
_TIME_LIMIT = 2**53


def read_claims(claims: dict[str, Any], rules: TokenRules) -> Claims:
    """Return what a token says; raises BadToken unless it is as the rules have it, whatever the time."""
    return _other_claims(claims, rules) if rules.name else _claims(claims, rules)


def _claims(claims: dict[str, Any], rules: TokenRules) -> Claims:
    # An id token lacks `client_id`: say what it is before saying what it lacks.
    if claims.get("token_use", "access") != "access":
        raise BadToken(TokenFault.USE, "This is not an access token; send the access token.")
    for name in ("exp", "iat", "iss", "sub", "token_use", "client_id"):
        if name not in claims:
            raise BadToken(TokenFault.CLAIMS, f"The token lacks the claim {name}.", claim=name)
    if claims["iss"] != rules.issuer:
        raise BadToken(TokenFault.ISSUER, "The token comes from another user pool.")
    client_id, subject = claims["client_id"], claims["sub"]
    if rules.machine_clients and isinstance(client_id, str) and client_id in rules.operator_client_ids:
        return _operators_claims(claims, client_id)
    for_itself = rules.machine_clients and client_id == subject and "username" not in claims
    if not isinstance(client_id, str) or (client_id not in rules.client_ids and not for_itself):
        raise BadToken(TokenFault.CLIENT, "The token was issued to another app client.")
    signed_in_by = client_id in rules.client_ids
    if (
        not isinstance(subject, str)
        or not _SUBJECT.fullmatch(subject)
        or (signed_in_by and subject == client_id)
    ):
        raise BadToken(TokenFault.SUBJECT, "The token's sub is not a user's.", claim="sub")
    issued, not_before, expires = _times(claims)
    return Claims(subject, issued, not_before, expires, _scopes(claims), client_id)


def _operators_claims(claims: dict[str, Any], client_id: str) -> Claims:
    """Return what a token says whose person acts as the app client by which they have signed in."""
    groups, person = claims.get("cognito:groups"), claims["sub"]
    if "username" not in claims or not isinstance(groups, list) or OPERATORS not in groups:
        raise BadToken(
            TokenFault.CLIENT, f"The token's app client is for users in the group {OPERATORS} alone."
        )
    if not isinstance(person, str) or not _SUBJECT.fullmatch(person) or person == client_id:
        raise BadToken(TokenFault.SUBJECT, "The token's sub is not a user's.", claim="sub")
    if not _SUBJECT.fullmatch(client_id):
        raise BadToken(TokenFault.CLIENT, "The token was issued to another app client.")
    issued, not_before, expires = _times(claims)
    return Claims(client_id, issued, not_before, expires, _scopes(claims), client_id, person)


def _other_claims(claims: dict[str, Any], rules: TokenRules) -> Claims:
    """Return what a token of another issuer than the user pool says; it has no `token_use`."""
    for name in ("exp", "iat", "iss", "sub", rules.client_claim):
        if name not in claims:
            raise BadToken(TokenFault.CLAIMS, f"The token lacks the claim {name}.", claim=name)
    if claims["iss"] != rules.issuer:
        raise BadToken(TokenFault.ISSUER, "The token comes from another issuer.")
    if rules.audience is not None and rules.audience not in _audiences(claims.get("aud")):
        raise BadToken(TokenFault.CLIENT, "The token is for another audience.")
    named = claims[rules.client_claim]
    if rules.client_claim == "aud":
        clients = _audiences(named)
    else:
        clients = frozenset({named}) if isinstance(named, str) else frozenset()
    machines, sign_ins = clients & rules.machine_client_ids, clients & rules.client_ids
    if len(machines) + len(sign_ins) != 1:
        raise BadToken(
            TokenFault.CLIENT, "The token was not issued to exactly one client that is known here."
        )
    [client] = machines | sign_ins
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject:
        raise BadToken(TokenFault.SUBJECT, "The token's sub is not a user's.", claim="sub")
    client_id = f"{NAMESPACE}{rules.name}:{client}"
    principal = _namespaced(client if machines else subject, rules)
    if not machines and principal == client_id:
        raise BadToken(TokenFault.SUBJECT, "The token's sub is not a user's.", claim="sub")
    issued, not_before, expires = _times(claims)
    scope = claims.get(rules.scope_claim, "")
    if isinstance(scope, list) and all(isinstance(each, str) for each in scope):
        scope = " ".join(scope)
    return Claims(principal, issued, not_before, expires, _scopes({"scope": scope}), client_id)


def _audiences(aud: object) -> frozenset[str]:
    """Return whom a token is for (RFC 7519, section 4.1.3): a string, or a list of them."""
    listed = aud if isinstance(aud, list) else [aud]
    return frozenset(each for each in listed if isinstance(each, str))


def _namespaced(name: str, rules: TokenRules) -> str:
    """Return the name of another issuer's principal, which none of the pool or a third issuer can have."""
    full = f"{NAMESPACE}{rules.name}:{name}"
    if not _SUBJECT.fullmatch(name) or len(full) > MAX_SUBJECT:
        raise BadToken(TokenFault.SUBJECT, "The token's sub is not a user's.", claim="sub")
    return full


def _scopes(claims: dict[str, Any]) -> frozenset[str]:
    scope = claims.get("scope", "")
    if not isinstance(scope, str):
        raise BadToken(TokenFault.CLAIMS, "The token's scope is not a string.", claim="scope")
    scopes = frozenset(scope.split(" "))
    if ACCOUNT_ADMIN in scopes:
        raise BadToken(
            TokenFault.SCOPE,
            f"The token carries {ACCOUNT_ADMIN}, with which it can delete its user: sign in by the "
            "authorization code flow, for the scopes of this API.",
            claim="scope",
        )
    return scopes


def _times(claims: dict[str, Any]) -> tuple[float, float, float]:
    """Return when a token was issued, from when it is valid, and when it expires."""
    issued, expires = _time(claims, "iat"), _time(claims, "exp")
    return issued, max(issued, _time(claims, "nbf")) if "nbf" in claims else issued, expires


def _time(claims: dict[str, Any], name: str) -> float:
    """Return a NumericDate (RFC 7519, section 2): a number from 1970 on that a double holds exactly."""
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _TIME_LIMIT:
        raise BadToken(TokenFault.CLAIMS, f"The token's {name} is not a time in Unix seconds.", claim=name)
    return float(value)
