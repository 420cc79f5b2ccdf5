"""Why the enclave refuses to sign: codes that travel, and the one table of texts that users read.

A `SigningRefused` message carries a code. Its reader looks the text up here, so nobody who can send a message
can choose what a user reads.
"""

from __future__ import annotations

from enum import StrEnum

from mintline.records.problems import Problem


class RefusalCode(StrEnum):
    """Why an intent can never be signed."""

    INTENT = "policy_intent"
    CHAIN = "policy_chain"
    KEY_CHAIN = "policy_key_chain"
    SIGNER = "policy_signer"
    ISSUER_TRANSACTS = "policy_issuer_transacts"
    CONTRACT = "policy_contract"
    FACTORY = "policy_factory"
    CLONE = "policy_clone"
    ACTION = "policy_action"
    BATCH = "policy_batch"
    BATCH_LINE = "policy_batch_line"
    BATCH_TOO_LARGE = "batch_too_large"
    GAS = "policy_gas"
    FEE = "policy_fee"
    PRIORITY_FEE = "policy_priority_fee"
    COST = "policy_cost"
    VOUCHER_TTL = "policy_voucher_ttl"
    VOUCHER_EXPIRED = "policy_voucher_expired"
    HOLDER = "policy_holder"
    SIGNATURE_TTL = "policy_signature_ttl"
    SIGNATURE_EXPIRED = "policy_signature_expired"
    TOP_UP_VALUE = "policy_top_up_value"
    TOP_UP_RECIPIENT = "policy_top_up_recipient"
    TOP_UP_BUDGET = "top_up_budget"
    NONCE = "memory_nonce"
    NONCE_FILLED = "memory_nonce_filled"
    TOKEN_ID = "memory_token_id"  # noqa: S105 - these are no secrets
    REQUEST = "memory_request"
    AUTHORIZATION_MISSING = "authorization_missing"
    AUTHORIZATION_MALFORMED = "authorization_malformed"
    AUTHORIZATION_SEAL = "authorization_seal"
    AUTHORIZATION_SUBJECT = "authorization_subject"
    AUTHORIZATION_LINE = "authorization_line"
    ACCEPTANCE_MISSING = "acceptance_missing"
    ACCEPTANCE_KEY = "acceptance_key"
    ACCEPTANCE_CERTIFICATE = "acceptance_certificate"
    ACCEPTANCE_TIME = "acceptance_time"
    ACCEPTANCE_SIGNATURE = "acceptance_signature"
    TOKEN_MALFORMED = "token_malformed"  # noqa: S105 - these are no secrets
    TOKEN_ALGORITHM = "token_algorithm"  # noqa: S105
    TOKEN_KEY = "token_key"  # noqa: S105
    TOKEN_SIGNATURE = "token_signature"  # noqa: S105
    TOKEN_ISSUER = "token_issuer"  # noqa: S105
    TOKEN_CLIENT = "token_client"  # noqa: S105
    TOKEN_USE = "token_use"  # noqa: S105
    TOKEN_SUBJECT = "token_subject"  # noqa: S105
    TOKEN_SCOPE = "token_scope"  # noqa: S105
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"  # noqa: S105
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    CLIENT_UNKNOWN = "client_unknown"
    CLIENT_BUDGET = "client_budget"
    CLIENT_COLLECTION = "client_collection"
    REWRAP = "key_rewrap"
    REASSIGN = "key_reassign"
    KEY_UNDECRYPTABLE = "key_undecryptable"
    KEY_MALFORMED = "key_malformed"
    KEY_ADDRESS = "key_address"


