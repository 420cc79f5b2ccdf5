"""Example drops for the documentation."""

from __future__ import annotations

from mintline.drop_records import Drop, DropCost, DropStatus, Repetition, Repetitions, Upload
from mintline.records.problems import Problem
from mintline_api.features.drops.models import (
    CostEstimate,
    DropList,
    DropMintList,
    DryRunView,
    TimeEstimate,
    WalletsEstimate,
    drop_view,
    lines_view,
)
from mintline_api.features.examples import CONTRACT
from mintline_api.features.mints.examples import MINED

CREATED_AT = 1_795_000_000_000
DROP_ID = "drop_7H2KQ0S5V9XW3Z8R4T6Y1B2C3D"
DROP_REQUEST_JSON = {"name": "Spring airdrop", "contract": CONTRACT}
LINES = (
    '{"recipient":{"email":"ada@example.com"},"metadata":{"name":"Aurora #1","image":"ipfs://bafy…/1.png"}}\n'
)
CSV = "email,name,image,tags\r\nada@example.com,Aurora #1,ipfs://bafy…/1.png,spring;vip\r\n"
_DRAFT = Drop(
    drop_id=DROP_ID,
    version=3,
    client_id="2k1exampleclientid",
    chain_id=1,
    contract=CONTRACT,
    name="Spring airdrop",
    status=DropStatus.DRAFT,
    request_digest="",
    created_at=CREATED_AT,
    updated_at=CREATED_AT,
    upload=Upload(
        format="ndjson",
        offset=2_345_678,
        lines=10_000,
        parts=40,
        accepted=9_958,
        refused=42,
        addresses=9_000,
        emails=950,
        repeated_recipients=Repetitions(count=8, examples=(Repetition(line=812, first=17),)),
    ),
)
_PREPARED = _DRAFT.evolve(
    version=90,
    status=DropStatus.PREPARED,
    prepared_parts=40,
    chunks=40,
    users_made=864,
    lines=9_958,
    root=b"\x5a" * 32,
)
_RUNNING = _PREPARED.evolve(
    version=140,
    status=DropStatus.RUNNING,
    authorized_until=CREATED_AT + 3_600_000,
    fed_chunks=12,
    fed=3_000,
    counts={"accepted": 250, "submitted": 500, "mined": 2_250},
    cost=DropCost(lines=2_250, gas=2_250 * 50_481, wei=2_250 * 50_481 * 1_200_000_000),
    started_at=CREATED_AT + 60_000,
    running_since=CREATED_AT + 60_000,
)
_NOW = CREATED_AT + 75_000
_PAUSED = _RUNNING.evolve(
    version=141,
    status=DropStatus.PAUSED,
    paused=Problem(code="paused-by-client", reason="The client paused it. It goes on with a resume."),
)
_CANCELLED = _RUNNING.evolve(version=141, status=DropStatus.CANCELLED, cancelled_at=_NOW)

CREATED = drop_view(
    _DRAFT.evolve(version=0, upload=Upload()),
    now=CREATED_AT,
)
TAKEN = lines_view(_DRAFT)
PREPARING = drop_view(_DRAFT.evolve(status=DropStatus.PREPARING), now=CREATED_AT)
RUNNING = drop_view(_RUNNING, now=_NOW)
PAUSED = drop_view(_PAUSED, now=_NOW)
CANCELLED = drop_view(_CANCELLED, now=_NOW)
DROPS = DropList(items=[RUNNING], next_cursor=None)
DRY_RUN = DryRunView(
    lines=9_958,
    tokens=9_958,
    refused=42,
    over_cap=0,
    items_refused=0,
    wallets=WalletsEstimate(to_make=864, at_most=950, looked_up=99, exact=False),
    gas=9_958 * 52_000,
    gas_per_line=52_000,
    gas_from="collection",
    costs=[
        CostEstimate(level="low", wei_per_gas=1_100_000_000, wei=9_958 * 52_000 * 1_100_000_000),
        CostEstimate(level="expected", wei_per_gas=1_600_000_000, wei=9_958 * 52_000 * 1_600_000_000),
        CostEstimate(level="high", wei_per_gas=2_100_000_000, wei=9_958 * 52_000 * 2_100_000_000),
    ],
    seconds_at_least=TimeEstimate(preparation=35, minting=208),
)
REFUSED = (
    '{"recipient":{"email":"ada@example"},"metadata":{"name":"Aurora #1","image":"ipfs://bafy…/1.png"},'
    '"refused":{"line":1,"errors":[{"pointer":"#/recipient/email","detail":"expected a domain name after the '
    '@, such as example.com"}]}}\n'
)
MINTS = DropMintList(items=[MINED], next_cursor=None)
