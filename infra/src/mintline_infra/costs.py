"""What a deployment costs a month, from measured requests a mint and AWS's public prices.

`python -m mintline_infra.costs` prints the tables of docs/aws-costs.md; a test compares them.
Prices are those of us-east-1 in US dollars, without free tiers and discounts, as known in mid-2025.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mintline.key_stores import StoreName
from mintline.records.keys import BLOCK_SHARDS, OPEN_SHARDS
from mintline.resources import KMS_KEYS, QUEUES, TABLES
from mintline_infra import throttles
from mintline_infra.alarms import LOG_ALARMS, VALUE_ALARMS
from mintline_infra.deployment_fields import FeaturePlan, Size
from mintline_infra.endpoints import INTERFACES
from mintline_infra.endpoints import SMALL as SMALL_INTERFACES
from mintline_infra.services import BROADCASTER_RATE, BUILDER_RATE, RECONCILE_EVERY, RECONCILED_BLOCKS
from mintline_infra.signer import RATE as SIGNER_RATE
from mintline_infra.storage_key import callers

HOURS = 730
SECONDS = HOURS * 3600
PEAK = 5
"""How much busier the busiest hour is than the mean."""
MINTS_A_WALLET = 20
"""As in the measured run: 1,000 mints of 50 new users."""
VOLUMES = (0, 10_000, 1_000_000, 100_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """What one unit costs in dollars, and on which page AWS says so."""

    dollars: float
    page: str


PRICES = {
    "SQS FIFO, a request": Price(0.50e-6, "Amazon SQS pricing"),
    "DynamoDB, a write unit": Price(0.625e-6, "Amazon DynamoDB pricing, on-demand"),
    "DynamoDB, a read unit": Price(0.125e-6, "Amazon DynamoDB pricing, on-demand"),
    "DynamoDB, a GB": Price(0.25, "Amazon DynamoDB pricing, on-demand"),
    "DynamoDB Streams, a read": Price(0.2e-6, "Amazon DynamoDB pricing, on-demand"),
    "S3, a PUT": Price(5.0e-6, "Amazon S3 pricing"),
    "KMS, a key": Price(1.0, "AWS KMS pricing"),
    "KMS, an ECC key pair": Price(10.0e-6, "AWS KMS pricing"),
    "KMS, a Decrypt": Price(3.0e-6, "AWS KMS pricing"),
    "Secrets Manager, a secret": Price(0.40, "AWS Secrets Manager pricing"),
    "Secrets Manager, a request": Price(5.0e-6, "AWS Secrets Manager pricing"),
    "Cognito Essentials, a user above 10,000": Price(0.015, "Amazon Cognito pricing"),
    "Cognito Lite, a user above 10,000": Price(0.0055, "Amazon Cognito pricing"),
    "Cognito Lite, a user above 100,000": Price(0.0046, "Amazon Cognito pricing"),
    "Cognito Lite, a user above 1,000,000": Price(0.00325, "Amazon Cognito pricing"),
    "API Gateway HTTP API, a request": Price(1.0e-6, "Amazon API Gateway pricing"),
    "WAF, a request": Price(0.6e-6, "AWS WAF pricing"),
    "WAF, an ACL with three rules": Price(8.0, "AWS WAF pricing"),
    "ALB, an hour with one LCU": Price(0.0305, "Elastic Load Balancing pricing"),
    "Fargate ARM, a vCPU hour": Price(0.03238, "AWS Fargate pricing"),
    "Fargate ARM, a GB hour": Price(0.00356, "AWS Fargate pricing"),
    "EC2 c7g.xlarge, an hour": Price(0.145, "Amazon EC2 on-demand pricing"),
    "EC2 c6g.large, an hour": Price(0.068, "Amazon EC2 on-demand pricing"),
    "EBS gp3, a GB": Price(0.08, "Amazon EBS pricing"),
    "Public IPv4, an address and hour": Price(0.005, "Amazon VPC pricing"),
    "DynamoDB point-in-time recovery, a GB": Price(0.20, "Amazon DynamoDB pricing, on-demand"),
    "S3 Standard, a GB": Price(0.023, "Amazon S3 pricing"),
    "Route 53, a hosted zone": Price(0.50, "Amazon Route 53 pricing"),
    "NAT gateway, an hour": Price(0.045, "Amazon VPC pricing"),
    "Interface endpoint, a zone and hour": Price(0.01, "AWS PrivateLink pricing"),
    "CloudWatch Logs, a GB": Price(0.50, "Amazon CloudWatch pricing"),
    "CloudWatch, an alarm": Price(0.10, "Amazon CloudWatch pricing"),
    "CloudWatch, a metric": Price(0.30, "Amazon CloudWatch pricing"),
    "CloudWatch, a dashboard": Price(3.0, "Amazon CloudWatch pricing"),
}

SQS_REQUESTS = 1.26
"""A mint, as are the next four: `make bench N=1000 USERS=50` on 2026-11-24, the median of three runs."""
S3_PUTS = 1.0
KEY_PAIRS = KEYS_KEPT = 0.05
KEYS_READ = 0.052
MEASURED: Mapping[str, Mapping[str, float]] = json.loads(
    (Path(__file__).parent / "write_units.json").read_text()
)
"""Write units by table and `table/index`: of a `mint` alone in its block, in the indexes that only `queries`
need and a deployment may do without, of a `user`'s first mint on top of that (wallet, top-up), and of every
`block`. `tests/e2e/test_write_units.py` measures them from the items that the whole pipeline writes. DynamoDB
bills kilobytes written, and twice as much within a transaction."""
UNDO_UNITS = 0.5
"""What a mint adds to the row of a block that has others: 180 bytes, at 2 units a kilobyte to write it, and 1
to delete it."""
QUERY_UNITS = sum(MEASURED["queries"].values())
WRITE_UNITS = (
    sum(MEASURED["mint"].values())
    + QUERY_UNITS
    + sum(MEASURED["user"].values()) / MINTS_A_WALLET
    + UNDO_UNITS
)
"""A mint, with its share of its user's first."""
BLOCK_UNITS = sum(MEASURED["block"].values())
BLOCK_SECONDS = 12
KEYS = len(KMS_KEYS) + 1
"""Keys of KMS: those that services know, and the one under which records and alarms are stored."""
TABLE_KEYS = callers() * SECONDS / 300
"""Decrypts a month by which DynamoDB asks for the keys of tables with the storage key: one in five minutes
for each caller at most, by estimate (Amazon DynamoDB developer guide, on caching of table keys)."""
QUEUE_KEYS = sum(2 * len(queue.senders) + 1 for queue in QUEUES) * SECONDS / 3600
"""Requests a month by which SQS asks for the queues' keys: two for each sender and one for each receiver, an
hour (Amazon SQS developer guide, "Key management", on estimating costs)."""
RECONCILER_SHARE = 1.5 / 15
"""A pass every 15 minutes takes one and a half with the task's start, by estimate."""
RECONCILED_TABLES = sum("in_block" in {index.name for index in table.indexes} for table in TABLES)
"""Tables in which the reconciler looks for a block's records, and for what is open."""
STREAMS_READ = sum(table.streamed for table in TABLES) * SECONDS
"""Reads of change streams a month, by an idle notifier: each stream once a second."""
LEASE_UNITS = SECONDS / 4
"""Write units a month by which the notifier keeps its lease."""
ALARMS = 45
SECRETS = 4
"""The standard size's: RPC URLs, cursors, e-mail addresses, and the authorization key, which the small one
has in DynamoDB."""
ALWAYS_MEASURED = 8
"""Metrics that log lines give every hour of an idle deployment; the others cost nothing while nothing is
logged, as CloudWatch counts metrics by the hours in which they have numbers."""
INSIGHTS = 5 * 13 + 8
"""Metrics of Container Insights, by estimate: of five services, and the cluster."""
DETAILED = 7
"""Metrics of an instance with detailed monitoring (Amazon EC2 user guide)."""
SERVICE_METRICS = (40, 85)
"""Series of the services' own metrics, idle and with mints, by estimate: each value of a label is one."""
METRICS_KILOBYTES = 2.0
"""Of a task's metrics in its log, a minute, by estimate."""
LOG_METRICS = len({alarm.metric for alarm in LOG_ALARMS}) + len(VALUE_ALARMS) + len(throttles.METRICS)
STORED_KILOBYTES = 6.0
"""Of a mint in DynamoDB, by estimate: its records, their indexes and events."""
OBJECT_KILOBYTES = 0.5
EVENT_UNITS = 4
"""Write units of a lone mint's events, by estimate: an item each. Of many at once, 100 share one."""
SHARD_UNITS = OPEN_SHARDS * SECONDS / 15
"""Write units a month by which notifiers keep the shards of webhooks: each every 15 seconds."""
READ_UNITS = 9
"""A mint, by estimate."""
HTTP_REQUESTS = 3
"""A mint: one POST, two reads of its status."""
LOG_KILOBYTES = 3.2
"""A mint, as the services write them on the local pipeline."""
KEY_KILOBYTES = 0.5
"""An item of `wrapped-keys`: a write unit, and half a read unit rounded up to one."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a deployment has whatever is minted."""

    size: Size = "standard"
    zones: int = 2

    @property
    def small(self) -> bool:
        """Whether it is of the size small."""
        return self.size == "small"

    def tasks(self, peak: float) -> Mapping[str, tuple[float, float, float]]:
        """Return vCPUs, GB and number of the tasks of each service, at so many mints a second."""
        if self.small:
            small = (0.25, 0.5, 1.0)
            return {
                "api": (0.25, 0.5, float(self.zones)),
                **dict.fromkeys(("builder", "broadcaster", "indexer", "notifier"), small),
                "reconciler": (0.25, 0.5, RECONCILER_SHARE),
            }
        return {
            "api": (0.5, 1.0, max(2, math.ceil(peak / 100))),
            "builder": (0.5, 1.0, max(1, math.ceil(peak / BUILDER_RATE))),
            "broadcaster": (0.25, 0.5, max(1, math.ceil(peak / BROADCASTER_RATE))),
            "indexer": (0.25, 0.5, 2),
            "notifier": (0.25, 0.5, 2),
            "reconciler": (0.25, 0.5, RECONCILER_SHARE),
        }

    def signers(self, peak: float) -> int:
        """Return how many instances of the signer run."""
        return self.zones if self.small else max(2, math.ceil(peak / SIGNER_RATE))


