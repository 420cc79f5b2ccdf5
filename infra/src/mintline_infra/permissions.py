"""What each service may do: the requests that its code makes and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mintline.resource_types import Table
from mintline.resources import (
    ACCOUNTS,
    ATTEMPTS,
    AUTHORIZATIONS,
    BALANCES,
    BLOCKS,
    CHALLENGES,
    CHECKPOINTS,
    CLIENTS,
    COLLECTIONS,
    DROP_PARTS,
    DROPS,
    EVENT_CURSORS,
    EVENTS,
    EXTERNAL_IDS,
    FOLLOWED,
    LINKS,
    METADATA_VERSIONS,
    MINTS,
    NOTICES,
    PACKS,
    RATES,
    REQUESTS,
    REVOCATIONS,
    TOKENS,
    TRANSACTIONS,
    TRANSFERS,
    UPLOADS,
    WALLETS,
    WEBHOOK_ATTEMPTS,
    WEBHOOK_PROGRESS,
    WEBHOOKS,
    WRAPPED_KEYS,
)
from mintline_infra.deployment import RECONCILER

GET = ("BatchGetItem",)
QUERY = ("Query",)
QUERY_SPARSE = ("PartiQLSelect",)
SCAN = ("Scan",)
PING = ("DescribeTable",)
INSERT = ("PartiQLInsert", "PutItem")
"""A conditional put: in a PartiQL batch, or alone when the batch cannot tell what stood in its way."""
CREATE = ("PartiQLInsert",)
"""PartiQL's INSERT fails where there is an item: who may do nothing else can overwrite nothing."""
UPDATE = ("PartiQLUpdate", "UpdateItem")
COUNT = ("UpdateItem",)
"""An addition that returns what came of it."""
TOGETHER = ("UpdateItem",)
"""Within a transaction, and never alone in a PartiQL batch."""
CREATE_TOGETHER = ("PutItem",)
"""A conditional put within a transaction."""
RESERVE = ("PutItem", "UpdateItem", "ConditionCheckItem")
"""Likewise: an item is created, moved on, or only looked at."""
REPLACE = ("PutItem", "DeleteItem")
STREAM = ("DescribeStream", "GetShardIterator", "GetRecords")
"""What reads a table's stream of changes."""
PRUNE = ("BatchWriteItem",)
"""Puts and deletes without a condition."""
SEND = ("sqs:SendMessage", "sqs:GetQueueUrl")
RECEIVE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueUrl")


@dataclass(frozen=True, slots=True)
class Permissions:
    """What one service's role may do."""

    principal: str
    """The AWS service that runs it."""
    tables: Mapping[Table, tuple[str, ...]] = field(default_factory=dict)
    indexes: Mapping[Table, tuple[str, ...]] = field(default_factory=dict)
    """Indexes that it queries; a query of the table itself is among what it does with the table."""
    sparse_indexes: Mapping[Table, tuple[str, ...]] = field(default_factory=dict)
    """Those of them of which it reads many partitions, most of them empty, by one statement."""
    streams: tuple[Table, ...] = ()
    """Tables whose streams of changes it reads."""
    reads_objects: bool = False
    """Whether it reads the metadata bucket's objects."""
    publishes: bool = False
    """Whether it stores tokens' metadata: each object once, and never a collection's own metadata."""
    packs: bool = False
    """Whether it stores packs of tokens' metadata: each once, and nothing else."""
    describes_collections: bool = False
    """Whether it stores new versions of collections' and tokens' metadata: each once, and no first one."""
    keeps_lines: bool = False
    """Whether it stores, reads and deletes the lines of drops."""
    takes_uploads: bool = False
    """Whether it signs URLs for uploads, reads what was put, and serves it as media."""
    lists_objects: bool = False
    """Without it S3 answers 403, not 404, for an object that does not exist."""
    wallet_secrets: tuple[str, ...] = ()
    authorization_key_secrets: tuple[str, ...] = ()
    counts_messages: bool = False
    """Whether it reads how many messages each queue and its dead-letter queue have, and none of them."""
    assumes_redrive: bool = False
    """Whether it may take the operators' role, to read dead letters and to send them back for them."""
    asks_chain: bool = False


