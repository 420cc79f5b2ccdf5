from __future__ import annotations

import hashlib
import itertools
import json

import pytest
from structlog.testing import capture_logs

from mintline.canonical_json import canonical_json, digest_of
from mintline.eth import to_checksum_address
from mintline.messages.parts import KeyRef
from mintline.records.index import Token, Transfer
from mintline.states import MintStatus
from mintline_testkit.api.client import MemoryClient
from mintline_testkit.api.harness import PUBLIC_URL, Harness
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.records import make_mint

OWNER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
STRANGER = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
OTHER_CONTRACT = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
METADATA = {"name": "Aurora #7", "image": "ar://" + "x" * 43}
TEXT = canonical_json(METADATA)
TX_HASH = bytes(31) + b"\x07"


def give(
    harness: Harness, token_id: int, *, owner: str | None = OWNER, block: int = 41, **more: object
) -> None:
    token = Token(
        chain_id=CHAIN_ID,
        contract=CONTRACT,
        token_id=token_id,
        owner=owner,
        metadata_digest=digest_of(TEXT),
        mint_id=None,
        minted_block=block,
        block_number=block,
        tx_hash=TX_HASH,
    )
    harness.index.tokens[CONTRACT, token_id] = token.model_copy(update=more)
    harness.metadata.objects[f"{CHAIN_ID}/{CONTRACT}/{token_id}.json"] = TEXT.encode()


def minted(harness: Harness, sub: str, token_id: int) -> str:
    mint_id = "mint_" + "0" * 25 + str(token_id)
    harness.mints.items[mint_id] = make_mint(
        mint_id,
        sub=sub,
        status=MintStatus.MINED,
        to=OWNER,
        sender=KeyRef(address=OWNER, subject=sub, chain_id=CHAIN_ID, secret_id="s"),
        metadata_digest=digest_of(TEXT),
        token_id=token_id,
    )
    return mint_id


async def test_token__when_it_is_indexed__shows_all_that_is_known(
    harness: Harness, client: MemoryClient
) -> None:
    give(harness, 7, mint_id=minted(harness, "alice", 7))

    response = await client.request("GET", f"/v1/tokens/{CONTRACT.lower()}/7", headers=harness.headers())

    assert response.json() == {
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "token_id": "7",
        "standard": "erc721",
        "owner": OWNER,
        "burned": False,
        "supply": None,
        "quantity": None,
        "metadata_digest": "0x" + hashlib.sha256(TEXT.encode()).hexdigest(),
        "metadata_url": f"{PUBLIC_URL}/v1/metadata/{CONTRACT}/7",
        "minted_block": 41,
        "block_number": 41,
        "tx_hash": "0x" + TX_HASH.hex(),
        "finality": "pending",
        "metadata": METADATA,
        "metadata_verified": True,
        "metadata_version": 1,
        "minted": None,
        "item_cap": None,
        "mint": {"mint_id": "mint_" + "0" * 25 + "7", "status": "mined"},
        "index": {
            "head_block": 44,
            "head_timestamp": "2026-11-23T01:50:53.000Z",
            "finalized_block": 40,
            "lag_seconds": 1.0,
            "behind": False,
        },
    }


@pytest.mark.parametrize(("block", "finality"), [(40, "finalized"), (41, "pending")])
async def test_token__when_its_block_is_final_or_not__says_so(
    harness: Harness, client: MemoryClient, block: int, finality: str
) -> None:
    give(harness, 7, block=block)

    response = await client.request("GET", f"/v1/tokens/{CONTRACT}/7", headers=harness.headers())

    assert response.json()["finality"] == finality


async def test_token__when_someone_else_minted_it__hides_the_mint_id(
    harness: Harness, client: MemoryClient
) -> None:
    give(harness, 7, mint_id=minted(harness, "bob", 7))

    response = await client.request("GET", f"/v1/tokens/{CONTRACT}/7", headers=harness.headers("alice"))

    assert response.json()["mint"] == {"mint_id": None, "status": "mined"}


