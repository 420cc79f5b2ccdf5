"""The signer's errors.

::

    MintlineError
    ├── BrokenFrame     the peer broke the framing or the encoding: its connection is closed
    ├── EnclaveRefusal         the enclave will never sign this; `code` says why       (a Rejected)
    └── EnclaveFailure          the enclave cannot sign this now; `code` says why       (an Unavailable)

Only codes cross the socket, never the text of an exception.
"""

from __future__ import annotations

from enum import StrEnum

from mintline.errors import MintlineError, Rejected, Unavailable
from mintline.refusals import REASONS, RefusalCode

__all__ = ["BrokenFrame", "EnclaveFailure", "EnclaveRefusal", "FailureCode", "RefusalCode"]


class FailureCode(StrEnum):
    """Why a request cannot be served now, or not by this peer."""

    BAD_REQUEST = "bad_request"
    KEYS_MISMATCH = "keys_mismatch"
    AUTHORIZATION_KEY_MISSING = "sealing_key_missing"
    CREDENTIALS_MISSING = "credentials_missing"
    CREDENTIALS_EXPIRED = "credentials_expired"
    KMS_DENIED = "kms_denied"
    KMS_ANSWER = "kms_answer"
    NOT_ATTESTED = "not_attested"
    NOT_CONFIDENTIAL = "not_confidential"
    POLICY_MISSING = "policy_missing"
    POLICY_INVALID = "policy_invalid"
    POLICY_OTHER = "policy_other"
    KMS_THROTTLED = "kms_throttled"
    KMS_UNAVAILABLE = "kms_unavailable"
    SIGNING_FAULT = "signing_fault"
    AUDIT_NOT_BEGUN = "audit_not_begun"
    AUDIT_BEHIND = "audit_behind"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    INTERNAL = "internal"


class BrokenFrame(MintlineError):  # noqa: N818 - named for what happened, as its family's members are
    """The peer sent something that is no frame of ours; nothing more can be read from it."""


class EnclaveRefusal(Rejected):
    """The enclave will never sign this.

    `operation_id` names the operation that is to blame, where a request is for several; empty if all are.
    """

    def __init__(self, code: RefusalCode, operation_id: str = "") -> None:
        super().__init__(code.value, REASONS[code])
        self.operation_id = operation_id


class EnclaveFailure(Unavailable):
    """The enclave cannot serve this now; `code` is a FailureCode."""

    def __init__(self, code: FailureCode) -> None:
        super().__init__(code.value)
        self.code = code
