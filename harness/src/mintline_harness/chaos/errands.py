"""What users and clients do apart from minting while services are broken, and the events that must report it.

::

    user     wallet.created · wallet.linked · token.transferred · token.burned
    client   collection.deployed ▶ paused ▶ frozen · collection.revealed · token.metadata_updated
             client.budget_reached, to the client and to operators
             webhook.test ▶ webhook.disabled, and every event of the client at its webhook

Calls are repeated, by the Python client, while the API does not answer.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import aiohttp

from mintline.chain.rpc import Rpc
from mintline.errors import MintlineError
from mintline.eth import to_checksum_address
from mintline.merkle import merkle_paths
from mintline.reveals import commitment_of, leaf_of
from mintline_bench.load import metadata_of
from mintline_client import AsyncMintline, Conflicting, Retries, TryLater
from mintline_client.api import ONCE
from mintline_client.sign_in import client_token
from mintline_harness.chaos.expected_events import Expected, is_logged
from mintline_harness.chaos.webhook_receiver import GONE, Receiver

PATIENT = Retries(tries=1_000, longest_delay=2.0, longest_retry_after=600.0)
"""The errands' own deadline ends what is repeated for too long."""
LINKED = 7
"""Which of the chain's accounts a user links: its node signs for them."""
PAUSE = 2.0
NOT_YET = ("collection-not-ready", "collection-change-pending")
"""Problems of a collection that end by themselves."""
T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Errands:
    """The errands of one user and of one client, on a line that `info`, its run file, describes.

    `admin` is a client with the scope `admin`, `token` a user's. All of them end at `deadline`, in Unix
    seconds, at the latest.
    """

    info: dict[str, Any]
    http: aiohttp.ClientSession
    rpc: Rpc
    admin: AsyncMintline
    token: str
    receiver: Receiver
    deadline: float
    expected: list[Expected] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    _client: AsyncMintline | None = None

    async def prepare(self) -> None:
        """Make the client and its webhook, before anything goes wrong: it delivers all that follows."""
        self._client = self._as((await self._new_client("errands"))[1])
        webhook = await self._client.webhooks.create(f"{self.receiver.url}/hooks")
        self.receiver.secrets.append(webhook["secret"])

    async def run(self) -> None:
        """Do all errands at once; what fails is in `failed`."""
        assert self._client is not None
        user = self._as(self.token)
        errands: dict[str, Coroutine[Any, Any, None]] = {
            "a user's wallets and tokens": self._own(user),
            "a collection": self._collection(self._client),
            "a reveal": self._reveal(self._client),
            "a budget": self._budget(),
            "a webhook that is gone": self._webhook(self._client),
        }
        await asyncio.gather(*(self._do(name, errand) for name, errand in errands.items()))

    async def missing_events(self, *, patience: float) -> list[str]:
        """Return what went wrong: failed errands, logs that tell something else, events not delivered.

        Logs and deliveries are looked at again for up to `patience` seconds.
        """
        assert self._client is not None
        until = time.monotonic() + patience
        while True:
            try:
                logged = await asyncio.gather(*(is_logged(each) for each in self.expected))
                wrong = [str(each) for each, right in zip(self.expected, logged, strict=True) if not right]
                log = [dict(event) async for event in self._client.events.list()]
                # A test is delivered to the webhook that is tested alone.
                log = [event for event in log if event["type"] != "webhook.test"]
                wrong += self.receiver.missing(log).values()
            except MintlineError as error:
                wrong = [f"the logs cannot be read: {error}"]
            if not wrong or time.monotonic() > until:
                forged = [f"{self.receiver.forged} deliveries verify by no secret"] * bool(
                    self.receiver.forged
                )
                return [*self.failed, *wrong, *forged]
            await asyncio.sleep(PAUSE)

    async def _do(self, name: str, errand: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(max(0.0, self.deadline - time.time())):
                await errand
        except (MintlineError, TimeoutError) as error:
            self.failed.append(f"{name}: {error or 'not done in time'}")

    def _as(self, token: str) -> AsyncMintline:
        return AsyncMintline(self.info["api_url"], token=token, http=self.http, retries=PATIENT)

    async def _new_client(self, name: str, **budget: Any) -> tuple[str, str]:
        """Make a machine client, and return its id with an access token."""
        request: Any = {"name": name, **({"budget": budget} if budget else {})}
        created = await self.admin.clients.create(request)
        tokens = await client_token(
            self.http, self.info, client_id=created["client_id"], secret=created["client_secret"]
        )
        return created["client_id"], tokens.access_token

    def _expect(self, reader: AsyncMintline, resource: str, *types: str, **more: Any) -> None:
        self.expected.append(Expected(reader=reader, resource=resource, types=types, **more))

    async def _own(self, user: AsyncMintline) -> None:
        """Link a wallet, mint two tokens, send one away, and burn the other."""
        wallet = await user.wallets.get()
        self._expect(user, wallet["address"], "wallet.created", once=True)
        account = to_checksum_address((await self.rpc.call("eth_accounts", []))[LINKED])
        challenge = await user.wallets.challenge({"address": account})
        text = "0x" + challenge["message"].encode().hex()
        signature = await self.rpc.call("personal_sign", [text, account])
        await user.wallets.link({"message": challenge["message"], "signature": signature})
        self._expect(user, account, "wallet.linked", once=True)
        sent, burned = [await self._minted(user, f"own {number}") for number in (1, 2)]
        transfer: Any = {"token_id": sent["token_id"], "to": _address()}
        await user.transfers.wait(await user.transfers.create(transfer), patience=self._left())
        self._expect(user, _name(sent), "token.transferred")
        burn: Any = {"token_id": burned["token_id"]}
        await user.burns.wait(await user.burns.create(burn), patience=self._left())
        self._expect(user, _name(burned), "token.burned")

    async def _collection(self, client: AsyncMintline) -> None:
        """Have a collection deployed, change a token's metadata in it, pause, open and freeze it."""
        request: Any = {"name": "Errands", "symbol": "ERR"}
        contract = await self._created(client, request)
        token = await self._minted(client, "a seat", contract=contract, recipient={"address": _address()})
        change: Any = metadata_of("a seat, used", 2)
        await _once_ready(lambda: client.tokens.change(contract, token["token_id"], change))
        self._expect(client, _name(token), "token.metadata_updated", once=True)
        for paused in (True, False):
            await _once_ready(partial(client.collections.change, contract, paused=paused))
            await self._settled(client, contract)
        await _once_ready(lambda: client.collections.freeze(contract))
        await self._settled(client, contract)
        names = ("collection.deployed", "collection.paused", "collection.frozen")
        self._expect(client, contract, *names)

    async def _reveal(self, client: AsyncMintline) -> None:
        """Have a collection deployed that is committed to two texts, and reveal them."""
        texts, salt = [f'{{"name":"Card {number}"}}' for number in (1, 2)], secrets.token_bytes(32)
        leaves = [leaf_of(salt, number, text.encode()) for number, text in enumerate(texts, 1)]
        commitment = {"commitment": "0x" + commitment_of(leaves).hex(), "tokens": len(texts)}
        request: Any = {"name": "Cards", "symbol": "CRD", "reveal": commitment}
        contract = await self._created(client, request)
        documents: Any = [
            {"text": text, "path": ["0x" + node.hex() for node in path]}
            for text, path in zip(texts, merkle_paths(leaves), strict=True)
        ]
        hexed = "0x" + salt.hex()
        handed: Any = {"salt": hexed, "first_token_id": "1", "documents": documents}
        await _once_ready(lambda: client.collections.keep_documents(contract, handed))
        await _once_ready(lambda: client.collections.reveal(contract, hexed))
        self._expect(client, contract, "collection.deployed", "collection.revealed")

    async def _budget(self) -> None:
        """Use up a budget of one mint an hour; a refusal is told at once, or at a later one."""
        client_id, token = await self._new_client("limited", mints_per_hour=1)
        client = self._as(token)
        once = AsyncMintline(self.info["api_url"], token=token, http=self.http, retries=ONCE)
        request: Any = {"recipient": {"address": _address()}, "metadata": metadata_of("a budget", 1)}
        refused = 0
        types = ("client.budget_reached",)
        expected = [
            Expected(reader=client, resource=client_id, types=types),
            Expected(reader=self.admin, resource=client_id, types=types, principal="operators"),
        ]
        while not (refused and all([await is_logged(each) for each in expected])):
            try:
                await once.mints.create(request)
            except TryLater as error:
                refused += error.problem.code == "client-budget-reached"
            except MintlineError:
                pass  # The API was away: the next one may be refused.
            await asyncio.sleep(PAUSE)
        self.expected += expected

    async def _webhook(self, client: AsyncMintline) -> None:
        """Have a test sent to a webhook whose receiver is gone for good."""
        webhook = await client.webhooks.create(f"{self.receiver.url}{GONE}", types=["mint.reverted"])
        await client.webhooks.test(webhook["webhook_id"])
        self._expect(client, webhook["webhook_id"], "webhook.test", "webhook.disabled", once=True)

    async def _created(self, client: AsyncMintline, request: Any) -> str:
        contract = (await client.collections.create(request))["contract"]
        await self._settled(client, contract)
        return contract

    async def _settled(self, client: AsyncMintline, contract: str) -> None:
        """Wait until a collection is ready, and nothing of it is under way that is not mined."""
        while True:
            shown = await client.collections.get(contract)
            if (await client.collections.wait(shown, patience=self._left()))["status"] == "ready":
                return
            await asyncio.sleep(PAUSE)

    async def _minted(self, client: AsyncMintline, name: str, **fields: Any) -> Any:
        request: Any = {"metadata": metadata_of(name, 1), **fields}
        mint = await _once_ready(lambda: client.mints.create(request))
        return await client.mints.wait(mint, patience=self._left())

    def _left(self) -> float:
        return max(1.0, self.deadline - time.time())


async def _once_ready(call: Callable[[], Awaitable[T]]) -> T:
    """Call until the collection is ready: a reorg may take back what made it so."""
    while True:
        try:
            return await call()
        except Conflicting as error:
            if error.problem.code not in NOT_YET:
                raise
        await asyncio.sleep(PAUSE)


def _address() -> str:
    return to_checksum_address(secrets.token_bytes(20))


def _name(token: Any) -> str:
    """Return the resource that events of a token are about."""
    return f"{token['contract']}/{token['token_id']}"
