from __future__ import annotations

import re
from typing import Any

import pytest

from mintline_infra.alarms import LOG_ALARMS, POLICY_ALARMS, VALUE_ALARMS, LogAlarm, ValueAlarm
from mintline_infra.canary import HANDLER, POLICY_KEYS_HANDLER
from mintline_infra.canary import NAME as CANARY
from synthesis import ROOT, Templates, properties, resources

FOLDERS = {
    "api": "api",
    "broadcaster": "broadcaster",
    "builder": "builder",
    "indexer": "indexer",
    "notifier": "notifier",
    "reconciler": "indexer",
    "signer": "signer-enclave",
}
RUNBOOK = (ROOT / "docs/aws-alarms.md").read_text()


def names(templates: Templates) -> set[str]:
    alarms = {
        alarm["AlarmName"]
        for template in templates.values()
        for alarm in properties(template, "AWS::CloudWatch::Alarm")
    }
    rules = {rule["Name"] for rule in properties(templates["watch"], "AWS::Events::Rule")}
    return {name.removeprefix("acme-mintline-") for name in alarms | rules}


def test_runbook__when_an_alarm_fires__then_it_says_what_to_do(templates: Templates) -> None:
    described = set(re.findall(r"^\| ((?:`[a-z-]+`(?:, )?)+) \|", RUNBOOK, flags=re.MULTILINE))
    alarm_names = {name for row in described for name in re.findall(r"`([a-z-]+)`", row)}

    assert alarm_names >= names(templates)


def logs(service: str, event: str) -> bool:
    """Tell whether the sources of a service, or of the library, name an event."""
    if service == CANARY:
        sources = [HANDLER, POLICY_KEYS_HANDLER]
    else:
        folders = (ROOT / "services" / FOLDERS[service] / "src", ROOT / "shared/src")
        sources = [path for folder in folders for path in folder.rglob("*.py")]
    return any(f'"{event}"' in path.read_text() for path in sources)


@pytest.mark.parametrize("alarm", [*LOG_ALARMS, *POLICY_ALARMS], ids=lambda alarm: alarm.name)
def test_log_alarm__when_it_waits_for_an_event__then_its_service_logs_it(alarm: LogAlarm) -> None:
    """Itself, or the library that it is built on."""
    silent = [service for service in alarm.services if not logs(service, alarm.event)]

    assert silent == []


@pytest.mark.parametrize("alarm", VALUE_ALARMS, ids=lambda alarm: alarm.name)
def test_value_alarm__when_it_waits_for_a_number__then_its_service_logs_it(alarm: ValueAlarm) -> None:
    sources = (ROOT / "services" / FOLDERS[alarm.service] / "src").rglob("*.py")

    assert any(
        f'"{alarm.event}"' in text and f"{alarm.field}=" in text
        for text in (path.read_text() for path in sources)
    )


@pytest.mark.parametrize(
    ("name", "event", "field"),
    [
        ("treasury-runs-low", "treasury_balance", "top_ups_left"),
        ("relayer-runs-low", "relayer_balance", "batches_left"),
    ],
)
def test_balance_alarm__when_little_is_left__then_it_fires_and_stays_until_there_is_more(
    templates: Templates, name: str, event: str, field: str
) -> None:
    (alarm,) = (
        alarm
        for alarm in properties(templates["watch"], "AWS::CloudWatch::Alarm")
        if alarm["AlarmName"].endswith(name)
    )
    (measured,) = (
        metric_filter
        for metric_filter in properties(templates["watch"], "AWS::Logs::MetricFilter")
        if metric_filter["MetricTransformations"][0]["MetricName"] == alarm["MetricName"]
    )

    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 100)
    assert (alarm["Statistic"], alarm["TreatMissingData"]) == ("Minimum", "ignore")
    assert measured["FilterPattern"] == f'{{ $.event = "{event}" }}'
    assert measured["MetricTransformations"][0]["MetricValue"] == f"$.{field}"


NOTICES = {
    "kms-denied",
    "decrypt-unattested",
    "key-policy-changed",
    "key-alias-changed",
    "queue-policy-changed",
    "trail-stopped",
}


