"""What KMS answers is used only if a key of the deployment answered."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from structlog.testing import capture_logs

from mintline.aws.keys import GeneratedKey, WrongKmsKey, generate_key
from mintline.errors import Unavailable

ALIAS = "alias/mintline-wallets"
ARN = "arn:aws:kms:us-east-1:111122223333:key/0a1b"
SPKI = ec.derive_private_key(7, ec.SECP256K1()).public_key()


class Kms:
    """Answers as the key `answering`, whatever key it is asked for."""

    def __init__(self, answering: str) -> None:
        self.answering = answering
        self.requested: list[str] = []

    async def generate_data_key_pair_without_plaintext(self, *, KeyId: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - as in the API
        self.requested.append(KeyId)
        return {
            "PublicKey": SPKI.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "PrivateKeyCiphertextBlob": b"wrapped",
            "KeyId": self.answering,
        }


async def generated(answering: str, pinned: list[str] | None) -> GeneratedKey:
    kms: Any = Kms(answering)
    return await generate_key(kms, key_id=ALIAS, subject="alice", chain_id=1, pinned=pinned)


@pytest.mark.parametrize("pinned", [[ARN], [ARN[:-1] + "c", ARN], None])
async def test_key__when_a_pinned_kms_key_answers_or_none_is_pinned__then_it_is_taken(
    pinned: list[str] | None,
) -> None:
    with capture_logs() as logs:
        key = await generated(ARN, pinned)

    assert (key.kms_key, key.wrapped, logs) == (ARN, b"wrapped", [])


@pytest.mark.parametrize(
    "answering",
    ["", ARN + "0", ARN.upper(), ARN.replace("111122223333", "444455556666"), ALIAS, "0a1b", "x" * 10_000],
)
async def test_key__when_another_kms_key_answers__then_it_is_refused_and_logged_as_an_error(
    answering: str,
) -> None:
    with capture_logs() as logs, pytest.raises(WrongKmsKey) as refused:
        await generated(answering, [ARN])

    assert isinstance(refused.value, Unavailable)  # 503 at the API
    assert logs == [
        {
            "event": "kms_key_mismatch",
            "log_level": "error",
            "answered": answering[:300],
            "pinned": [ARN],
        }
    ]
