"""The table of ARCHITECTURE.md (who writes what, who talks to whom), against the roles as synthesized."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from mintline.metadata_versions import version_object_key
from mintline.object_keys import collection_object_key, collection_version_key, metadata_object_key
from mintline.packs import pack_object_key
from mintline.resources import METADATA
from mintline_infra.deployment import Deployment
from policies import holds, text
from synthesis import CONTRACT, Templates, listed, policies_of, properties, resources, synthesized

PREFIX = "acme-mintline"
TABLE = "arn:aws:dynamodb:us-east-1:111122223333:table/"
QUEUE = "arn:aws:sqs:us-east-1:111122223333:"

WRITES = {
    "api": {
        *("wallets", "wrapped-keys", "links", "challenges", "rates"),
        *("revocations", "mints", "authorizations", "transactions", "collections", "clients"),
        *("external-ids", "requests", "packs", "uploads", "drops", "drop-parts"),
        *("metadata-versions", "notices", "webhooks", "webhook-progress"),
    },
    "builder": {"mints", "external-ids", "accounts", "transactions", "notices"},
    "signer": set(),
    "broadcaster": {"mints", "transactions", "attempts"},
    "indexer": {
        *("tokens-2", "transfers", "blocks", "checkpoints", "followed", "mints", "transactions"),
        *("collections", "balances"),
    },
    "reconciler": set(),
    "notifier": {"events", "event-cursors", "webhooks", "webhook-progress", "webhook-attempts"},
}
READS = {
    "api": {
        *("wallets", "links", "mints", "transactions", "accounts", "collections"),
        *("checkpoints", "tokens-2", "transfers", "revocations", "clients", "rates"),
        *("external-ids", "requests", "packs", "uploads", "drops", "drop-parts"),
        *("metadata-versions", "events", "webhooks", "webhook-progress", "webhook-attempts"),
        "balances",
    },
    "builder": {"mints", "authorizations", "accounts", "transactions", "collections"},
    "signer": {"wrapped-keys", "revocations", "authorizations"},
    "broadcaster": {
        *("mints", "authorizations", "transactions", "attempts"),
        *("checkpoints", "transfers", "tokens-2"),
    },
    "indexer": {
        *("tokens-2", "transfers", "blocks", "checkpoints", "followed", "mints"),
        *("transactions", "attempts", "collections", "balances"),
    },
    "reconciler": {
        *("checkpoints", "followed", "mints", "transactions", "tokens-2", "attempts", "balances"),
        "transfers",
    },
    "notifier": {
        *("events", "event-cursors", "mints", "transactions", "transfers", "drops", "wallets", "links"),
        *("tokens-2", "metadata-versions", "collections", "notices", "webhooks", "webhook-progress"),
    },
}
CONSUMES = {
    "api": set(),
    "builder": {"build"},
    "signer": {"sign"},
    "broadcaster": {"broadcast"},
    "indexer": set(),
    "reconciler": set(),
    "notifier": set(),
}
SENDS = {
    "api": {"build", "broadcast"},
    "builder": {"sign", "build-dlq"},
    "signer": {"broadcast", "sign-dlq"},
    "broadcaster": {"sign", "build", "broadcast-dlq"},
    "indexer": {"broadcast"},
    "reconciler": set(),
    "notifier": set(),
}
OTHER = {
    "api": {
        ("sts:AssumeRole", f"arn:aws:iam::111122223333:role/{PREFIX}-redrive"),
        ("s3:GetObject", f"arn:aws:s3:::{PREFIX}-metadata/*"),
        ("s3:PutObject", f"arn:aws:s3:::{PREFIX}-metadata/1/0x{'?' * 40}/contract-*.json"),
        ("s3:PutObject", f"arn:aws:s3:::{PREFIX}-metadata/1/0x{'?' * 40}/versions/*"),
        ("s3:ListBucket", f"arn:aws:s3:::{PREFIX}-metadata"),
        ("s3:PutObject", f"arn:aws:s3:::{PREFIX}-metadata/1/0x{'?' * 40}/packs/*"),
        ("s3:GetObject", f"arn:aws:s3:::{PREFIX}-uploads/*"),
        ("s3:PutObject", f"arn:aws:s3:::{PREFIX}-uploads/*"),
        ("s3:GetObject", f"arn:aws:s3:::{PREFIX}-media/media/*"),
        ("s3:PutObject", f"arn:aws:s3:::{PREFIX}-media/media/*"),
        ("s3:ListBucket", f"arn:aws:s3:::{PREFIX}-uploads"),
        ("s3:ListBucket", f"arn:aws:s3:::{PREFIX}-media"),
        ("s3:GetObject", f"arn:aws:s3:::{PREFIX}-drops/*"),
        ("s3:PutObject", f"arn:aws:s3:::{PREFIX}-drops/*"),
        ("s3:DeleteObject", f"arn:aws:s3:::{PREFIX}-drops/*"),
        ("s3:ListBucket", f"arn:aws:s3:::{PREFIX}-drops"),
        (
            "secretsmanager:CreateSecret",
            f"arn:aws:secretsmanager:us-east-1:111122223333:secret:{PREFIX}/wallets/*",
        ),
    },
    "builder": {
        ("s3:PutObject", f"arn:aws:s3:::{PREFIX}-metadata/1/0x{'?' * 40}/*.json"),
        ("s3:GetObject", f"arn:aws:s3:::{PREFIX}-metadata/*"),
    },
    "signer": {
        (
            "secretsmanager:GetSecretValue",
            f"arn:aws:secretsmanager:us-east-1:111122223333:secret:{PREFIX}/wallets/*",
        ),
        (
            "secretsmanager:GetSecretValue",
            f"arn:aws:secretsmanager:us-east-1:111122223333:secret:{PREFIX}/sealing/*",
        ),
    },
    "broadcaster": set(),
    "indexer": set(),
    "reconciler": set(),
    "notifier": set(),
}
READING = {"BatchGetItem", "GetItem", "Query", "Scan", "PartiQLSelect", "ConditionCheckItem"}
WRITING = {
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchWriteItem",
    "PartiQLInsert",
    "PartiQLUpdate",
    "PartiQLDelete",
}
STREAMING = {"dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords"}
MACHINERY = ("ssm:", "ssmmessages:", "ec2messages:", "autoscaling:", "ecr:", "logs:", "s3:")
SERVICES = sorted(WRITES)


def statements(templates: Templates, service: str) -> list[dict[str, Any]]:
    """Return what the policies of the service's role state."""
    template = templates["access"]
    (logical,) = (
        name
        for name, role in resources(template, "AWS::IAM::Role").items()
        if role["Properties"]["RoleName"] == f"{PREFIX}-{service}"
    )
    return [
        statement
        for policy in policies_of(template)
        if policy["Roles"] == [{"Ref": logical}]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def granted(templates: Templates, service: str) -> set[tuple[str, str]]:
    """Return every (action, resource) that the service's role is allowed, conditions and denials aside."""
    grants: set[tuple[str, str]] = set()
    for statement in (
        statement for statement in statements(templates, service) if statement["Effect"] == "Allow"
    ):
        for action in listed(statement["Action"]):
            grants |= {(action, text(resource)) for resource in listed(statement["Resource"])}
    return grants


def tables(grants: set[tuple[str, str]], kinds: set[str]) -> set[str]:
    return {
        resource.removeprefix(f"{TABLE}{PREFIX}-").split("/")[0]
        for action, resource in grants
        if action.startswith("dynamodb:") and action.removeprefix("dynamodb:") in kinds
    }


def queues(grants: set[tuple[str, str]], action: str) -> set[str]:
    return {
        resource.removeprefix(f"{QUEUE}{PREFIX}-").removesuffix(".fifo")
        for granted_action, resource in grants
        if granted_action == action
    }


@pytest.mark.parametrize("service", SERVICES)
def test_role__when_it_writes__then_only_the_tables_that_the_service_owns(
    templates: Templates, service: str
) -> None:
    assert tables(granted(templates, service), WRITING) == WRITES[service]


def test_architecture__when_its_table_says_who_writes__then_it_names_the_tables_of_each_role() -> None:
    text = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"^\| \[(\w+)\]\(services/.*\| (.*) \|$", text, re.MULTILINE)
    named = {service: set(re.findall(r"`([a-z-]+)`", column)) for service, column in rows}
    written = {service: {name.removesuffix("-2") for name in names} for service, names in WRITES.items()}
    assert named == {service: names for service, names in written.items() if service != "reconciler"}


