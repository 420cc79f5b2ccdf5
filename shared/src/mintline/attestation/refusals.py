"""Why a document proves nothing."""

from __future__ import annotations

from enum import StrEnum

from mintline.errors import Rejected


class Reason(StrEnum):
    """Why an attestation document is refused; stable, for logs and programs."""

    TOO_LONG = "too_long"
    NOT_CBOR = "not_cbor"
    NOT_SIGN1 = "not_sign1"
    ALGORITHM = "algorithm"
    FIELDS = "fields"
    TOO_MANY_CERTIFICATES = "too_many_certificates"
    CERTIFICATE = "certificate"
    FOREIGN_ROOT = "foreign_root"
    WRONG_CURVE = "wrong_curve"
    WRONG_ORDER = "wrong_order"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    NOT_AN_AUTHORITY = "not_an_authority"
    KEY_USAGE = "key_usage"
    PATH_LENGTH = "path_length"
    UNKNOWN_EXTENSION = "unknown_extension"
    CERTIFICATE_SIGNATURE = "certificate_signature"
    SIGNATURE = "signature"
    DEBUG_MODE = "debug_mode"
    FROM_THE_FUTURE = "from_the_future"
    STALE = "stale"
    MEASUREMENT = "measurement"


class NotAttested(Rejected):
    """The document does not prove what it was asked to; `reason_code` says why, `reason` in a sentence."""

    def __init__(self, code: Reason, reason: str) -> None:
        super().__init__(code.value, reason)
        self.reason_code = code
