"""The builder between an emulated AWS and a real chain; tests play api, signer and broadcaster."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32

from mintline.aws.dynamo import Dynamo, Put
from mintline.aws.operations import read_mint
from mintline.aws.queues import Queues
from mintline.aws.records import to_item
from mintline.aws.session import AwsCalls, open_client
from mintline.canonical_json import canonical_json, digest_of
from mintline.chain import collection
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.eth import ETHER, Transaction, redeem_calldata, to_checksum_address, voucher_hash
from mintline.messages.codec import AnyMessage, decode
from mintline.messages.intents import SignMint, SignTopUp
from mintline.messages.parts import KeyRef
from mintline.messages.work import BuildMint, FundWallet
from mintline.records.collections import Collection
from mintline.records.keys import scoped
from mintline.records.operations import Mint
from mintline.resource_types import Queue
from mintline.resources import BUILD, COLLECTIONS, METADATA, MINTS, SIGN
from mintline.set_aside import SetAside
from mintline.settings import ServiceSettings
from mintline.states import MintStatus
from mintline_builder.dynamo_accounts import DynamoAccounts
from mintline_builder.service import run
from mintline_builder.settings import Settings
from mintline_testkit.constants import CHAIN_ID

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_sqs import SQSClient


def key_of(account: LocalAccount, subject: str) -> KeyRef:
    return KeyRef(
        address=account.address, subject=subject, chain_id=CHAIN_ID, secret_id=f"secret/{account.address}"
    )


@dataclass
class Harness:
    """Everything on both sides of the builder."""

    settings: Settings
    dynamo: Dynamo
    queues: Queues
    s3: S3Client
    sqs: SQSClient
    rpc: Rpc
    node: Node
    contract: str
    admin: str
    issuer: LocalAccount
    treasury: LocalAccount
    wallets: dict[str, LocalAccount] = field(default_factory=dict)
    token_ids: Iterator[int] = field(default_factory=lambda: count(1))

    async def wallet(self, *, balance: int = ETHER) -> LocalAccount:
        """A user's wallet with a balance on chain."""
        account: LocalAccount = Account.create()
        self.wallets[account.address] = account
        if balance:
            await self.rpc.call("anvil_setBalance", [account.address, hex(balance)])
        return account

    async def accept(self, sender: LocalAccount, *, to: str | None = None, send: bool = True) -> str:
        """What the api does with a mint."""
        mint_id = f"mint_{uuid4().hex}"
        metadata = canonical_json({"name": f"№ {mint_id}", "image": "ipfs://image"})
        now = int(time.time() * 1000)
        mint = Mint(
            mint_id=mint_id,
            sub=sender.address,
            status=MintStatus.ACCEPTED,
            chain_id=CHAIN_ID,
            contract=self.contract,
            to=to or sender.address,
            sender=key_of(sender, sender.address),
            metadata=metadata,
            metadata_digest=digest_of(metadata),
            request_digest="00" * 32,
            token_id=next(self.token_ids),
            created_at=now,
            updated_at=now,
        )
        await self.dynamo.write(Put(MINTS, to_item(mint)))
        if send:
            await self.send(mint_id, sender.address)
        return mint_id

    async def send(self, mint_id: str, group: str) -> None:
        await self.queues.send(BUILD, BuildMint(mint_id=mint_id), group=group, dedup=uuid4().hex)

    async def fund(self, wallet: str, required: int) -> None:
        message = FundWallet(wallet=wallet, required=required)
        await self.queues.send(BUILD, message, group=wallet, dedup=uuid4().hex)

    async def mint(self, mint_id: str) -> Mint:
        """A mint as it stands."""
        mint = await read_mint(self.dynamo, mint_id, SetAside())
        assert mint is not None
        return mint

    async def mints(self, mint_ids: Sequence[str]) -> list[Mint]:
        return await asyncio.gather(*map(self.mint, mint_ids))

    async def shorten_visibility(self, seconds: int) -> None:
        """Let messages of a killed builder come back soon."""
        name = BUILD.queue_name(self.settings.resource_prefix)
        url = (await self.sqs.get_queue_url(QueueName=name))["QueueUrl"]
        await self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})

    async def last_nonce(self, address: str) -> int | None:
        return await DynamoAccounts(self.dynamo, CHAIN_ID).last_nonce(address)

    async def take(self, count: int, *, queue: Queue = SIGN, within: float = 30) -> list[AnyMessage]:
        """Receive and delete `count` messages."""
        taken: list[AnyMessage] = []
        async with asyncio.timeout(within):
            while len(taken) < count:
                received = await self.queues.receive(queue, limit=10, wait=1)
                taken += [decode(each.body) for each in received]
                await asyncio.gather(*map(self.queues.delete, received))
        return taken

    async def metadata(self, token_id: int) -> tuple[bytes, str]:
        key = f"{CHAIN_ID}/{self.contract}/{token_id}.json"
        response = await self.s3.get_object(
            Bucket=METADATA.bucket_name(self.settings.resource_prefix), Key=key
        )
        return await response["Body"].read(), response["ContentType"]

    @asynccontextmanager
    async def building(self, copies: int = 1, **changes: Any) -> AsyncIterator[None]:
        """Run copies of the builder, and see them stop."""
        stop = asyncio.Event()
        settings = self.settings.model_copy(update=changes)
        running = [asyncio.create_task(run(settings, stop)) for _ in range(copies)]
        try:
            yield
        finally:
            stop.set()
            async with asyncio.timeout(30):
                await asyncio.gather(*running)

    @asynccontextmanager
    async def process(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a builder as its own process, which is killed at the end."""
        secret = {
            "rpc_urls": json.dumps([endpoint.url.get_secret_value() for endpoint in self.settings.rpc_urls])
        }
        values = {
            name: json.dumps(value) if isinstance(value, dict) else str(value)
            for name, value in self.settings.public().items()
            if value is not None
        }
        environment = {f"MINTLINE_{name.upper()}": value for name, value in (values | secret).items()}
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mintline_builder",
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.DEVNULL,
        )
        try:
            yield child
        finally:
            if child.returncode is None:
                child.send_signal(signal.SIGKILL)
            await child.wait()

    async def until(self, holds: Callable[[], Coroutine[Any, Any, bool]], *, within: float = 30) -> None:
        """Wait for a condition of the outside world, which announces nothing."""
        async with asyncio.timeout(within):
            while not await holds():  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.05)

    async def broadcast(self, intent: AnyMessage) -> bytes:
        """What signer and broadcaster do with an intent; returns the transaction's hash."""
        assert isinstance(intent, SignMint | SignTopUp)
        data, to, value = b"", "", 0
        if isinstance(intent, SignMint):
            fields = intent.voucher.model_dump()
            digest = voucher_hash(chain_id=CHAIN_ID, contract=intent.contract, **fields)
            signature = bytes(self.issuer.unsafe_sign_hash(Hash32(digest)).signature)
            data, to = redeem_calldata(**fields, signature=signature), intent.contract
        else:
            to, value = intent.recipient, intent.value
        transaction = Transaction(
            chain_id=intent.chain_id,
            nonce=intent.nonce,
            max_priority_fee_per_gas=intent.fees.max_priority_fee_per_gas,
            max_fee_per_gas=intent.fees.max_fee_per_gas,
            gas=intent.gas,
            to=to,
            value=value,
            data=data,
        )
        signer = {**self.wallets, self.treasury.address: self.treasury}[intent.signer.address]
        signed = signer.unsafe_sign_hash(Hash32(transaction.signing_hash()))
        response = await self.rpc.call(
            "eth_sendRawTransaction", ["0x" + transaction.signed(signed.v - 27, signed.r, signed.s).hex()]
        )
        return bytes.fromhex(response[2:])

    async def mined(self, tx_hash: bytes) -> bool:
        """Wait for a transaction's receipt and return whether it succeeded."""

        async def known() -> bool:
            return await self.node.receipt(tx_hash) is not None

        await self.until(known)
        receipt = await self.node.receipt(tx_hash)
        assert receipt is not None
        return receipt.status

    async def administer(self, data: bytes) -> None:
        """Call the contract as its administrator."""
        params = {"from": self.admin, "to": self.contract, "data": "0x" + data.hex()}
        response = await self.rpc.call("eth_sendTransaction", [params])
        assert await self.mined(bytes.fromhex(response[2:]))


async def deploy(rpc: Rpc, admin: str, issuer: str) -> str:
    code = collection.creation_code(
        name="Builder Test",
        symbol="BLD",
        base_uri="https://nft.example/",
        contract_uri="https://nft.example/contract.json",
        admin=admin,
        issuer=issuer,
        royalty_receiver=admin,
        royalty_bps=0,
    )
    params = {"from": admin, "data": "0x" + code.hex(), "gas": hex(6_000_000)}
    response = await rpc.call("eth_sendTransaction", [params])
    await rpc.call("evm_mine", [])
    receipt = await rpc.call("eth_getTransactionReceipt", [response])
    return to_checksum_address(receipt["contractAddress"])


@pytest.fixture
async def harness(aws_settings: ServiceSettings, aws_prefix: str, anvil: str) -> AsyncIterator[Harness]:
    issuer, treasury = Account.create(), Account.create()
    prefix = aws_prefix
    settings = Settings.model_validate(
        aws_settings.model_dump()
        | {
            "chain_id": CHAIN_ID,
            "rpc_urls": [anvil],
            "issuer": key_of(issuer, "platform:issuer").model_dump(),
            "treasury": key_of(treasury, "platform:treasury").model_dump(),
        }
    )
    calls = AwsCalls()
    async with AsyncExitStack() as stack:
        rpc = Rpc([anvil])
        stack.push_async_callback(rpc.aclose)
        node = Node(rpc)
        dynamo = Dynamo(await open_client(stack, "dynamodb", settings, calls=calls), prefix)
        stack.push_async_callback(dynamo.aclose)
        sqs = await open_client(stack, "sqs", settings, calls=calls)
        queues = Queues(sqs, prefix)
        stack.push_async_callback(queues.aclose)
        s3 = await open_client(stack, "s3", settings, calls=calls)
        admin = to_checksum_address((await rpc.call("eth_accounts", []))[0])
        contract = await deploy(rpc, admin, issuer.address)
        await rpc.call("anvil_setBalance", [treasury.address, hex(100 * ETHER)])
        record = Collection(
            collection_id=scoped(CHAIN_ID, contract),
            chain_id=CHAIN_ID,
            contract=contract,
            name="Builder Test",
            symbol="BLD",
            deployed_block=0,
            next_token_id=1,
        )
        await dynamo.write(Put(COLLECTIONS, to_item(record)))
        yield Harness(settings, dynamo, queues, s3, sqs, rpc, node, contract, admin, issuer, treasury)
