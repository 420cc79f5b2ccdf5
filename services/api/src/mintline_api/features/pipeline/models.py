"""What operators get of the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from mintline.aws.dead_letters import DeadLetter
from mintline.fields import Address, Bytes32, Wei
from mintline.records.index import Checkpoint
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction, address_of
from mintline.resource_types import Queue
from mintline.resources import QUEUES
from mintline.text import bounded
from mintline.views.base import Time, View, rfc3339, rfc3339_or_none
from mintline.views.operations import ProblemView, waiting_view
from mintline_api.features.pipeline.dead_letters import MOST_REDRIVEN, letter_of, operation_of
from mintline_api.features.pipeline.ports import Part, Role
from mintline_api.features.pipeline.spending import Funds
from mintline_api.features.pipeline.use_cases import PipelineState, QueueState
from mintline_api.http.models import Input

EXCERPT = 300
"""Characters of the reason of a dead letter that are shown."""
_NAME = 64
"""Characters of what a message calls itself and its operation: strangers may have written it."""
QueueName = Literal["build", "sign", "broadcast"]
QUEUE_BY_NAME = {queue.name: queue for queue in QUEUES}


class QueueView(View):
    """A queue; the numbers are approximate, as SQS has them."""

    name: str
    waiting: int = Field(description="Messages that wait for a consumer.")
    in_flight: int = Field(description="Messages that a consumer has, or that are hidden until the next try.")
    dead_letters: int = Field(description="Dead letters.")


class DeadLetterView(View):
    """A message that is not tried again, and why."""

    queue: str = Field(description="The queue that it comes from.")
    message_id: str
    type: str | None = Field(description="The type that it names, such as `build_mint`.")
    operation_id: str | None = Field(description="The operation that it is about, if it is about one.")
    code: str = Field(description="Why it is here, as `docs/codes.md` lists it.")
    reason: str = Field(description="The same in words; of a long text the beginning.")
    digest: str | None = Field(
        description="Of the traceback: errors of one kind from one place share it. The service's log has it."
    )
    dead_lettered_at: Time


class RedriveRequest(Input):
    """Which dead letters go back to their queue."""

    queue: QueueName = Field(description="The queue that they come from.")
    message_ids: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=100)]],
            Field(min_length=1, max_length=MOST_REDRIVEN),
        ]
        | None
    ) = Field(
        default=None,
        description="Ids of dead letters; null: the first 100 of the queue, in order, and the next 100 when "
        "it is repeated.",
    )


class RedriveView(View):
    """What was sent back."""

    queue: str
    redriven: list[str] = Field(description="Ids of the dead letters that are in their queue again.")
    missing: list[str] = Field(
        description="Ids that were asked for and are not among the first 1,000 dead letters: they were sent "
        "back before, or somebody who looks at them holds them, for up to a minute."
    )


class BlocksView(View):
    """How far chain and index have come, by block numbers; null: not known."""

    head: int | None = Field(description="The chain's latest block.")
    indexed: int | None = Field(description="The newest block in the index.")
    finalized: int | None = Field(description="The newest block that is final, as the index has it.")
    behind: int | None = Field(description="Blocks that the index is behind the chain.")
    indexed_at: Time | None = Field(description="When the index last changed.")


class WaitingOperationView(View):
    """An operation that no transaction carries yet."""

    operation_id: str
    kind: str = Field(description="What it is: `mint`, `transfer`, `deploy` and so on.")
    status: str
    contract: Address
    created_at: Time
    waiting: ProblemView | None = Field(description="What it waits for, if somebody has to act.")
    dead_letter: str | None = Field(
        description="The `message_id` of the dead letter in `dead_letters` that is about it."
    )


class OpenTransactionView(View):
    """A transaction whose nonce is not used for good."""

    sender: Address
    nonce: int
    kind: str = Field(description="What it does: `batch`, `mint`, `top_up` and so on.")
    operations: int = Field(description="How many operations it carries.")
    state: str = Field(description="`reserved`, `submitted` or `mined`.")
    filling: bool = Field(description="Whether its nonce is filled by a transaction that does nothing.")
    attempts: int = Field(description="How many were signed; each pays more than the one before.")
    tx_hash: Bytes32 | None = Field(description="The mined attempt's, else the latest's.")
    reserved_at: Time
    submitted_at: Time | None


class SenderView(View):
    """A key that pays for gas."""

    address: Address
    role: Role
    balance: Wei
    transactions: int = Field(description="How many it sent in the last 24 hours.")
    per_day: Wei = Field(
        description="What these would cost at the present price of gas, if each used its gas limit."
    )
    days_left: float | None = Field(
        description="How long the balance lasts at that rate; null: it sent nothing."
    )


class PipelineView(View):
    """The pipeline. A part that did not respond within seconds is null, and named in `missing`."""

    read_at: Time
    missing: list[Part]
    queues: list[QueueView] | None
    dead_letters: list[DeadLetterView] | None = Field(
        description="The first 20 dead letters of each queue, at most ten of each sender, up to 15 seconds "
        "old; null as well if the queues are."
    )
    blocks: BlocksView
    operations: list[WaitingOperationView] | None = Field(
        description="Operations that no transaction carries yet, the 20 oldest. Mints whose voucher waits "
        "for their user's own wallet are left out."
    )
    transactions: list[OpenTransactionView] | None = Field(
        description="Transactions whose nonce is not used for good, the 20 oldest."
    )
    senders: list[SenderView] | None = Field(
        description="The treasury and the relayers; null as well if the API knows no node."
    )


def pipeline_view(state: PipelineState) -> PipelineView:
    """Return the public form of a state."""
    operations, transactions, funds = state.operations, state.transactions, state.funds
    letters = [letter for _, letter in state.dead_letters or ()]
    return PipelineView(
        read_at=rfc3339(state.read_at),
        missing=list(state.missing),
        queues=None if state.queues is None else [_queue(queue) for queue in state.queues],
        dead_letters=(
            None
            if state.dead_letters is None
            else [dead_letter_view(queue, letter) for queue, letter in state.dead_letters]
        ),
        blocks=_blocks(state.head, state.checkpoint),
        operations=None
        if operations is None
        else [_operation(operation, letters) for operation in operations],
        transactions=None
        if transactions is None
        else [_transaction(transaction) for transaction in transactions],
        senders=None if funds is None else [_sender(sender) for sender in funds],
    )


def dead_letter_view(queue: Queue, letter: DeadLetter) -> DeadLetterView:
    """Return the public form of a dead letter: its body is not shown."""
    kind, operation_id = letter.message.get("type"), operation_of(letter)
    return DeadLetterView(
        queue=queue.name,
        message_id=letter.message_id,
        type=bounded(kind, _NAME) if isinstance(kind, str) else None,
        operation_id=None if operation_id is None else bounded(operation_id, _NAME),
        code=bounded(letter.code, _NAME),
        reason=bounded(letter.reason, EXCERPT),
        digest=letter.digest or None,
        dead_lettered_at=rfc3339(round(letter.sent_at * 1000)),
    )


def _queue(state: QueueState) -> QueueView:
    return QueueView(
        name=state.queue.name,
        waiting=state.depth.visible,
        in_flight=state.depth.in_flight,
        dead_letters=state.dead_letters,
    )


def _blocks(head: int | None, checkpoint: Checkpoint | None) -> BlocksView:
    indexed = None if checkpoint is None else checkpoint.head_number
    return BlocksView(
        head=head,
        indexed=indexed,
        finalized=None if checkpoint is None else checkpoint.finalized_number,
        behind=None if head is None or indexed is None else max(0, head - indexed),
        indexed_at=None if checkpoint is None else rfc3339(checkpoint.updated_at),
    )


def _operation(operation: Operation, letters: Sequence[DeadLetter]) -> WaitingOperationView:
    letter = letter_of(letters, operation.operation_id)
    return WaitingOperationView(
        operation_id=operation.operation_id,
        kind=operation.kind,
        status=operation.status.value,
        contract=operation.contract,
        created_at=rfc3339(operation.created_at),
        waiting=waiting_view(operation),
        dead_letter=None if letter is None else letter.message_id,
    )


def _transaction(transaction: Transaction) -> OpenTransactionView:
    latest = transaction.attempts[-1].tx_hash if transaction.attempts else None
    return OpenTransactionView(
        sender=address_of(transaction.sender_id),
        nonce=transaction.nonce,
        kind=transaction.kind,
        operations=len(transaction.operations),
        state=transaction.state.value,
        filling=transaction.filling_at is not None,
        attempts=len(transaction.attempts),
        tx_hash=transaction.tx_hash or latest,
        reserved_at=rfc3339(transaction.reserved_at),
        submitted_at=rfc3339_or_none(transaction.submitted_at),
    )


def _sender(funds: Funds) -> SenderView:
    return SenderView(
        address=funds.sender.address,
        role=funds.sender.role,
        balance=funds.balance,
        transactions=funds.transactions,
        per_day=funds.per_day,
        days_left=funds.days_left,
    )
