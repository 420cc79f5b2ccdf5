from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from contextlib import AsyncExitStack
from typing import Any

import pytest
from typer.testing import CliRunner

from mintline.aws.dead_letters import DeadLetters
from mintline.aws.queues import Queues
from mintline.aws.session import AwsCalls, open_client
from mintline.messages.codec import decode, mint_id_of
from mintline.messages.work import BuildMint
from mintline.resources import BUILD, SIGN
from mintline.settings import ServiceSettings
from mintline_cli.main import app

pytestmark = pytest.mark.integration

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.fixture
async def letters(stack: AsyncExitStack, aws_settings: ServiceSettings, aws_prefix: str) -> DeadLetters:
    return DeadLetters(await open_client(stack, "sqs", aws_settings, calls=AwsCalls()), aws_prefix)


async def given_up(queues: Queues, *mint_ids: str, group: str = "g", code: str = "reverted") -> None:
    for mint_id in mint_ids:
        message = BuildMint(mint_id=mint_id, trace=TRACE)
        await queues.send(BUILD, message, group=group, dedup=f"build:{mint_id}")
        (received,) = await queues.receive(BUILD, wait=1)
        await queues.dead_letter(received, code=code, reason="No.", digest="0123456789abcdef")


async def mints_in(queues: Queues, count: int) -> list[str | None]:
    """Take messages out of the queue, in order."""
    mint_ids: list[str | None] = []
    while len(mint_ids) < count:
        batch = await queues.receive(BUILD, wait=1)
        assert batch
        for received in batch:
            mint_ids.append(mint_id_of(decode(received.body)))
            await queues.delete(received)
    return mint_ids


async def test_look__when_messages_were_given_up__then_shows_why_and_leaves_them_there(
    queues: Queues, letters: DeadLetters
) -> None:
    await given_up(queues, "m1", "m2")
    for _ in range(2):
        peeked = await letters.peek(BUILD, limit=100)
        assert [letter.message["mint_id"] for letter in peeked] == ["m1", "m2"]
    first = peeked[0]
    assert (first.code, first.reason, first.digest, first.trace) == (
        "reverted",
        "No.",
        "0123456789abcdef",
        TRACE,
    )
    assert (first.origin, first.group) == ("build", "g")
    assert await letters.waiting(BUILD) == 2
    assert await letters.peek(SIGN, limit=100) == []


async def test_redrive__when_all_are_sent_back__then_they_come_in_order_and_nothing_is_left(
    queues: Queues, letters: DeadLetters
) -> None:
    names = [f"m{number:02}" for number in range(23)]
    await given_up(queues, *names)
    # The queue saw their own deduplication ids less than five minutes ago.
    assert len(await letters.redrive(BUILD)) == 23
    assert await mints_in(queues, 23) == names
    assert await letters.waiting(BUILD) == 0


async def test_redrive__when_one_is_named__then_only_that_one_goes(
    queues: Queues, letters: DeadLetters
) -> None:
    await given_up(queues, "m1", "m2", "m3")
    second = (await letters.peek(BUILD, limit=100))[1]
    assert [letter.message_id for letter in await letters.redrive(BUILD, {second.message_id})] == [
        second.message_id
    ]
    assert await mints_in(queues, 1) == ["m2"]
    assert [letter.message["mint_id"] for letter in await letters.peek(BUILD, limit=9)] == ["m1", "m3"]


async def test_redrive__when_it_is_given_up_again__then_it_can_be_sent_back_again(
    queues: Queues, letters: DeadLetters
) -> None:
    await given_up(queues, "m1")
    for _ in range(2):
        await letters.redrive(BUILD)
        (received,) = await queues.receive(BUILD, wait=1)
        await queues.dead_letter(received, code="again", reason="No.", digest=None)
    assert await letters.waiting(BUILD) == 1


async def test_redrive__when_the_cause_is_not_mended__then_each_is_sent_back_once(
    queues: Queues, letters: DeadLetters
) -> None:
    names = [f"m{number:02}" for number in range(12)]
    await given_up(queues, *names)

    async def give_up_again() -> None:
        left = len(names)
        while left:
            for received in await queues.receive(BUILD, wait=1):
                await queues.dead_letter(received, code="again", reason="No.", digest=None)
                left -= 1

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(give_up_again())
        redriven = group.create_task(letters.redrive(BUILD))
    assert len(redriven.result()) == 12
    assert await letters.waiting(BUILD) == 12
    again = await letters.peek(BUILD, limit=100)
    assert {letter.code for letter in again} == {"again"}


