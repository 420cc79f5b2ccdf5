"""What operators get of the pipeline."""

from __future__ import annotations

from pydantic import Field

from mintline.fields import Address, Bytes32, Wei
from mintline.records.index import Checkpoint
from mintline.records.operations import Operation
from mintline.records.transactions import Transaction, address_of
from mintline.views.base import Time, View, rfc3339, rfc3339_or_none
from mintline.views.operations import ProblemView, waiting_view
from mintline_api.features.pipeline.ports import Part, Role
from mintline_api.features.pipeline.spending import Funds
from mintline_api.features.pipeline.use_cases import PipelineState, QueueState


class QueueView(View):
    """A queue; the numbers are approximate, as SQS has them."""

    name: str
    waiting: int = Field(description="Messages that wait for a consumer.")
    in_flight: int = Field(description="Messages that a consumer has, or that are hidden until the next try.")
    dead_letters: int = Field(description="Dead letters; `mintline dlq list` says why.")


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
    return PipelineView(
        read_at=rfc3339(state.read_at),
        missing=list(state.missing),
        queues=None if state.queues is None else [_queue(one) for one in state.queues],
        blocks=_blocks(state.head, state.checkpoint),
        operations=None if operations is None else [_operation(one) for one in operations],
        transactions=None if transactions is None else [_transaction(one) for one in transactions],
        senders=None if funds is None else [_sender(one) for one in funds],
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


def _operation(operation: Operation) -> WaitingOperationView:
    return WaitingOperationView(
        operation_id=operation.operation_id,
        kind=operation.kind,
        status=operation.status.value,
        contract=operation.contract,
        created_at=rfc3339(operation.created_at),
        waiting=waiting_view(operation),
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
