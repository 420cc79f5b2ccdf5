from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32
from pydantic import SecretStr

from mintline.aws.dynamo import Dynamo, Put
from mintline.aws.operations import created
from mintline.aws.queues import Queues
from mintline.aws.records import to_item
from mintline.aws.session import AwsCalls, open_client
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.chain.settings import RpcEndpoint
from mintline.eth import GWEI, keccak256, to_checksum_address, voucher_hash
from mintline.kinds import meaning_of, transaction_of
from mintline.messages.intents import AnyIntent, IssueVoucher, SignMint, SignNoop, SignTopUp
from mintline.messages.parts import Fees, KeyRef, Voucher
from mintline.messages.signed import Broadcast, VoucherIssued
from mintline.records.keys import created_key, open_shard
from mintline.records.operations import Mint
from mintline.records.transactions import TopUpPayload, Transaction, transaction_key_of
from mintline.resource_types import Queue
from mintline.resources import BROADCAST, MINTS
from mintline.settings import ServiceSettings
from mintline.states import MintStatus
from mintline_broadcaster.dynamo import DynamoTransactionStore
from mintline_broadcaster.handlers import broadcast
from mintline_broadcaster.noops import Noops
from mintline_broadcaster.settings import BroadcasterSettings
from mintline_testkit.constants import CHAIN_ID

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

ISSUER: LocalAccount = Account.create()
TARGET = to_checksum_address("0x" + "c0" * 20)
"""An address without code: a call to it succeeds, whatever its data."""


@dataclass
class Harness:
    """The broadcaster's surroundings: emulated queues and tables, a real chain, keys of the test's own."""

    settings: BroadcasterSettings
    dynamo: Dynamo
    queues: Queues
    rpc: Rpc
    node: Node
    sqs: SQSClient
    keys: dict[str, LocalAccount] = field(default_factory=dict)
    dedup: Iterator[int] = field(default_factory=itertools.count)

    @property
    def store(self) -> DynamoTransactionStore:
        return DynamoTransactionStore(self.dynamo, chain_id=CHAIN_ID)

    async def wallet(self, wei: int = 10**18) -> KeyRef:
        """Make a funded wallet."""
        account: LocalAccount = Account.create()
        self.keys[account.address] = account
        await self.rpc.call("anvil_setBalance", [account.address, hex(wei)])
        return KeyRef(address=account.address, subject="user", chain_id=CHAIN_ID, secret_id="secret")

    def mint_intent(self, signer: KeyRef, nonce: int = 0, **changes: Any) -> SignMint:
        fields: dict[str, Any] = {
            "signer": signer,
            "chain_id": CHAIN_ID,
            "nonce": nonce,
            "gas": 60_000,
            "fees": Fees(max_fee_per_gas=20 * GWEI, max_priority_fee_per_gas=GWEI),
            "mint_id": f"mint_{signer.address}_{nonce}",
            "contract": TARGET,
            "voucher": Voucher(
                token_id=nonce, to=signer.address, metadata_digest=bytes(32), deadline=2 * 10**9
            ),
        }
        return SignMint(**{**fields, **changes})

    def issue(self, intent: SignMint, by: LocalAccount = ISSUER) -> VoucherIssued:
        """Issue the voucher of a self-custody mint, as the enclave does."""
        request = IssueVoucher(
            signer=self.settings.issuer,
            chain_id=CHAIN_ID,
            mint_id=intent.mint_id,
            contract=intent.contract,
            voucher=intent.voucher,
        )
        digest = voucher_hash(chain_id=CHAIN_ID, contract=intent.contract, **intent.voucher.model_dump())
        signature = bytes(by.unsafe_sign_hash(Hash32(digest)).signature)
        return VoucherIssued(intent=request, signature=signature)

    def sign(self, intent: AnyIntent) -> Broadcast:
        """Sign as the enclave does, with a stand-in for the voucher's signature."""
        means = transaction_of(intent, issued=bytes(65))
        transaction: dict[str, Any] = {
            "type": 2,
            "chainId": intent.chain_id,
            "nonce": intent.nonce,
            "gas": intent.gas,
            "maxFeePerGas": intent.fees.max_fee_per_gas,
            "maxPriorityFeePerGas": intent.fees.max_priority_fee_per_gas,
            "to": means.to,
            "value": means.value,
            "data": means.data,
        }
        raw = bytes(self.keys[intent.signer.address].sign_transaction(transaction).raw_transaction)
        return Broadcast(intent=intent, raw=raw, tx_hash=keccak256(raw))

    async def built(self, intent: SignMint, **changes: Any) -> Mint:
        """Put the intent's mint on record, with its transaction if one is to carry it."""
        fields: dict[str, Any] = {
            "mint_id": intent.mint_id,
            "sub": "user",
            "status": MintStatus.BUILT,
            "chain_id": intent.chain_id,
            "contract": intent.contract,
            "to": intent.voucher.to,
            "sender": intent.signer,
            "metadata_digest": bytes(32),
            "request_digest": "",
            "created_at": 1,
            "updated_at": 1,
            "nonce": intent.nonce,
            "token_id": intent.voucher.token_id,
            "deadline": intent.voucher.deadline,
        }
        mint = Mint(**{**fields, **changes})
        item = to_item(mint) | {"created_key": created_key(mint.created_at, mint.mint_id)}
        if mint.nonce is None:
            item["open_shard"] = open_shard(mint.mint_id)
        else:
            await self.reserved(intent, reserved_at=mint.created_at, updated_at=mint.updated_at)
        await self.dynamo.write(Put(MINTS, item))
        return await self.mint(intent)

    async def reserved(self, intent: AnyIntent, **changes: Any) -> Transaction:
        """Put the record of an intent's nonce on record, as the builder leaves it."""
        payload: dict[str, Any] = {"kind": "noop", "filling_at": 1}
        if isinstance(intent, SignMint):
            payload = {"kind": "mint", "operations": (intent.mint_id,), "deadline": intent.voucher.deadline}
        elif isinstance(intent, SignTopUp):
            top_up = TopUpPayload(recipient=intent.recipient, value=intent.value)
            payload = {"kind": "top_up", "top_up": top_up}
        fields: dict[str, Any] = {
            "sender_id": transaction_key_of(intent.signer, intent.nonce).sender_id,
            "nonce": intent.nonce,
            "signer": intent.signer,
            "gas": intent.gas,
            "fees": intent.fees,
            "meaning": meaning_of(intent),
            "trace": intent.trace,
            "reserved_at": 1,
            "updated_at": 1,
            **payload,
        }
        transaction = Transaction(**{**fields, **changes})
        await self.dynamo.write(created(transaction))
        return transaction

    async def enqueue(self, message: Broadcast) -> None:
        """Send a message, a new one each time, whatever was sent before."""
        group = message.intent.signer.address
        await self.queues.send(BROADCAST, message, group=group, dedup=f"test-{next(self.dedup)}")

    async def mint(self, intent: SignMint | SignNoop) -> Mint:
        assert intent.mint_id is not None
        operation = await self.store.get(intent.mint_id)
        assert isinstance(operation, Mint)
        return operation

    async def broadcast(self, message: Broadcast, *, now: int = 1_700_000_000_000) -> None:
        """Handle one message at once, without the queue."""
        policy = self.settings.config()
        noops = Noops(chain=self.node, outbox=self.queues, caps=policy.caps, gas=policy.transfer_gas)
        await broadcast(
            message,
            store=self.store,
            chain=self.node,
            outbox=self.queues,
            noops=noops,
            caps=policy.caps,
            now=now,
        )

    async def hide_messages_for(self, seconds: int, queue: Queue) -> None:
        """Change a queue's visibility timeout."""
        url = (await self.sqs.get_queue_url(QueueName=queue.queue_name(self.settings.resource_prefix)))[
            "QueueUrl"
        ]
        await self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})

    async def settle(self) -> None:
        """Wait for two blocks."""
        await self.rpc.call("anvil_mine", ["0x2"])


