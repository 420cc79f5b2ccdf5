"""What DynamoDB leaves undone, refuses or fails: behaviours that an emulator does not show on demand."""

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from structlog.testing import capture_logs

from mintline.aws.dynamo import (
    Clause,
    ConditionFailed,
    Contended,
    Dynamo,
    Put,
    TransactionCancelled,
    Update,
)
from mintline.errors import Throttled, Unavailable, Unwritable
from mintline.resources import MINTS

if TYPE_CHECKING:
    from tests.unit.aws.conftest import Scripted

NEW = Clause("new", "mint_id", "missing")
SOURCE = Clause("source", "status", "eq", ("accepted",))


@pytest.fixture
def dynamo(client: "Scripted", naps: list[float]) -> Dynamo:
    async def sleep(seconds: float) -> None:
        naps.append(seconds)

    adapter: Any = client
    return Dynamo(adapter, "p", linger=0.001, sleep=sleep, rng=Random(1))


def put(n: int) -> Put:
    return Put(MINTS, {"mint_id": f"m{n}"}, where=(NEW,))


def key(n: int) -> dict[str, Any]:
    return {"mint_id": {"S": f"m{n}"}}


async def test_get__when_keys_are_left_unprocessed__asks_again_for_those(
    client: "Scripted", dynamo: Dynamo, naps: list[float]
) -> None:
    def answer(arguments: dict[str, Any]) -> Any:
        keys = arguments["RequestItems"]["p-mints"]["Keys"]
        left = {"p-mints": {"Keys": keys[1:], "ConsistentRead": True}} if keys[1:] else {}
        return {"Responses": {"p-mints": keys[:1]}, "UnprocessedKeys": left}

    client.on("batch_get_item", answer)
    items = await asyncio.gather(*(dynamo.get(MINTS, {"mint_id": f"m{n}"}) for n in range(3)))
    assert [item and item["mint_id"] for item in items] == ["m0", "m1", "m2"]
    assert client.count("batch_get_item") == 3
    assert len(naps) == 2
    assert naps == sorted(naps)


async def test_get__when_a_key_is_empty__fails_its_caller_alone(dynamo: Dynamo, client: "Scripted") -> None:
    with pytest.raises(ValueError, match="empty key"):
        await dynamo.get(MINTS, {"mint_id": ""})

    assert client.count("batch_get_item") == 0


async def test_get__when_a_key_stays_unprocessed__throttles_its_callers_alone(
    client: "Scripted", dynamo: Dynamo
) -> None:
    def answer(arguments: dict[str, Any]) -> Any:
        keys = arguments["RequestItems"]["p-mints"]["Keys"]
        left = {"p-mints": {"Keys": [key(1)], "ConsistentRead": True}}
        return {"Responses": {"p-mints": [k for k in keys if k != key(1)]}, "UnprocessedKeys": left}

    client.on("batch_get_item", answer)
    asks = [dynamo.get(MINTS, {"mint_id": f"m{n}"}) for n in range(3)]
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert results[0] == {"mint_id": "m0"}
    assert isinstance(results[1], Throttled)
    assert results[2] == {"mint_id": "m2"}


async def test_write__when_statements_are_throttled__repeats_only_those(
    client: "Scripted", dynamo: Dynamo
) -> None:
    rounds: list[int] = []

    def answer(arguments: dict[str, Any]) -> Any:
        rounds.append(len(arguments["Statements"]))
        throttled = {"Error": {"Code": "ThrottlingError", "Message": "slow down"}}
        return {"Responses": [{}] + [throttled] * (len(arguments["Statements"]) - 1)}

    client.on("batch_execute_statement", answer)
    await asyncio.gather(*(dynamo.write(put(n)) for n in range(4)))
    assert rounds == [4, 3, 2, 1]


@pytest.mark.parametrize("code", ["ThrottlingError", "TransactionConflict", "InternalServerError"])
async def test_write__when_a_statement_never_gets_through__is_throttled_and_no_conflict(
    client: "Scripted", dynamo: Dynamo, naps: list[float], code: str
) -> None:
    client.on("batch_execute_statement", lambda _: {"Responses": [{"Error": {"Code": code}}]})
    with pytest.raises(Throttled, match=code):
        await dynamo.write(put(1))
    assert 2 < sum(naps) < 10


