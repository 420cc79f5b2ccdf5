import asyncio
import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry

from mintline.admin import Admin, Check
from mintline.errors import Unavailable
from mintline_indexer.chain_port import Ref
from mintline_indexer.follow import PastFinality
from mintline_indexer.indexer import WHAT_TO_DO


async def good() -> None:
    pass


async def slow() -> None:
    await asyncio.sleep(0.1)


async def hung() -> None:
    await asyncio.Event().wait()


async def broken() -> None:
    raise Unavailable("GetQueueUrl: ServiceUnavailable")


def admin(checks: Mapping[str, Check], *, timeout: float = 0.5) -> Admin:
    return Admin(host="127.0.0.1", port=0, checks=checks, registry=CollectorRegistry(), timeout=timeout)


async def test_readiness__when_one_dependency_hangs__still_answers_about_the_others() -> None:
    answers = await admin({"sqs": good, "rpc": hung, "dynamodb": broken}, timeout=0.05).readiness()
    assert answers == {
        "sqs": "ok",
        "rpc": "no answer within 0.05 s",
        "dynamodb": "Unavailable: GetQueueUrl: ServiceUnavailable",
    }


async def test_readiness__when_checks_are_slow__runs_them_together() -> None:
    started = time.monotonic()
    answers = await admin({f"dependency-{n}": slow for n in range(20)}).readiness()
    assert set(answers.values()) == {"ok"}
    assert time.monotonic() - started < 1.0


async def test_readiness__when_the_index_is_halted__then_both_hashes_and_what_to_do_can_be_read() -> None:
    halted = PastFinality(Ref(1_234_567_890, bytes(32), 0), b"\xff" * 32)

    async def index() -> None:
        raise Unavailable(f"reorg past finality: {halted}; {WHAT_TO_DO}")

    text = (await admin({"index": index}).readiness())["index"]
    assert "00" * 32 in text
    assert "ff" * 32 in text
    assert text.endswith(WHAT_TO_DO)