@pytest.fixture
async def harness(aws_settings: ServiceSettings, aws_prefix: str, anvil: str) -> AsyncIterator[Harness]:
    async with AsyncExitStack() as stack:
        calls = AwsCalls()
        dynamo = Dynamo(await open_client(stack, "dynamodb", aws_settings, calls=calls), aws_prefix)
        stack.push_async_callback(dynamo.aclose)
        sqs = await open_client(stack, "sqs", aws_settings, calls=calls)
        queues = Queues(sqs, aws_prefix)
        stack.push_async_callback(queues.aclose)
        rpc = Rpc([anvil])
        stack.push_async_callback(rpc.aclose)
        settings = BroadcasterSettings(
            aws_endpoint_url=aws_settings.aws_endpoint_url,
            resource_prefix=aws_prefix,
            chain_id=CHAIN_ID,
            rpc_urls=(RpcEndpoint(url=SecretStr(anvil)),),
            issuer=KeyRef(
                address=ISSUER.address, subject="platform:issuer", chain_id=CHAIN_ID, secret_id="issuer"
            ),
        )
        yield Harness(settings, dynamo, queues, rpc, Node(rpc), sqs)


class Eventually(Protocol):
    """Waits until an async condition holds."""

    async def __call__(self, condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None: ...


@pytest.fixture
def eventually() -> Eventually:
    """Return a function that waits until an async condition holds."""

    async def wait(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not await condition():  # noqa: ASYNC110 - other processes are polled
                await asyncio.sleep(0.05)

    return wait