async def test_token__when_it_is_burned_and_the_index_is_empty__has_no_owner_and_no_freshness(
    harness: Harness, client: MemoryClient
) -> None:
    give(harness, 7, owner=None, metadata_digest=None)
    harness.index.head = None
    harness.metadata.objects.clear()

    view = (await client.request("GET", f"/v1/tokens/{CONTRACT}/7", headers=harness.headers())).json()

    assert (view["owner"], view["burned"], view["finality"]) == (None, True, "pending")
    assert (view["metadata"], view["metadata_verified"], view["mint"]) == (None, None, None)
    assert view["index"].pop("behind")
    assert set(view["index"].values()) == {None}


async def test_token__when_the_stored_metadata_was_altered__then_it_is_not_shown(
    harness: Harness, client: MemoryClient
) -> None:
    give(harness, 7)
    harness.metadata.objects[f"{CHAIN_ID}/{CONTRACT}/7.json"] += b" "

    view = (await client.request("GET", f"/v1/tokens/{CONTRACT}/7", headers=harness.headers())).json()

    assert (view["metadata"], view["metadata_verified"]) == (None, False)


async def test_metadata__when_the_stored_bytes_are_not_what_was_minted__then_they_are_not_served(
    harness: Harness, client: MemoryClient
) -> None:
    give(harness, 7)
    harness.metadata.objects[f"{CHAIN_ID}/{CONTRACT}/7.json"] = b'{"name":"forged"}'
    path = f"/v1/metadata/{CONTRACT}/7"

    with capture_logs() as logs:
        refused = await client.request("GET", path)
    harness.metadata.objects[f"{CHAIN_ID}/{CONTRACT}/7.json"] = TEXT.encode()
    repaired = await client.request("GET", path)

    assert (refused.status, refused.json()["code"]) == (502, "metadata-altered")
    assert b"forged" not in refused.body
    assert [line["log_level"] for line in logs if line["event"] == "metadata_altered"] == ["error"]
    assert (repaired.status, repaired.body) == (200, TEXT.encode())
    assert repaired.headers["content-type"] == "application/json"
    assert repaired.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("digest", [None, "unminted"])
async def test_metadata__when_no_digest_on_chain_vouches_for_it__then_it_is_not_served_yet(
    harness: Harness, client: MemoryClient, digest: str | None
) -> None:
    give(harness, 7, metadata_digest=None)
    if digest == "unminted":
        harness.index.tokens.clear()

    response = await client.request("GET", f"/v1/metadata/{CONTRACT}/7")

    assert (response.status, response.json()["code"]) == (404, "unknown-metadata")


