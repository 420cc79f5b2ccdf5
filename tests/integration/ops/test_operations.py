"""A deployment, founded by commands: keys in KMS, a contract on a chain, its row and metadata in tables."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode
from eth_account import Account

from mintline.aws.authorization_key_items import AuthorizationKeyItems
from mintline.aws.authorization_keys import read_authorization_key
from mintline.aws.dynamo import Dynamo
from mintline.aws.key_stores import DynamoKeys, SecretsManagerKeys
from mintline.aws.provision import open_clients
from mintline.aws.session import AwsCalls, open_client
from mintline.chain.calls import Call
from mintline.chain.collection import ISSUER_ROLE, METADATA_ROLE, PAUSER_ROLE, RELAYER_ROLE
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.eth import selector
from mintline.key_stores import KeyStores
from mintline.messages.parts import KeyRef
from mintline.object_keys import collection_object_key
from mintline.resources import COLLECTIONS, METADATA
from mintline.settings import ServiceSettings
from mintline_testkit.constants import CHAIN_ID
from tests.integration.conftest import forked_node
from tests.integration.ops.conftest import PASSWORD, answered, has_role, operator, rich_keystore

pytestmark = pytest.mark.integration


def test_deployment__when_founded_by_commands__has_what_its_services_need(
    aws_settings: ServiceSettings, prefix: str, anvil: str, document: Path, keystore: tuple[Path, str]
) -> None:
    about = ("--deployment", document, "--name", "Birds", "--symbol", "BIRD")
    on_aws = ("--endpoint-url", aws_settings.aws_endpoint_url)

    keys = answered(operator("keys", "--deployment", document, *on_aws))
    sent = answered(operator("deploy", *about, "--rpc", anvil, "--keystore", keystore[0]))
    described_as = ("--description", "All of them.", "--image", "https://example.com/birds.png")
    row = (*about, *on_aws, "--block", sent["block"], *described_as)
    assert answered(operator("intake-key", "--deployment", document, *on_aws)) == {
        "intake_key": keys["intake_key"]
    }
    runs = ("--sponsored",), (), ()
    registered = [answered(operator("register", *row, *more))["registered"] for more in runs]

    described = json.loads(document.read_text())["chain"]
    assert described == {"chain_id": CHAIN_ID, **keys, "default_collection": sent["contract"]}
    assert registered == [True, False, False]
    asyncio.run(check_aws(aws_settings, prefix, keys, sent))
    issuer, relayer = keys["issuer"]["address"], keys["relayer"]["address"]
    assert asyncio.run(roles(anvil, sent["contract"], keystore[1], issuer)) == (True, True, True)
    assert asyncio.run(has_role(anvil, sent["contract"], RELAYER_ROLE, relayer))


async def check_aws(settings: ServiceSettings, prefix: str, keys: Any, sent: Any) -> None:
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(open_clients(settings))
        secretsmanager = await open_client(stack, "secretsmanager", settings, calls=AwsCalls())
        dynamo = Dynamo(clients.dynamodb, prefix)
        stack.push_async_callback(dynamo.aclose)
        stores = KeyStores(SecretsManagerKeys(secretsmanager, prefix=prefix), DynamoKeys(dynamo))
        for name in ("issuer", "treasury", "relayer"):
            key = KeyRef.model_validate(keys[name])
            assert (await stores.read(key)).address == key.address
            assert stores.holding(key.secret_id) is stores.named("dynamodb")
        await read_authorization_key(secretsmanager, keys["authorization_key"]["secrets"][0])
        row = await dynamo.get(COLLECTIONS, {"collection_id": f"{CHAIN_ID}#{sent['contract']}"})
        assert row is not None
        assert (row["name"], row["deployed_block"]) == ("Birds", sent["block"])
        assert row["sponsored"] is True, "a later run without the option left it as it was"
        published = await clients.s3.get_object(
            Bucket=METADATA.bucket_name(prefix), Key=collection_object_key(CHAIN_ID, sent["contract"])
        )
        assert json.loads(await published["Body"].read()) == {
            "name": "Birds",
            "symbol": "BIRD",
            "description": "All of them.",
            "image": "https://example.com/birds.png",
        }


async def roles(anvil: str, contract: str, admin: str, issuer: str) -> tuple[bool, ...]:
    return (
        await has_role(anvil, contract, ISSUER_ROLE, issuer),
        await has_role(anvil, contract, METADATA_ROLE, admin),
        await has_role(anvil, contract, PAUSER_ROLE, admin),
    )


def test_relayer__when_a_deployment_of_before_has_none__then_it_is_made_and_granted_its_role_once(
    aws_settings: ServiceSettings, prefix: str, anvil: str, document: Path, keystore: tuple[Path, str]
) -> None:
    on_aws = ("--endpoint-url", aws_settings.aws_endpoint_url)
    chain = ("--deployment", document, "--rpc", anvil, "--keystore", keystore[0])
    answered(operator("keys", "--deployment", document, *on_aws))
    described = json.loads(document.read_text())
    del described["chain"]["relayer"]
    document.write_text(json.dumps(described))
    contract = answered(operator("deploy", *chain, "--name", "Birds", "--symbol", "BIRD"))["contract"]
    before = json.loads(document.read_text())["chain"]

    keys = answered(operator("keys", "--deployment", document, *on_aws))
    again = answered(operator("keys", "--deployment", document, *on_aws))
    chain_document = json.loads(document.read_text())["chain"]
    granted = [answered(operator("relayers", *chain, *on_aws, "--count", 1))["granted"] for _ in range(2)]

    assert (list(keys), again) == (["relayer"], {})
    assert keys["relayer"]["subject"] == "platform:relayer-1"
    assert chain_document == json.loads(document.read_text())["chain"] == {**before, **keys}
    relayer = keys["relayer"]["address"]
    assert granted == [[relayer], []]
    assert asyncio.run(has_role(anvil, contract, RELAYER_ROLE, relayer))


def test_relayers__when_more_are_asked_for__then_they_are_made_granted_and_named_in_the_policy(
    aws_settings: ServiceSettings, prefix: str, anvil: str, document: Path, keystore: tuple[Path, str]
) -> None:
    on_aws = ("--endpoint-url", aws_settings.aws_endpoint_url)
    chain = ("--deployment", document, "--rpc", anvil, "--keystore", keystore[0])
    first = answered(operator("keys", "--deployment", document, *on_aws))["relayer"]
    contract = answered(operator("deploy", *chain, "--name", "Birds", "--symbol", "BIRD"))["contract"]
    policy = document.with_name("policy.json")
    policy.write_text(json.dumps({"version": 1, "relayers": []}))

    done = answered(operator("relayers", *chain, *on_aws, "--count", 3, "--policy", policy))
    fewer = operator("relayers", *chain, *on_aws, "--count", 2)
    keys = answered(operator("keys", "--deployment", document, *on_aws))

    described = json.loads(document.read_text())["chain"]
    addresses = [key["address"] for key in described["relayers"]]
    assert ("relayer" in described, described["relayers"][0], keys) == (False, first, {})
    assert [key["subject"] for key in described["relayers"]] == [f"platform:relayer-{n}" for n in (1, 2, 3)]
    assert done == {
        "relayers": addresses,
        "made": addresses[1:],
        "granted": addresses[1:],
        "granted_at_factory": [],
    }
    named = [{"address": key["address"], "subject": key["subject"]} for key in described["relayers"]]
    assert json.loads(policy.read_text()) == {"version": 1, "relayers": named}
    assert all(asyncio.run(has_role(anvil, contract, RELAYER_ROLE, address)) for address in addresses)
    assert (fewer.exit_code, "pass --count 3 or more" in fewer.stderr) == (1, True)


@pytest.mark.parametrize(
    ("passed", "why"),
    [
        (("--rpc", "http://127.0.0.1:1"), "pass --rpc and --keystore together"),
        (("--count", 0), "--count"),
    ],
)
def test_relayers__when_the_options_do_not_fit__then_says_so(
    document: Path, passed: tuple[Any, ...], why: str
) -> None:
    result = operator("relayers", "--deployment", document, "--count", 1, *passed)

    assert result.exit_code in (1, 2)
    assert why in result.stderr


def test_relayers__when_nothing_is_deployed__then_says_so_in_one_line(
    document: Path, keystore: tuple[Path, str]
) -> None:
    with_issuer(document)
    described = json.loads(document.read_text())
    described["chain"]["relayer"] = described["chain"]["issuer"]
    document.write_text(json.dumps(described))
    why = "chain.default_collection is missing: deploy the contract first"

    chain = ("--deployment", document, "--rpc", "http://127.0.0.1:1", "--keystore", keystore[0])
    result = operator("relayers", *chain, "--count", 1)

    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1:] == [f"error: {document}: {why}"]


def test_deploy__when_the_chain_prices_new_state__then_takes_the_gas_it_needs_within_its_bound(
    document: Path, tmp_path: Path
) -> None:
    with_issuer(document)
    issuer = json.loads(document.read_text())["chain"]["issuer"]["address"]
    with forked_node("amsterdam") as node_url:
        path, admin = asyncio.run(rich_keystore(node_url, tmp_path))
        deploy = (
            "deploy",
            "--deployment",
            document,
            "--name",
            "Birds",
            "--symbol",
            "BIRD",
            "--rpc",
            node_url,
        )
        refused = operator(*deploy, "--keystore", path, "--max-gas", 6_000_000)
        sent = answered(operator(*deploy, "--keystore", path))

        assert asyncio.run(roles(node_url, sent["contract"], admin, issuer)) == (True, True, True)
    assert refused.exit_code == 1
    assert "--max-gas allows 6000000: raise it" in refused.output


def test_contract__when_repointed__leads_to_the_new_address(
    anvil: str, document: Path, keystore: tuple[Path, str]
) -> None:
    with_issuer(document)
    chain = ("--deployment", document, "--rpc", anvil, "--keystore", keystore[0])
    answered(operator("deploy", *chain, "--name", "Birds", "--symbol", "BIRD", "--royalty-bps", 250))

    moved = answered(operator("set-base-uri", *chain, "--url", "https://elsewhere.example/"))

    assert moved["url"] == "https://elsewhere.example"
    uri = asyncio.run(contract_uri(anvil, moved["contract"]))
    assert uri == f"https://elsewhere.example/v1/metadata/{moved['contract']}"


async def contract_uri(anvil: str, contract: str) -> str:
    rpc = Rpc([anvil])
    try:
        response = await Node(rpc).call(Call(sender=contract, to=contract, data=selector("contractURI()")))
    finally:
        await rpc.aclose()
    (uri,) = decode(["string"], response)
    return str(uri)


def with_issuer(document: Path) -> None:
    described = json.loads(document.read_text())
    address = Account.from_key(secrets.token_bytes(32)).address
    described["chain"]["issuer"] = {
        "address": address,
        "subject": "platform:issuer",
        "chain_id": CHAIN_ID,
        "secret_id": "x",
    }
    document.write_text(json.dumps(described))


@pytest.mark.parametrize(
    ("change", "password", "why"),
    [
        ({"issuer": None}, PASSWORD, "run `mintline operator keys` first"),
        ({"chain_id": 5}, PASSWORD, "chain 31337, the deployment on 5"),
        ({}, "wrong", "no keystore, or not its password"),
    ],
)
def test_deploy__when_it_cannot__says_why_in_one_line_and_changes_nothing(
    anvil: str, document: Path, keystore: tuple[Path, str], *, change: Any, password: str, why: str
) -> None:
    with_issuer(document)
    described = json.loads(document.read_text())
    described["chain"] |= change
    document.write_text(before := json.dumps(described))

    chain = ("--deployment", document, "--rpc", anvil, "--keystore", keystore[0])
    result = operator("deploy", *chain, "--name", "Birds", "--symbol", "BIRD", "--password", password)

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert why in result.stderr
    assert document.read_text() == before


def test_keys__when_there_are_some__are_left_alone(
    aws_settings: ServiceSettings, prefix: str, document: Path
) -> None:
    with_issuer(document)
    before = json.loads(document.read_text())["chain"]

    keys = answered(
        operator("keys", "--deployment", document, "--endpoint-url", aws_settings.aws_endpoint_url)
    )

    assert set(keys) == {"treasury", "relayer", "authorization_key", "intake_key"}
    assert json.loads(document.read_text())["chain"] == {**before, **keys}


def test_keys__when_the_deployment_is_small__then_none_of_them_is_in_secrets_manager(
    aws_settings: ServiceSettings, prefix: str, document: Path
) -> None:
    described = json.loads(document.read_text())
    document.write_text(json.dumps({**described, "size": "small"}))

    keys = answered(
        operator("keys", "--deployment", document, "--endpoint-url", aws_settings.aws_endpoint_url)
    )

    held = [keys[name]["secret_id"] for name in ("issuer", "treasury", "relayer")]
    (kept,) = keys["authorization_key"]["secrets"]
    assert all(reference.startswith("dynamodb:") for reference in (*held, kept))
    asyncio.run(
        check_authorization_key_item(aws_settings, prefix, kept, keys["authorization_key"]["public_key"])
    )


async def check_authorization_key_item(
    settings: ServiceSettings, prefix: str, reference: str, public: str
) -> None:
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(open_clients(settings))
        dynamo = Dynamo(clients.dynamodb, prefix)
        stack.push_async_callback(dynamo.aclose)
        kept = await AuthorizationKeyItems(dynamo).read(reference)
        assert base64.b64encode(kept.public_key).decode() == public