def test_alarms__when_they_fire__then_the_topic_is_told(templates: Templates) -> None:
    alarms = properties(templates["watch"], "AWS::CloudWatch::Alarm")
    (topic,) = (
        output["Export"]["Name"]
        for output in templates["platform"]["Outputs"].values()
        if "Export" in output and output["Value"] == {"Ref": only(templates["platform"], "AWS::SNS::Topic")}
    )
    action = {"Fn::ImportValue": topic}

    assert len(alarms) > len(LOG_ALARMS) + len(VALUE_ALARMS)
    assert [alarm["AlarmActions"] for alarm in alarms] == [[action]] * len(alarms)
    states = {
        name: (rule["State"], [target["Arn"] for target in rule["Targets"]])
        for name, rule in notices(templates).items()
    }
    from_trail = dict.fromkeys(NOTICES, ("ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS", [action]))
    assert states == {**from_trail, "deployment-failed": ("ENABLED", [action])}


@pytest.mark.parametrize(
    ("stack", "kind"), [("platform", "AWS::SNS::TopicPolicy"), ("data", "AWS::KMS::Key")]
)
def test_notices__when_eventbridge_tells_of_them__then_no_condition_that_it_cannot_meet_is_in_the_way(
    templates: Templates, stack: str, kind: str
) -> None:
    """It sends neither `aws:SourceAccount` nor `aws:SourceArn` for an encrypted topic."""
    documents = [
        policy.get("KeyPolicy") or policy["PolicyDocument"] for policy in properties(templates[stack], kind)
    ]
    telling = [
        statement
        for document in documents
        for statement in document["Statement"]
        if statement["Principal"] == {"Service": "events.amazonaws.com"}
    ]
    assert telling
    assert [statement for statement in telling if "Condition" in statement] == []


@pytest.mark.parametrize(
    ("name", "event", "services"),
    [
        ("mint-outcome-refused", "mint_outcome_refused", {"indexer", "broadcaster"}),
        ("record-set-aside", "record_set_aside", {"api", "builder", "broadcaster", "indexer", "notifier"}),
        ("message-unsupported", "message_unsupported", {"builder", "signer", "broadcaster"}),
    ],
)
def test_log_alarm__when_several_services_log_its_event__then_it_counts_all_of_them(
    templates: Templates, name: str, event: str, services: set[str]
) -> None:
    (alarm,) = (
        each
        for each in properties(templates["watch"], "AWS::CloudWatch::Alarm")
        if each["AlarmName"] == f"acme-mintline-{name}"
    )
    filters = [
        each
        for each in properties(templates["watch"], "AWS::Logs::MetricFilter")
        if each["FilterPattern"] == f'{{ $.event = "{event}" }}'
    ]

    assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 1)
    metrics = {each["MetricTransformations"][0]["MetricName"] for each in filters}
    assert metrics == {alarm["MetricName"]}
    groups = [str(each["LogGroupName"]) for each in filters]
    counted = {service: sum(f"logs{service}" in group for group in groups) for service in services}
    assert counted == dict.fromkeys(services, 1)
    assert len(groups) == len(services)


