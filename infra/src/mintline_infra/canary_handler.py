"""Ask KMS for what it must never give: a key in custody, without attestation. Runs as a Lambda of its own.

CloudFormation takes the text of this file as the function's code: 4 kB at most, nothing but boto3.
"""

import json
import os
from typing import Any

import boto3  # type: ignore[import-not-found] # Lambda's runtime has it; nothing here does
from botocore.exceptions import ClientError


def probe(kms: Any, key_arn: str, chain_id: str) -> str:
    """Wrap a fresh key and ask for it back; say which of the two answers came.

    Anything but those two is raised, so that a canary that cannot ask is as loud as one that was answered.
    """
    context = {"sub": "platform:canary", "chain": chain_id}
    pair = kms.generate_data_key_pair_without_plaintext(
        KeyId=key_arn, KeyPairSpec="ECC_SECG_P256K1", EncryptionContext=context
    )
    try:
        kms.decrypt(KeyId=key_arn, CiphertextBlob=pair["PrivateKeyCiphertextBlob"], EncryptionContext=context)
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return "unattested_decrypt_refused"
    return "unattested_decrypt_answered"


def handler(_event: Any, _context: Any) -> None:
    """Probe once, and log what came of it as one JSON line."""
    kms = boto3.client("kms")
    event = probe(kms, os.environ["KEY_ARN"], os.environ["CHAIN_ID"])
    print(json.dumps({"event": event}))  # noqa: T201 - a Lambda's log is its standard output
