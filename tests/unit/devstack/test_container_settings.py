"""What the set-up tells each container: all that it needs, nothing of another's."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from mintline.eth import keccak256, to_checksum_address
from mintline.messages.parts import KeyRef
from mintline.settings import Settings, load
from mintline_api.settings import Settings as ApiSettings
from mintline_broadcaster.settings import BroadcasterSettings
from mintline_builder.settings import Settings as BuilderSettings
from mintline_devstack.containers import ContainerNetwork, write_environment, write_settings
from mintline_devstack.known import Known, KnownFactory, UserPool
from mintline_devstack.principals import ROLES, issue_credentials
from mintline_devstack.services import Environment, write_policy
from mintline_devstack.state_folder import StateFolder
from mintline_indexer.reconciler.settings import ReconcilerSettings
from mintline_indexer.settings import IndexerSettings
from mintline_notifier.settings import NotifierSettings
from mintline_ops.platform_keys import AuthorizationKeyRef
from mintline_signer.enclave.policy import PlatformKey, parse_policy
from mintline_signer.enclave.settings import EnclaveSettings
from mintline_signer.host.settings import HostSettings
from mintline_testkit.api.harness import public_key_of
from mintline_testkit.user_pool import UserPool as CognitoPool

ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
MODELS: dict[str, type[Settings]] = {
    "api": ApiSettings,
    "builder": BuilderSettings,
    "signer-host": HostSettings,
    "enclave": EnclaveSettings,
    "broadcaster": BroadcasterSettings,
    "indexer": IndexerSettings,
    "reconciler": ReconcilerSettings,
    "notifier": NotifierSettings,
}


def key(subject: str) -> KeyRef:
    address = to_checksum_address(keccak256(subject.encode())[12:])
    return KeyRef(address=address, subject=subject, chain_id=31337, secret_id=f"mintline/{subject}")


def environment(path: Path) -> dict[str, str]:
    words = [shlex.split(line) for line in path.read_text().splitlines()]
    assert {word for word, *_ in words} == {"export"}
    return dict(assignment.split("=", 1) for _, assignment in words)


@pytest.fixture
def known() -> Known:
    return Known(
        pool=UserPool(user_pool_id="us-east-1_x", client_id="c", username="demo", password="it's a secret"),
        issuer=key("platform:issuer"),
        treasury=key("platform:treasury"),
        relayer=key("platform:relayer-1"),
        more_relayers=(key("platform:relayer-2"),),
        admin=ADDRESS,
        contract=ADDRESS,
        deployed_block=3,
        factory=KnownFactory(address=ADDRESS, implementation=ADDRESS, multi_token=ADDRESS),
        api_url="http://127.0.0.1:8080",
        cursor_secret=SecretStr("c" * 40),
        jwks={"keys": [CognitoPool().jwk()]},
        wallet_key="arn:aws:kms:us-east-1:000000000000:key/0a1b",
        authorization_key=AuthorizationKeyRef(
            public_key=public_key_of(ec.generate_private_key(ec.SECP256R1())),
            secret_id="mintline/sealing/31337/0011223344556677",
        ),
        intake_key=public_key_of(ec.generate_private_key(ec.SECP256R1())),
    )


@pytest.fixture
def written(tmp_path: Path, known: Known) -> Path:
    state = StateFolder(tmp_path / "state")
    state.prepare()
    folder = tmp_path / "settings"
    for name in MODELS:
        (folder / name).mkdir(parents=True)
    network = ContainerNetwork("http://127.0.0.1:8080")
    environment = Environment(
        state, network, known, issue_credentials(state), Path("/run/mintline"), Path("/audit")
    )
    write_policy(folder / "signer-host", known)
    write_settings(environment, folder)
    return folder


@pytest.mark.parametrize("name", MODELS)
def test_settings__when_written_for_a_container__are_those_of_its_process(written: Path, name: str) -> None:
    path = written / name / "environment"
    load(MODELS[name], environment(path))
    assert path.stat().st_mode & 0o777 == 0o600


def test_known__when_the_state_is_of_a_release_before__then_its_authorization_key_is_kept(
    known: Known,
) -> None:
    state = known.model_dump(mode="json")
    state["sealing"] = state.pop("authorization_key")
    assert Known.model_validate(state).authorization_key == known.authorization_key


def test_enclave__when_told__gets_no_credentials(written: Path) -> None:
    settings = environment(written / "enclave" / "environment")
    assert not [name for name in settings if "ACCESS_KEY" in name or name.startswith("AWS_")]
    assert settings["MINTLINE_DEVELOPMENT_AUTHORITY"] == "/run/settings/authority.pem"


def test_host__when_told__has_the_policy_to_hand_over(written: Path) -> None:
    settings = environment(written / "signer-host" / "environment")
    assert settings["MINTLINE_SIGNING_POLICY"] == "/run/settings/policy.json"
    policy = parse_policy((written / "signer-host" / "policy.json").read_bytes())
    assert policy.contracts == {ADDRESS}
    assert policy.user_actions == {"mint", "transfer", "burn"}
    relayers = (key("platform:relayer-1"), key("platform:relayer-2"))
    assert policy.relayers == tuple(
        PlatformKey(address=relayer.address, subject=relayer.subject) for relayer in relayers
    )


def test_builder__when_told__has_the_relayers(written: Path) -> None:
    settings = environment(written / "builder" / "environment")
    relayers = [KeyRef.model_validate(ref) for ref in json.loads(settings["MINTLINE_RELAYERS"])]
    assert relayers == [key("platform:relayer-1"), key("platform:relayer-2")]


def test_settings__when_written__hold_no_other_services_key(written: Path) -> None:
    keys = {
        name: environment(written / name / "environment")["AWS_SECRET_ACCESS_KEY"]
        for name in set(MODELS) - {"enclave"}
    }
    assert len(set(keys.values())) == len(keys) == len(set(ROLES) - {"operator", "enclave"})
    for name in keys:
        text = (written / name / "environment").read_text()
        assert not [other for other, secret in keys.items() if other != name and secret in text]


def test_indexer__when_scaled__takes_no_name_from_the_settings_that_its_copies_share(written: Path) -> None:
    assert "MINTLINE_INSTANCE" not in environment(written / "indexer" / "environment")


def test_network__when_asked__names_containers_and_the_public_address_of_the_api() -> None:
    network = ContainerNetwork("https://nft.example")
    assert network.url("api") == "https://nft.example"
    assert network.url("kms_front") == "http://kms-front:4567"
    assert network.url("admin_signer_host") == "http://signer-host:9100"
    assert network.port("api") == 8080


def test_environment__when_a_value_has_quotes__means_the_same_to_a_shell(tmp_path: Path) -> None:
    write_environment(tmp_path / "environment", {"A": '["it\'s $HOME"]', "B": ""})
    assert environment(tmp_path / "environment") == {"A": '["it\'s $HOME"]', "B": ""}
