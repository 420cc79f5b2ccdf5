"""AWS errors as those of the library: outages, throttling, and what an operator has to repair."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from mintline.aws.throttles import THROTTLES
from mintline.errors import MintlineError, Misconfigured, Throttled, Unavailable, Unwritable

_OUTAGES = frozenset(
    {
        "ConditionalRequestConflict",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "KMSInternalException",
        "RequestTimeout",
        "ServiceUnavailable",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
_REFUSALS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AccountProblem",
        "AllAccessDisabled",
        "AuthFailure",
        "AWS.SimpleQueueService.NonExistentQueue",
        "AWS.SimpleQueueService.QueueDeletedRecently",
        "DecryptionFailure",
        "DisabledException",
        "EncryptionFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidSignatureException",
        "InvalidToken",
        "KeyUnavailableException",
        "KMSInvalidStateException",
        "KmsAccessDenied",
        "KmsDisabled",
        "KmsInvalidState",
        "KmsNotFound",
        "KmsOptInRequired",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NoSuchBucket",
        "NotFoundException",
        "NotSignedUp",
        "OptInRequired",
        "QueueDoesNotExist",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "ResourceNotFoundException",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    }
)
"""Refusals of anything that a client may ask: its credentials, a permission, or a resource of the deployment.

S3 and SQS wrap KMS's own (`KMS.DisabledException`). Source: the "Common Errors" and "Errors" pages of each
service's API reference.
"""


class AwsRefused(Unavailable):
    """AWS refuses until an operator has repaired the credentials, a permission or a resource.

    `code` is the service's own.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


def error_code(error: ClientError) -> str:
    """Return the service's code of an error, such as `ThrottlingException`."""
    return str(error.response.get("Error", {}).get("Code", ""))


_OF_THE_RECORD = re.compile(
    r"item size (to update )?has exceeded|size of (all )?(hash|range) ?keys? has exceeded|nesting levels"
    r"|empty (string|binary) value|type mismatch|number (over|under)flow|38 significant digits"
    r"|operand in the update expression has an incorrect data type",
    re.IGNORECASE,
)
"""What DynamoDB says of an item, where the rest of its validation is about the request, so about our code.

The last one: what we add to is no number there, or what we append to is no list.
"""


def refuses_record(code: str, message: str) -> bool:
    """Tell whether an error of DynamoDB's is about what an item holds, and will be the same at any time."""
    if code == "ItemCollectionSizeLimitExceededException":
        return True
    return code in ("ValidationException", "ValidationError") and bool(_OF_THE_RECORD.search(message))


def map_error(error: Exception) -> MintlineError | None:
    """Translate an AWS error that is not about the request's meaning; None for one that is."""
    if isinstance(error, ClientError):
        return _map_response(error)
    if isinstance(error, NoCredentialsError):
        return Misconfigured("AWS credentials: none found by the AWS SDK's usual chain")
    if isinstance(error, CredentialRetrievalError | TokenRetrievalError | UnauthorizedSSOTokenError):
        return AwsRefused(f"AWS credentials: {type(error).__name__}", code=type(error).__name__)
    outages = (HTTPClientError, BotoConnectionError, ConnectionClosedError)
    if isinstance(error, (*outages, TimeoutError, ConnectionError)):
        return Unavailable(f"AWS did not answer: {type(error).__name__}")
    return None


def _map_response(error: ClientError) -> MintlineError | None:
    code = error_code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    where = f"{error.operation_name}: {code}"
    if code in THROTTLES:
        return Throttled(where)
    if code in _OUTAGES or status >= 500:
        return Unavailable(where)
    if code.removeprefix("KMS.") in _REFUSALS and not _is_about_a_secret(error):
        return AwsRefused(where, code=code)
    return None


def _is_about_a_secret(error: ClientError) -> bool:
    """Tell whether an error says that one secret is missing: an answer, not an outage."""
    return error_code(error) == "ResourceNotFoundException" and "Secret" in error.operation_name


@contextmanager
def translated() -> Iterator[None]:
    """Raise Throttled, Unavailable, AwsRefused or Misconfigured in place of AWS errors that mean so."""
    try:
        yield
    except (BotoCoreError, ClientError, TimeoutError, ConnectionError) as error:
        mapped = map_error(error)
        if mapped is None:
            raise
        raise mapped from error


@contextmanager
def writing() -> Iterator[None]:
    """Do as `translated` does for a write to DynamoDB; raise Unwritable for what an item holds."""
    try:
        with translated():
            yield
    except ClientError as error:
        message = str(error.response.get("Error", {}).get("Message", ""))
        if not refuses_record(error_code(error), message):
            raise
        raise Unwritable(f"{error.operation_name}: {message}") from error