@pytest.mark.parametrize("service", SERVICES)
def test_role__when_it_reads__then_only_the_tables_that_the_service_needs(
    templates: Templates, service: str
) -> None:
    assert tables(granted(templates, service), READING) == READS[service]


def test_wrapped_keys__when_the_api_makes_one__then_it_can_neither_read_nor_overwrite_any(
    templates: Templates,
) -> None:
    grants = granted(templates, "api")
    on_keys = {action for action, resource in grants if resource == f"{TABLE}{PREFIX}-wrapped-keys"}

    assert on_keys == {"dynamodb:PartiQLInsert"}


def test_authorizations__when_the_api_makes_one__then_it_can_read_none(templates: Templates) -> None:
    assert "authorizations" not in tables(granted(templates, "api"), READING)


@pytest.mark.parametrize("service", SERVICES)
def test_role__when_it_writes_in_batches__then_also_what_a_batch_of_one_is_sent_as(
    templates: Templates, service: str
) -> None:
    """`Dynamo.write` sends a lone put or delete as PutItem or DeleteItem."""
    grants = granted(templates, service)

    batched = tables(grants, {"BatchWriteItem"})
    assert batched <= tables(grants, {"PutItem"}) & tables(grants, {"DeleteItem"})


def may_put(templates: Templates, service: str, key: str, *, once: bool) -> bool:
    """Return whether IAM lets a role store an object; `once`: the request has `If-None-Match`."""
    context = {"s3:if-none-match": "*"} if once else {}
    effects = {
        statement["Effect"]
        for statement in statements(templates, service)
        if "s3:PutObject" in listed(statement["Action"])
        and any(
            fnmatchcase(f"arn:aws:s3:::{METADATA.bucket_name(PREFIX)}/{key}", text(resource))
            for resource in listed(statement["Resource"])
        )
        and all(
            holds(operator, name, listed(wanted), context)
            for operator, names in statement.get("Condition", {}).items()
            for name, wanted in names.items()
        )
    }
    return effects == {"Allow"}