async def test_drop__when_bounded__then_no_more_than_that_are_gone(
    queues: Queues, letters: DeadLetters
) -> None:
    await given_up(queues, "m1", "m2", "m3")
    assert len(await letters.drop(BUILD, limit=2)) == 2
    assert [letter.message["mint_id"] for letter in await letters.peek(BUILD, limit=9)] == ["m3"]


async def test_look__when_a_body_is_no_message__then_it_is_shown_all_the_same(
    queues: Queues, letters: DeadLetters
) -> None:
    await queues._send(BUILD.dead_letter_name(queues._prefix), "not json", group="g", dedup="d")
    (letter,) = await letters.peek(BUILD, limit=9)
    assert (letter.message, letter.body, letter.code) == ({}, "not json", "max_receives")


async def test_commands__when_a_deployment_is_named__then_list_show_redrive_and_drop_work_on_it(
    queues: Queues, letters: DeadLetters, aws_settings: ServiceSettings
) -> None:
    await given_up(queues, "m1", "m2", "m3")
    place = ["--prefix", aws_settings.resource_prefix, "--endpoint-url", str(aws_settings.aws_endpoint_url)]

    async def said(*words: str, code: int = 0) -> Any:
        command = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mintline_cli", "dlq", *words, *place, "--json", stdout=PIPE, stderr=PIPE
        )
        out, error = await command.communicate()
        assert command.returncode == code, error.decode()
        return json.loads(out) if out else None

    listed = await said("list")
    assert listed["sign"] == {"waiting": 0, "messages": []}
    ids = [message["message_id"] for message in listed["build"]["messages"]]
    shown = await said("show", "build", ids[0])
    assert (shown["mint_id"], shown["trace"], json.loads(shown["body"])["mint_id"]) == ("m1", TRACE, "m1")
    redriven = await said("redrive", "build", ids[0])
    assert [letter["message_id"] for letter in redriven["redriven"]] == ids[:1]
    assert (await said("drop", "build", "unknown", code=1))["missing"] == ["unknown"]
    refused = await said("drop", "build", "--all", code=1)
    assert refused == {"error": "dropping all messages of a queue needs --yes"}
    assert len((await said("drop", "build", "--all", "--yes"))["dropped"]) == 2
    assert await letters.waiting(BUILD) == 0


@pytest.mark.parametrize(
    "words",
    [
        ("redrive", "build"),
        ("redrive", "nowhere", "--all"),
        ("drop", "build", "id", "--all"),
        ("list", "odd"),
    ],
)
def test_commands__when_they_do_not_say_what__then_they_are_refused(words: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, ["dlq", *words, "--prefix", "x"]).exit_code == 2


async def test_dead_letters__when_a_role_may_read_them__then_a_session_of_it_does(
    stack: AsyncExitStack, aws_settings: ServiceSettings, aws_prefix: str, queues: Queues
) -> None:
    await given_up(queues, "m1")
    role = f"arn:aws:iam::000000000000:role/{aws_prefix}-redrive"
    client = await open_client(stack, "sqs", aws_settings, calls=AwsCalls(), role_arn=role)
    signers: set[str] = set()

    def note(request: Any, **_: Any) -> None:
        signers.add(request.headers["Authorization"].decode().partition("Credential=")[2][:4])
        signers.add("token" if request.headers.get("X-Amz-Security-Token") else "no token")

    client.meta.events.register("before-send.sqs", note)
    letters = DeadLetters(client, aws_prefix)

    [letter] = await letters.peek(BUILD, limit=1)
    assert [letter.message_id for letter in await letters.redrive(BUILD, [letter.message_id])] == [
        letter.message_id
    ]

    assert await mints_in(queues, 1) == ["m1"]
    # Credentials of a session begin with ASIA, and come with a token.
    assert signers == {"ASIA", "token"}
