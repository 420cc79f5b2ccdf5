"""Batches of which SQS takes only a part."""

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from mintline.aws.dead_letters import DeadLetter
from mintline.aws.queues import MESSAGE_BYTES, Queues, Received, SendRefused
from mintline.errors import Conflict, Throttled, Unavailable
from mintline.messages.work import BuildMint
from mintline.resources import BUILD

if TYPE_CHECKING:
    from tests.unit.aws.conftest import Scripted


@pytest.fixture
def queues(client: "Scripted", naps: list[float]) -> Queues:
    async def sleep(seconds: float) -> None:
        naps.append(seconds)

    client.on("get_queue_url", lambda arguments: {"QueueUrl": f"http://q/{arguments['QueueName']}"})
    adapter: Any = client
    return Queues(adapter, "p", linger=0.001, sleep=sleep, rng=Random(1))


def received(n: int = 1) -> Received:
    return Received(BUILD, "{}", f"receipt-{n}", f"id-{n}", "g", 1, 0.0)


async def send(queues: Queues, n: int) -> None:
    await queues.send(BUILD, BuildMint(mint_id=f"m{n}"), group="g", dedup=f"d{n}")


async def test_send__when_sqs_fails_some__repeats_those_alone(
    client: "Scripted", queues: Queues, naps: list[float]
) -> None:
    sent: list[list[str]] = []

    def answer(arguments: dict[str, Any]) -> Any:
        entries = arguments["Entries"]
        sent.append([entry["MessageDeduplicationId"] for entry in entries])
        return {
            "Successful": [{"Id": entries[0]["Id"]}],
            "Failed": [{"Id": e["Id"], "SenderFault": False, "Code": "InternalError"} for e in entries[1:]],
        }

    client.on("send_message_batch", answer)
    await asyncio.gather(*(send(queues, n) for n in range(3)))
    assert sent == [["d0", "d1", "d2"], ["d1", "d2"], ["d2"]]
    assert len(naps) == 2


async def test_send__when_sqs_keeps_failing__is_unavailable(client: "Scripted", queues: Queues) -> None:
    client.on(
        "send_message_batch",
        lambda _: {"Failed": [{"Id": "0", "SenderFault": False, "Code": "InternalError"}]},
    )
    with pytest.raises(Unavailable, match="InternalError"):
        await send(queues, 1)


async def test_send__when_one_message_is_at_fault__refuses_it_and_takes_the_rest(
    client: "Scripted", queues: Queues
) -> None:
    def answer(arguments: dict[str, Any]) -> Any:
        ids = [entry["Id"] for entry in arguments["Entries"]]
        fault = {"Id": ids[1], "SenderFault": True, "Code": "InvalidMessageContents"}
        return {"Successful": [{"Id": i} for i in ids if i != ids[1]], "Failed": [fault]}

    client.on("send_message_batch", answer)
    results = await asyncio.gather(*(send(queues, n) for n in range(3)), return_exceptions=True)
    assert results[0] is None
    assert isinstance(results[1], SendRefused)
    assert results[2] is None
    assert client.count("send_message_batch") == 1