STANDARD, SMALL, SMALL_IN_TWO = Shape(), Shape("small", 1), Shape("small", 2)


def monthly(
    mints: int,
    *,
    store: StoreName = "dynamodb",
    plan: FeaturePlan | None = "essentials",
    shape: Shape = STANDARD,
) -> dict[str, float]:
    """Return what `mints` in one month cost, by the rows of the table, in dollars.

    No `plan` of Cognito's: there is no user pool, and no row of users.
    """
    wallets = mints / MINTS_A_WALLET
    peak = PEAK * mints / SECONDS
    signers = shape.signers(peak)
    machine, disk = ("EC2 c6g.large, an hour", 10) if shape.small else ("EC2 c7g.xlarge, an hour", 20)
    readers = 0.5 if shape.small else 1.5
    return {
        **_network(shape, peak),
        "Signer instances": HOURS * signers * _price(machine),
        "Disks of the signer's instances": signers * disk * _price("EBS gp3, a GB"),
        "Fargate tasks, Spot counted in full": _tasks(shape, peak),
        **_edge(shape, mints),
        "Queues": mints * SQS_REQUESTS * _price("SQS FIFO, a request")
        + 10 * SECONDS / 20 * _price("SQS FIFO, a request"),
        "Tables": mints
        * (WRITE_UNITS * _price("DynamoDB, a write unit") + READ_UNITS * _price("DynamoDB, a read unit"))
        + SECONDS / BLOCK_SECONDS * BLOCK_UNITS * _price("DynamoDB, a write unit")
        + _reconciler_reads(shape) * _price("DynamoDB, a read unit"),
        "Events and webhooks": mints * EVENT_UNITS * _price("DynamoDB, a write unit")
        + (LEASE_UNITS + SHARD_UNITS) * _price("DynamoDB, a write unit")
        + OPEN_SHARDS * readers * SECONDS * _price("DynamoDB, a read unit")
        + STREAMS_READ * _price("DynamoDB Streams, a read"),
        "Storage of this month's mints, with point-in-time recovery": mints
        / 1e6
        * (
            STORED_KILOBYTES * (_price("DynamoDB, a GB") + _price("DynamoDB point-in-time recovery, a GB"))
            + OBJECT_KILOBYTES * _price("S3 Standard, a GB")
        ),
        "Metadata": mints * S3_PUTS * _price("S3, a PUT"),
        "KMS": KEYS * _price("KMS, a key")
        + (TABLE_KEYS + QUEUE_KEYS) * _price("KMS, a Decrypt")
        + mints * (KEY_PAIRS * _price("KMS, an ECC key pair") + KEYS_READ * _price("KMS, a Decrypt")),
        "Keys of wallets made this month": _keys(mints, store),
        **({} if plan is None else {"Users": _users(wallets, plan)}),
        "Secrets": (SECRETS - 1 if shape.small else SECRETS) * _price("Secrets Manager, a secret"),
        "Logs, alarms, metrics": mints * LOG_KILOBYTES / 1e6 * _price("CloudWatch Logs, a GB")
        + _watching(shape, mints, signers),
    }


