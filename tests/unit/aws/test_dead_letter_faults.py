"""Dead letters whose handling breaks off: what was sent is told, what was received is put back."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from mintline.aws.dead_letters import DeadLetter, DeadLetters
from mintline.errors import Unavailable
from mintline.resources import BUILD

if TYPE_CHECKING:
    from tests.unit.aws.conftest import Scripted


@pytest.fixture
def letters(client: "Scripted") -> DeadLetters:
    """Two batches of two dead letters, a to d; all that is done about them succeeds."""
    batches = [["a", "b"], ["c", "d"]]
    client.on("get_queue_url", lambda arguments: {"QueueUrl": arguments["QueueName"]})
    client.on(
        "receive_message", lambda _: {"Messages": list(map(message, batches.pop(0) if batches else []))}
    )
    client.on("send_message_batch", lambda arguments: {"Successful": arguments["Entries"]})
    client.on("delete_message_batch", lambda _: {})
    client.on("change_message_visibility_batch", lambda _: {})
    adapter: Any = client
    return DeadLetters(adapter, "p")


def message(name: str) -> dict[str, Any]:
    attributes = {"MessageGroupId": name, "SentTimestamp": "0"}
    return {"MessageId": name, "Body": name, "ReceiptHandle": name, "Attributes": attributes}


def put_back(client: "Scripted") -> list[str]:
    return [
        entry["ReceiptHandle"]
        for operation, arguments in client.requested
        if operation == "change_message_visibility_batch"
        for entry in arguments["Entries"]
    ]


@pytest.mark.parametrize(("breaks", "sent"), [("send", ["a", "b"]), ("delete", ["a", "b", "c", "d"])])
async def test_redrive__when_a_later_batch_fails__then_tells_what_is_sent_and_puts_the_rest_back(
    client: "Scripted", letters: DeadLetters, breaks: str, sent: list[str]
) -> None:
    def answer(arguments: dict[str, Any]) -> Any:
        later = client.count(f"{breaks}_message_batch") > 1
        return Unavailable("away") if later else {"Successful": arguments["Entries"]}

    client.on(f"{breaks}_message_batch", answer)
    heard: list[DeadLetter] = []

    with pytest.raises(Unavailable):
        await letters.redrive(BUILD, sent=heard.extend)

    assert [letter.message_id for letter in heard] == sent
    assert put_back(client) == ["c", "d"]


@pytest.mark.parametrize("then", ["returns", "fails"])
async def test_look__when_it_is_cancelled_while_it_puts_back__then_puts_back_to_the_end(
    client: "Scripted", letters: DeadLetters, then: str
) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    done: list[str] = []

    async def slowly(**arguments: Any) -> Any:
        began.set()
        await go_on.wait()
        done.extend(entry["ReceiptHandle"] for entry in arguments["Entries"])
        if then == "fails":
            raise Unavailable("away")

    adapter: Any = client
    adapter.change_message_visibility_batch = slowly
    look = asyncio.create_task(letters.peek(BUILD, limit=20))
    await began.wait()
    look.cancel()
    await asyncio.sleep(0)
    assert not look.done()

    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await look

    assert done == ["a", "b", "c", "d"]


async def test_look__when_putting_back_hangs__then_one_who_is_cancelled_does_not_wait_for_ever(
    client: "Scripted", letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = asyncio.Event()

    async def hang(**_: Any) -> Any:
        began.set()
        await asyncio.Event().wait()

    adapter: Any = client
    adapter.change_message_visibility_batch = hang
    monkeypatch.setattr("mintline.aws.dead_letters.PUT_BACK_SECONDS", 0.01)
    look = asyncio.create_task(letters.peek(BUILD, limit=20))
    await began.wait()
    look.cancel()

    with pytest.raises(asyncio.CancelledError):
        await look