TASK = "ecs-tasks.amazonaws.com"
INSTANCE = "ec2.amazonaws.com"
PERMISSIONS: Mapping[str, Permissions] = {
    "api": Permissions(
        principal=TASK,
        tables={
            WALLETS: GET + INSERT + UPDATE,
            WRAPPED_KEYS: CREATE,
            LINKS: GET + REPLACE,
            CHALLENGES: PRUNE + REPLACE,
            RATES: GET + INSERT + UPDATE,
            REVOCATIONS: GET + INSERT + UPDATE,
            CLIENTS: GET + SCAN + UPDATE + REPLACE + PRUNE,
            ACCOUNTS: GET,
            MINTS: GET + INSERT + UPDATE + PING,
            TRANSACTIONS: GET + UPDATE + QUERY,
            EXTERNAL_IDS: GET + CREATE_TOGETHER,
            AUTHORIZATIONS: INSERT + UPDATE,
            REQUESTS: GET + INSERT,
            PACKS: QUERY + INSERT,
            METADATA_VERSIONS: QUERY + CREATE_TOGETHER,
            DROPS: GET + INSERT,
            NOTICES: CREATE,
            DROP_PARTS: GET + QUERY + CREATE_TOGETHER,
            COLLECTIONS: GET + COUNT + CREATE_TOGETHER,
            CHECKPOINTS: GET,
            TOKENS: GET,
            BALANCES: GET,
            TRANSFERS: QUERY,
            UPLOADS: GET + INSERT + UPDATE,
            EVENTS: QUERY,
            WEBHOOKS: GET + REPLACE,
            WEBHOOK_PROGRESS: GET + REPLACE,
            WEBHOOK_ATTEMPTS: QUERY,
        },
        indexes={
            LINKS: ("links_of_user",),
            MINTS: ("by_user", "by_client", "open"),
            TRANSACTIONS: ("open",),
            DROPS: ("by_client", "open"),
            COLLECTIONS: ("by_creator",),
            TOKENS: ("by_owner", "by_holder"),
            BALANCES: ("by_owner", "by_item", "by_holder"),
            TRANSFERS: ("by_contract", "by_sender", "by_recipient"),
            WEBHOOKS: ("by_principal",),
        },
        reads_objects=True,
        packs=True,
        describes_collections=True,
        lists_objects=True,
        takes_uploads=True,
        keeps_lines=True,
        counts_messages=True,
        assumes_redrive=True,
        wallet_secrets=("CreateSecret",),
        asks_chain=True,
    ),
    "builder": Permissions(
        principal=TASK,
        tables={
            MINTS: GET + UPDATE + CREATE_TOGETHER,
            EXTERNAL_IDS: CREATE_TOGETHER,
            AUTHORIZATIONS: GET,
            TRANSACTIONS: GET + QUERY + RESERVE,
            ACCOUNTS: GET + TOGETHER + PING,
            COLLECTIONS: GET,
            NOTICES: CREATE,
        },
        reads_objects=True,
        publishes=True,
        asks_chain=True,
    ),
    "signer": Permissions(
        principal=INSTANCE,
        tables={WRAPPED_KEYS: GET, REVOCATIONS: QUERY, AUTHORIZATIONS: GET},
        wallet_secrets=("GetSecretValue",),
        authorization_key_secrets=("GetSecretValue",),
    ),
    "broadcaster": Permissions(
        principal=TASK,
        tables={
            ATTEMPTS: GET + INSERT,
            TRANSACTIONS: GET + INSERT + UPDATE + QUERY + PING,
            MINTS: GET + UPDATE + PING,
            AUTHORIZATIONS: GET,
            CHECKPOINTS: GET,
            TRANSFERS: QUERY,
            TOKENS: GET,
        },
        indexes={TRANSACTIONS: ("open",), MINTS: ("open", "in_block")},
        asks_chain=True,
    ),
    "indexer": Permissions(
        principal=TASK,
        tables={
            TOKENS: GET + INSERT + UPDATE,
            BALANCES: GET + INSERT + UPDATE,
            TRANSFERS: QUERY + INSERT,
            BLOCKS: GET + QUERY + REPLACE + PRUNE,
            CHECKPOINTS: GET + INSERT + PING,
            FOLLOWED: QUERY + REPLACE,
            MINTS: GET + UPDATE,
            TRANSACTIONS: GET + UPDATE,
            ATTEMPTS: GET,
            COLLECTIONS: SCAN + UPDATE,
        },
        indexes={MINTS: ("by_token",)},
        asks_chain=True,
    ),
    RECONCILER: Permissions(
        principal=TASK,
        tables={
            CHECKPOINTS: GET + PING,
            FOLLOWED: QUERY,
            MINTS: GET,
            TRANSACTIONS: GET,
            TOKENS: GET,
            BALANCES: GET,
            TRANSFERS: GET,
            ATTEMPTS: GET,
        },
        indexes={MINTS: ("open", "in_block"), TRANSACTIONS: ("open", "in_block")},
        sparse_indexes={MINTS: ("in_block",), TRANSACTIONS: ("in_block",)},
        asks_chain=True,
    ),
    "notifier": Permissions(
        principal=TASK,
        tables={
            EVENTS: QUERY + INSERT + PING,
            EVENT_CURSORS: SCAN + INSERT + UPDATE + REPLACE + PRUNE,
            MINTS: GET + SCAN + PING,
            TRANSACTIONS: GET + PING,
            TRANSFERS: SCAN + PING,
            DROPS: SCAN + PING,
            WALLETS: SCAN + PING,
            LINKS: GET + SCAN + PING,
            METADATA_VERSIONS: SCAN + PING,
            NOTICES: SCAN + PING,
            TOKENS: GET,
            COLLECTIONS: GET,
            WEBHOOKS: CREATE_TOGETHER,
            WEBHOOK_PROGRESS: GET + INSERT + REPLACE,
            WEBHOOK_ATTEMPTS: PRUNE + REPLACE,
        },
        indexes={WEBHOOKS: ("open",)},
        sparse_indexes={WEBHOOKS: ("open",)},
        streams=(MINTS, TRANSACTIONS, TRANSFERS, DROPS, WALLETS, LINKS, METADATA_VERSIONS, NOTICES),
    ),
}