def _network(shape: Shape, peak: float) -> dict[str, float]:
    names = SMALL_INTERFACES if shape.small else INTERFACES
    endpoints = HOURS * len(names) * shape.zones * _price("Interface endpoint, a zone and hour")
    if shape.small:
        running = sum(count for _, _, count in shape.tasks(peak).values())
        places = f"{shape.zones} zones" if shape.zones > 1 else "a zone"
        return {
            f"Network: {len(names)} endpoints in {places}": endpoints,
            "Public IPv4 addresses of tasks": HOURS * running * _price("Public IPv4, an address and hour"),
        }
    gateways = HOURS * shape.zones * _price("NAT gateway, an hour")
    return {
        f"Network: {shape.zones} NAT gateways, {len(names)} endpoints in {shape.zones} zones": gateways
        + endpoints,
        "Public IPv4 addresses of NAT gateways": HOURS
        * shape.zones
        * _price("Public IPv4, an address and hour"),
    }


def _watching(shape: Shape, mints: int, signers: int) -> float:
    logged = LOG_METRICS if mints else ALWAYS_MEASURED
    if not shape.small:
        logged += INSIGHTS + signers * DETAILED + SERVICE_METRICS[mints > 0]
    alarms = (ALARMS - 1 if shape.small else ALARMS) * _price("CloudWatch, an alarm")
    dashboard = 0.0 if shape.small else _price("CloudWatch, a dashboard")
    written = (
        0.0 if shape.small else _metrics_written(shape, mints, signers) * _price("CloudWatch Logs, a GB")
    )
    return logged * _price("CloudWatch, a metric") + alarms + dashboard + written


