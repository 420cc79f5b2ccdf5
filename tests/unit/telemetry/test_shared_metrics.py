from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Sequence
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from mintline import acknowledgement
from mintline.cache_metrics import CacheMetrics
from mintline.chain.rpc import Rpc, RpcError
from mintline.chain.rpc_metrics import RpcMetrics
from mintline.chain.transport import Request
from mintline.consumer import Consumer, ConsumerMetrics
from mintline.consumer_metrics import OUTCOMES
from mintline.errors import Deferred, Unavailable
from mintline.messages.codec import AnyMessage
from mintline.messages.work import BuildMint
from mintline.resources import BUILD
from mintline.stage_metrics import StageMetrics
from mintline.states import MintStatus
from mintline_testkit.queues import MemoryQueues

FIRST, SECOND = "https://user:secret@first.example/key", "https://second.example/key"


class OneSick:
    """The first endpoint is down; the second answers, `eth_estimateGas` with an error."""

    async def exchange(self, url: str, requests: Sequence[Request]) -> Any:
        if url == FIRST:
            raise Unavailable("down")
        answers = [
            {"error": {"code": 3, "message": "execution reverted"}}
            if request.method == "eth_estimateGas"
            else {"result": "0x1"}
            for request in requests
        ]
        return answers if len(requests) > 1 else answers[0]

    async def aclose(self) -> None:
        pass


async def test_rpc_metrics__when_an_endpoint_fails__count_each_call_by_host_method_and_outcome() -> None:
    registry = CollectorRegistry()
    rpc = Rpc([FIRST, SECOND], transport=OneSick(), observer=RpcMetrics(registry))
    await rpc.call("eth_chainId", [])
    with pytest.raises(RpcError):
        await rpc.call("eth_estimateGas", [])
    await rpc.aclose()

    def calls(endpoint: str, method: str, outcome: str) -> float | None:
        labels = {"endpoint": endpoint, "method": method, "outcome": outcome}
        return registry.get_sample_value("mintline_rpc_calls_total", labels)

    assert calls("first.example", "eth_chainId", "failed") == 1
    assert calls("second.example", "eth_chainId", "answered") == 1
    assert calls("second.example", "eth_estimateGas", "refused") == 1
    exchanges = registry.get_sample_value(
        "mintline_rpc_exchange_seconds_count", {"endpoint": "second.example"}
    )
    assert exchanges == 2


def test_cache_metrics__when_a_cache_is_asked__count_hits_and_misses_apart() -> None:
    registry = CollectorRegistry()
    looked_up = CacheMetrics(registry).of("wallets")
    for hit in (True, True, False):
        looked_up(hit)
    counts = [
        registry.get_sample_value("mintline_cache_lookups_total", {"cache": "wallets", "result": result})
        for result in ("hit", "miss")
    ]
    assert counts == [2, 1]


def test_counters_of_kinds__when_nothing_has_happened__stand_at_zero() -> None:
    registry = CollectorRegistry()
    StageMetrics(registry)
    ConsumerMetrics(registry).expect("sign")

    for status in MintStatus:
        assert registry.get_sample_value("mintline_mints_total", {"status": status.value}) == 0
    table = re.findall(r"(?m)^(?:returns|raises|fails|is cut).*  (\w+)$", acknowledgement.__doc__ or "")
    assert sorted(table) == sorted(OUTCOMES)
    for outcome in OUTCOMES:
        labels = {"queue": "sign", "outcome": outcome}
        assert registry.get_sample_value("mintline_messages_total", labels) == 0


def test_stage_metrics__when_the_time_is_unknown__count_the_mint_without_timing_it() -> None:
    registry = CollectorRegistry()
    stages = StageMetrics(registry)
    stages.reached(MintStatus.BUILT, after=0.7)
    stages.reached(MintStatus.BUILT)
    assert registry.get_sample_value("mintline_mints_total", {"status": "built"}) == 2
    assert registry.get_sample_value("mintline_stage_seconds_count", {"status": "built"}) == 1
    within = registry.get_sample_value("mintline_stage_seconds_bucket", {"status": "built", "le": "1.0"})
    assert within == 1


async def test_message_age__when_a_message_was_deferred_first__runs_from_its_sending() -> None:
    registry = CollectorRegistry()
    queues = MemoryQueues(clock=lambda: clock[0], sleep=lambda _: asyncio.sleep(0))
    clock = [100.0]
    attempts: list[float] = []

    async def handle(_: AnyMessage) -> None:
        attempts.append(clock[0])
        if len(attempts) == 1:
            clock[0] += 5
            raise Deferred("not yet", retry_after=1)
        clock[0] += 2

    await queues.send(BUILD, BuildMint(mint_id="mint_1"), group="a", dedup="a")
    stop = asyncio.Event()
    consumer = Consumer(
        queues=queues,
        queue=BUILD,
        handle=handle,
        wait=0,
        metrics=ConsumerMetrics(registry),
        rng=random.Random(1),
        now=lambda: clock[0],
    )
    running = asyncio.create_task(consumer.run(stop))
    async with asyncio.timeout(5):
        while queues.waiting(BUILD):
            clock[0] += 0.5 if len(attempts) == 1 else 0
            await asyncio.sleep(0.01)
    stop.set()
    await running
    assert registry.get_sample_value("mintline_message_age_seconds_count", {"queue": "build"}) == 1
    age = registry.get_sample_value("mintline_message_age_seconds_sum", {"queue": "build"})
    assert age is not None
    assert age == pytest.approx(clock[0] - 100, abs=1.0)
    assert age >= 8