async def test_write__when_aws_sends_no_item_with_a_duplicate__asks_the_single_item_api(
    client: "Scripted", dynamo: Dynamo
) -> None:
    client.on("batch_execute_statement", lambda _: {"Responses": [{"Error": {"Code": "DuplicateItem"}}]})
    client.on(
        "put_item",
        lambda _: ClientError(
            {"Error": {"Code": "ConditionalCheckFailedException"}, "Item": {**key(1), "n": {"N": "5"}}},  # type: ignore[typeddict-unknown-key] # DynamoDB's own
            "PutItem",
        ),
    )
    with pytest.raises(ConditionFailed) as failed:
        await dynamo.write(put(1))
    assert failed.value.item == {"mint_id": "m1", "n": 5}


async def test_write__when_aws_sends_the_item_with_a_duplicate__asks_nothing_more(
    client: "Scripted", dynamo: Dynamo
) -> None:
    error = {"Code": "DuplicateItem", "Item": key(1)}
    client.on("batch_execute_statement", lambda _: {"Responses": [{"Error": error}]})
    with pytest.raises(ConditionFailed) as failed:
        await dynamo.write(put(1))
    assert failed.value.item == {"mint_id": "m1"}
    assert client.count("put_item") == 0


UPDATE = Update(
    MINTS, {"mint_id": "m1"}, set={"status": "built", "at": 5}, remove=("metadata",), where=(SOURCE,)
)
DONE = {"mint_id": {"S": "m1"}, "status": {"S": "built"}, "at": {"N": "5"}, "other": {"S": "x"}}


@pytest.mark.parametrize(
    ("retries", "item", "succeeds"),
    [
        (1, DONE, True),
        (0, DONE, False),
        (1, {**DONE, "at": {"N": "6"}}, False),
        (1, {**DONE, "metadata": {"S": "{}"}}, False),
        (1, None, False),
    ],
)
async def test_write__when_the_sdk_repeated_it__recognizes_its_own_work(
    client: "Scripted", dynamo: Dynamo, retries: int, item: Any, *, succeeds: bool
) -> None:
    error = {"Code": "ConditionalCheckFailed", **({"Item": item} if item else {})}
    metadata = {"RetryAttempts": retries}
    client.on(
        "batch_execute_statement", lambda _: {"Responses": [{"Error": error}], "ResponseMetadata": metadata}
    )
    if succeeds:
        await dynamo.write(UPDATE)
    else:
        with pytest.raises(ConditionFailed):
            await dynamo.write(UPDATE)


async def test_write__when_a_failed_statement_did_happen__is_not_its_own_conflict(
    client: "Scripted", dynamo: Dynamo
) -> None:
    answers: list[Any] = [{"Code": "InternalServerError"}, {"Code": "DuplicateItem", "Item": key(1)}]
    client.on("batch_execute_statement", lambda _: {"Responses": [{"Error": answers.pop(0)}]})
    await dynamo.write(put(1))
    assert answers == []


async def test_write__when_two_writes_of_one_item_meet__then_they_go_in_two_requests_in_order(
    client: "Scripted", dynamo: Dynamo
) -> None:
    def update(n: int, status: str) -> Update:
        return Update(MINTS, {"mint_id": f"m{n}"}, set={"status": status}, where=(SOURCE,))

    client.on("batch_execute_statement", lambda request: {"Responses": [{} for _ in request["Statements"]]})
    writes = (update(0, "a"), update(1, "b"), update(0, "c"), update(0, "d"))
    await asyncio.gather(*(dynamo.write(write) for write in writes))
    # DynamoDB refuses a batch that names one item twice.
    sent = [
        [statement["Parameters"][0]["S"] for statement in arguments["Statements"]]
        for _, arguments in client.requested
    ]
    assert sent == [["a", "b"], ["c"], ["d"]]


async def test_get__when_two_ask_for_one_key__gives_each_an_item_of_its_own(
    client: "Scripted", dynamo: Dynamo
) -> None:
    client.on("batch_get_item", lambda _: {"Responses": {"p-mints": [key(1)]}, "UnprocessedKeys": {}})
    first, other = await asyncio.gather(*(dynamo.get(MINTS, {"mint_id": "m1"}) for _ in range(2)))
    assert first == other
    assert first is not other


