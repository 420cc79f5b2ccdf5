"""Who signs in, how, and what the tokens are given for."""

from __future__ import annotations

from pathlib import Path

import pytest

from mintline.errors import Misconfigured
from mintline.scopes import ACCOUNT_ADMIN, DESCRIPTIONS, MACHINE_SCOPES, SIGN_IN_SCOPES
from mintline_infra.deployment import read
from synthesis import Templates, described, properties, resources, synthesized


def test_client__when_users_sign_in__then_by_code_for_our_scopes_alone(templates: Templates) -> None:
    template = templates["identity"]
    (client,) = properties(template, "AWS::Cognito::UserPoolClient")
    (server,) = resources(template, "AWS::Cognito::UserPoolResourceServer")
    granted = {
        scope if isinstance(scope, str) else "".join(_words(scope, server))
        for scope in client["AllowedOAuthScopes"]
    }

    assert client["AllowedOAuthFlows"] == ["code"]
    assert client["AllowedOAuthFlowsUserPoolClient"] is True
    assert client["GenerateSecret"] is False, "a public client: PKCE is what binds the code to it"
    assert granted == set(SIGN_IN_SCOPES)
    assert ACCOUNT_ADMIN not in granted
    assert client["CallbackURLs"] == ["http://localhost:8400/signed-in"]
    assert client["SupportedIdentityProviders"] == ["COGNITO"]
    assert client["EnableTokenRevocation"] is True


def _words(scope: dict[str, list[object]], server: str) -> list[str]:
    """Return the pieces of a scope that CloudFormation joins; the server's name is its identifier."""
    separator, pieces = scope["Fn::Join"]
    assert separator == ""
    assert isinstance(pieces, list)
    return ["mintline" if piece == {"Ref": server} else piece for piece in pieces]


def test_client__when_a_user_would_sign_in_directly__then_no_flow_is_there(templates: Templates) -> None:
    (client,) = properties(templates["identity"], "AWS::Cognito::UserPoolClient")

    assert client["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]


def test_server__when_scopes_are_declared__then_they_are_the_apis(templates: Templates) -> None:
    (server,) = properties(templates["identity"], "AWS::Cognito::UserPoolResourceServer")

    assert server["Identifier"] == "mintline"
    assert {scope["ScopeName"]: scope["ScopeDescription"] for scope in server["Scopes"]} == {
        scope.short: text for scope, text in DESCRIPTIONS.items()
    }


def test_api__when_it_uses_the_pool__then_it_changes_no_app_client_and_no_user(templates: Templates) -> None:
    (policy,) = properties(templates["identity"], "AWS::IAM::Policy")
    clients, users = policy["PolicyDocument"]["Statement"]

    assert policy["Roles"] == ["acme-mintline-api"]
    assert {action.removeprefix("cognito-idp:") for action in clients["Action"]} == {
        *("CreateUserPoolClient", "DeleteUserPoolClient"),
        *("AddUserPoolClientSecret", "DeleteUserPoolClientSecret", "ListUserPoolClientSecrets"),
    }
    assert {action.removeprefix("cognito-idp:") for action in users["Action"]} == {
        *("AdminCreateUser", "AdminGetUser", "ListUsers"),
    }
    for statement in (clients, users):
        assert statement["Effect"] == "Allow"
        assert statement["Resource"]["Fn::GetAtt"][1] == "Arn"


def test_domain__when_users_sign_in__then_there_is_a_page_to_do_it(templates: Templates) -> None:
    (domain,) = properties(templates["identity"], "AWS::Cognito::UserPoolDomain")

    assert domain["Domain"] == "acme-mintline"


def test_client__when_the_document_names_callbacks__then_it_takes_those_and_no_others(tmp_path: Path) -> None:
    callbacks = ["https://shop.example/signed-in", "http://localhost:3000/cb"]
    template = synthesized(described(sign_in_callbacks=callbacks), tmp_path)["identity"]
    (client,) = properties(template, "AWS::Cognito::UserPoolClient")

    assert client["CallbackURLs"] == callbacks


def test_client__when_the_api_has_an_address__then_sign_in_returns_to_its_console(tmp_path: Path) -> None:
    document = described(public_url="https://nft.example/", sign_in_callbacks=["https://shop.example/cb"])
    (client,) = properties(synthesized(document, tmp_path)["identity"], "AWS::Cognito::UserPoolClient")

    assert client["CallbackURLs"] == ["https://shop.example/cb", "https://nft.example/console/home"]
    assert client["LogoutURLs"] == ["https://nft.example/console/home"]


def test_operators__when_they_have_a_console__then_their_app_client_has_machine_scopes_and_one_address(
    tmp_path: Path,
) -> None:
    document = described(public_url="https://nft.example", operators_console=True)
    templates = synthesized(document, tmp_path)
    (client,) = (
        client
        for client in properties(templates["identity"], "AWS::Cognito::UserPoolClient")
        if client["ClientName"].endswith("-operators")
    )

    assert client["CallbackURLs"] == client["LogoutURLs"] == ["https://nft.example/console/home"]
    assert client["AllowedOAuthFlows"] == ["code"]
    assert client["GenerateSecret"] is False
    assert len(client["AllowedOAuthScopes"]) == 1 + len(MACHINE_SCOPES)
    assert "MINTLINE_COGNITO_OPERATOR_CLIENT_ID" in str(templates["api"])


@pytest.mark.parametrize(
    "callback",
    ["http://shop.example/cb", "https://shop.example/cb#x", "https://*.example/cb", "app://signed-in", ""],
)
def test_deployment__when_a_callback_would_leak_the_code__then_it_is_refused(callback: str) -> None:
    document = described().model_dump(mode="json") | {"sign_in_callbacks": [callback]}

    with pytest.raises(Misconfigured, match="sign_in_callbacks"):
        read(document)


@pytest.mark.parametrize(("named", "plan"), [({}, "ESSENTIALS"), ({"feature_plan": "lite"}, "LITE")])
def test_pool__when_the_document_names_a_plan__then_it_has_it(
    tmp_path: Path, named: dict[str, str], plan: str
) -> None:
    templates = synthesized(described(chain={"chain_id": 1}, **named), tmp_path)

    (pool,) = properties(templates["identity"], "AWS::Cognito::UserPool")
    assert pool["UserPoolTier"] == plan


def test_pool__when_the_document_says_nothing__then_only_operators_make_users(templates: Templates) -> None:
    (pool,) = properties(templates["identity"], "AWS::Cognito::UserPool")

    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}
    assert pool["AutoVerifiedAttributes"] == ["email"]
    assert "EmailConfiguration" not in pool


def test_pool__when_the_document_names_a_sender__then_anybody_signs_up_and_ses_sends(tmp_path: Path) -> None:
    document = described(self_sign_up=True, email_from="nfts@mail.shop.example")
    (pool,) = properties(synthesized(document, tmp_path)["identity"], "AWS::Cognito::UserPool")

    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": False}
    assert pool["AutoVerifiedAttributes"] == ["email"]
    sender = pool["EmailConfiguration"]
    assert (sender["EmailSendingAccount"], sender["From"]) == ("DEVELOPER", "nfts@mail.shop.example")
    assert "identity/mail.shop.example" in str(sender["SourceArn"])


@pytest.mark.parametrize("sender", ["nobody", "nfts@", "Shop <nfts@shop.example>", "a@b@shop.example"])
def test_document__when_its_sender_is_no_address__then_is_refused(sender: str) -> None:
    with pytest.raises(Misconfigured, match="email_from"):
        described(email_from=sender)