def test_audit_alarm__when_a_host_leaves_records_behind_once__then_it_fires(templates: Templates) -> None:
    """A host that ends logs the event once: no second line would come."""
    (alarm,) = (
        each
        for each in properties(templates["watch"], "AWS::CloudWatch::Alarm")
        if each["AlarmName"] == "acme-mintline-audit-left-behind"
    )
    (counted,) = (
        each
        for each in properties(templates["watch"], "AWS::Logs::MetricFilter")
        if each["MetricTransformations"][0]["MetricName"] == alarm["MetricName"]
    )

    assert (alarm["Statistic"], alarm["Threshold"], alarm["EvaluationPeriods"]) == ("Sum", 1, 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"
    assert counted["FilterPattern"] == '{ $.event = "audit_trail_left_behind" }'
    assert "logssigner" in str(counted["LogGroupName"])


def test_reconcile_alarms__when_a_pass_found_something_or_none_was_made__then_they_fire(
    templates: Templates,
) -> None:
    alarms = {
        each["AlarmName"].removeprefix("acme-mintline-"): each
        for each in properties(templates["watch"], "AWS::CloudWatch::Alarm")
    }
    findings, missing = alarms["reconcile-findings"], alarms["reconcile-missing"]
    (measured,) = (
        each
        for each in properties(templates["watch"], "AWS::Logs::MetricFilter")
        if each["MetricTransformations"][0]["MetricName"] == findings["MetricName"]
    )

    # Between two passes there is no number, and the alarm stays as it is.
    assert (findings["Statistic"], findings["Threshold"]) == ("Maximum", 1)
    assert findings["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert findings["TreatMissingData"] == "ignore"
    assert measured["FilterPattern"] == '{ $.event = "reconciled" }'
    assert measured["MetricTransformations"][0]["MetricValue"] == "$.findings"
    assert (missing["Statistic"], missing["Threshold"], missing["Period"]) == ("Sum", 1, 300)
    assert (missing["ComparisonOperator"], missing["TreatMissingData"]) == ("LessThanThreshold", "breaching")
    # Longer than two of the 15 minutes between two passes.
    assert missing["EvaluationPeriods"] == missing["DatapointsToAlarm"] == 9


def only(template: dict[str, Any], kind: str) -> str:
    """Return the logical id of a template's one resource of a type."""
    (name,) = resources(template, kind)
    return name


def notices(templates: Templates) -> dict[str, dict[str, Any]]:
    """Return the rules by their names."""
    rules = properties(templates["watch"], "AWS::Events::Rule")
    return {rule["Name"].removeprefix("acme-mintline-"): rule for rule in rules}


@pytest.mark.parametrize(
    ("notice", "service", "events"),
    [
        (
            "key-policy-changed",
            "kms",
            "PutKeyPolicy CreateGrant DisableKey EnableKey ScheduleKeyDeletion CancelKeyDeletion",
        ),
        ("key-alias-changed", "kms", "UpdateAlias DeleteAlias CreateAlias"),
        ("queue-policy-changed", "sqs", "SetQueueAttributes AddPermission RemovePermission DeleteQueue"),
        ("trail-stopped", "cloudtrail", "StopLogging DeleteTrail UpdateTrail PutEventSelectors"),
    ],
)
def test_notice__when_what_protects_the_keys_is_changed__then_it_is_told(
    templates: Templates, notice: str, service: str, events: str
) -> None:
    pattern = notices(templates)[notice]["EventPattern"]

    assert pattern["source"] == [f"aws.{service}"]
    assert pattern["detail"]["eventSource"] == [f"{service}.amazonaws.com"]
    assert pattern["detail"]["eventName"] == events.split()


def test_alias_notice__when_an_alias_is_moved__then_it_is_that_of_a_key_of_the_deployment(
    templates: Templates,
) -> None:
    """By its name: the event names the key that it leads to now, which may be anybody's."""
    detail = notices(templates)["key-alias-changed"]["EventPattern"]["detail"]

    aliases = ["alias/acme-mintline-wallets", "alias/acme-mintline-intake", "alias/acme-mintline-webhooks"]
    assert detail["requestParameters"] == {"aliasName": aliases}
    assert "resources" not in detail


def test_topic__when_told_of_something__then_alarms_and_notices_may_publish(templates: Templates) -> None:
    # The notices' rules name the topic across stacks, so their statement stands in the topic's own.
    (policy,) = properties(templates["platform"], "AWS::SNS::TopicPolicy")
    allowed = {
        statement["Principal"]["Service"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow" and statement["Action"] == "sns:Publish"
    }

    assert allowed == {"cloudwatch.amazonaws.com", "events.amazonaws.com"}


def test_decrypt_notice__when_a_key_was_unwrapped_without_attestation__then_it_matches(
    templates: Templates,
) -> None:
    (rule,) = (
        rule
        for rule in properties(templates["watch"], "AWS::Events::Rule")
        if rule["Name"] == "acme-mintline-decrypt-unattested"
    )
    detail = rule["EventPattern"]["detail"]

    assert detail["eventName"] == ["Decrypt"]
    assert detail["errorCode"] == [{"exists": False}]
    assert detail["additionalEventData"] == {
        "recipient": {"attestationDocumentEnclaveImageDigest": [{"exists": False}]}
    }
