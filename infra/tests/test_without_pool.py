"""A deployment without a user pool: other issuers in its place, and nothing of Cognito in any template."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mintline_api.settings import OtherIssuer
from pydantic import TypeAdapter
from test_other_issuers import issuer

from mintline.errors import Misconfigured
from mintline_infra.costs import SMALL, STANDARD, Shape, monthly
from synthesis import Templates, described, properties, synthesized

SIGN_IN = {
    "client_id": "web",
    "authorization_endpoint": "https://login.example.com/authorize",
    "token_endpoint": "https://login.example.com/oauth/token",
}


@pytest.fixture(scope="module")
def poolless(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    deployment = described(pool=False, other_issuers=[issuer(sign_in=SIGN_IN)])
    return synthesized(deployment, tmp_path_factory.mktemp("cdk"))


def test_stacks__when_there_is_no_pool__then_all_but_identity_are_there_and_none_knows_of_one(
    templates: Templates, poolless: Templates
) -> None:
    assert poolless.keys() == templates.keys() - {"identity"}
    for name, template in poolless.items():
        text = json.dumps(template)
        for word in ("cognito-idp", "AWS::Cognito", "COGNITO", "acme-mintline-identity"):
            assert word not in text, (name, word)


def test_stacks__when_there_is_no_pool__then_no_other_resource_is_missing(
    templates: Templates, poolless: Templates
) -> None:
    for name, template in poolless.items():
        kinds = sorted(resource["Type"] for resource in template["Resources"].values())
        assert kinds == sorted(resource["Type"] for resource in templates[name]["Resources"].values()), name


def test_api__when_there_is_no_pool__then_it_takes_the_setting_with_where_people_sign_in(
    poolless: Templates,
) -> None:
    (task,) = properties(poolless["api"], "AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    settings = {entry["Name"]: entry["Value"] for entry in container["Environment"]}
    (taken,) = TypeAdapter(tuple[OtherIssuer, ...]).validate_json(settings["MINTLINE_OTHER_ISSUERS"])
    assert taken == OtherIssuer.model_validate(issuer(sign_in=SIGN_IN))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, "other_issuers must name at least one"),
        ({"other_issuers": [issuer()]}, "exactly one of other_issuers must have sign_in"),
        (
            {
                "other_issuers": [
                    issuer(sign_in=SIGN_IN),
                    issuer(name="b", issuer="https://b.example", sign_in=SIGN_IN),
                ]
            },
            "exactly one of other_issuers must have sign_in",
        ),
        ({"pool": True, "other_issuers": [issuer(sign_in=SIGN_IN)]}, "sign_in is for where there is no"),
        (
            {"other_issuers": [issuer(sign_in=SIGN_IN)], "self_sign_up": True},
            "self_sign_up is about the user",
        ),
        (
            {
                "other_issuers": [issuer(sign_in=SIGN_IN)],
                "operators_console": True,
                "public_url": "https://nft.example.com",
            },
            "operators_console is about the user pool",
        ),
        ({"other_issuers": [issuer(sign_in=SIGN_IN | {"client_id": "x"})]}, "must be one of client_ids"),
        (
            {"other_issuers": [issuer(sign_in=SIGN_IN | {"token_endpoint": "http://login.example.com/"})]},
            "token_endpoint",
        ),
    ],
)
def test_document__when_its_way_to_sign_in_is_not_whole__then_is_refused_in_one_line(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(Misconfigured, match=named) as refused:
        described(**{"pool": False} | changes)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("shape", [STANDARD, SMALL])
def test_costs__when_there_is_no_pool__then_users_cost_nothing(shape: Shape) -> None:
    with_pool, without = (monthly(100_000_000, plan=plan, shape=shape) for plan in ("essentials", None))
    assert with_pool.pop("Users") > 0
    assert with_pool == without
