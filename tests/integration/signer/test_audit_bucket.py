"""A trail in a bucket: only added to, and verified with what somebody tried to delete of it."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from mintline.attestation.development import DevelopmentAuthority
from mintline.audit.records import NO_HASH
from mintline.audit.trail import Report, verify_trail
from mintline.aws.session import AwsCalls, open_client
from mintline.clock import UnixSeconds
from mintline.errors import MintlineError
from mintline.settings import ServiceSettings
from mintline_ops.audit_bucket import fetch_trail
from mintline_signer.enclave.audit import Audit, SessionTrail
from mintline_signer.host.audit_files import AuditFiles
from mintline_signer.host.audit_shipping import AuditBucket, AuditShipping

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AUTHORITY = DevelopmentAuthority.create(now=NOW)


@pytest.fixture
async def s3(stack: AsyncExitStack, aws_settings: ServiceSettings) -> Any:
    return await open_client(stack, "s3", aws_settings, calls=AwsCalls())


@pytest.fixture
async def bucket(s3: Any, aws_prefix: str) -> str:
    name = f"{aws_prefix}-audit"
    await s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    await s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


async def live(folder: Path, put: AuditBucket, module_id: str, signatures: int) -> None:
    """Have one enclave on one host sign, and its host end."""
    key = Ed25519PrivateKey.generate()
    document = AUTHORITY.attester(module_id, now=NOW).attest(
        module_id=module_id,
        at=NOW,
        pcrs={index: bytes([index + 1]) * 48 for index in range(3)},
        user_data=key.public_key().public_bytes_raw(),
    )
    audit = Audit(key, attested=document, now=lambda: UnixSeconds(NOW.timestamp()))
    shipping = AuditShipping(folder, put.put)
    async with AuditFiles(folder) as files:
        assert files.last() == NO_HASH
        trail = SessionTrail(audit)
        for _ in range(signatures):
            trail.record(what="sign_mint", outcome="signed", key="0x", intent=bytes(32))
        for batch in trail.batches():
            await files.store(batch)
    await shipping.finish()


async def verified(bucket: str, folder: Path, settings: ServiceSettings) -> tuple[Report, int]:
    await asyncio.to_thread(folder.mkdir)
    fetched = await fetch_trail(
        f"s3://{bucket}", folder, region=settings.aws_region, endpoint_url=settings.aws_endpoint_url
    )
    return verify_trail(folder, root=AUTHORITY.fingerprint), fetched.hidden


async def test_trail__when_two_instances_were_replaced__then_both_their_lives_are_in_the_bucket(
    s3: Any, bucket: str, tmp_path: Path, aws_settings: ServiceSettings
) -> None:
    for number, host in enumerate(("ip-10-0-0-7", "ip-10-0-1-9")):
        await live(tmp_path / host, AuditBucket(s3, bucket=bucket, host=host), f"i-{number}", signatures=2)

    report, hidden = await verified(bucket, tmp_path / "fetched", aws_settings)

    assert (report.sound, report.lives, report.outcomes["signed"], hidden) == (True, 2, 4, 0)


async def test_command__when_the_trail_is_in_a_bucket__then_it_counts_the_lives_and_names_what_is_broken(
    s3: Any, bucket: str, tmp_path: Path, aws_settings: ServiceSettings
) -> None:
    put = AuditBucket(s3, bucket=bucket, host="ip-10-0-0-7")
    await live(tmp_path / "one", put, "i-1", signatures=2)
    root = tmp_path / "root.pem"
    await asyncio.to_thread(root.write_bytes, AUTHORITY.root.public_bytes(Encoding.PEM))

    async def verify() -> tuple[int | None, dict[str, Any]]:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("mintline")),
            *("audit", "verify", f"s3://{bucket}/", "--root", str(root), "--json"),
            *("--region", aws_settings.aws_region, "--endpoint-url", str(aws_settings.aws_endpoint_url)),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        return process.returncode, json.loads(output)

    code, report = await verify()
    assert (code, report["verified"], report["lives"]) == (0, True, 1)
    assert report["outcomes"] == {"signed": 2}
    junk = await s3.put_object(Bucket=bucket, Key="junk.audit", Body=b"\xff" * 8)
    code, report = await verify()
    assert (code, report["verified"], report["lives"]) == (1, False, 1)
    (fault,) = report["breaks"]
    assert fault.startswith(f"s3://{bucket}/junk.audit (version {junk['VersionId']}): ")


async def test_trail__when_an_object_is_deleted_or_written_again__then_its_records_are_verified_all_the_same(
    s3: Any, bucket: str, tmp_path: Path, aws_settings: ServiceSettings
) -> None:
    put = AuditBucket(s3, bucket=bucket, host="ip-10-0-0-7")
    await live(tmp_path / "one", put, "i-1", signatures=2)
    (there,) = (await s3.list_objects_v2(Bucket=bucket))["Contents"]
    await put.put(there["Key"].partition("/")[2], b"something else")
    await s3.delete_object(Bucket=bucket, Key=there["Key"])

    report, hidden = await verified(bucket, tmp_path / "fetched", aws_settings)

    assert (report.sound, report.lives, report.outcomes["signed"], hidden) == (True, 1, 2, 1)


async def test_fetch__when_there_is_no_such_bucket__then_it_says_so(
    tmp_path: Path, aws_settings: ServiceSettings, aws_prefix: str
) -> None:
    with pytest.raises(MintlineError, match="NoSuchBucket"):
        await fetch_trail(
            f"s3://{aws_prefix}-none",
            tmp_path,
            region=aws_settings.aws_region,
            endpoint_url=aws_settings.aws_endpoint_url,
        )
