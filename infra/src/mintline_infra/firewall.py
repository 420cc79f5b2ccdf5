"""WAF before the balancer: how often an address may ask, and AWS's own rules."""

from __future__ import annotations

from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from mintline_infra.edge import CLIENT_HEADER, Balancer
from mintline_infra.front import FRONT_HEADER, VIEWER_HEADER

REQUESTS_PER_ADDRESS = 3000
"""In five minutes, before WAF blocks an address."""
MARKUP_RULES = ("CrossSiteScripting_BODY", "GenericRFI_BODY", "SizeRestrictions_BODY")
"""Counted, not blocked: metadata is up to 256 KiB of JSON that may well hold URLs, SVG and markup."""


def firewall(
    scope: Construct, behind: Balancer, name: str, front_secret: secretsmanager.Secret | None = None
) -> waf.CfnWebACL:
    """Stand WAF before the balancer: HTTP APIs take none themselves.

    With CloudFront in front, each caller is counted by the address that CloudFront saw, and one that goes
    round it by API Gateway's.
    """
    acl = waf.CfnWebACL(
        scope,
        "firewall",
        name=name,
        scope="REGIONAL",
        default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
        visibility_config=_seen(name),
        rules=[
            *_rate_rules(front_secret),
            _managed_rule(1, "AWSManagedRulesKnownBadInputsRuleSet", counted=()),
            _managed_rule(2, "AWSManagedRulesCommonRuleSet", counted=MARKUP_RULES),
        ],
    )
    waf.CfnWebACLAssociation(
        scope,
        "firewall-association",
        resource_arn=behind.balancer.load_balancer_arn,
        web_acl_arn=acl.attr_arn,
    )
    return acl


def _rate_rules(front_secret: secretsmanager.Secret | None) -> list[waf.CfnWebACL.RuleProperty]:
    if front_secret is None:
        return [_rate_rule("rate", 0, CLIENT_HEADER)]
    by_front = _by_front(front_secret)
    round_it = waf.CfnWebACL.StatementProperty(
        not_statement=waf.CfnWebACL.NotStatementProperty(statement=by_front)
    )
    return [
        _rate_rule("rate", 0, CLIENT_HEADER, of=round_it),
        _rate_rule("rate-viewers", 3, VIEWER_HEADER, of=by_front),
    ]


def _by_front(secret: secretsmanager.Secret) -> waf.CfnWebACL.StatementProperty:
    """Tell whether a request came by CloudFront, which alone has the secret."""
    acl = waf.CfnWebACL
    return acl.StatementProperty(
        byte_match_statement=acl.ByteMatchStatementProperty(
            field_to_match=acl.FieldToMatchProperty(single_header={"Name": FRONT_HEADER}),
            positional_constraint="EXACTLY",
            search_string=secret.secret_value.unsafe_unwrap(),
            text_transformations=[acl.TextTransformationProperty(priority=0, type="NONE")],
        )
    )


def _rate_rule(
    name: str, priority: int, header: str, *, of: waf.CfnWebACL.StatementProperty | None = None
) -> waf.CfnWebACL.RuleProperty:
    """Block who asks too often, by the address in a header that no caller chooses, among those requests."""
    acl = waf.CfnWebACL
    return acl.RuleProperty(
        name=name,
        priority=priority,
        action=acl.RuleActionProperty(block={}),
        visibility_config=_seen(name),
        statement=acl.StatementProperty(
            rate_based_statement=acl.RateBasedStatementProperty(
                aggregate_key_type="FORWARDED_IP",
                limit=REQUESTS_PER_ADDRESS,
                scope_down_statement=of,
                forwarded_ip_config=acl.ForwardedIPConfigurationProperty(
                    header_name=header, fallback_behavior="MATCH"
                ),
            )
        ),
    )


def _managed_rule(priority: int, name: str, *, counted: tuple[str, ...]) -> waf.CfnWebACL.RuleProperty:
    acl = waf.CfnWebACL
    return acl.RuleProperty(
        name=name,
        priority=priority,
        override_action=acl.OverrideActionProperty(none={}),
        visibility_config=_seen(name),
        statement=acl.StatementProperty(
            managed_rule_group_statement=acl.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=name,
                rule_action_overrides=[
                    acl.RuleActionOverrideProperty(name=rule, action_to_use=acl.RuleActionProperty(count={}))
                    for rule in counted
                ]
                or None,
            )
        ),
    )


def _seen(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )
