import asyncio
import json

import pytest

from mintline.aws.queues import Queues, Received
from mintline.aws.session import AwsCalls
from mintline.errors import Conflict
from mintline.messages.codec import decode, mint_id_of
from mintline.messages.intents import SignNoop
from mintline.messages.parts import Fees, KeyRef
from mintline.messages.signed import Broadcast
from mintline.messages.work import BuildMint
from mintline.resources import BUILD, SIGN

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
SENDER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


async def drain(queues: Queues, count: int) -> list[Received]:
    received: list[Received] = []
    for _ in range(50):
        batch = await queues.receive(BUILD, wait=0)
        received += batch
        await asyncio.gather(*(queues.delete(received) for received in batch))
        if len(received) >= count:
            break
    return received


async def test_send__when_many_come_together__shares_requests_and_keeps_each_groups_order(
    queues: Queues, calls: AwsCalls
) -> None:
    await asyncio.gather(
        *(
            queues.send(BUILD, BuildMint(mint_id=f"{i}"), group=f"g{i % 3}", dedup=f"build:{i}")
            for i in range(60)
        )
    )
    assert calls.counts()["sqs", "SendMessageBatch"] == 6
    received = await drain(queues, 60)
    assert len(received) == 60
    for group in ("g0", "g1", "g2"):
        numbers = [
            int(mint_id_of(decode(received.body)) or -1) for received in received if received.group == group
        ]
        assert numbers == sorted(numbers)
    assert calls.counts()["sqs", "DeleteMessageBatch"] == 6
    assert (await queues.depth(BUILD)).visible == 0


async def test_receive__when_a_message_comes_while_it_waits__is_answered_before_the_emulator_looks_again(
    queues: Queues,
) -> None:
    loop = asyncio.get_running_loop()

    async def seconds_to(number: int) -> float:
        started = loop.time()
        receive = asyncio.create_task(queues.receive(BUILD, wait=5))
        for _ in range(2):
            await queues.ping(BUILD)  # by then the emulator has the other request
        await queues.send(BUILD, BuildMint(mint_id=f"{number}"), group="g", dedup=f"build:{number}")
        [received] = await receive
        taken = loop.time() - started
        await queues.delete(received)
        return taken

    # It looks every 0.1 seconds by itself. On a busy machine most may take longer for other reasons.
    for number in range(100):
        if await seconds_to(number) < 0.09:
            return
    pytest.fail("each receive took as long as the emulator's pause")


async def test_send__when_a_dedup_id_repeats__enqueues_once(queues: Queues) -> None:
    for _ in range(2):
        await queues.send(BUILD, BuildMint(mint_id="m"), group="g", dedup="build:m")
    assert len(await drain(queues, 2)) == 1


async def test_send__when_the_batch_would_be_too_long__splits_it_by_bytes(queues: Queues) -> None:
    intent = SignNoop(
        signer=KeyRef(address=SENDER, subject="user", chain_id=1, secret_id="secret"),
        chain_id=1,
        nonce=0,
        gas=21_000,
        fees=Fees(max_fee_per_gas=1, max_priority_fee_per_gas=1),
    )
    bulky = Broadcast(intent=intent, raw=bytes(30_000), tx_hash=bytes(32))
    sends = [queues.send(BUILD, bulky, group="g", dedup=str(i)) for i in range(8)]
    await asyncio.gather(*sends)
    assert (await queues.depth(BUILD)).visible == 8


async def test_receive__when_a_message_comes_back__counts_and_keeps_its_identity(queues: Queues) -> None:
    await queues.send(BUILD, BuildMint(mint_id="m"), group="g", dedup="d")
    (first,) = await queues.receive(BUILD, wait=1)
    assert (first.group, first.receive_count, first.queue) == ("g", 1, BUILD)
    await queues.change_visibility(first, 0)
    (second,) = await queues.receive(BUILD, wait=1)
    assert (second.message_id, second.receive_count) == (first.message_id, 2)
    assert second.body == first.body
    assert second.sent_at == first.sent_at > 1_600_000_000


async def test_receive__when_one_of_a_group_is_out__hides_the_rest_of_it(
    queues: Queues,
) -> None:
    for i in range(2):
        await queues.send(BUILD, BuildMint(mint_id=str(i)), group="g", dedup=str(i))
    (first,) = await queues.receive(BUILD, limit=1, wait=0)
    assert await queues.receive(BUILD, wait=0) == []
    await queues.delete(first)
    assert len(await queues.receive(BUILD, wait=0)) == 1


async def test_change_visibility__when_the_receipt_is_none__is_a_conflict(queues: Queues) -> None:
    await queues.send(BUILD, BuildMint(mint_id="m"), group="g", dedup="d")
    (received,) = await queues.receive(BUILD, wait=0)
    await queues.delete(received)
    with pytest.raises(Conflict):
        await queues.change_visibility(received, 10)


async def test_dead_letter__when_given_up__lies_in_the_other_queue_with_its_reason(
    queues: Queues, aws_prefix: str
) -> None:
    await queues.send(SIGN, BuildMint(mint_id="m", trace=TRACE), group="g", dedup="d")
    (received,) = await queues.receive(SIGN, wait=0)
    await queues.dead_letter(received, code="reverted", reason="the contract said no", digest="ab12")
    assert (await queues.depth(SIGN)).in_flight == 0
    assert (await queues.depth(SIGN, dead_letters=True)).visible == 1
    url = (await queues._sqs.get_queue_url(QueueName=SIGN.dead_letter_name(aws_prefix)))["QueueUrl"]
    response = await queues._sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])
    (message,) = response["Messages"]
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert json.loads(message["Body"])["mint_id"] == "m"
    assert attributes == {
        "code": "reverted",
        "reason": "the contract said no",
        "origin": "sign",
        "receive_count": "1",
        "message_id": received.message_id,
        "digest": "ab12",
        "trace": TRACE,
    }


async def test_renew__when_done__starts_the_count_afresh(queues: Queues) -> None:
    await queues.send(BUILD, BuildMint(mint_id="m"), group="g", dedup="d")
    for _ in range(3):
        (received,) = await queues.receive(BUILD, wait=0)
        await queues.change_visibility(received, 0)
    (received,) = await queues.receive(BUILD, wait=0)
    assert received.receive_count == 4
    await queues.renew(received)
    (fresh,) = await queues.receive(BUILD, wait=0)
    assert (fresh.receive_count, fresh.body) == (1, received.body)