async def test_token__when_the_id_is_the_largest__is_found(harness: Harness, client: MemoryClient) -> None:
    largest = 2**256 - 1
    give(harness, largest)

    response = await client.request("GET", f"/v1/tokens/{CONTRACT}/{largest}", headers=harness.headers())

    assert response.json()["token_id"] == str(largest)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/v1/tokens/{STRANGER}/7", 404, "unknown-contract"),
        (f"/v1/tokens/{STRANGER}/7/transfers", 404, "unknown-contract"),
        (f"/v1/owners/{OWNER}/tokens?contract={STRANGER}", 404, "unknown-contract"),
        (f"/v1/metadata/{STRANGER}/7", 404, "unknown-contract"),
        (f"/v1/metadata/{STRANGER}", 404, "unknown-contract"),
        (f"/v1/tokens/{CONTRACT}/8", 404, "unknown-token"),
        (f"/v1/tokens/{CONTRACT}/8/transfers", 404, "unknown-token"),
        (f"/v1/metadata/{CONTRACT}/8", 404, "unknown-metadata"),
        (f"/v1/tokens/{CONTRACT}/07", 400, "invalid-parameter"),
        (f"/v1/tokens/{CONTRACT}/-1", 400, "invalid-parameter"),
        (f"/v1/tokens/{CONTRACT}/0x7", 400, "invalid-parameter"),
        (f"/v1/tokens/{CONTRACT}/{2**256}", 400, "invalid-parameter"),
        (f"/v1/tokens/{CONTRACT}/{'9' * 5000}", 400, "invalid-parameter"),
        (f"/v1/tokens/{CONTRACT.swapcase().replace('0X', '0x')}/7", 400, "invalid-parameter"),
        ("/v1/tokens/0x0000000000000000000000000000000000000000/7", 400, "invalid-parameter"),
        ("/v1/tokens/aurora.eth/7", 400, "invalid-parameter"),
        ("/v1/owners/0x0000000000000000000000000000000000000000/tokens", 400, "invalid-parameter"),
        (f"/v1/owners/{OWNER}/tokens?limit=0", 400, "invalid-parameter"),
        (f"/v1/owners/{OWNER}/tokens?contract=0x12", 400, "invalid-parameter"),
        (f"/v1/owners/{OWNER}/tokens?cursor=AAAA", 422, "invalid-cursor"),
        (f"/v1/tokens/{CONTRACT}/7/transfers?cursor=AAAA", 422, "invalid-cursor"),
        (f"/v1/tokens/{CONTRACT}/7?fields=owner", 400, "invalid-parameter"),
    ],
)
async def test_query__when_it_asks_for_nothing_there_is__says_what(
    harness: Harness, client: MemoryClient, path: str, status: int, code: str
) -> None:
    give(harness, 7)

    response = await client.request("GET", path, headers=harness.headers())

    assert (response.status, response.json()["code"]) == (status, code)
    assert response.headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/wallet",
        "/v1/mints",
        f"/v1/tokens/{CONTRACT}/7",
        f"/v1/tokens/{CONTRACT}/7/transfers",
        f"/v1/owners/{OWNER}/tokens",
    ],
)
async def test_query__when_there_is_no_token__is_refused(client: MemoryClient, path: str) -> None:
    response = await client.request("GET", path)

    assert (response.status, response.json()["code"]) == (401, "no-token")


async def test_contract__when_it_is_added_later__is_known_within_seconds(
    harness: Harness, client: MemoryClient
) -> None:
    path = f"/v1/metadata/{OTHER_CONTRACT}"
    assert (await client.request("GET", path)).status == 404
    collection = harness.index.collections[CONTRACT]
    harness.index.collections[OTHER_CONTRACT] = collection.model_copy(update={"contract": OTHER_CONTRACT})
    assert (await client.request("GET", path)).status == 404
    harness.now += 5

    assert (await client.request("GET", path)).status == 200


