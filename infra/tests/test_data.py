from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mintline.resource_types import Bucket
from mintline.resources import (
    MEDIA,
    METADATA,
    OPTIONAL_INDEXES,
    QUEUES,
    REPLACED_INDEXES,
    TABLES,
    TOKENS,
    TOKENS_BY_COLLECTION,
    TRANSFERS,
    UPLOAD_BUCKET,
    WALLETS,
    WRAPPED_KEYS,
)
from mintline_infra.deployment import Deployment
from synthesis import Templates, described, properties, resources, synthesized

PREFIX = "acme-mintline"


def test_queues__when_synthesized__then_all_are_fifo_of_high_throughput_and_encrypted_by_kms(
    templates: Templates,
) -> None:
    queues = {queue["QueueName"]: queue for queue in properties(templates["data"], "AWS::SQS::Queue")}

    assert set(queues) == {
        name for queue in QUEUES for name in (queue.queue_name(PREFIX), queue.dead_letter_name(PREFIX))
    }
    for queue in queues.values():
        assert queue["FifoQueue"] is True
        assert queue["DeduplicationScope"] == "messageGroup"
        assert queue["FifoThroughputLimit"] == "perMessageGroupId"
        assert queue["KmsMasterKeyId"] == "alias/aws/sqs"


def queue_policies(templates: Templates) -> dict[str, list[dict[str, Any]]]:
    """Return the statements of every queue's policy, by the queue's name without its prefix."""
    template = templates["data"]
    named = {
        logical: resource["Properties"]["QueueName"].removeprefix(f"{PREFIX}-").removesuffix(".fifo")
        for logical, resource in resources(template, "AWS::SQS::Queue").items()
    }
    policies: dict[str, list[dict[str, Any]]] = {}
    for policy in properties(template, "AWS::SQS::QueuePolicy"):
        (queue,) = policy["Queues"]
        statements = policy["PolicyDocument"]["Statement"]
        assert {str(statement["Resource"]) for statement in statements} == {
            str({"Fn::GetAtt": [queue["Ref"], "Arn"]})
        }
        policies[named[queue["Ref"]]] = statements
    return policies


