"""Access tokens of Cognito and other OIDC issuers: the one verifier of them, for the api and the enclave.

A token is refused unless it has exactly one reading: compact JWS (RFC 7515), canonical base64url, RS256 or,
where the issuer's rules have it, ES256 (RFC 7518) by a key of the issuer, header and claims strict JSON (RFC
7493). Source of the claims: "Verifying JSON web tokens" in Amazon Cognito's developer guide; RFC 9068.

::

    unverified = jws.read(token)                 BadToken: malformed, algorithm, key
    rules      = (those of unverified.claimed_issuer, or the user pool's)
    unverified.check_algorithm(rules)            BadToken: algorithm
    key        = (the issuer's key of unverified.kid)
    claims     = unverified.claims(key, rules)   BadToken: signature, claims, ...
    claims.check_time(now)                       BadToken: expired, not yet valid
    claims.check_scope(scope)                    BadToken: scope
"""
