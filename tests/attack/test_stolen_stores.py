"""An attacker who has copied the database and Secrets Manager: wrapped keys, records, sealed tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec

from mintline.authorization import Envelope, EnvelopeInvalid
from mintline.aws.keys import encryption_context
from mintline.kinds.mint import sign_mint
from mintline.resources import TABLES
from mintline_ops.aws_clients import aws_client
from mintline_testkit.signer import digest_of

if TYPE_CHECKING:
    from mintline.records.operations import Mint
    from tests.attack.conftest import User, Victim

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]


async def everything(victim: Victim) -> bytes:
    """Return all that tables and secrets hold, as one text to search."""
    operator = victim.credentials["operator"]
    where: Any = {
        "endpoint_url": victim.info["aws_endpoint_url"],
        "region": victim.info["region"],
        "credentials": operator,
    }
    values: list[Any] = []
    async with aws_client("dynamodb", **where) as client:
        for table in TABLES:
            pages = client.get_paginator("scan").paginate(TableName=table.table_name(victim.info["prefix"]))
            async for page in pages:
                values += page["Items"]
    async with aws_client("secretsmanager", **where) as client:
        async for page in client.get_paginator("list_secrets").paginate():
            for secret in page["SecretList"]:
                values.append((await client.get_secret_value(SecretId=secret["ARN"]))["SecretString"])
    return "\n".join(str(item) for item in values).encode() + json.dumps(values, default=_plain).encode()


def _plain(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


async def test_stolen_stores__when_searched__hold_no_key_and_no_token(
    victim: Victim, minted: Mint, user: User
) -> None:
    haul = await everything(victim)
    secrets = await victim.secrets(minted, user)

    assert minted.wallet.encode() in haul
    assert (await victim.wrapped(victim.known.issuer)).address.encode() in haul
    for name, forms in secrets.items():
        for form in forms:
            assert form not in haul, name


async def test_stolen_stores__when_a_wrapped_key_is_taken_to_kms__no_role_of_the_line_may_open_it(
    victim: Victim, minted: Mint
) -> None:
    """The control is the emulator behind the front, which asks nobody who they are."""
    assert minted.sender is not None
    key = await victim.wrapped(minted.sender)
    parameters: Any = {
        "CiphertextBlob": key.wrapped,
        "EncryptionContext": encryption_context(key.subject, key.chain_id),
    }
    assert (await victim.emulator_kms.decrypt(**parameters))["Plaintext"]

    for role, credentials in victim.credentials.items():
        async with aws_client(
            "kms",
            endpoint_url=victim.info["kms_url"],
            region=victim.info["region"],
            credentials=credentials,
        ) as kms:
            for steal in (
                kms.decrypt(**parameters),
                kms.re_encrypt(
                    CiphertextBlob=key.wrapped,
                    SourceEncryptionContext=parameters["EncryptionContext"],
                    DestinationKeyId="alias/mintline-wallets",
                ),
                kms.create_grant(
                    KeyId="alias/mintline-wallets", GranteePrincipal="*", Operations=["Decrypt"]
                ),
            ):
                with pytest.raises(ClientError) as refused:
                    await steal
                assert refused.value.response["Error"]["Code"] == "AccessDeniedException", role


async def test_stolen_stores__when_a_users_sealed_word_is_taken__no_one_else_opens_it(
    victim: Victim, minted: Mint, user: User
) -> None:
    """The control: with the authorization key's private half, the token is there."""
    intent = sign_mint(minted)
    right = await victim.authorization_private_key()
    envelope = Envelope.from_bytes(intent.authorization)
    assert envelope.open(digest_of(intent), right) == user.token

    with pytest.raises(EnvelopeInvalid):
        envelope.open(digest_of(intent), ec.generate_private_key(ec.SECP256R1()))
    assert user.token.encode() not in intent.authorization
    assert user.token.rsplit(".", 1)[1].encode() not in intent.authorization
