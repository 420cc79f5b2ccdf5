"""The recorder of calls of KMS, in front of one that answers."""

from __future__ import annotations

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from mintline_harness.kms_calls import KmsCall, KmsCallRecorder

ARN = "arn:aws:kms:us-east-1:000000000000:key/1"


async def answer(request: web.Request) -> web.Response:
    body = await request.json()
    if body.get("KeyId") == "alias/p-refused":
        return web.json_response({"__type": "AccessDeniedException"}, status=400)
    return web.json_response({"KeyId": ARN})


async def test_recorder__when_a_key_is_called_by_alias_and_by_arn__then_both_are_noted_by_its_name() -> None:
    app = web.Application()
    app.router.add_post("/", answer)
    async with (
        TestServer(app) as kms,
        KmsCallRecorder(str(kms.make_url("")).rstrip("/"), prefix="p") as recorder,
        aiohttp.ClientSession() as session,
    ):

        async def call(signer: str, operation: str, **parameters: object) -> None:
            headers = {
                "authorization": f"AWS4-HMAC-SHA256 Credential={signer}/20261201/us-east-1/kms/aws4_request",
                "x-amz-target": f"TrentService.{operation}",
            }
            async with session.post(recorder.url, json=parameters, headers=headers) as response:
                await response.read()

        context = {"chain": "31337", "sub": "user"}
        await call("ENCLAVE", "Decrypt", KeyId=ARN, EncryptionContext=context, Recipient={})
        await call("API", "GenerateDataKeyPairWithoutPlaintext", KeyId="alias/p-wallets", KeyPairSpec="ECC")
        await call("API", "Encrypt", KeyId="alias/p-refused")

    in_context = tuple((f"kms:EncryptionContext:{name}", "") for name in ("chain", "sub"))
    assert recorder.calls == {
        "ENCLAVE": {KmsCall("kms:Decrypt", "wallets", in_context, attested=True)},
        "API": {
            KmsCall(
                "kms:GenerateDataKeyPairWithoutPlaintext",
                "wallets",
                (("kms:DataKeyPairSpec", "ECC"),),
                attested=False,
            )
        },
    }