@pytest.mark.parametrize("token_id", [0, 1, 2**256 - 1])
def test_builders_role__when_it_stores_a_tokens_metadata__then_only_where_there_is_none(
    templates: Templates, token_id: int
) -> None:
    key = metadata_object_key(1, CONTRACT, token_id)

    assert may_put(templates, "builder", key, once=True)
    assert not may_put(templates, "builder", key, once=False)


@pytest.mark.parametrize(
    "key",
    [
        collection_object_key(1, CONTRACT),
        collection_object_key(1, CONTRACT.lower()),
        collection_version_key(1, CONTRACT, bytes(32)),
        version_object_key(1, CONTRACT, 1, bytes(32)),
        f"1/{CONTRACT}/1/contract.json",
        metadata_object_key(2, CONTRACT, 1),
        metadata_object_key(1, "contract", 1),
        f"1/{CONTRACT}/1.html",
        "index.html",
    ],
)
def test_builders_role__when_it_stores_anything_but_a_tokens_metadata__then_it_is_denied(
    templates: Templates, key: str
) -> None:
    assert not may_put(templates, "builder", key, once=True)
    assert not may_put(templates, "builder", key, once=False)


@pytest.mark.parametrize("service", sorted(set(SERVICES) - {"builder"}))
def test_role__when_it_is_not_the_builders__then_it_stores_no_metadata(
    templates: Templates, service: str
) -> None:
    assert not may_put(templates, service, metadata_object_key(1, CONTRACT, 1), once=True)


