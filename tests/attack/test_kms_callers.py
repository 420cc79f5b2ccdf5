"""A holder of the enclave's AWS credentials asks KMS for keys: the host has them, and all that the host sees.

The line's own authority stands for the hypervisor here: it attests whatever runs, and so other enclaves, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from mintline.attestation.development import DevelopmentAuthority
from mintline.attestation.registers import policy_register
from mintline.aws.keys import encryption_context
from mintline_devstack.attestation import AUTHORITY
from mintline_devstack.principals import role_arn
from mintline_devstack.services import POLICY
from mintline_ops.aws_clients import aws_client
from mintline_signer.enclave.envelope import BrokenEnvelope, open_envelope
from mintline_signer.enclave.measurement import measured
from mintline_signer.enclave.recipient import new_key

if TYPE_CHECKING:
    from mintline.records.operations import Mint
    from tests.attack.conftest import Victim

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]


@dataclass
class Caller:
    """Someone with the enclave's credentials and a wrapped key, who can have documents made."""

    victim: Victim
    requested: dict[str, Any]
    authority: DevelopmentAuthority
    pcrs: Mapping[int, bytes]
    """What the enclave of the line measures as."""
    key: RSAPrivateKey

    def document(
        self,
        *,
        authority: DevelopmentAuthority | None = None,
        pcrs: Mapping[int, bytes] | None = None,
        age: timedelta = timedelta(0),
    ) -> bytes:
        now = datetime.now(UTC)
        attester = (authority or self.authority).attester("module", now=now - age)
        public = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return attester.attest(module_id="m", at=now - age, pcrs=pcrs or self.pcrs, public_key=public)

    async def decrypt(self, document: bytes | None, algorithm: str = "RSAES_OAEP_SHA_256") -> dict[str, Any]:
        recipient = {"AttestationDocument": document, "KeyEncryptionAlgorithm": algorithm}
        more: Any = {} if document is None else {"Recipient": recipient}
        info = self.victim.info
        async with aws_client(
            "kms",
            endpoint_url=info["kms_url"],
            region=info["region"],
            credentials=self.victim.credentials["enclave"],
        ) as kms:
            response: Any = await kms.decrypt(**self.requested, **more)
            return dict(response)

    async def denied(self, document: bytes | None, **how: Any) -> str:
        with pytest.raises(ClientError) as refused:
            await self.decrypt(document, **how)
        code: str = refused.value.response["Error"]["Code"]
        return code


@pytest_asyncio.fixture(loop_scope="session")
async def caller(victim: Victim, minted: Mint) -> Caller:
    assert minted.sender is not None
    key = await victim.wrapped(minted.sender)
    folder = victim.state.enclave
    return Caller(
        victim,
        {
            "CiphertextBlob": key.wrapped,
            "EncryptionContext": encryption_context(key.subject, key.chain_id),
        },
        DevelopmentAuthority.from_pem((folder / AUTHORITY).read_bytes()),
        {**measured(role_arn("enclave")), 16: policy_register((folder / POLICY).read_bytes())},
        new_key(),
    )


async def test_kms_caller__when_it_is_the_enclave__gets_the_key(caller: Caller) -> None:
    response = await caller.decrypt(caller.document())
    assert not response.get("Plaintext")
    load_der_private_key(bytes(open_envelope(response["CiphertextForRecipient"], caller.key)), None)


async def test_kms_caller__when_it_does_not_attest__gets_nothing(caller: Caller) -> None:
    assert await caller.denied(None) == "AccessDeniedException"


@pytest.mark.parametrize("register", [0, 3, 16], ids=["image", "role", "policy"])
async def test_kms_caller__when_it_is_another_enclave__gets_nothing(caller: Caller, register: int) -> None:
    document = caller.document(pcrs={**caller.pcrs, register: b"\xee" * 48})
    assert await caller.denied(document) == "AccessDeniedException"


async def test_kms_caller__when_it_measured_no_policy__gets_nothing(caller: Caller) -> None:
    document = caller.document(pcrs={index: caller.pcrs[index] for index in range(5)})
    assert await caller.denied(document) == "AccessDeniedException"


async def test_kms_caller__when_it_is_an_enclave_in_debug_mode__gets_nothing(caller: Caller) -> None:
    document = caller.document(pcrs=dict.fromkeys(range(16), bytes(48)))
    assert await caller.denied(document) == "ValidationException"


@pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(days=365)])
async def test_kms_caller__when_its_document_is_old__gets_nothing(caller: Caller, age: timedelta) -> None:
    assert await caller.denied(caller.document(age=age)) == "ValidationException"


async def test_kms_caller__when_it_attests_under_a_root_of_its_own__gets_nothing(caller: Caller) -> None:
    own = DevelopmentAuthority.create(now=datetime.now(UTC))
    assert await caller.denied(caller.document(authority=own)) == "ValidationException"


async def test_kms_caller__when_it_asks_for_a_weaker_envelope__gets_nothing(caller: Caller) -> None:
    assert await caller.denied(caller.document(), algorithm="RSAES_PKCS1_V1_5") == "ValidationException"


async def test_kms_caller__when_it_replaces_the_key_in_the_enclaves_document__gets_nothing(
    caller: Caller,
) -> None:
    document, thief = caller.document(), new_key()

    def spki(key: RSAPrivateKey) -> bytes:
        return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    assert spki(caller.key) in document
    forged = document.replace(spki(caller.key), spki(thief))
    assert await caller.denied(forged) == "ValidationException"


async def test_kms_caller__when_it_replays_the_enclaves_document__gets_what_it_cannot_open(
    caller: Caller,
) -> None:
    response = await caller.decrypt(caller.document())
    assert not response.get("Plaintext")
    with pytest.raises(BrokenEnvelope):
        open_envelope(response["CiphertextForRecipient"], new_key())


async def test_kms_caller__when_it_would_rewrite_the_key_policy__may_not(caller: Caller) -> None:
    info = caller.victim.info
    open_to_all = {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "A", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
        ],
    }
    for role in set(caller.victim.credentials) - {"operator"}:
        async with aws_client(
            "kms",
            endpoint_url=info["kms_url"],
            region=info["region"],
            credentials=caller.victim.credentials[role],
        ) as kms:
            with pytest.raises(ClientError) as refused:
                await kms.put_key_policy(KeyId="alias/mintline-wallets", Policy=json.dumps(open_to_all))
            assert refused.value.response["Error"]["Code"] == "AccessDeniedException", role
