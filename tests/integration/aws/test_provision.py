import asyncio
import json

from mintline.aws.dynamo import Dynamo
from mintline.aws.provision import deprovision, open_clients, provision
from mintline.resources import BUCKETS, KMS_KEYS, MINTS, QUEUES, TABLES
from mintline.settings import ServiceSettings


async def test_provision__when_repeated__finds_the_same_resources(aws_settings: ServiceSettings) -> None:
    prefix = aws_settings.resource_prefix
    async with open_clients(aws_settings) as clients:
        first = await provision(clients, prefix)
        second = await provision(clients, prefix)
        assert first == second
        assert set(first.queue_urls) == {queue.name for queue in QUEUES}
        assert set(first.tables) == {table.name for table in TABLES}
        assert set(first.buckets) == {bucket.name for bucket in BUCKETS}
        assert set(first.key_arns) == {key.name for key in KMS_KEYS}
        await deprovision(clients, prefix)


async def test_provision__when_a_queue_drifted__restores_it(
    aws_settings: ServiceSettings,
) -> None:
    prefix = aws_settings.resource_prefix
    async with open_clients(aws_settings) as clients:
        provisioned = await provision(clients, prefix)
        url = provisioned.queue_urls[QUEUES[0].name]
        await clients.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "7"})
        await provision(clients, prefix)
        response = await clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes = response["Attributes"]
        assert attributes["VisibilityTimeout"] == str(QUEUES[0].visibility_timeout)
        assert attributes["FifoThroughputLimit"] == "perMessageGroupId"
        assert attributes["DeduplicationScope"] == "messageGroup"
        assert "deadLetterTargetArn" in attributes["RedrivePolicy"]
        await deprovision(clients, prefix)


async def test_provision__when_queues_are_made_or_were_changed__gives_each_its_policy(
    aws_settings: ServiceSettings,
) -> None:
    """The emulator keeps the policy and does not enforce it: what is asserted is the document."""
    prefix = aws_settings.resource_prefix
    async with open_clients(aws_settings) as clients:
        provisioned = await provision(clients, prefix)
        await clients.sqs.set_queue_attributes(
            QueueUrl=provisioned.queue_urls["sign"], Attributes={"Policy": ""}
        )
        await provision(clients, prefix)
        for urls, senders, receiver in (
            (provisioned.queue_urls, ["builder", "broadcaster", "redrive"], "signer"),
            (provisioned.dead_letter_urls, ["signer"], "redrive"),
        ):
            response = await clients.sqs.get_queue_attributes(QueueUrl=urls["sign"], AttributeNames=["All"])
            attributes = response["Attributes"]
            role = f"arn:aws:iam::{attributes['QueueArn'].split(':')[4]}:role/{prefix}-"
            sending, receiving = json.loads(attributes["Policy"])["Statement"]
            assert (sending["Effect"], sending["Action"]) == ("Deny", ["sqs:SendMessage"])
            assert sending["Resource"] == receiving["Resource"] == attributes["QueueArn"]
            excepted = sending["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]
            assert excepted == [role + name for name in senders]
            assert receiving["Effect"] == "Deny"
            assert receiving["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": [role + receiver]}}
        await deprovision(clients, prefix)


async def test_deprovision__when_repeated__leaves_nothing(
    aws_settings: ServiceSettings,
) -> None:
    prefix = aws_settings.resource_prefix
    async with open_clients(aws_settings) as clients:
        provisioned = await provision(clients, prefix)
        await clients.s3.put_object(Bucket=provisioned.buckets["metadata"], Key="1/2/3.json", Body=b"{}")
        await deprovision(clients, prefix)
        await deprovision(clients, prefix)
        queues = (await clients.sqs.list_queues(QueueNamePrefix=prefix)).get("QueueUrls", [])
        tables = (await clients.dynamodb.list_tables())["TableNames"]
        buckets = (await clients.s3.list_buckets())["Buckets"]
        assert queues == []
        assert [name for name in tables if name.startswith(prefix)] == []
        assert [bucket["Name"] for bucket in buckets if bucket["Name"].startswith(prefix)] == []


async def test_provision__when_a_table_lacks_a_later_index__adds_it(
    aws_settings: ServiceSettings,
) -> None:
    prefix = aws_settings.resource_prefix
    name = MINTS.table_name(prefix)
    async with open_clients(aws_settings) as clients:
        await clients.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "mint_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "mint_id", "KeyType": "HASH"}],
        )
        await clients.dynamodb.put_item(
            TableName=name,
            Item={
                key: {"S": value} for key, value in {"mint_id": "m", "sub": "s", "created_key": "1"}.items()
            },
        )
        await asyncio.gather(provision(clients, prefix), provision(clients, prefix))
        table = (await clients.dynamodb.describe_table(TableName=name))["Table"]
        assert {i["IndexName"] for i in table["GlobalSecondaryIndexes"]} == {i.name for i in MINTS.indexes}
        dynamo = Dynamo(clients.dynamodb, prefix)
        page = await dynamo.query(MINTS, index=MINTS.index("by_user"), partition="s", limit=10)
        assert [item["mint_id"] for item in page.items] == ["m"]
        await dynamo.aclose()
        await deprovision(clients, prefix)