def test_apis_role__when_it_stores_a_pack__then_once_and_no_other_role_may(templates: Templates) -> None:
    key = pack_object_key(1, CONTRACT, b"pack")

    assert [service for service in SERVICES if may_put(templates, service, key, once=True)] == ["api"]
    assert not may_put(templates, "api", key, once=False)
    assert not may_put(templates, "api", pack_object_key(2, CONTRACT, b"pack"), once=True)


@pytest.mark.parametrize("service", SERVICES)
def test_role__when_something_is_denied_it__then_it_is_the_builder_and_collections_metadata(
    templates: Templates, service: str
) -> None:
    denied = [
        (statement["Action"], [*map(text, listed(statement["Resource"]))], statement.get("Condition"))
        for statement in statements(templates, service)
        if statement["Effect"] != "Allow"
    ]

    own = [
        f"arn:aws:s3:::{PREFIX}-metadata/1/*/{name}"
        for name in ("contract.json", "contract-*.json", "versions/*")
    ]
    assert denied == ([("s3:PutObject", own, None)] if service == "builder" else [])


def test_apis_role__when_it_stores_a_collections_or_tokens_metadata__then_each_version_once(
    templates: Templates,
) -> None:
    for version in (
        collection_version_key(1, CONTRACT, bytes(32)),
        version_object_key(1, CONTRACT, 1, bytes(32)),
    ):
        assert may_put(templates, "api", version, once=True)
        assert not may_put(templates, "api", version, once=False)
    for key in (
        collection_object_key(1, CONTRACT),
        collection_version_key(2, CONTRACT, bytes(32)),
        collection_version_key(1, "contract", bytes(32)),
    ):
        assert not may_put(templates, "api", key, once=True)