def _metrics_written(shape: Shape, mints: int, signers: int) -> float:
    """Return the GB a month of the lines by which tasks and signers tell CloudWatch their metrics."""
    running = signers + sum(count for _, _, count in shape.tasks(PEAK * mints / SECONDS).values())
    return running * METRICS_KILOBYTES * SECONDS / 60 / 1e6


def tables() -> str:
    """Return the tables of docs/aws-costs.md, in dollars a month."""
    shapes = (
        ("Standard", STANDARD),
        ("Small, in one zone", SMALL),
        ("Small, in two zones", SMALL_IN_TWO),
    )
    return "\n\n".join(f"### {title}\n\n{table(shape)}" for title, shape in shapes)


def table(shape: Shape = STANDARD) -> str:
    """Return the table of one shape."""
    columns = [monthly(mints, shape=shape) for mints in VOLUMES]
    rows = [
        "| Mints a month | " + " | ".join(f"{mints:,}" for mints in VOLUMES) + " |",
        "|---|" + "---:|" * len(VOLUMES),
    ]
    rows += [f"| {name} | " + " | ".join(_cell(c[name]) for c in columns) + " |" for name in columns[0]]
    rows.append("| **Sum** | " + " | ".join(f"**{_cell(sum(c.values()))}**" for c in columns) + " |")
    queries = (
        sum(column.values()) - mints * QUERY_UNITS * _price("DynamoDB, a write unit")
        for mints, column in zip(VOLUMES, columns, strict=True)
    )
    rows.append("| Sum without the indexes for queries | " + " | ".join(map(_cell, queries)) + " |")
    if not shape.small:
        others = (sum(monthly(mints, store="secretsmanager", shape=shape).values()) for mints in VOLUMES)
        rows.append("| Sum with the keys in Secrets Manager | " + " | ".join(map(_cell, others)) + " |")
    lite = (sum(monthly(mints, plan="lite", shape=shape).values()) for mints in VOLUMES)
    rows.append("| Sum with Cognito's plan Lite | " + " | ".join(map(_cell, lite)) + " |")
    poolless = (sum(monthly(mints, plan=None, shape=shape).values()) for mints in VOLUMES)
    rows.append("| Sum without a user pool | " + " | ".join(map(_cell, poolless)) + " |")
    return "\n".join(rows)


