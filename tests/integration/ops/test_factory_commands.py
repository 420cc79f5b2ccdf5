"""The factory of a deployment's collections, set up by commands."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode

from mintline.chain.calls import Call
from mintline.chain.collection import RELAYER_ROLE
from mintline.chain.factory import is_implementation_calldata
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.errors import Unavailable
from mintline.eth import selector
from mintline.settings import ServiceSettings
from mintline_ops.collection import Deployer
from tests.integration.conftest import forked_node
from tests.integration.ops.conftest import URL, answered, has_role, operator, rich_keystore

pytestmark = pytest.mark.integration

CALLER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


async def read(url: str, contract: str, data: bytes, kind: str) -> Any:
    rpc = Rpc([url])
    try:
        response = await Node(rpc).call(Call(sender=CALLER, to=contract, data=data))
    finally:
        await rpc.aclose()
    (value,) = decode([kind], response)
    return value


def test_factory__when_deployed_by_a_command__then_the_relayers_may_use_it_and_the_policy_names_it(
    aws_settings: ServiceSettings, prefix: str, anvil: str, document: Path, keystore: tuple[Path, str]
) -> None:
    on_aws = ("--endpoint-url", aws_settings.aws_endpoint_url)
    chain = ("--deployment", document, "--rpc", anvil, "--keystore", keystore[0])
    first = answered(operator("keys", "--deployment", document, *on_aws))["relayer"]["address"]
    answered(operator("deploy", *chain, "--name", "Birds", "--symbol", "BIRD"))
    policy = document.with_name("policy.json")
    other = {"address": first, "implementation": first}
    policy.write_text(json.dumps({"version": 1, "factories": [other]}))

    done = answered(operator("deploy-factory", *chain, "--policy", policy))
    again = answered(operator("deploy-factory", *chain, "--policy", policy))
    pool = answered(operator("relayers", *chain, *on_aws, "--count", 2))
    moved = answered(operator("set-base-uri", *chain, "--url", "https://elsewhere.example"))

    factory, implementation = done["factory"], done["implementation"]
    codes = (implementation, done["multi_token"])
    entries = [{"address": factory, "implementation": code} for code in codes]
    assert (done["deployed"], done["granted"], done["admin"]) == (True, [first], keystore[1])
    assert again == {**done, "deployed": False, "granted": []}
    assert json.loads(document.read_text())["chain"]["factory"] == entries[0] | {"multi_token": codes[1]}
    assert json.loads(policy.read_text())["factories"] == [other, *entries]
    for code in codes:
        assert asyncio.run(read(anvil, factory, is_implementation_calldata(code), "bool"))
    assert pool["granted_at_factory"] == pool["made"]
    assert all(asyncio.run(has_role(anvil, factory, RELAYER_ROLE, relayer)) for relayer in pool["relayers"])
    assert moved["url"] == "https://elsewhere.example"
    base = asyncio.run(read(anvil, factory, selector("baseURI()"), "string"))
    assert base == "https://elsewhere.example/v1/metadata/"


def test_factory__when_the_chain_prices_new_state__then_it_is_deployed_within_the_default_bound(
    document: Path, tmp_path: Path
) -> None:
    with forked_node("amsterdam") as node_url:
        path, _ = asyncio.run(rich_keystore(node_url, tmp_path))
        done = answered(
            operator("deploy-factory", "--deployment", document, "--rpc", node_url, "--keystore", path)
        )

        base = asyncio.run(read(node_url, done["factory"], selector("baseURI()"), "string"))
    assert base == f"{URL}/v1/metadata/"


def test_factory__when_the_set_up_was_cut_off__then_a_later_run_completes_it(
    anvil: str, document: Path, keystore: tuple[Path, str]
) -> None:
    chain = ("--deployment", document, "--rpc", anvil, "--keystore", keystore[0])
    refused = operator("deploy-factory", *chain, "--max-gas", 2_000_000)
    before = json.loads(document.read_text())["chain"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Deployer, "complete_factory", crash)
        cut_off = operator("deploy-factory", *chain)
    factory = json.loads(document.read_text())["chain"]["factory"]
    done = answered(operator("deploy-factory", *chain))

    assert (refused.exit_code, "--max-gas allows 2000000: raise it" in refused.stderr) == (1, True)
    assert "factory" not in before
    assert (cut_off.exit_code, cut_off.stderr) == (1, "error: the node went away\n")
    assert (done["deployed"], done["factory"]) == (False, factory["address"])
    added = is_implementation_calldata(factory["implementation"])
    assert asyncio.run(read(anvil, factory["address"], added, "bool"))


def test_factory__when_it_is_of_a_version_without_erc1155__then_only_that_code_is_deployed(
    anvil: str, document: Path, keystore: tuple[Path, str]
) -> None:
    chain = ("--deployment", document, "--rpc", anvil, "--keystore", keystore[0])
    deployed = answered(operator("deploy-factory", *chain))
    earlier = json.loads(document.read_text())
    del earlier["chain"]["factory"]["multi_token"]
    document.write_text(json.dumps(earlier))

    done = answered(operator("deploy-factory", *chain))

    assert (done["deployed"], done["factory"]) == (False, deployed["factory"])
    assert done["implementation"] == deployed["implementation"]
    assert done["multi_token"] != deployed["multi_token"]
    assert json.loads(document.read_text())["chain"]["factory"]["multi_token"] == done["multi_token"]
    added = is_implementation_calldata(done["multi_token"])
    assert asyncio.run(read(anvil, done["factory"], added, "bool"))


async def crash(*_: object) -> list[str]:
    raise Unavailable("the node went away")