async def test_write__when_partiql_refuses_a_statement__falls_back_to_the_single_item_api(
    client: "Scripted", dynamo: Dynamo
) -> None:
    client.on(
        "batch_execute_statement",
        lambda arguments: {
            "Responses": [{}] + [{"Error": {"Code": "ValidationError"}}] * (len(arguments["Statements"]) - 1)
        },
    )
    client.on("update_item", lambda _: {})
    update = Update(MINTS, {"mint_id": "m1"}, set={"status": "built"}, where=(SOURCE,))
    with capture_logs() as logs:
        await asyncio.gather(dynamo.write(put(0)), dynamo.write(update))
    assert client.count("update_item") == 1
    assert [entry["event"] for entry in logs] == ["partiql_statement_refused"]


async def test_write__when_plain_items_are_left_unprocessed__writes_those_again(
    client: "Scripted", dynamo: Dynamo
) -> None:
    sizes: list[int] = []

    def answer(arguments: dict[str, Any]) -> Any:
        requests = arguments["RequestItems"]["p-mints"]
        sizes.append(len(requests))
        return {"UnprocessedItems": {"p-mints": requests[2:]} if requests[2:] else {}}

    client.on("batch_write_item", answer)
    await asyncio.gather(*(dynamo.write(Put(MINTS, {"mint_id": f"m{n}"})) for n in range(5)))
    assert sizes == [5, 3, 1]


