from __future__ import annotations

from mintline.resources import METADATA, QUEUES, TABLES
from synthesis import Templates, properties, resources

PREFIX = "acme-mintline"


def test_queues__when_synthesized__then_all_are_fifo_of_high_throughput_and_encrypted_by_kms(
    templates: Templates,
) -> None:
    made = {queue["QueueName"]: queue for queue in properties(templates["data"], "AWS::SQS::Queue")}

    assert set(made) == {
        name for queue in QUEUES for name in (queue.queue_name(PREFIX), queue.dead_letter_name(PREFIX))
    }
    for queue in made.values():
        assert queue["FifoQueue"] is True
        assert queue["DeduplicationScope"] == "messageGroup"
        assert queue["FifoThroughputLimit"] == "perMessageGroupId"
        assert queue["KmsMasterKeyId"] == "alias/aws/sqs"


def test_queue_policies__when_a_request_is_not_tls__then_every_queue_denies_it(templates: Templates) -> None:
    policies = properties(templates["data"], "AWS::SQS::QueuePolicy")

    assert len(policies) == 2 * len(QUEUES)
    for policy in policies:
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Action"]) == ("Deny", "sqs:*")
        assert statement["Principal"] == {"AWS": "*"}
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_tables__when_synthesized__then_they_are_on_demand_recoverable_and_undeletable(
    templates: Templates,
) -> None:
    made = {table["TableName"]: table for table in properties(templates["data"], "AWS::DynamoDB::Table")}

    assert set(made) == {table.table_name(PREFIX) for table in TABLES}
    for table in TABLES:
        found = made[table.table_name(PREFIX)]
        assert found["BillingMode"] == "PAY_PER_REQUEST"
        assert found["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert found["DeletionProtectionEnabled"] is True
        assert found["SSESpecification"] == {"SSEEnabled": True}
        assert found.get("TimeToLiveSpecification", {}).get("AttributeName") == table.ttl


def test_metadata__when_read_by_the_public__then_only_through_cloudfront(templates: Templates) -> None:
    template = templates["data"]
    name = METADATA.bucket_name(PREFIX)
    ((logical, bucket),) = (
        (logical, made["Properties"])
        for logical, made in resources(template, "AWS::S3::Bucket").items()
        if made["Properties"].get("BucketName") == name
    )
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}

    (policy,) = (
        made["PolicyDocument"]["Statement"]
        for made in properties(template, "AWS::S3::BucketPolicy")
        if made["Bucket"] == {"Ref": logical}
    )
    (allowed,) = (statement for statement in policy if statement["Effect"] == "Allow")
    assert allowed["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert allowed["Action"] == "s3:GetObject"
    assert "AWS:SourceArn" in allowed["Condition"]["StringEquals"]
    assert len(resources(template, "AWS::CloudFront::OriginAccessControl")) == 1


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
        found = resources(templates["data"], kind)
        assert found
        for made in found.values():
            assert (made["DeletionPolicy"], made["UpdateReplacePolicy"]) == ("Retain", "Retain")
