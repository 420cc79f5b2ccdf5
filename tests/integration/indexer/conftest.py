"""A real contract on a chain that mines on demand, fresh tables, and indexers in this process."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from eth_abi.abi import encode
from prometheus_client import CollectorRegistry

from mintline.aws.dynamo import GONE, Dynamo, Item, Put
from mintline.aws.operations import created
from mintline.aws.records import to_item
from mintline.aws.session import AwsCalls, open_client
from mintline.chain.collection import RELAYER_ROLE, creation_code
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc
from mintline.clock import Monotonic, unix_ms
from mintline.eth import address_word, selector, to_checksum_address, word
from mintline.messages.intents import TransactionKind
from mintline.messages.parts import Fees, KeyRef
from mintline.records.collections import Collection
from mintline.records.keys import created_key, scoped
from mintline.records.operations import Attempt, Mint, Operation, TokenBurn, TokenOperation, TokenTransfer
from mintline.records.transactions import Transaction, TransactionKey, carried_by
from mintline.resources import ATTEMPTS, COLLECTIONS, MINTS, TABLES
from mintline.settings import ServiceSettings
from mintline.states import MintStatus, TransactionState
from mintline_indexer.dynamo_changes import FENCE
from mintline_indexer.dynamo_collections import DynamoCollectionRegistry
from mintline_indexer.dynamo_store import DynamoStore
from mintline_indexer.indexer import Indexer
from mintline_indexer.metrics import Metrics
from mintline_indexer.node_chain import NodeChain
from mintline_indexer.store_port import Progress
from mintline_testkit.constants import CHAIN_ID

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

GAS = 30_000_000


@dataclass
class Harness:
    """What the tests drive: the chain as its users, the tables as the other services, and the indexers."""

    rpc: Rpc
    node: Node
    client: DynamoDBClient
    dynamo: Dynamo
    calls: AwsCalls
    prefix: str
    accounts: list[str] = field(default_factory=list)
    contract: str = ""
    deployed_block: int = 0
    started: int = 0
    minted: dict[str, tuple[int, str]] = field(default_factory=dict)
    """The first token of each transaction that makes one, and its owner."""
    nonces: Iterator[int] = field(default_factory=count)
    skipped: float = 0.0
    """Seconds by which the indexers' clocks are ahead."""

    @property
    def store(self) -> DynamoStore:
        return DynamoStore(self.dynamo, chain_id=CHAIN_ID)

    def indexer(
        self,
        *,
        widest: int = 1_000,
        whole: int = 5_000,
        rpc: Rpc | None = None,
        node: Node | None = None,
    ) -> Indexer:
        self.started += 1
        return Indexer(
            chain=NodeChain(node or self.node, rpc or self.rpc),
            store=self.store,
            collections=DynamoCollectionRegistry(self.client, prefix=self.prefix, chain_id=CHAIN_ID),
            chain_id=CHAIN_ID,
            writer=f"writer-{self.started}",
            takeover_after=10.0,
            widest=widest,
            whole=whole,
            metrics=Metrics(CollectorRegistry()),
            clock=lambda: Monotonic(time.monotonic() + self.skipped),
            now=unix_ms,
            rng=random.Random(1),
        )

    async def deploy(self) -> None:
        """Deploy a collection whose relayer is the first account, and register it."""
        owner = self.accounts[0]
        code = creation_code(
            name="Test",
            symbol="TEST",
            base_uri="",
            contract_uri="",
            admin=owner,
            issuer=owner,
            royalty_receiver=owner,
            royalty_bps=0,
        )
        sent = await self.send(None, code)
        await self.mine()
        receipt = await self.rpc.call("eth_getTransactionReceipt", [sent])
        self.contract = to_checksum_address(receipt["contractAddress"])
        self.deployed_block = int(receipt["blockNumber"], 16)
        await self.call("grantRole(bytes32,address)", ["bytes32", "address"], [RELAYER_ROLE, owner])
        await self.mine()

    async def register(self) -> None:
        record = Collection(
            collection_id=scoped(CHAIN_ID, self.contract),
            chain_id=CHAIN_ID,
            contract=self.contract,
            name="Test",
            symbol="TEST",
            deployed_block=self.deployed_block,
            next_token_id=1,
        )
        await self.dynamo.write(Put(COLLECTIONS, to_item(record)))

    async def send(self, to: str | None, data: bytes, *, sender: str = "", gas: int = GAS) -> str:
        transaction = {"from": sender or self.accounts[0], "data": "0x" + data.hex(), "gas": hex(gas)}
        if to is not None:
            transaction["to"] = to
        sent: str = await self.rpc.call("eth_sendTransaction", [transaction])
        return sent

    async def call(
        self, signature: str, types: list[str], arguments: list[Any], *, sender: str = "", gas: int = 500_000
    ) -> str:
        """Send a call of the contract into the pool; return its hash."""
        data = selector(signature) + encode(types, arguments)
        return await self.send(self.contract, data, sender=sender, gas=gas)

    async def mint(self, token_ids: Sequence[int], owner: str, *, gas: int = 500_000) -> str:
        """Mint a batch; a token's id is also its metadata digest."""
        requests = [word(token_id) + address_word(owner) + word(token_id) for token_id in token_ids]
        data = selector("mintBatch((uint256,address,bytes32)[])") + word(32) + word(len(requests))
        sent = await self.send(self.contract, data + b"".join(requests), gas=gas)
        if token_ids[0] not in {token_id for token_id, _ in self.minted.values()}:
            self.minted[sent] = (token_ids[0], owner)
        return sent

    async def transfer(self, token_id: int, sender: str, recipient: str) -> str:
        signature, types = "transferFrom(address,address,uint256)", ["address", "address", "uint256"]
        return await self.call(signature, types, [sender, recipient, token_id], sender=sender)

    async def burn(self, token_id: int, owner: str) -> str:
        return await self.call("burn(uint256)", ["uint256"], [token_id], sender=owner)

    async def mine(self, blocks: int = 1) -> None:
        await self.rpc.call("anvil_mine", [hex(blocks)])

    async def submitted(self, tx_hash: str, mint_id: str) -> None:
        """Do builder's and broadcaster's part: a transaction carries the mint, its attempt is on record.

        It is the mint of the first token that the transaction makes, if it makes one.
        """
        token_id, owner = self.minted.get(tx_hash, (None, self.accounts[1]))
        signer = KeyRef(address=self.accounts[0], subject="user", chain_id=CHAIN_ID, secret_id="secret")
        nonce = next(self.nonces)
        attempt = Attempt(
            tx_hash=bytes.fromhex(tx_hash[2:]), max_fee_per_gas=2, max_priority_fee_per_gas=1, at=0
        )
        transaction = Transaction(
            sender_id=scoped(CHAIN_ID, signer.address),
            nonce=nonce,
            signer=signer,
            kind="mint",
            operations=(mint_id,),
            gas=GAS,
            fees=Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1),
            meaning=bytes(32),
            state=TransactionState.SUBMITTED,
            attempts=(attempt,),
            submitted_at=0,
            reserved_at=0,
            updated_at=0,
        )
        mint = Mint(
            mint_id=mint_id,
            sub="user",
            status=MintStatus.BUILT,
            chain_id=CHAIN_ID,
            contract=self.contract,
            to=owner,
            token_id=token_id,
            sender=signer,
            nonce=nonce,
            metadata_digest=word(token_id or 0),
            request_digest="",
            created_at=0,
            updated_at=0,
        )
        signed: Item = {"tx_hash": tx_hash, "kind": "sign_mint", "chain_id": CHAIN_ID}
        signed |= {"sender": signer.address, "nonce": nonce}
        await self.dynamo.write(Put(MINTS, to_item(mint) | {"created_key": created_key(0, mint_id)}))
        await self.dynamo.write(created(transaction))
        await self.dynamo.write(Put(ATTEMPTS, signed))

    def token_operation(self, kind: str, token_id: int, owner: str, *, to: str = "") -> TokenOperation:
        """Return a request to burn or to transfer a token, that its transaction carries."""
        fields: dict[str, Any] = {
            "mint_id": f"{kind}_{token_id}",
            "status": MintStatus.BUILT,
            "chain_id": CHAIN_ID,
            "contract": self.contract,
            "token_id": token_id,
            "sender": self.key_of(owner),
            "nonce": next(self.nonces),
            "request_digest": "",
            "created_at": 0,
            "updated_at": 0,
        }
        return TokenTransfer(**fields, to=to) if kind == "transfer" else TokenBurn(**fields)

    def sponsored(self, token_ids: Sequence[int], owner: str) -> list[Mint]:
        """Return mints that one batch carries."""
        nonce = next(self.nonces)
        return [
            Mint(
                mint_id=f"mint_{token_id}",
                sub="user",
                custody="sponsored",
                status=MintStatus.BUILT,
                chain_id=CHAIN_ID,
                contract=self.contract,
                to=owner,
                token_id=token_id,
                sender=self.key_of(self.accounts[0]),
                nonce=nonce,
                metadata_digest=word(token_id),
                request_digest="",
                created_at=0,
                updated_at=0,
            )
            for token_id in token_ids
        ]

    def key_of(self, address: str) -> KeyRef:
        return KeyRef(address=address, subject="user", chain_id=CHAIN_ID, secret_id="secret")

    async def carried(self, tx_hash: str, kind: TransactionKind, *operations: Operation) -> TransactionKey:
        """Put operations on record, and the transaction that carries them, with its one attempt."""
        place = carried_by(operations[0])
        assert place is not None
        assert operations[0].sender is not None
        attempt = Attempt(
            tx_hash=bytes.fromhex(tx_hash[2:]), max_fee_per_gas=2, max_priority_fee_per_gas=1, at=0
        )
        transaction = Transaction(
            sender_id=place.sender_id,
            nonce=place.nonce,
            signer=operations[0].sender,
            kind=kind,
            operations=tuple(operation.operation_id for operation in operations),
            gas=GAS,
            fees=Fees(max_fee_per_gas=2, max_priority_fee_per_gas=1),
            meaning=bytes(32),
            state=TransactionState.SUBMITTED,
            attempts=(attempt,),
            submitted_at=0,
            reserved_at=0,
            updated_at=0,
        )
        signed: Item = {"tx_hash": tx_hash, "kind": f"sign_{kind}", "chain_id": CHAIN_ID}
        signed |= {"sender": operations[0].sender.address, "nonce": place.nonce}
        await asyncio.gather(*(self.dynamo.write(Put(MINTS, to_item(operation))) for operation in operations))
        await self.dynamo.write(created(transaction))
        await self.dynamo.write(Put(ATTEMPTS, signed))
        return place

    async def progress(self) -> Progress:
        """Return the checkpoint, which is there once an indexer has begun."""
        progress = await self.store.load()
        assert progress is not None
        return progress

    async def status_of(self, operation_id: str) -> MintStatus:
        return (await self.store.operations([operation_id]))[operation_id].status

    async def open_mints(self) -> set[str]:
        """Return the mints that are open, or that an open transaction carries."""
        mints: list[Any] = await self.every("mints")
        transactions: list[Any] = await self.every("transactions")
        carried = [
            mint_id for item in transactions if "open_shard" in item for mint_id in item["operations"]["L"]
        ]
        own = [item["mint_id"] for item in mints if "open_shard" in item]
        return {mint_id["S"] for mint_id in (*own, *carried)}

    async def mint_record(self, mint_id: str) -> Mint:
        mint = (await self.store.operations([mint_id]))[mint_id]
        assert isinstance(mint, Mint)
        return mint

    async def every(self, table: str) -> list[dict[str, Any]]:
        """Return every item of a table as DynamoDB has it, in the order of their keys.

        Without what only its writers need: markers of what is gone, and fencing tokens.
        """
        declared = next(each for each in TABLES if each.name == table)
        page = await self.client.scan(TableName=declared.table_name(self.prefix))
        assert "LastEvaluatedKey" not in page
        live_items: list[dict[str, Any]] = [item for item in page["Items"] if GONE not in item]
        items = [{name: value for name, value in item.items() if name != FENCE} for item in live_items]
        return sorted(items, key=repr)


@pytest.fixture
async def harness(
    anvil_automine: str, aws_settings: ServiceSettings, aws_prefix: str
) -> AsyncIterator[Harness]:
    async with AsyncExitStack() as stack:
        calls = AwsCalls()
        client = await open_client(stack, "dynamodb", aws_settings, calls=calls)
        dynamo = Dynamo(client, aws_prefix)
        stack.push_async_callback(dynamo.aclose)
        rpc = Rpc([anvil_automine])
        stack.push_async_callback(rpc.aclose)
        harness = Harness(rpc, Node(rpc), client, dynamo, calls, aws_prefix)
        harness.accounts = [to_checksum_address(address) for address in await rpc.call("eth_accounts", [])]
        await rpc.call("evm_setAutomine", [False])
        await harness.deploy()
        yield harness