async def test_write__when_the_endpoint_is_down__is_unavailable_for_everyone(
    client: "Scripted", dynamo: Dynamo
) -> None:
    client.on("batch_execute_statement", lambda _: EndpointConnectionError(endpoint_url="http://x"))
    results = await asyncio.gather(*(dynamo.write(put(n)) for n in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3


def cancelled(*codes: str) -> ClientError:
    response: Any = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": [{"Code": code} for code in codes],
    }
    return ClientError(response, "TransactWriteItems")


async def test_transact__when_another_writer_interferes__tries_again(
    client: "Scripted", dynamo: Dynamo, naps: list[float]
) -> None:
    answers: list[Any] = [cancelled("TransactionConflict", "None"), cancelled("None", "ThrottlingError"), {}]
    client.on("transact_write_items", lambda _: answers.pop(0))
    await dynamo.transact([put(1), put(2)])
    assert answers == []
    assert len(naps) == 2


async def test_transact__when_others_never_let_go__is_retryable_and_no_conflict(
    client: "Scripted", dynamo: Dynamo
) -> None:
    client.on("transact_write_items", lambda _: cancelled("TransactionConflict"))
    with pytest.raises(Contended):
        await dynamo.transact([put(1)])


@pytest.mark.parametrize("code", ["ThrottlingError", "ProvisionedThroughputExceeded"])
async def test_transact__when_an_item_stays_throttled__then_is_throttled_and_not_contended(
    client: "Scripted", dynamo: Dynamo, naps: list[float], code: str
) -> None:
    client.on("transact_write_items", lambda _: cancelled("TransactionConflict", code, "None"))
    with pytest.raises(Throttled, match=f"^TransactWriteItems: {code}$"):
        await dynamo.transact([put(1), put(2), put(3)])
    assert client.count("transact_write_items") == 1 + len(naps) > 2


async def test_transact__when_throttled_for_long__then_makes_no_retries_beyond_the_budget(
    client: "Scripted", dynamo: Dynamo
) -> None:
    client.on("transact_write_items", lambda _: cancelled("ThrottlingError"))
    for n in range(60):
        with pytest.raises(Throttled):
            await dynamo.transact([put(n)])
    # Without a budget it would be five tries each.
    assert client.count("transact_write_items") == 60 + 100


async def test_transact__when_a_throttled_item_is_served_again__then_meets_other_writers_as_before(
    client: "Scripted", dynamo: Dynamo
) -> None:
    answers: list[Any] = [cancelled("ThrottlingError"), *(cancelled("TransactionConflict") for _ in range(4))]
    client.on("transact_write_items", lambda _: answers.pop(0))
    with pytest.raises(Contended):
        await dynamo.transact([put(1)])
    assert answers == []


async def test_transact__when_a_clause_fails_among_conflicts__is_final(
    client: "Scripted", dynamo: Dynamo
) -> None:
    client.on("transact_write_items", lambda _: cancelled("TransactionConflict", "ConditionalCheckFailed"))
    with pytest.raises(TransactionCancelled) as failed:
        await dynamo.transact([put(1), put(2)])
    assert [reason.code for reason in failed.value.reasons] == [
        "TransactionConflict",
        "ConditionalCheckFailed",
    ]
    assert client.count("transact_write_items") == 1


async def test_transact__when_the_request_itself_is_wrong__is_not_retried(
    client: "Scripted", dynamo: Dynamo
) -> None:
    client.on("transact_write_items", lambda _: cancelled("None", "ValidationError"))
    with pytest.raises(ClientError):
        await dynamo.transact([put(1), put(2)])
    assert client.count("transact_write_items") == 1


async def test_write__when_everything_is_throttled_for_long__then_retries_end_with_their_budget(
    client: "Scripted", dynamo: Dynamo
) -> None:
    def answer(arguments: dict[str, Any]) -> Any:
        error = {"Error": {"Code": "ThrottlingError", "Message": "no"}}
        return {"Responses": [error for _ in arguments["Statements"]]}

    client.on("batch_execute_statement", answer)
    for n in range(60):
        writes = (dynamo.write(put(2 * n)), dynamo.write(put(2 * n + 1)))
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert all(isinstance(result, Throttled) for result in results)
    # Without a budget it would be eight tries each.
    assert client.count("batch_execute_statement") == 60 + 100


TOO_LARGE = "Item size has exceeded the maximum allowed size"
OURS = "Invalid UpdateExpression: Expression size has exceeded the maximum allowed size;"


def invalid(message: str, operation: str = "PutItem") -> ClientError:
    return ClientError({"Error": {"Code": "ValidationException", "Message": message}}, operation)


def refusing(bad: str, message: str) -> Any:
    """Return an answer that refuses whatever names the item `bad`."""

    def answer(arguments: dict[str, Any]) -> Any:
        if f"'{bad}'" in str(arguments):
            raise invalid(message)
        return {"Responses": [{} for _ in arguments.get("Statements", ())], "UnprocessedItems": {}}

    return answer


@pytest.mark.parametrize("where", [(), (NEW,)], ids=["plain", "conditional"])
async def test_write__when_dynamodb_refuses_one_item_of_a_batch__then_it_alone_is_unwritable(
    client: "Scripted", dynamo: Dynamo, where: tuple[Clause, ...]
) -> None:
    for operation in ("batch_write_item", "batch_execute_statement", "put_item"):
        client.on(operation, refusing("m2", TOO_LARGE))
    writes = (dynamo.write(Put(MINTS, {"mint_id": f"m{n}"}, where=where)) for n in range(5))
    outcomes = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [
        *[type(None)] * 2,
        Unwritable,
        *[type(None)] * 2,
    ]


async def test_write__when_dynamodb_refuses_the_request__then_it_is_no_fault_of_the_record(
    client: "Scripted", dynamo: Dynamo
) -> None:
    client.on("update_item", refusing("m1", OURS))
    update = Update(MINTS, {"mint_id": "m1"}, add={"sweeps": 1})
    with pytest.raises(ClientError, match="Expression size"):
        await dynamo.write(update)


async def test_update__when_it_adds_to_what_is_no_number__then_the_record_is_unwritable(
    client: "Scripted", dynamo: Dynamo
) -> None:
    client.on("update_item", refusing("m1", "An operand in the update expression has an incorrect data type"))
    with pytest.raises(Unwritable):
        await dynamo.write(Update(MINTS, {"mint_id": "m1"}, add={"sweeps": 1}))


async def test_transact__when_dynamodb_names_what_it_refuses__then_so_does_the_error(
    client: "Scripted", dynamo: Dynamo
) -> None:
    reasons = [{"Code": "None"}, {"Code": "ValidationError", "Message": TOO_LARGE}, {"Code": "None"}]
    error = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
    cancelled: Any = ClientError(error, "TransactWriteItems")  # type: ignore[arg-type]
    client.on("transact_write_items", lambda _: cancelled)
    with pytest.raises(Unwritable, match="Item size") as refused:
        await dynamo.transact([put(0), put(1), put(2)])
    assert refused.value.places == (1,)


async def test_transact__when_dynamodb_names_nothing__then_the_error_names_nothing(
    client: "Scripted", dynamo: Dynamo
) -> None:
    client.on("transact_write_items", lambda _: invalid(TOO_LARGE, "TransactWriteItems"))
    with pytest.raises(Unwritable) as refused:
        await dynamo.transact([put(0), put(1)])
    assert refused.value.places == ()
