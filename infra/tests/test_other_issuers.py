"""A deployment document that names OIDC issuers beside the user pool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mintline_api.settings import OtherIssuer
from pydantic import TypeAdapter

from mintline.errors import Misconfigured
from synthesis import described, properties, synthesized


def issuer(**changes: Any) -> dict[str, Any]:
    return {
        "name": "auth0",
        "issuer": "https://login.example.com/",
        "client_claim": "azp",
        "client_ids": ["web", "app"],
        "machine_client_ids": ["backend"],
        "audience": "https://api.example.com",
        "jwks_url": "https://login.example.com/.well-known/jwks.json",
    } | changes


def test_issuers__when_the_document_names_one__then_the_api_takes_it_as_it_is(tmp_path: Path) -> None:
    templates = synthesized(described(other_issuers=[issuer()]), tmp_path)

    (task,) = properties(templates["api"], "AWS::ECS::TaskDefinition")
    (container,) = task["ContainerDefinitions"]
    setting = {entry["Name"]: entry["Value"] for entry in container["Environment"]}["MINTLINE_OTHER_ISSUERS"]
    (taken,) = TypeAdapter(tuple[OtherIssuer, ...]).validate_json(setting)
    assert taken == OtherIssuer.model_validate(issuer())
    # The same document gives the same template, whatever the order of a set is.
    assert json.loads(setting)[0]["client_ids"] == ["app", "web"]


@pytest.mark.parametrize(
    ("others", "named"),
    [
        ([issuer(), issuer(issuer="https://two.example")], "a name and an issuer of its own"),
        ([issuer(), issuer(name="two")], "a name and an issuer of its own"),
        ([issuer(jwks_url="http://login.example.com/keys")], "jwks_url"),
        ([issuer(client_ids=[], machine_client_ids=[])], "at least one of client_ids"),
        ([issuer(name=f"n{number}", issuer=f"https://{number}.example") for number in range(5)], "at most 4"),
    ],
)
def test_issuers__when_the_api_would_refuse_them__then_the_document_is_refused(
    others: list[dict[str, Any]], named: str
) -> None:
    with pytest.raises(Misconfigured, match=named):
        described(other_issuers=others)