def _price(name: str) -> float:
    return PRICES[name].dollars


def _users(users: float, plan: FeaturePlan) -> float:
    """Return what a month's active users cost; all of them, of one mint in 20."""
    if plan == "essentials":
        return max(0.0, users - 10_000) * _price("Cognito Essentials, a user above 10,000")
    tiers = ((10_000, 100_000), (100_000, 1_000_000), (1_000_000, math.inf))
    return sum(
        max(0.0, min(users, end) - begin) * _price(f"Cognito Lite, a user above {begin:,}")
        for begin, end in tiers
    )


def _reconciler_reads(shape: Shape) -> float:
    """Return the read units a month of an idle reconciler: half a one for each shard that holds nothing.

    It reads each shard of each block, and of what is open, in each of the tables.
    """
    shards = BLOCK_SHARDS * RECONCILED_BLOCKS[shape.size] + OPEN_SHARDS
    return 0.5 * RECONCILED_TABLES * shards * SECONDS / RECONCILE_EVERY.to_seconds()


def _keys(mints: int, store: StoreName) -> float:
    """Return what the wrapped keys of one wallet for 20 mints cost: made, read, and kept for the month."""
    wallets = mints / MINTS_A_WALLET
    if store == "secretsmanager":
        requests = mints * (KEYS_KEPT + KEYS_READ)
        return wallets * _price("Secrets Manager, a secret") + requests * _price("Secrets Manager, a request")
    return (
        mints * KEYS_KEPT * _price("DynamoDB, a write unit")
        + mints * KEYS_READ * _price("DynamoDB, a read unit")
        + wallets * KEY_KILOBYTES / 1e6 * _price("DynamoDB, a GB")
    )


def _tasks(shape: Shape, peak: float) -> float:
    return HOURS * sum(
        count * (cpu * _price("Fargate ARM, a vCPU hour") + memory * _price("Fargate ARM, a GB hour"))
        for cpu, memory, count in shape.tasks(peak).values()
    )


def _edge(shape: Shape, mints: int) -> dict[str, float]:
    requests = mints * HTTP_REQUESTS
    gateway = requests * _price("API Gateway HTTP API, a request")
    if shape.small:
        return {"Edge: API Gateway, Cloud Map": gateway + _price("Route 53, a hosted zone")}
    return {
        "Edge: API Gateway, ALB, WAF": gateway
        + requests * _price("WAF, a request")
        + HOURS * _price("ALB, an hour with one LCU")
        + _price("WAF, an ACL with three rules")
    }


def _cell(dollars: float) -> str:
    return f"{dollars:,.2f}" if dollars < 10 else f"{dollars:,.0f}"


if __name__ == "__main__":
    print(tables())  # noqa: T201 - a command's own output
