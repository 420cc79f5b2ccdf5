"""Every wording here is a node's own: from its sources, or recorded from a running one."""

from __future__ import annotations

import pytest

from mintline.chain.send_facts import SendFact, classify

HASH = "0x" + "ab" * 32
RECORDED = [
    # What geth says: core/txpool, core/error.go.
    ("already known", SendFact.ALREADY_KNOWN),
    ("nonce too low: next nonce 8, tx nonce 7", SendFact.NONCE_TOO_LOW),
    ("replacement transaction underpriced", SendFact.REPLACEMENT_UNDERPRICED),
    ("transaction underpriced", SendFact.UNDERPRICED),
    ("transaction underpriced: gas tip cap 1, minimum needed 1000000", SendFact.UNDERPRICED),
    (
        "insufficient funds for gas * price + value: balance 0, tx cost 21000, overshot 21000",
        SendFact.INSUFFICIENT_FUNDS,
    ),
    (
        "insufficient funds for gas * price + value: balance 9, queued cost 8, tx cost 5, overshot 4",
        SendFact.INSUFFICIENT_FUNDS,
    ),
    ("intrinsic gas too low: gas 100, minimum needed 21000", SendFact.INTRINSIC_GAS),
    ("insufficient gas for floor data gas cost: gas 21000, minimum needed 30000", SendFact.INTRINSIC_GAS),
    ("exceeds block gas limit", SendFact.EXCEEDS_BLOCK_GAS),
    ("rlp: expected input list for types.DynamicFeeTx", SendFact.MALFORMED),
    ("typed transaction too short", SendFact.MALFORMED),
    ("transaction type not supported", SendFact.MALFORMED),
    ("invalid sender: invalid transaction v, r, s values", SendFact.MALFORMED),
    ("invalid chain id for signer: have 1 want 31337", SendFact.MALFORMED),
    ("transaction gas limit too high (cap: 16777216, tx: 30000000)", SendFact.EXCEEDS_BLOCK_GAS),
    (
        "max fee per gas less than block base fee: address 0xA, maxFeePerGas: 1, baseFee: 7",
        SendFact.FEE_CAP_BELOW_BASE_FEE,
    ),
    ("txpool is full", SendFact.POOL_FULL),
    ("account limit exceeded: pooled 16 txs", SendFact.POOL_FULL),
    ("future transaction tries to replace pending", SendFact.NONCE_TOO_HIGH),
    ("authority nonce too low", SendFact.UNKNOWN),
    # What older geth and its forks say.
    (f"known transaction: {HASH}", SendFact.ALREADY_KNOWN),
    # What reth says: its rpc-eth-types and its pool.
    ("failed to decode signed transaction", SendFact.MALFORMED),
    ("empty transaction data", SendFact.MALFORMED),
    ("transaction priority fee below minimum required priority fee 1000", SendFact.UNDERPRICED),
    ("exceeds max transaction gas limit", SendFact.EXCEEDS_BLOCK_GAS),
    ("intrinsic gas too high", SendFact.EXCEEDS_BLOCK_GAS),
    (f"[{HASH}]: already imported", SendFact.ALREADY_KNOWN),
    (f"[{HASH}]: insufficient gas price to replace existing transaction", SendFact.REPLACEMENT_UNDERPRICED),
    (f"[{HASH}]: transaction feeCap 6 below chain minimum", SendFact.FEE_CAP_BELOW_BASE_FEE),
    (f"[{HASH}]: transaction discarded outright due to pool size constraints", SendFact.POOL_FULL),
    ("rejected due to 0xabc being identified as a spammer", SendFact.POOL_FULL),
    ("transaction overdraws from account", SendFact.INSUFFICIENT_FUNDS),
    ("transaction's gas limit 40000000 exceeds block's gas limit 30000000", SendFact.EXCEEDS_BLOCK_GAS),
    # What Nethermind says: its TxPoolErrorMessages, and the names that it answered with before.
    ("nonce too high", SendFact.NONCE_TOO_HIGH),
    ("nonce too far in future", SendFact.NONCE_TOO_HIGH),
    ("gas limit reached", SendFact.EXCEEDS_BLOCK_GAS),
    ("TxGasLimitCapExceeded: Gas limit 20000000 exceeded cap of 16777216.", SendFact.EXCEEDS_BLOCK_GAS),
    ("AlreadyKnown", SendFact.ALREADY_KNOWN),
    ("OldNonce, Current nonce: 5, nonce of rejected tx: 4.", SendFact.NONCE_TOO_LOW),
    ("ReplacementNotAllowed", SendFact.REPLACEMENT_UNDERPRICED),
    ("FeeTooLowToCompete", SendFact.UNDERPRICED),
    ("FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 5, BaseFee: 7", SendFact.UNDERPRICED),
    ("InsufficientFunds, Account balance: 0, cumulative cost: 5", SendFact.INSUFFICIENT_FUNDS),
    ("GasLimitExceeded, Gas limit: 30000000", SendFact.EXCEEDS_BLOCK_GAS),
    ("NonceGap, Future nonce. Expected nonce: 3", SendFact.NONCE_TOO_HIGH),
    ("node is syncing", SendFact.UNKNOWN),
    # What Besu says: its RpcErrorType.
    ("Known transaction", SendFact.ALREADY_KNOWN),
    ("Nonce too low", SendFact.NONCE_TOO_LOW),
    ("Replacement transaction underpriced", SendFact.REPLACEMENT_UNDERPRICED),
    ("Gas price below configured minimum gas price", SendFact.UNDERPRICED),
    ("Gas price below current base fee", SendFact.FEE_CAP_BELOW_BASE_FEE),
    ("Upfront cost exceeds account balance", SendFact.INSUFFICIENT_FUNDS),
    ("Intrinsic gas exceeds gas limit", SendFact.INTRINSIC_GAS),
    ("Transaction gas limit exceeds block gas limit", SendFact.EXCEEDS_BLOCK_GAS),
    ("Transaction nonce is too distant from current sender nonce", SendFact.NONCE_TOO_HIGH),
    ("An invalid transaction with a lower nonce exists", SendFact.NONCE_TOO_HIGH),
    ("Chain head world state is not available: initial sync is still in progress", SendFact.UNKNOWN),
    # What Erigon says: its txpoolcfg.
    ("existing txn with same hash", SendFact.ALREADY_KNOWN),
    ("could not replace existing tx", SendFact.REPLACEMENT_UNDERPRICED),
    ("underpriced", SendFact.UNDERPRICED),
    ("fee too low", SendFact.UNDERPRICED),
    ("insufficient funds", SendFact.INSUFFICIENT_FUNDS),
    ("IntrinsicGas", SendFact.INTRINSIC_GAS),
    ("gas limit is too high", SendFact.EXCEEDS_BLOCK_GAS),
    ("pending sub-pool is full", SendFact.POOL_FULL),
    ("baseFee sub-pool is full", SendFact.POOL_FULL),
    ("spammer", SendFact.POOL_FULL),
    # What anvil says: its error.rs.
    ("Failed to decode transaction", SendFact.MALFORMED),
    ("Empty transaction data", SendFact.MALFORMED),
    (f"Tx: [{HASH}] already Imported", SendFact.ALREADY_KNOWN),
    ("transaction already imported", SendFact.ALREADY_KNOWN),
    (
        f"Tx: [{HASH}] insufficient gas price to replace existing transaction",
        SendFact.REPLACEMENT_UNDERPRICED,
    ),
    ("Insufficient funds for gas * price + value", SendFact.INSUFFICIENT_FUNDS),
    ("intrinsic gas too low", SendFact.INTRINSIC_GAS),
    ("intrinsic gas too high -- tx.gas_limit > env.cfg.tx_gas_limit_cap", SendFact.EXCEEDS_BLOCK_GAS),
    (
        "Transaction gas limit is greater than the block gas limit, gas_limit: 100, cap: 50",
        SendFact.EXCEEDS_BLOCK_GAS,
    ),
    ("max fee per gas less than block base fee", SendFact.FEE_CAP_BELOW_BASE_FEE),
    # What nobody says.
    ("the moon is full of cheese", SendFact.UNKNOWN),
    ("", SendFact.UNKNOWN),
]


@pytest.mark.parametrize(
    ("words", "fact"), RECORDED, ids=[f"{n}-{words[:30]}" for n, (words, _) in enumerate(RECORDED)]
)
def test_classify__when_a_node_says_it__then_the_fact(words: str, fact: SendFact) -> None:
    assert classify(words) is fact


def test_recorded__when_counted__then_every_fact_of_a_refusal_is_covered() -> None:
    assert {fact for _, fact in RECORDED} == set(SendFact) - {SendFact.ACCEPTED}
