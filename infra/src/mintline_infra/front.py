"""CloudFront in front of the API, for a deployment whose document names a certificate of its own there.

It caches what everyone may read for as long as the API says, and passes on all else. The name that it answers
under is the contract's `tokenURI`, and outlives the API behind it.
"""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins

from mintline.resources import MEDIA
from mintline_infra.data import DataStack
from mintline_infra.nag import acknowledge

FRONT_HEADER = "x-mintline-front"
"""Holds the front's secret: without it the firewall does not believe `VIEWER_HEADER`."""
VIEWER_HEADER = "x-mintline-viewer"
"""The caller's address as CloudFront saw it; API Gateway sees CloudFront's own."""
_NAMES_VIEWER = f"""function handler(event) {{
  var request = event.request;
  request.headers['{VIEWER_HEADER}'] = {{ value: event.viewer.ip }};
  return request;
}}
"""
_CACHED_ERRORS = (400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504)
"""What CloudFront would keep for ten seconds, and give to any caller of the same path with another token.

Source: Amazon CloudFront developer guide, "How CloudFront caches HTTP 4xx and 5xx status codes".
"""


def distribution(
    stack: cdk.Stack, api: gateway.HttpApi, data: DataStack, *, host: str, certificate_arn: str
) -> cloudfront.Distribution:
    """Make the distribution, known before the contract and the services behind it."""
    created = cloudfront.Distribution(
        stack,
        "front",
        comment="Mintline: in front of the API.",
        domain_names=[host],
        certificate=acm.Certificate.from_certificate_arn(stack, "front-certificate", certificate_arn),
        minimum_protocol_version=cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
        http_version=cloudfront.HttpVersion.HTTP2_AND_3,
        price_class=cloudfront.PriceClass.PRICE_CLASS_100,
        log_bucket=data.logs,
        log_file_prefix="cloudfront-front/",
        default_behavior=_passed_on(stack, api, data),
        additional_behaviors={
            "/v1/metadata/*": _cached_metadata(stack, api, data),
            "/media/*": _media(data),
        },
        error_responses=[
            cloudfront.ErrorResponse(http_status=status, ttl=cdk.Duration.seconds(0))
            for status in _CACHED_ERRORS
        ],
    )
    acknowledge(
        created,
        CFR1="Collectors and marketplaces everywhere call it.",
        CFR2="A firewall stands before the API's tasks, where requests that avoid CloudFront pass it too.",
    )
    return created


def _origin(api: gateway.HttpApi, data: DataStack) -> origins.HttpOrigin:
    """Return the API's own address, told apart from other callers by the secret if there is a firewall."""
    secret = data.front_secret
    stack = cdk.Stack.of(api)
    return origins.HttpOrigin(
        f"{api.api_id}.execute-api.{stack.region}.{stack.url_suffix}",
        protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
        custom_headers={FRONT_HEADER: secret.secret_value.unsafe_unwrap()} if secret else None,
    )


def _passed_on(stack: cdk.Stack, api: gateway.HttpApi, data: DataStack) -> cloudfront.BehaviorOptions:
    """Pass every method on as it came, and keep no response."""
    function = cloudfront.Function(
        stack,
        "names-viewer",
        comment="Mintline: tells the firewall the caller's address.",
        code=cloudfront.FunctionCode.from_inline(_NAMES_VIEWER),
        runtime=cloudfront.FunctionRuntime.JS_2_0,
    )
    return cloudfront.BehaviorOptions(
        origin=_origin(api, data),
        allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
        cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
        origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
        viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
        compress=False,
        function_associations=[
            cloudfront.FunctionAssociation(
                function=function, event_type=cloudfront.FunctionEventType.VIEWER_REQUEST
            )
        ],
    )


def _cached_metadata(stack: cdk.Stack, api: gateway.HttpApi, data: DataStack) -> cloudfront.BehaviorOptions:
    """Keep metadata for as long as the API allows, by its path alone; nothing that it does not say so of."""
    zero = cdk.Duration.seconds(0)
    policy = cloudfront.CachePolicy(
        stack,
        "metadata-caching",
        comment="Mintline: metadata, for as long as the API allows.",
        default_ttl=zero,
        min_ttl=zero,
        max_ttl=cdk.Duration.days(365),
        enable_accept_encoding_brotli=True,
        enable_accept_encoding_gzip=True,
    )
    return cloudfront.BehaviorOptions(
        origin=_origin(api, data),
        cache_policy=policy,
        viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
    )


def _media(data: DataStack) -> cloudfront.BehaviorOptions:
    """Serve uploads from the media bucket's own distribution, whose addresses stay valid.

    Its headers are kept: immutable for a year, and nothing that a browser would run. Those for other origins'
    pages are set again, as the bucket's distribution sets them for requests that name an origin, and what is
    cached here was asked for without one.
    """
    return cloudfront.BehaviorOptions(
        origin=origins.HttpOrigin(
            data.distributions[MEDIA].distribution_domain_name,
            protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
        ),
        cache_policy=cloudfront.CachePolicy.CACHING_OPTIMIZED,
        response_headers_policy=cloudfront.ResponseHeadersPolicy.CORS_ALLOW_ALL_ORIGINS,
        viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
    )
