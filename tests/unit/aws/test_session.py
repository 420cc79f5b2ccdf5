import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from prometheus_client import CollectorRegistry

from mintline.aws.errors import AwsRefused, map_error, translated
from mintline.aws.session import AwsCalls
from mintline.errors import MintlineError, Misconfigured, Throttled, Unavailable


def client_error(code: str, status: int = 400, operation: str = "GetItem") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "secret"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item] # the part that is read
        operation,
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (client_error("ProvisionedThroughputExceededException"), Throttled),
        (client_error("RequestThrottled"), Throttled),
        (client_error("SlowDown", 503), Throttled),
        (client_error("InternalServerError", 500), Unavailable),
        (client_error("NeverHeardOf", 503), Unavailable),
        (client_error("TransactionConflictException"), Unavailable),
        (ReadTimeoutError(endpoint_url="http://x"), Unavailable),
        (ConnectTimeoutError(endpoint_url="http://x"), Unavailable),
        (TimeoutError(), Unavailable),
        (ConnectionResetError(), Unavailable),
        (NoCredentialsError(), Misconfigured),
        (CredentialRetrievalError(provider="x", error_msg="secret"), AwsRefused),
        (client_error("AccessDeniedException", 403), AwsRefused),
        (client_error("ResourceNotFoundException"), AwsRefused),
        (client_error("AWS.SimpleQueueService.NonExistentQueue"), AwsRefused),
        (client_error("QueueDoesNotExist"), AwsRefused),
        (client_error("NoSuchBucket", 404), AwsRefused),
        (client_error("DisabledException"), AwsRefused),
        (client_error("KMS.DisabledException"), AwsRefused),
        (client_error("KMSInvalidStateException"), AwsRefused),
        (client_error("ExpiredTokenException"), AwsRefused),
        (client_error("ExpiredToken", 403), AwsRefused),
        (client_error("UnrecognizedClientException"), AwsRefused),
        (client_error("SignatureDoesNotMatch", 403), AwsRefused),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value)[:40],
)
def test_errors__when_they_are_not_about_the_request__join_our_tree(
    error: Exception, kind: type[MintlineError]
) -> None:
    mapped = map_error(error)
    assert type(mapped) is kind
    assert "secret" not in str(mapped)
    with pytest.raises(kind) as raised, translated():
        raise error
    assert raised.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        client_error("ValidationException"),
        client_error("NoSuchKey", 404),
        client_error("ResourceNotFoundException", operation="GetSecretValue"),
        client_error("ConditionalCheckFailedException"),
        ParamValidationError(report="x"),
    ],
    ids=lambda error: type(error).__name__ + str(error)[:40],
)
def test_errors__when_they_are_about_the_request__stay_what_they_are(error: Exception) -> None:
    assert map_error(error) is None
    with pytest.raises(type(error)) as raised, translated():
        raise error
    assert raised.value is error


def test_calls__when_given_a_registry__are_exported_too() -> None:
    registry = CollectorRegistry()
    calls = AwsCalls(registry)
    calls.record("sqs", "SendMessageBatch")
    calls.record("sqs", "SendMessageBatch")
    labels = {"service": "sqs", "operation": "SendMessageBatch"}
    assert registry.get_sample_value("mintline_aws_requests_total", labels) == 2
    assert calls.counts() == {("sqs", "SendMessageBatch"): 2}
