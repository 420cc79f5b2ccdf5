"""A client of a local stack takes nothing from the user's environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from mintline_ops.aws_clients import AwsCredentials, AwsService, aws_client

OWN = AwsCredentials("AKIAOWN", "own-secret")
HOSTILE = {
    "AWS_PROFILE": "does-not-exist",
    "AWS_DEFAULT_PROFILE": "does-not-exist",
    "AWS_ACCESS_KEY_ID": "AKIAUSERS",
    "AWS_SECRET_ACCESS_KEY": "users-secret",
    "AWS_SESSION_TOKEN": "users-token",
    "AWS_REGION": "eu-nowhere-1",
    "AWS_DEFAULT_REGION": "eu-nowhere-1",
    "AWS_ENDPOINT_URL": "http://192.0.2.1",
    "AWS_ENDPOINT_URL_SQS": "http://192.0.2.1",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_MAX_ATTEMPTS": "many",
    "AWS_RETRY_MODE": "no-such-mode",
    "AWS_DEFAULTS_MODE": "no-such-mode",
    "AWS_STS_REGIONAL_ENDPOINTS": "no-such-value",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "no-such-value",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "no-such-value",
    "AWS_CA_BUNDLE": "/no/such/bundle.pem",
    "REQUESTS_CA_BUNDLE": "/no/such/bundle.pem",
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "many",
    "AWS_SIGV4A_SIGNING_REGION_SET": "nowhere",
    "AWS_LAMBDA_FUNCTION_NAME": "not-a-function",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
}


@pytest.mark.parametrize("service", ["sqs", "dynamodb", "s3", "kms", "secretsmanager", "cognito-idp"])
async def test_local_client__when_the_environment_is_the_users__uses_its_own_settings(
    service: AwsService, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    config = tmp_path / "config"
    config.write_text(
        "[default]\nregion = eu-nowhere-1\nendpoint_url = http://192.0.2.1\nretry_mode = none\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/no/such/file")

    async with aws_client(
        service, endpoint_url="http://127.0.0.1:4566", region="us-east-1", credentials=OWN
    ) as client:
        assert client.meta.endpoint_url == "http://127.0.0.1:4566"
        assert client.meta.region_name == "us-east-1"
        assert client.meta.config.retries == {"mode": "standard", "total_max_attempts": 5}
        assert client.meta.config.proxies == {}
        assert client._endpoint.http_session._verify is True
        credentials = client._request_signer._credentials
        assert (credentials.access_key, credentials.token) == ("AKIAOWN", None)