def test_redrive_role__when_an_operator_takes_it__then_it_reads_dead_letters_and_sends_them_back(
    templates: Templates,
) -> None:
    grants = granted(templates, "redrive")
    main, dead = {"build", "sign", "broadcast"}, {"build-dlq", "sign-dlq", "broadcast-dlq"}

    assert {action.split(":")[0] for action, _ in grants} == {"sqs"}
    assert queues(grants, "sqs:SendMessage") == main
    for action in ("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes"):
        assert queues(grants, f"sqs:{action}") == dead
    (role,) = (
        role
        for role in properties(templates["access"], "AWS::IAM::Role")
        if role["RoleName"] == f"{PREFIX}-redrive"
    )
    (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert text(trusted["Principal"]["AWS"]) == "arn:aws:iam::111122223333:root"


@pytest.mark.parametrize("service", [*SERVICES, "redrive"])
def test_role__when_operators_use_the_console__then_the_api_alone_takes_the_redrive_role(
    templates: Templates, service: str
) -> None:
    taken = [resource for action, resource in granted(templates, service) if action == "sts:AssumeRole"]

    assert taken == ([f"arn:aws:iam::111122223333:role/{PREFIX}-redrive"] if service == "api" else [])


@pytest.mark.parametrize("service", SERVICES)
def test_role__when_messages_are_counted__then_by_the_api_alone_in_every_queue(
    templates: Templates, service: str
) -> None:
    main = {"build", "sign", "broadcast"}
    every = main | {f"{name}-dlq" for name in main}

    counted = queues(granted(templates, service), "sqs:GetQueueAttributes")

    assert counted == (every if service == "api" else set())


@pytest.mark.parametrize("service", SERVICES)
def test_role__when_it_uses_queues__then_as_the_line_runs(templates: Templates, service: str) -> None:
    grants = granted(templates, service)

    assert queues(grants, "sqs:ReceiveMessage") == CONSUMES[service]
    assert queues(grants, "sqs:DeleteMessage") == CONSUMES[service]
    assert queues(grants, "sqs:SendMessage") == SENDS[service]


def test_signers_role__when_its_instance_is_one__then_it_has_a_session_an_image_and_logs(
    templates: Templates,
) -> None:
    """What an instance needs to be one; the other roles are Fargate's, which has an execution role for it."""
    machinery = {grant for grant in granted(templates, "signer") if grant[0].startswith(MACHINERY)}

    assert {resource for action, resource in machinery if not action.startswith(("ssm", "ec2"))} == {
        "*",  # ecr:GetAuthorizationToken
        f"arn:aws:autoscaling:us-east-1:111122223333:autoScalingGroup:*:autoScalingGroupName/{PREFIX}-signer",
        f"arn:aws:ecr:us-east-1:111122223333:repository/{PREFIX}/signer-host",
        f"arn:aws:s3:::{PREFIX}-artifacts/*",
        f"arn:aws:s3:::{PREFIX}-audit/*",
        f"arn:aws:logs:us-east-1:111122223333:log-group:/{PREFIX}/signer",
        f"arn:aws:logs:us-east-1:111122223333:log-group:/{PREFIX}/signer:log-stream:*",
    }
    assert {grant for grant in machinery if grant[0].startswith("s3")} == {
        ("s3:GetObject", f"arn:aws:s3:::{PREFIX}-artifacts/*"),
        ("s3:PutObject", f"arn:aws:s3:::{PREFIX}-audit/*"),
    }
    health = {action for action, _ in machinery if action.startswith("autoscaling")}
    assert health == {"autoscaling:SetInstanceHealth"}
    others = {
        service: {action for action, _ in granted(templates, service) if action.startswith(MACHINERY)}
        for service in SERVICES
        if service != "signer"
    }
    assert others == {
        "api": {"s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"},
        "builder": {"s3:PutObject", "s3:GetObject"},
        "broadcaster": set(),
        "indexer": set(),
        "reconciler": set(),
        "notifier": set(),
    }


@pytest.mark.parametrize("service", SERVICES)
def test_role__when_all_else_is_listed__then_it_is_this(templates: Templates, service: str) -> None:
    covered = ("dynamodb:", "sqs:", *(MACHINERY if service == "signer" else ()))
    rest = {grant for grant in granted(templates, service) if not grant[0].startswith(covered)}
    assert rest == OTHER[service]


@pytest.mark.parametrize("service", SERVICES)
def test_role__when_an_action_or_table_is_granted__then_without_wildcards(
    templates: Templates, service: str
) -> None:
    grants = granted(templates, service)
    bounded = {grant for grant in grants if grant[0].startswith(("dynamodb:", "sqs:", "kms:"))}

    assert bounded
    assert {action for action, _ in grants if "*" in action} == set()
    # The last part of a stream's name is the time at which it was made.
    assert {grant for grant in bounded if "*" in grant[1].removesuffix("/stream/*")} == set()
    assert {grant[0] for grant in bounded if grant[1].endswith("/stream/*")} <= STREAMING


def test_roles__when_all_stacks_are_searched__then_none_is_allowed_to_decrypt(templates: Templates) -> None:
    by_stack: dict[str, list[Any]] = {}
    for stack, template in templates.items():
        for policy in policies_of(template):
            for statement in policy["PolicyDocument"]["Statement"]:
                kms = [a for a in listed(statement["Action"]) if a.startswith("kms:") or a == "*"]
                by_stack.setdefault(stack, []).extend(kms)

    # The canary's job is to be refused by the key policy alone; the policy's own tests show that it is.
    assert by_stack.pop("canary") == ["kms:Decrypt", "kms:GenerateDataKeyPairWithoutPlaintext"]
    assert not any(by_stack.values())


def test_roles__when_managed_blockchain_is_asked__then_only_those_who_ask_the_chain_may_post(
    tmp_path_factory: pytest.TempPathFactory, deployment: Deployment
) -> None:
    chain = deployment.chain.model_copy(update={"managed_blockchain": True})
    templates = synthesized(
        deployment.model_copy(update={"chain": chain}), tmp_path_factory.mktemp("managed")
    )
    may = {service for service in SERVICES if ("managedblockchain:POST", "*") in granted(templates, service)}

    assert may == {"api", "builder", "broadcaster", "indexer", "reconciler"}