async def test_delete__when_the_receipt_ran_out__is_a_conflict(client: "Scripted", queues: Queues) -> None:
    fault = {"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}
    client.on("delete_message_batch", lambda _: {"Failed": [fault]})
    with pytest.raises(Conflict, match="ReceiptHandleIsInvalid"):
        await queues.delete(received())


async def test_visibility__when_many_change__shares_a_request(client: "Scripted", queues: Queues) -> None:
    client.on(
        "change_message_visibility_batch",
        lambda arguments: {"Successful": [{"Id": entry["Id"]} for entry in arguments["Entries"]]},
    )
    await asyncio.gather(*(queues.change_visibility(received(n), 30 + n) for n in range(10)))
    ((_, request),) = [call for call in client.requested if call[0] == "change_message_visibility_batch"]
    assert [(e["ReceiptHandle"], e["VisibilityTimeout"]) for e in request["Entries"]] == [
        (f"receipt-{n}", 30 + n) for n in range(10)
    ]


async def test_dead_letter__when_the_copy_fails__keeps_it(client: "Scripted", queues: Queues) -> None:
    client.on(
        "send_message_batch",
        lambda _: ClientError({"Error": {"Code": "RequestThrottled"}}, "SendMessageBatch"),
    )
    with pytest.raises(Throttled):
        await queues.dead_letter(received(), code="c", reason="r", digest=None)
    assert client.count("delete_message_batch") == 0


async def test_dead_letter__when_the_receipt_ran_out__is_done(client: "Scripted", queues: Queues) -> None:
    client.on("send_message_batch", lambda _: {"Successful": [{"Id": "0"}]})
    fault = {"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}
    client.on("delete_message_batch", lambda _: {"Failed": [fault]})
    await queues.dead_letter(received(), code="c", reason="r" * 5000, digest=None)
    ((_, request),) = [call for call in client.requested if call[0] == "send_message_batch"]
    assert request["QueueUrl"] == "http://q/p-build-dlq.fifo"
    (entry,) = request["Entries"]
    assert entry["MessageDeduplicationId"] == "id-1"
    assert "digest" not in entry["MessageAttributes"]
    assert len(entry["MessageAttributes"]["reason"]["StringValue"]) == 1000


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (0, set()),
        (11, {"code"}),
        (10, set()),
        (25, {"code", "reason"}),
        (90, {"code", "reason", "origin", "receive_count", "message_id"}),
    ],
)
async def test_dead_letter__when_the_body_leaves_little_room__says_what_fits(
    client: "Scripted", queues: Queues, room: int, kept: set[str]
) -> None:
    client.on("send_message_batch", lambda _: {"Successful": [{"Id": "0"}]})
    client.on("delete_message_batch", lambda _: {"Successful": [{"Id": "0"}]})
    body = "." * (room % 2) + "é" * ((MESSAGE_BYTES - room) // 2)
    large = Received(BUILD, body, "receipt", "id", "g", 1, 0.0)
    await queues.dead_letter(large, code="c", reason="r", digest="d")
    ((_, request),) = [call for call in client.requested if call[0] == "send_message_batch"]
    (entry,) = request["Entries"]
    assert entry["MessageBody"] == large.body
    assert set(entry.get("MessageAttributes", {})) == kept


async def test_url__when_a_look_up_fails__is_looked_up_again(client: "Scripted", queues: Queues) -> None:
    answers: list[Any] = [
        ClientError({"Error": {"Code": "ServiceUnavailable"}}, "GetQueueUrl"),
        {"QueueUrl": "http://q/x"},
    ]
    client.on("get_queue_url", lambda _: answers.pop(0))
    client.on("send_message_batch", lambda _: {"Successful": [{"Id": "0"}]})
    with pytest.raises(Unavailable):
        await send(queues, 1)
    await send(queues, 2)
    await send(queues, 3)
    assert answers == []


async def test_dead_letter__when_the_body_is_nested_deeper_than_json_is_read__moves_it(
    client: "Scripted", queues: Queues
) -> None:
    moved: list[str] = []

    def answer(arguments: dict[str, Any]) -> Any:
        moved.extend(entry["MessageBody"] for entry in arguments["Entries"])
        return {"Successful": [{"Id": "0"}]}

    client.on("send_message_batch", answer)
    client.on("delete_message_batch", lambda _: {"Successful": [{"Id": "0"}]})
    deep = Received(BUILD, "[" * 20_000, "receipt", "id", "g", 1, 0.0)
    await queues.dead_letter(deep, code="undecodable", reason="No.", digest=None)
    assert moved == [deep.body]


def test_letter__when_its_body_is_nested_deeper_than_json_is_read__is_shown_without_a_type() -> None:
    letter = DeadLetter("id", "build", "g", "[" * 20_000, "undecodable", "No.", "", "", 0.0, "receipt")
    assert letter.to_json()["type"] is None
