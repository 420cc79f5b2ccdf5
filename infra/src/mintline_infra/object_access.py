"""What a role may do with objects in S3."""

from __future__ import annotations

from aws_cdk import aws_iam as iam

from mintline.object_keys import collection_object_key
from mintline.resources import (
    DROP_LINES,
    MEDIA,
    METADATA,
    UPLOAD_BUCKET,
)
from mintline_infra.deployment import Deployment
from mintline_infra.permissions import Permissions

ANY_ADDRESS = "0x" + "?" * 40
COLLECTION_VERSIONS = "contract-*.json"
"""Keys of `mintline.object_keys.collection_version_key`, without what they begin with."""


def uploading(deployment: Deployment) -> list[iam.PolicyStatement]:
    """Return what lets a role take uploads: what a presigned URL may do, its signer must be allowed to."""
    uploads, media = (
        f"{deployment.arns}:s3:::{bucket.bucket_name(deployment.prefix)}" for bucket in (UPLOAD_BUCKET, MEDIA)
    )
    taken = ["s3:GetObject", "s3:PutObject"]
    return [
        iam.PolicyStatement(sid="Uploads", actions=taken, resources=[f"{uploads}/*"]),
        iam.PolicyStatement(sid="Media", actions=taken, resources=[f"{media}/media/*"]),
        iam.PolicyStatement(sid="MediaMissing", actions=["s3:ListBucket"], resources=[uploads, media]),
    ]


def publishing(bucket: str, chain_id: int) -> list[iam.PolicyStatement]:
    """Return what lets a role store tokens' metadata: each object once, and no collection's own metadata.

    The deny is needed because the two kinds of keys differ in their last part alone.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
    """
    return [
        iam.PolicyStatement(
            sid="TokenMetadata",
            actions=["s3:PutObject"],
            resources=[f"{bucket}/{chain_id}/{ANY_ADDRESS}/*.json"],
            conditions={"Null": {"s3:if-none-match": "false"}},
        ),
        iam.PolicyStatement(
            sid="NoCollectionMetadata",
            effect=iam.Effect.DENY,
            actions=["s3:PutObject"],
            resources=[
                f"{bucket}/{collection_object_key(chain_id, '*')}",
                f"{bucket}/{chain_id}/*/{COLLECTION_VERSIONS}",
                f"{bucket}/{chain_id}/*/versions/*",
            ],
        ),
    ]


def packing(bucket: str, chain_id: int) -> iam.PolicyStatement:
    """Return what lets a role store packs of tokens' metadata, each once."""
    return iam.PolicyStatement(
        sid="Packs",
        actions=["s3:PutObject"],
        resources=[f"{bucket}/{chain_id}/{ANY_ADDRESS}/packs/*"],
        conditions={"Null": {"s3:if-none-match": "false"}},
    )


def describing(bucket: str, chain_id: int) -> list[iam.PolicyStatement]:
    """Return what lets a role store versions of collections' and tokens' metadata, each once."""
    return [
        iam.PolicyStatement(
            sid="CollectionMetadata",
            actions=["s3:PutObject"],
            resources=[
                f"{bucket}/{chain_id}/{ANY_ADDRESS}/{COLLECTION_VERSIONS}",
                f"{bucket}/{chain_id}/{ANY_ADDRESS}/versions/*",
            ],
            conditions={"Null": {"s3:if-none-match": "false"}},
        )
    ]


def keeping_lines(permissions: Permissions, deployment: Deployment) -> list[iam.PolicyStatement]:
    """Return what lets a role keep the lines of drops, if it does."""
    if not permissions.keeps_lines:
        return []
    lines = f"{deployment.arns}:s3:::{DROP_LINES.bucket_name(deployment.prefix)}"
    actions = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    return [
        iam.PolicyStatement(sid="DropLines", actions=actions, resources=[f"{lines}/*"]),
        iam.PolicyStatement(sid="DropLinesMissing", actions=["s3:ListBucket"], resources=[lines]),
    ]


def objects(permissions: Permissions, deployment: Deployment) -> list[iam.PolicyStatement]:
    """Return what a role may do with objects in S3."""
    bucket = f"{deployment.arns}:s3:::{METADATA.bucket_name(deployment.prefix)}"
    chain_id = deployment.chain.chain_id
    statements: list[iam.PolicyStatement] = []
    if permissions.reads_objects:
        statements.append(
            iam.PolicyStatement(sid="Metadata", actions=["s3:GetObject"], resources=[f"{bucket}/*"])
        )
    if permissions.publishes:
        statements += publishing(bucket, chain_id)
    if permissions.packs:
        statements.append(packing(bucket, chain_id))
    if permissions.describes_collections:
        statements += describing(bucket, chain_id)
    if permissions.lists_objects:
        statements.append(
            iam.PolicyStatement(sid="MetadataMissing", actions=["s3:ListBucket"], resources=[bucket])
        )
    if permissions.takes_uploads:
        statements += uploading(deployment)
    return statements + keeping_lines(permissions, deployment)
