"""What kinds of AWS resources there are: `mintline.resources` declares each one of these types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Queue:
    """A FIFO queue with its dead-letter queue; `mintline.messages` says what the message groups are.

    `visibility_timeout` is in seconds and shorter than a human's patience: consumers extend it while they
    work, so it bounds how long a killed process delays its messages.
    `max_receives` is SQS's own backstop against messages that kill their consumer each time; poison that the
    consumer survives is dead-lettered by the consumer, with a reason.
    `senders` and `receiver` are roles: the queue's policy (`mintline.queue_policy`) denies all others.
    """

    name: str
    senders: tuple[str, ...]
    receiver: str
    visibility_timeout: int = 15
    retention: int = 14 * 24 * 3600
    max_receives: int = 1000

    def queue_name(self, prefix: str) -> str:
        """Return the queue's name on AWS."""
        return f"{prefix}-{self.name}.fifo"

    def dead_letter_name(self, prefix: str) -> str:
        """Return the name of its dead-letter queue."""
        return f"{prefix}-{self.name}-dlq.fifo"


@dataclass(frozen=True, slots=True)
class Key:
    """One attribute of a key schema."""

    name: str
    type: Literal["S", "N", "B"] = "S"


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index, projecting every attribute unless `keys_only`.

    A deployment may do without one that is `optional`: only queries need it, and DynamoDB fills it by itself
    when it is added later, since its keys are in the items in any case.
    """

    name: str
    partition: Key
    sort: Key | None = None
    keys_only: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """An on-demand DynamoDB table; `ttl` names the attribute that expires items, if any.

    One that is `streamed` has a stream of its changes, with items as they were and as they are: the notifier
    reads it. `generation` counts its key schemas: DynamoDB changes none, so each has a table of its own.
    """

    name: str
    partition: Key
    sort: Key | None = None
    indexes: tuple[Index, ...] = ()
    ttl: str | None = None
    generation: int = 1
    streamed: bool = False

    def index(self, name: str) -> Index:
        """Return an index by its name."""
        return next(index for index in self.indexes if index.name == name)

    def table_name(self, prefix: str) -> str:
        """Return the table's name on AWS: from its second generation on with the number of it."""
        name = f"{prefix}-{self.name}"
        return name if self.generation == 1 else f"{name}-{self.generation}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A private, versioned S3 bucket.

    `serves` says what CloudFront serves of it to the public: JSON alone, or media under the types they were
    stored with; None: nothing. Objects are deleted after `expires_days`, if it is set. Browsers may put
    objects by presigned URLs if it `takes_uploads`.
    """

    name: str
    serves: Literal["json", "media"] | None = None
    expires_days: int | None = None
    takes_uploads: bool = False

    def bucket_name(self, prefix: str) -> str:
        """Return the bucket's name on AWS."""
        return f"{prefix}-{self.name}"


@dataclass(frozen=True, slots=True)
class KmsKey:
    """A KMS key, found by its alias: symmetric, or for signatures of ECDSA on P-256 if it `signs`."""

    name: str
    signs: bool = False

    def alias(self, prefix: str) -> str:
        """Return the key's alias on AWS."""
        return f"alias/{prefix}-{self.name}"
