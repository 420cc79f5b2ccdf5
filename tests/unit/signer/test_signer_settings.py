from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mintline.errors import Misconfigured
from mintline.settings import load
from mintline_signer.addresses import ANY_CID, UnixAddress, VsockAddress, parse
from mintline_signer.enclave.settings import EnclaveSettings
from mintline_signer.host.credentials import credential_source
from mintline_signer.host.settings import HostSettings

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast


def host_environment(cast: Cast) -> dict[str, str]:
    return {
        "MINTLINE_ISSUER": cast.issuer.ref.model_dump_json(),
        "MINTLINE_AUDIT_DIR": "/var/lib/mintline/audit",
        "MINTLINE_AUTHORIZATION_KEY_SECRETS": '["mintline/sealing/1/0011223344556677"]',
        "MINTLINE_ENCLAVE_ADDRESS": "vsock://16:5000",
        "MINTLINE_KMS_PROXY_ADDRESS": "vsock://any:8000",
        "MINTLINE_KMS_PROXY_TARGET": "kms.eu-west-1.amazonaws.com:443",
        "MINTLINE_ENCLAVE_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "MINTLINE_ENCLAVE_SECRET_ACCESS_KEY": "hush",
    }


ENCLAVE_ENVIRONMENT = {
    "MINTLINE_ENCLAVE_ADDRESS": "vsock://any:5000",
    "MINTLINE_KMS_PROXY_ADDRESS": "vsock://3:8000",
    "MINTLINE_KMS_ENDPOINT_URL": "https://kms.eu-west-1.amazonaws.com",
    "MINTLINE_KMS_KEY_ID": "alias/mintline-wallets",
    "MINTLINE_SIGNING_POLICY": "/etc/mintline/policy.json",
}


def test_address__when_it_is_one__is_read() -> None:
    assert parse("unix:///run/enclave.sock") == UnixAddress(Path("/run/enclave.sock"))
    assert parse("vsock://16:5000") == VsockAddress(16, 5000)
    assert parse("vsock://any:5000") == VsockAddress(ANY_CID, 5000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "unix://relative",
        "unix:///" + "x" * 110,
        "vsock://16",
        "vsock://x:1",
        "vsock://4294967296:1",
        "vsock://1:4294967296",
        "tcp://127.0.0.1:80",
        "vsock://1:2:3",
    ],
)
def test_address__when_it_is_none__raises(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|bytes"):
        parse(text)


def test_enclave_settings__when_complete__load() -> None:
    settings = load(EnclaveSettings, ENCLAVE_ENVIRONMENT)
    assert settings.parent_cid == 3


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MINTLINE_ENCLAVE_ADDRESS", "localhost:5000"),
        ("MINTLINE_KMS_ENDPOINT_URL", "kms.eu-west-1.amazonaws.com"),
        ("MINTLINE_KMS_KEY_ID", ""),
        ("MINTLINE_KEY_CACHE_SIZE", "1"),
    ],
)
def test_enclave_settings__when_one_is_wrong__name_it(variable: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=variable):
        load(EnclaveSettings, ENCLAVE_ENVIRONMENT | {variable: value})


def test_enclave_settings__when_more_roots_are_trusted_outside_of_development__are_refused() -> None:
    roots = {"MINTLINE_DEVELOPMENT_KMS_ROOTS": "/roots.pem"}
    with pytest.raises(Misconfigured, match="development_kms_roots"):
        load(EnclaveSettings, ENCLAVE_ENVIRONMENT | roots)
    load(EnclaveSettings, ENCLAVE_ENVIRONMENT | roots | {"MINTLINE_NSM": "development"})


def test_host_settings__when_shown__hide_all_that_is_secret(cast: Cast) -> None:
    settings = load(HostSettings, host_environment(cast))
    shown = repr(settings) + json.dumps(settings.public())
    assert "hush" not in shown
    assert "vsock://16:5000" in shown


async def test_credentials__when_the_settings_have_them__are_those(cast: Cast) -> None:
    settings = load(HostSettings, host_environment(cast))
    credentials = await credential_source(settings)()
    assert credentials.secret_access_key.get_secret_value() == "hush"
    assert credentials.region == settings.aws_region


async def test_credentials__when_the_settings_have_none__come_from_the_usual_chain(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIACHAIN")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "chained")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    environment = {k: v for k, v in host_environment(cast).items() if "ACCESS_KEY" not in k}
    credentials = await credential_source(load(HostSettings, environment))()
    assert credentials.access_key_id == "AKIACHAIN"
    assert credentials.session_token is not None
    assert credentials.session_token.get_secret_value() == "token"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MINTLINE_KMS_PROXY_TARGET", "kms"),
        ("MINTLINE_KMS_PROXY_TARGET", "kms:0"),
        ("MINTLINE_KMS_PROXY_TARGET", "kms:65536"),
        ("MINTLINE_ISSUER", "{}"),
        ("MINTLINE_AUTHORIZATION_KEY_SECRETS", "[]"),
        ("MINTLINE_KMS_PROXY_ADDRESS", "x"),
    ],
)
def test_host_settings__when_one_is_wrong__name_it(cast: Cast, variable: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=variable):
        load(HostSettings, host_environment(cast) | {variable: value})


@pytest.mark.parametrize("half", ["MINTLINE_ENCLAVE_ACCESS_KEY_ID", "MINTLINE_ENCLAVE_SECRET_ACCESS_KEY"])
def test_host_settings__when_half_of_a_key_is_given__are_refused(cast: Cast, half: str) -> None:
    environment = host_environment(cast)
    del environment[half]
    with pytest.raises(Misconfigured, match="come together"):
        load(HostSettings, environment)


@pytest.mark.slow
def test_enclave__when_imported_whole__brings_no_client_and_no_host_along() -> None:
    script = (
        "import json, pkgutil, sys, importlib, mintline_signer.enclave as e\n"
        "[importlib.import_module(f'{e.__name__}.{m.name}') for m in pkgutil.iter_modules(e.__path__)"
        " if m.name != '__main__']\n"
        "import mintline.process\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    loaded = set(json.loads(printed.stdout))
    assert "mintline_signer.enclave.server" in loaded
    tops = {name.partition(".")[0] for name in loaded}
    clients = {
        "aiobotocore",
        "botocore",
        "boto3",
        "aiohttp",
        "web3",
        "requests",
        "httpx",
        "urllib3",
        "jmespath",
    }
    assert tops & clients == set()
    assert loaded & {"mintline.aws", "mintline.chain", "mintline.consumer", "mintline_signer.host"} == set()
