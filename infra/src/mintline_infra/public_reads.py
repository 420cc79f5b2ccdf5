"""CloudFront in front of the buckets that the public reads: tokens' metadata and media."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_s3 as s3

from mintline.resource_types import Bucket
from mintline_infra.nag import acknowledge

_EVERY_ORIGIN = cloudfront.ResponseHeadersCorsBehavior(
    access_control_allow_credentials=False,
    access_control_allow_headers=["*"],
    access_control_allow_methods=["GET", "HEAD"],
    access_control_allow_origins=["*"],
    origin_override=True,
)


def publish(
    stack: cdk.Stack, bucket: Bucket, s3_bucket: s3.Bucket, *, prefix: str, logs: s3.Bucket
) -> cloudfront.Distribution:
    """Let only CloudFront read a bucket for the public."""
    headers = (
        _json_alone(stack, bucket, prefix) if bucket.serves == "json" else _media_alone(stack, bucket, prefix)
    )
    distribution = cloudfront.Distribution(
        stack,
        f"public-{bucket.name}",
        comment=f"Mintline: public reads of {bucket.name}.",
        default_behavior=cloudfront.BehaviorOptions(
            origin=origins.S3BucketOrigin.with_origin_access_control(s3_bucket),
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
            response_headers_policy=headers,
        ),
        minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
        log_bucket=logs,
        log_file_prefix=f"cloudfront-{bucket.name}/",
        price_class=cloudfront.PriceClass.PRICE_CLASS_100,
    )
    _acknowledge_public(distribution)
    cdk.CfnOutput(stack, f"{bucket.name}-url", value=f"https://{distribution.distribution_domain_name}")
    return distribution


def _json_alone(stack: cdk.Stack, bucket: Bucket, prefix: str) -> cloudfront.ResponseHeadersPolicy:
    """Label every answer as JSON, whatever type its object was stored with, and forbid browsers to guess.

    An object that holds HTML or a script is then shown as text, never run.
    """
    return cloudfront.ResponseHeadersPolicy(
        stack,
        f"headers-{bucket.name}",
        response_headers_policy_name=f"{bucket.bucket_name(prefix)}-json",
        comment=f"Mintline: {bucket.name} is JSON, for every origin.",
        custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
            custom_headers=[
                cloudfront.ResponseCustomHeader(
                    header="Content-Type", value="application/json", override=True
                )
            ]
        ),
        security_headers_behavior=_no_scripts("default-src 'none'; sandbox"),
        cors_behavior=_EVERY_ORIGIN,
    )


def _media_alone(stack: cdk.Stack, bucket: Bucket, prefix: str) -> cloudfront.ResponseHeadersPolicy:
    """Forbid browsers to guess another type than a file was stored with, and to run anything in it."""
    return cloudfront.ResponseHeadersPolicy(
        stack,
        f"headers-{bucket.name}",
        response_headers_policy_name=f"{bucket.bucket_name(prefix)}-media",
        comment=f"Mintline: {bucket.name} is images, videos and models, for every origin.",
        custom_headers_behavior=cloudfront.ResponseCustomHeadersBehavior(
            custom_headers=[
                cloudfront.ResponseCustomHeader(
                    header="Cache-Control", value="public, max-age=31536000, immutable", override=True
                )
            ]
        ),
        security_headers_behavior=_no_scripts(
            "default-src 'none'; img-src 'self'; media-src 'self'; sandbox"
        ),
        cors_behavior=_EVERY_ORIGIN,
    )


def _no_scripts(policy: str) -> cloudfront.ResponseSecurityHeadersBehavior:
    return cloudfront.ResponseSecurityHeadersBehavior(
        content_type_options=cloudfront.ResponseHeadersContentTypeOptions(override=True),
        content_security_policy=cloudfront.ResponseHeadersContentSecurityPolicy(
            content_security_policy=policy, override=True
        ),
    )


def _acknowledge_public(distribution: cloudfront.Distribution) -> None:
    acknowledge(
        distribution,
        CFR1="Token metadata and media are read by marketplaces everywhere.",
        CFR2="It serves public objects by GET alone; there is no application behind.",
        CFR4="CloudFront's own domain name fixes the TLS floor; it rises with one's own certificate.",
    )