def test_queue_policies__when_a_request_is_not_tls__then_every_queue_denies_it(templates: Templates) -> None:
    policies = queue_policies(templates)

    assert set(policies) == {"build", "build-dlq", "sign", "sign-dlq", "broadcast", "broadcast-dlq"}
    denials = {
        name: [statement for statement in each if statement["Action"] == "sqs:*"]
        for name, each in policies.items()
    }
    everywhere = {
        "Effect": "Deny",
        "Action": "sqs:*",
        "Principal": {"AWS": "*"},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    assert [[everywhere.items() <= statement.items() for statement in each] for each in denials.values()] == [
        [True]
    ] * 6


@pytest.mark.parametrize(
    ("queue", "senders", "receiver"),
    [
        ("build", ["api", "broadcaster", "redrive"], "builder"),
        ("sign", ["builder", "broadcaster", "redrive"], "signer"),
        ("broadcast", ["api", "signer", "indexer", "redrive"], "broadcaster"),
        ("build-dlq", ["builder"], "redrive"),
        ("sign-dlq", ["signer"], "redrive"),
        ("broadcast-dlq", ["broadcaster"], "redrive"),
    ],
)
def test_queue_policy__when_another_role_sends_or_receives__then_it_is_denied_whatever_iam_allows(
    templates: Templates, queue: str, senders: list[str], receiver: str
) -> None:
    """The denials themselves: a queue without them is open to every principal that IAM lets in."""
    _, sending, receiving = queue_policies(templates)[queue]
    dead = queue.endswith("-dlq")

    def but(*roles: str) -> dict[str, Any]:
        arns = [f"arn:aws:iam::111122223333:role/{PREFIX}-{role}" for role in roles]
        return {"ArnNotEquals": {"aws:PrincipalArn": arns}}

    assert (sending["Effect"], sending["Principal"]) == ("Deny", {"AWS": "*"})
    assert sending["Action"] == "sqs:SendMessage"
    # SQS itself moves there what was received too often.
    by_sqs = {"BoolIfExists": {"aws:PrincipalIsAWSService": "false"}} if dead else {}
    assert sending["Condition"] == but(*senders) | by_sqs
    assert (receiving["Effect"], receiving["Principal"]) == ("Deny", {"AWS": "*"})
    assert set(receiving["Action"]) == {
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:ChangeMessageVisibility",
        "sqs:PurgeQueue",
    }
    assert receiving["Condition"] == but(receiver)


def test_tables__when_synthesized__then_they_are_on_demand_recoverable_and_undeletable(
    templates: Templates,
) -> None:
    tables = {table["TableName"]: table for table in properties(templates["data"], "AWS::DynamoDB::Table")}

    assert set(tables) == {table.table_name(PREFIX) for table in TABLES}
    for table in TABLES:
        described = tables[table.table_name(PREFIX)]
        assert described["BillingMode"] == "PAY_PER_REQUEST"
        assert described["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert described["DeletionProtectionEnabled"] is True
        assert described["SSESpecification"]["SSEEnabled"] == (table in (WALLETS, WRAPPED_KEYS))
        assert described.get("TimeToLiveSpecification", {}).get("AttributeName") == table.ttl


@pytest.mark.parametrize("published", [METADATA, MEDIA])
def test_objects__when_read_by_the_public__then_only_through_cloudfront(
    templates: Templates, published: Bucket
) -> None:
    template = templates["data"]
    logical, bucket = bucket_of(template, published)
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}

    (allowed,) = (statement for statement in policy_of(template, logical) if statement["Effect"] == "Allow")
    assert allowed["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert allowed["Action"] == "s3:GetObject"
    assert "AWS:SourceArn" in allowed["Condition"]["StringEquals"]
    assert len(resources(template, "AWS::CloudFront::OriginAccessControl")) == 2


def test_uploads__when_they_are_put__then_nobody_reads_them_and_they_expire(templates: Templates) -> None:
    template = templates["data"]
    logical, bucket = bucket_of(template, UPLOAD_BUCKET)
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert [statement["Effect"] for statement in policy_of(template, logical)] == ["Deny"]
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert (rule["ExpirationInDays"], rule["NoncurrentVersionExpiration"]) == (2, {"NoncurrentDays": 1})
    (cors,) = bucket["CorsConfiguration"]["CorsRules"]
    assert (cors["AllowedMethods"], cors["AllowedOrigins"]) == (["PUT"], ["*"])


def bucket_of(template: dict[str, Any], bucket: Bucket) -> tuple[str, dict[str, Any]]:
    """Return a bucket's logical id with its properties."""
    (matching,) = (
        (logical, resource["Properties"])
        for logical, resource in resources(template, "AWS::S3::Bucket").items()
        if resource["Properties"].get("BucketName") == bucket.bucket_name(PREFIX)
    )
    return matching


def policy_of(template: dict[str, Any], logical: str) -> list[dict[str, Any]]:
    """Return the statements of a bucket's policy."""
    (policy,) = (
        policy["PolicyDocument"]["Statement"]
        for policy in properties(template, "AWS::S3::BucketPolicy")
        if policy["Bucket"] == {"Ref": logical}
    )
    return list(policy)


@pytest.mark.parametrize(
    ("published", "kind", "header"),
    [
        (METADATA, "json", {"Header": "Content-Type", "Override": True, "Value": "application/json"}),
        (
            MEDIA,
            "media",
            {"Header": "Cache-Control", "Override": True, "Value": "public, max-age=31536000, immutable"},
        ),
    ],
)
def test_objects__when_cloudfront_serves_them__then_no_browser_sniffs_or_runs_anything(
    templates: Templates, published: Bucket, kind: str, header: dict[str, Any]
) -> None:
    template = templates["data"]
    name = f"{published.bucket_name(PREFIX)}-{kind}"
    ((policy, config),) = (
        (logical, resource["Properties"]["ResponseHeadersPolicyConfig"])
        for logical, resource in resources(template, "AWS::CloudFront::ResponseHeadersPolicy").items()
        if resource["Properties"]["ResponseHeadersPolicyConfig"]["Name"] == name
    )
    (distribution,) = (
        distribution
        for distribution in properties(template, "AWS::CloudFront::Distribution")
        if distribution["DistributionConfig"]["Comment"] == f"Mintline: public reads of {published.name}."
    )

    assert config["CustomHeadersConfig"]["Items"] == [header]
    security = config["SecurityHeadersConfig"]
    assert security["ContentTypeOptions"] == {"Override": True}
    assert "sandbox" in security["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    assert config["CorsConfig"]["AccessControlAllowOrigins"] == {"Items": ["*"]}
    behaviors = distribution["DistributionConfig"]
    # By every path: there is no other behavior, and this one has the policy.
    assert behaviors["DefaultCacheBehavior"]["ResponseHeadersPolicyId"] == {"Ref": policy}
    assert "CacheBehaviors" not in behaviors


def test_data__when_the_stack_is_deleted__then_nothing_that_holds_data_goes(templates: Templates) -> None:
    kept = (
        "AWS::SQS::Queue",
        "AWS::DynamoDB::Table",
        "AWS::S3::Bucket",
        "AWS::KMS::Key",
        "AWS::KMS::Alias",
        "AWS::SecretsManager::Secret",
    )
    for kind in kept:
        stored = resources(templates["data"], kind)
        assert stored
        for resource in stored.values():
            assert resource["DeletionPolicy"] in {"Retain", "RetainExceptOnCreate"}
            assert resource["UpdateReplacePolicy"] == "Retain"


def indexes(template: dict[str, Any]) -> dict[str, set[str]]:
    """Return the names of every table's indexes, by the table's name."""
    return {
        table["TableName"]: {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])}
        for table in properties(template, "AWS::DynamoDB::Table")
    }


def test_indexes__when_an_upgrade_begins__then_one_of_a_table_is_added_and_none_is_deleted_yet(
    templates: Templates, deployment: Deployment, tmp_path: Path
) -> None:
    declared = {table.table_name(PREFIX): {index.name for index in table.indexes} for table in TABLES}
    replaced = {
        table.table_name(PREFIX): {index.name for index in gone} for table, gone in REPLACED_INDEXES.items()
    }

    upgrading = synthesized(deployment, tmp_path, {"replaced-indexes": "keep"})

    assert indexes(templates["data"]) == declared
    assert indexes(upgrading["data"]) == {
        name: names | replaced.get(name, set()) for name, names in declared.items()
    }


def test_indexes__when_a_deployment_does_without_some__then_the_table_has_the_others_and_the_api_knows(
    tmp_path: Path,
) -> None:
    templates = synthesized(described(query_indexes=["by_contract"]), tmp_path)

    by_table = indexes(templates["data"])
    assert by_table[TOKENS.table_name(PREFIX)] == {"by_owner"}
    assert by_table[TRANSFERS.table_name(PREFIX)] == {"by_contract"}
    assert '["by_contract"]' in str(templates["api"]).replace("\\", "")
    named = {index.name for table in TABLES for index in table.indexes if index.optional}
    assert named == set(OPTIONAL_INDEXES)


def test_tokens__when_their_key_schema_changed__then_the_table_has_a_name_that_no_earlier_one_had(
    templates: Templates,
) -> None:
    names = {table["TableName"] for table in properties(templates["data"], "AWS::DynamoDB::Table")}

    assert TOKENS.table_name(PREFIX) == f"{PREFIX}-tokens-2"
    assert TOKENS.table_name(PREFIX) in names
    assert TOKENS_BY_COLLECTION.table_name(PREFIX) not in names