REASONS: dict[RefusalCode, str] = {
    RefusalCode.INTENT: "The signing policy does not know this kind of transaction.",
    RefusalCode.CHAIN: "The signing policy does not allow this chain.",
    RefusalCode.KEY_CHAIN: "The signer's key belongs to another chain.",
    RefusalCode.SIGNER: "The signing policy does not allow this signer to do this.",
    RefusalCode.ISSUER_TRANSACTS: "The issuer's key signs vouchers only, never transactions.",
    RefusalCode.CONTRACT: "The signing policy does not allow this contract.",
    RefusalCode.FACTORY: "The signing policy does not have this factory, or this implementation of it.",
    RefusalCode.CLONE: "The contract is not the collection that its factory makes of these arguments.",
    RefusalCode.ACTION: "The signing policy does not let users' keys do this.",
    RefusalCode.BATCH: "The batch has more mints than the signing policy allows.",
    RefusalCode.BATCH_LINE: "The mint or its token is in the batch twice.",
    RefusalCode.BATCH_TOO_LARGE: "The batch does not fit into one request to the enclave.",
    RefusalCode.NONCE: "Something else was signed for this nonce of the wallet.",
    RefusalCode.NONCE_FILLED: "This nonce of the wallet was filled by a no-op.",
    RefusalCode.TOKEN_ID: "The mint was signed for another token.",
    RefusalCode.REQUEST: "This request was signed under another nonce of the wallet, or for something else.",
    RefusalCode.GAS: "The gas limit exceeds the signing policy's.",
    RefusalCode.FEE: "The fee per gas exceeds the signing policy's.",
    RefusalCode.PRIORITY_FEE: "The priority fee exceeds the fee cap.",
    RefusalCode.COST: "The transaction may cost more than the signing policy allows.",
    RefusalCode.VOUCHER_TTL: "The voucher's deadline is further away than the signing policy allows.",
    RefusalCode.VOUCHER_EXPIRED: "The voucher's deadline has passed.",
    RefusalCode.HOLDER: "A holder's signature is made by a user's key alone, never by one of the platform's.",
    RefusalCode.SIGNATURE_TTL: "The signature's deadline is further away than the signing policy allows.",
    RefusalCode.SIGNATURE_EXPIRED: "The signature's deadline has passed.",
    RefusalCode.TOP_UP_VALUE: "The top-up exceeds the signing policy's limit.",
    RefusalCode.TOP_UP_RECIPIENT: "The signing policy does not allow a top-up to this recipient.",
    RefusalCode.TOP_UP_BUDGET: "The wallet has been given all that the signing policy allows for now.",
    RefusalCode.AUTHORIZATION_MISSING: "The user's authorization is missing.",
    RefusalCode.AUTHORIZATION_MALFORMED: "The user's authorization is not in a form that is known here.",
    RefusalCode.AUTHORIZATION_SEAL: "The user's authorization was given for something else.",
    RefusalCode.AUTHORIZATION_SUBJECT: "The authorization is another user's than the wallet.",
    RefusalCode.AUTHORIZATION_LINE: "The authorized request has another mint in the place of this one.",
    RefusalCode.ACCEPTANCE_MISSING: "The authorization does not prove that the API accepted the request.",
    RefusalCode.ACCEPTANCE_KEY: "The acceptance names an intake key that the signing policy does not have.",
    RefusalCode.ACCEPTANCE_CERTIFICATE: "The acceptance's certificate is not the intake key's.",
    RefusalCode.ACCEPTANCE_TIME: "The acceptance was made when its certificate or the token was not valid.",
    RefusalCode.ACCEPTANCE_SIGNATURE: "The API accepted something else than this.",
    RefusalCode.TOKEN_MALFORMED: "The authorizing token is no well-formed access token.",
    RefusalCode.TOKEN_ALGORITHM: "The authorizing token is not signed by an accepted algorithm.",
    RefusalCode.TOKEN_KEY: "The authorizing token names a key that the signing policy does not have.",
    RefusalCode.TOKEN_SIGNATURE: "The authorizing token's signature does not verify.",
    RefusalCode.TOKEN_ISSUER: "The authorizing token comes from another user pool.",
    RefusalCode.TOKEN_CLIENT: "The authorizing token was issued to another app client.",
    RefusalCode.TOKEN_USE: "The authorizing token is no access token.",
    RefusalCode.TOKEN_SUBJECT: "The authorizing token names no user who may ask for this.",
    RefusalCode.TOKEN_SCOPE: "The authorizing token has not the scopes that signing takes.",
    RefusalCode.TOKEN_EXPIRED: "The authorizing token expired too long ago.",
    RefusalCode.TOKEN_NOT_YET_VALID: "The authorizing token is not valid yet.",
    RefusalCode.TOKEN_REVOKED: "The authorizing token was revoked, as by a sign-out: sign in again.",
    RefusalCode.CLIENT_UNKNOWN: "The signing policy has no budget for this machine client.",
    RefusalCode.CLIENT_BUDGET: "The machine client's budget for the time of the request is used up.",
    RefusalCode.CLIENT_COLLECTION: "The signing policy does not let this machine client mint here.",
    RefusalCode.REWRAP: "The signing policy names no other key to wrap this one under.",
    RefusalCode.REASSIGN: "The signing policy does not reassign this wallet from the one user to the other.",
    RefusalCode.KEY_UNDECRYPTABLE: "The wrapped key does not decrypt for its subject and chain.",
    RefusalCode.KEY_MALFORMED: "The unwrapped key is not a secp256k1 private key.",
    RefusalCode.KEY_ADDRESS: "The unwrapped key has another address than expected.",
}
"""One sentence for the user per refusal."""

UNKNOWN = Problem(code="signing_refused", reason="The signer refused to sign this.")
"""For a code that is not in the table: of a newer enclave, or forged."""


def problem_of(code: str) -> Problem:
    """Return the text for the user about a refusal with this code, as a message carries it."""
    try:
        known = RefusalCode(code)
    except ValueError:
        return UNKNOWN
    return Problem(code=known.value, reason=REASONS[known])
