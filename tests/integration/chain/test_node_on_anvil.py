"""The adapter against a real node: what it parses, simulates and calls facts is what anvil says."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import Hash32

from mintline.chain import collection
from mintline.chain.answers import Receipt
from mintline.chain.calls import Call, Override
from mintline.chain.node import Node
from mintline.chain.rpc import Rpc, RpcError
from mintline.chain.send_facts import SendFact
from mintline.errors import Rejected, Unavailable
from mintline.eth import GWEI, keccak256, redeem_calldata, to_checksum_address, voucher_hash
from mintline_testkit.constants import CHAIN_ID

pytestmark = pytest.mark.integration

RICH = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
FAR_FUTURE = 10**11


@dataclass
class Chain:
    rpc: Rpc
    node: Node
    rich: LocalAccount

    def sign(self, account: LocalAccount, **fields: Any) -> bytes:
        transaction = {
            "type": 2,
            "chainId": CHAIN_ID,
            "nonce": 0,
            "gas": 21_000,
            "maxFeePerGas": 10 * GWEI,
            "maxPriorityFeePerGas": GWEI,
            "to": account.address,
            "value": 0,
            "data": b"",
            **fields,
        }
        return bytes(account.sign_transaction(transaction).raw_transaction)

    async def send(self, raw: bytes) -> SendFact:
        return (await self.node.send_raw(raw)).fact

    async def fund(self, account: LocalAccount, wei: int = 10**18) -> None:
        await self.rpc.call("anvil_setBalance", [account.address, hex(wei)])

    async def mined(self, raw: bytes) -> Receipt:
        """Wait for the block, which follows the answer to a send, however closely."""
        async with asyncio.timeout(5):
            while (receipt := await self.node.receipt(keccak256(raw))) is None:  # noqa: ASYNC110 - polls a node
                await asyncio.sleep(0.01)
        return receipt

    async def deploy(self) -> str:
        code = collection.creation_code(
            name="N",
            symbol="S",
            base_uri="https://example.com/",
            contract_uri="https://example.com/c",
            admin=self.rich.address,
            issuer=self.rich.address,
            royalty_receiver=self.rich.address,
            royalty_bps=0,
        )
        raw = self.sign(self.rich, to=None, gas=5_000_000, data=code)
        assert await self.send(raw) is SendFact.ACCEPTED
        await self.mined(raw)
        response = await self.rpc.call("eth_getTransactionReceipt", ["0x" + keccak256(raw).hex()])
        return to_checksum_address(response["contractAddress"])


def redeem(contract: str, token_id: int, to: str, issuer: LocalAccount) -> bytes:
    fields: dict[str, Any] = {
        "token_id": token_id,
        "to": to,
        "metadata_digest": bytes(range(32)),
        "deadline": FAR_FUTURE,
    }
    digest = voucher_hash(chain_id=CHAIN_ID, contract=contract, **fields)
    signature = bytes(issuer.unsafe_sign_hash(Hash32(digest)).signature)
    return redeem_calldata(**fields, signature=signature)


@pytest.fixture
async def chain(anvil_automine: str) -> AsyncIterator[Chain]:
    rpc = Rpc([anvil_automine])
    yield Chain(rpc, Node(rpc), Account.from_key(RICH))
    await rpc.aclose()


async def test_simulation__when_an_issuer_is_assumed__then_a_redemption_costs_its_gas(chain: Chain) -> None:
    contract = await chain.deploy()
    wallet, issuer = Account.create(), Account.create()
    call = Call(wallet.address, contract, redeem(contract, 7, wallet.address, issuer))
    with pytest.raises(Rejected, match="InvalidIssuer") as caught:
        await chain.node.estimate_gas(call)
    assert caught.value.code == "simulation_reverted"
    assert issuer.address in caught.value.reason
    slot = collection.roles_slot(collection.ISSUER_ROLE, issuer.address)
    overrides = {
        contract: Override(storage={slot: collection.GRANTED}),
        wallet.address: Override(balance=10**18),
    }
    gas = await chain.node.estimate_gas(call, overrides)
    assert 60_000 < gas < 200_000
    assert await chain.node.call(call, overrides=overrides) == b""


async def test_redemption__when_mined__then_block_receipt_and_events_agree(chain: Chain) -> None:
    contract = await chain.deploy()
    wallet = Account.create()
    await chain.fund(wallet)
    data = redeem(contract, 7, wallet.address, chain.rich)
    raw = chain.sign(wallet, to=contract, gas=200_000, data=data)
    assert await chain.send(raw) is SendFact.ACCEPTED
    tx_hash = keccak256(raw)
    receipt = await chain.mined(raw)
    block = await chain.node.block("latest", full=True)
    assert block is not None
    assert (receipt.status, receipt.block_hash, receipt.block_number) == (True, block.hash, block.number)
    [transaction] = block.transactions
    assert (transaction.hash, transaction.sender, transaction.to, transaction.nonce) == (
        tx_hash,
        wallet.address,
        contract,
        0,
    )
    logs = await chain.node.logs(block_hash=block.hash, addresses=[contract])
    first, second = logs
    assert collection.decode_transfer(first) == collection.TransferEvent(None, wallet.address, 7)
    assert collection.decode_minted(second) == collection.MintedEvent(7, wallet.address, bytes(range(32)))
    assert await chain.node.logs_range(0, block.number, [contract], [collection.MINTED_TOPIC]) == (second,)
    assert await chain.node.transaction_known(tx_hash)
    assert await chain.node.transaction_count(wallet.address) == 1
    assert await chain.node.transaction_count_at(wallet.address, block.hash) == 1
    assert await chain.node.transaction_count_at(wallet.address, block.parent_hash) == 0
    assert await chain.node.transaction_count_at(wallet.address, bytes(32)) is None
    for block_hash, minted, digest in (
        (block.hash, True, bytes(range(32))),
        (block.parent_hash, False, None),
        (bytes(32), None, None),
    ):
        assert await chain.node.is_minted(contract, 7, block_hash) is minted
        assert await chain.node.minted_digest(contract, 7, block_hash) == digest
    parent = await chain.node.block(block.parent_hash)
    assert parent is not None
    assert parent.number == block.number - 1


async def test_unknown_things__when_asked_for__then_none_or_unavailable(chain: Chain) -> None:
    node = chain.node
    assert await node.receipt(bytes(32)) is None
    assert await node.block(bytes(32)) is None
    assert await node.block(10**6) is None
    assert not await node.transaction_known(bytes(32))
    with pytest.raises(Unavailable):
        await node.logs(block_hash=bytes(32), addresses=[])
    with pytest.raises(RpcError):
        await chain.rpc.call("eth_noSuchMethod", [])


async def test_finalized__when_blocks_pass__then_it_follows_the_head(chain: Chain) -> None:
    await chain.rpc.call("anvil_mine", ["0x5"])
    latest, finalized = await chain.node.block("latest"), await chain.node.block("finalized")
    assert latest is not None
    assert finalized is not None
    assert latest.number - 2 <= finalized.number <= latest.number


async def test_calls__when_a_thousand_at_once__then_each_gets_its_own_answer(chain: Chain) -> None:
    accounts = [to_checksum_address(keccak256(b"%d" % n)[12:]) for n in range(1000)]
    for account, n in zip(accounts[:20], itertools.count(1), strict=False):
        await chain.rpc.call("anvil_setBalance", [account, hex(n)])
    balances = await asyncio.gather(*(chain.node.balance(account) for account in accounts))
    assert balances[:21] == [*range(1, 21), 0]


# Each fact that anvil can be brought to


@pytest.fixture
async def pooled(chain: Chain) -> Chain:
    """A chain that mines nothing, so that transactions stay in its pool."""
    await chain.rpc.call("evm_setAutomine", [False])
    return chain


async def test_fact__when_sent_twice__then_already_known(pooled: Chain) -> None:
    raw = pooled.sign(pooled.rich)
    assert [await pooled.send(raw), await pooled.send(raw)] == [SendFact.ACCEPTED, SendFact.ALREADY_KNOWN]


async def test_fact__when_its_nonce_is_mined__then_nonce_too_low(chain: Chain) -> None:
    raw = chain.sign(chain.rich)
    assert await chain.send(raw) is SendFact.ACCEPTED
    await chain.mined(raw)
    assert await chain.send(raw) is SendFact.NONCE_TOO_LOW


@pytest.mark.parametrize(
    ("fees", "fact"),
    [(10 * GWEI, SendFact.REPLACEMENT_UNDERPRICED), (11_250_000_000, SendFact.ACCEPTED)],
)
async def test_fact__when_replacing__then_an_eighth_more_is_enough_and_the_same_is_not(
    pooled: Chain, fees: int, fact: SendFact
) -> None:
    assert await pooled.send(pooled.sign(pooled.rich)) is SendFact.ACCEPTED
    replacement = pooled.sign(pooled.rich, value=1, maxFeePerGas=fees, maxPriorityFeePerGas=fees // 10)
    assert await pooled.send(replacement) is fact


async def test_fact__when_below_the_base_fee__then_fee_cap_below_base_fee(chain: Chain) -> None:
    await chain.rpc.call("anvil_setNextBlockBaseFeePerGas", [hex(50 * GWEI)])
    await chain.rpc.call("anvil_mine", ["0x1"])
    await chain.rpc.call("anvil_setNextBlockBaseFeePerGas", [hex(50 * GWEI)])
    assert await chain.send(chain.sign(chain.rich)) is SendFact.FEE_CAP_BELOW_BASE_FEE


async def test_fact__when_the_wallet_is_empty__then_insufficient_funds(chain: Chain) -> None:
    assert await chain.send(chain.sign(Account.create())) is SendFact.INSUFFICIENT_FUNDS


async def test_fact__when_gas_is_below_a_transfers__then_intrinsic_gas(chain: Chain) -> None:
    assert await chain.send(chain.sign(chain.rich, gas=20_999)) is SendFact.INTRINSIC_GAS


async def test_fact__when_gas_is_above_the_blocks__then_exceeds_block_gas(chain: Chain) -> None:
    assert await chain.send(chain.sign(chain.rich, gas=31_000_000)) is SendFact.EXCEEDS_BLOCK_GAS


async def test_fact__when_signed_for_another_chain__then_malformed_with_the_nodes_words(
    chain: Chain,
) -> None:
    response = await chain.node.send_raw(chain.sign(chain.rich, chainId=1))
    assert response.fact is SendFact.MALFORMED
    assert response.message
