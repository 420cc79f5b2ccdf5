"""Examples for the OpenAPI document."""

from __future__ import annotations

from mintline_api.features.examples import CONTRACT, MINT_ID, RECIPIENT, TX_HASH, WALLET
from mintline_api.features.operations.models import ProblemView
from mintline_api.features.pipeline.models import (
    BlocksView,
    DeadLetterView,
    OpenTransactionView,
    PipelineView,
    QueueView,
    RedriveView,
    SenderView,
    WaitingOperationView,
)

LETTER_ID = "5fea7756-0ea4-451a-a703-a558b933e274"
PIPELINE = PipelineView(
    read_at="2026-11-23T01:50:54.123Z",
    missing=[],
    queues=[
        QueueView(name="build", waiting=12, in_flight=3, dead_letters=1),
        QueueView(name="sign", waiting=0, in_flight=1, dead_letters=0),
        QueueView(name="broadcast", waiting=0, in_flight=0, dead_letters=0),
    ],
    dead_letters=[
        DeadLetterView(
            queue="build",
            message_id=LETTER_ID,
            type="build_mint",
            operation_id=MINT_ID,
            code="attempts_exhausted",
            reason="Unavailable: no node has block 21450902",
            digest="6f1ed002ab55",
            dead_lettered_at="2026-11-23T01:45:12.000Z",
        )
    ],
    blocks=BlocksView(
        head=21_450_903,
        indexed=21_450_902,
        finalized=21_450_838,
        behind=1,
        indexed_at="2026-11-23T01:50:51.004Z",
    ),
    operations=[
        WaitingOperationView(
            operation_id=MINT_ID,
            kind="mint",
            status="accepted",
            contract=CONTRACT,
            created_at="2026-11-23T01:32:10.870Z",
            waiting=ProblemView(
                code="collection_paused",
                reason="The collection is paused. Processing continues when it is unpaused.",
            ),
            dead_letter=LETTER_ID,
        )
    ],
    transactions=[
        OpenTransactionView(
            sender=WALLET,
            nonce=417,
            kind="batch",
            operations=100,
            state="submitted",
            filling=False,
            attempts=2,
            tx_hash=TX_HASH,
            reserved_at="2026-11-23T01:49:02.310Z",
            submitted_at="2026-11-23T01:49:03.120Z",
        )
    ],
    senders=[
        SenderView(
            address=RECIPIENT,
            role="treasury",
            balance=12_500_000_000_000_000_000,
            transactions=4,
            per_day=810_000_000_000_000_000,
            days_left=15.4,
        ),
        SenderView(
            address=WALLET,
            role="relayer",
            balance=940_000_000_000_000_000,
            transactions=131,
            per_day=205_000_000_000_000_000,
            days_left=4.6,
        ),
    ],
)
REDRIVE_JSON = {"queue": "build", "message_ids": [LETTER_ID]}
REDRIVEN = RedriveView(queue="build", redriven=[LETTER_ID], missing=[])