async def test_owned__when_paged__gives_each_token_once_by_contract_and_number(
    harness: Harness, client: MemoryClient
) -> None:
    for token_id in (10, 9, 1, 100, 2):
        give(harness, token_id)
    give(harness, 5, owner=STRANGER)
    give(harness, 6, owner=None)

    seen: list[str] = []
    target = f"/v1/owners/{OWNER}/tokens?contract={CONTRACT}&limit=2"
    cursor = ""
    for _ in range(5):
        page = (await client.request("GET", target + cursor, headers=harness.headers())).json()
        seen += [item["token_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert seen == ["1", "2", "9", "10", "100"]
    assert page["index"]["head_block"] == 44


async def test_owned__when_the_cursor_is_of_another_owner__refuses(
    harness: Harness, client: MemoryClient
) -> None:
    for token_id in (1, 2):
        give(harness, token_id)
    page = (
        await client.request("GET", f"/v1/owners/{OWNER}/tokens?limit=1", headers=harness.headers())
    ).json()
    cursor = page["next_cursor"]

    for target in (f"/v1/owners/{STRANGER}/tokens?", f"/v1/owners/{OWNER}/tokens?contract={CONTRACT}&"):
        response = await client.request("GET", f"{target}cursor={cursor}", headers=harness.headers())
        assert response.json()["code"] == "invalid-cursor"


async def test_transfers__when_paged__gives_each_event_newest_first(
    harness: Harness, client: MemoryClient
) -> None:
    give(harness, 7)
    parties = [None, OWNER, STRANGER, None]
    for number, (sender, recipient) in enumerate(itertools.pairwise(parties)):
        harness.index.events.append(
            Transfer(
                chain_id=CHAIN_ID,
                contract=CONTRACT,
                token_id=7,
                sender=sender,
                recipient=recipient,
                block_number=39 + number,
                block_hash=bytes(32),
                log_index=number,
                tx_hash=TX_HASH,
                timestamp=1_795_398_600,
            )
        )
    target = f"/v1/tokens/{CONTRACT}/7/transfers?limit=2"
    first = (await client.request("GET", target, headers=harness.headers())).json()
    rest = await client.request("GET", f"{target}&cursor={first['next_cursor']}", headers=harness.headers())

    items = first["items"] + rest.json()["items"]
    assert [(item["from"], item["to"]) for item in items] == [
        (STRANGER, None),
        (OWNER, STRANGER),
        (None, OWNER),
    ]
    assert [item["finality"] for item in items] == ["pending", "finalized", "finalized"]
    assert items[0]["timestamp"] == "2026-11-23T01:50:00.000Z"
    assert rest.json()["next_cursor"] is None


async def test_metadata__when_asked_for_by_anyone__is_the_minted_bytes_and_cacheable(
    harness: Harness, client: MemoryClient
) -> None:
    give(harness, 7)

    response = await client.request("GET", f"/v1/metadata/{CONTRACT}/7")

    assert (response.status, response.body) == (200, TEXT.encode())
    assert response.headers["content-type"] == "application/json"
    assert response.headers["etag"] == f'"{hashlib.sha256(TEXT.encode()).hexdigest()}"'
    assert "public, max-age=3600" in response.headers["cache-control"]
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
async def test_metadata__when_the_client_has_it__is_not_sent_again(
    harness: Harness, client: MemoryClient, form: str
) -> None:
    give(harness, 7)
    path = f"/v1/metadata/{CONTRACT}/7"
    etag = (await client.request("GET", path)).headers["etag"]

    response = await client.request("GET", path, headers={"If-None-Match": form.format(etag)})
    stale = await client.request("GET", path, headers={"If-None-Match": '"other"'})

    assert (response.status, response.body, response.headers["etag"]) == (304, b"", etag)
    assert "max-age" in response.headers["cache-control"]
    assert stale.status == 200


async def test_metadata__when_only_the_head_is_asked_for__has_no_body(
    harness: Harness, client: MemoryClient
) -> None:
    give(harness, 7)

    response = await client.request("HEAD", f"/v1/metadata/{CONTRACT}/7")

    assert (response.status, response.body) == (200, b"")
    assert response.headers["content-length"] == str(len(TEXT))


async def test_metadata__when_it_is_missing__is_not_remembered_as_missing(
    harness: Harness, client: MemoryClient
) -> None:
    path = f"/v1/metadata/{CONTRACT}/7"
    absent = await client.request("GET", path)
    give(harness, 7)

    assert (absent.status, absent.headers["cache-control"]) == (404, "no-store")
    assert (await client.request("GET", path)).status == 200


async def test_collection_metadata__when_nothing_richer_is_stored__names_the_collection(
    harness: Harness, client: MemoryClient
) -> None:
    plain = await client.request("GET", f"/v1/metadata/{CONTRACT}")
    harness.metadata.objects[f"{CHAIN_ID}/{CONTRACT}/contract.json"] = b'{"name":"Aurora","image":"x"}'
    rich = await client.request("GET", f"/v1/metadata/{CONTRACT}")

    assert plain.json() == {"name": "Aurora", "symbol": "AUR"}
    assert rich.json() == json.loads('{"name":"Aurora","image":"x"}')


async def test_address__when_it_is_lower_case__is_answered_with_its_checksum(
    harness: Harness, client: MemoryClient
) -> None:
    give(harness, 7)

    response = await client.request("GET", f"/v1/owners/{OWNER.lower()}/tokens", headers=harness.headers())

    assert response.json()["items"][0]["owner"] == to_checksum_address(OWNER)
