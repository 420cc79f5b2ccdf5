"""What a node's answer to `eth_sendRawTransaction` means.

Nodes agree on neither codes nor words, so the words are the only source. One table, matched in order, in
lower case; the comment behind each names the nodes that say so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class SendFact(StrEnum):
    """What is now known about a transaction that was sent."""

    ACCEPTED = "accepted"
    ALREADY_KNOWN = "already_known"
    NONCE_TOO_LOW = "nonce_too_low"
    """Its nonce is used: by this very transaction, another attempt, or a stranger. Look at the chain."""
    NONCE_TOO_HIGH = "nonce_too_high"
    """Earlier nonces of its sender have not arrived yet, and this node keeps no place for it."""
    REPLACEMENT_UNDERPRICED = "replacement_underpriced"
    UNDERPRICED = "underpriced"
    FEE_CAP_BELOW_BASE_FEE = "fee_cap_below_base_fee"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    INTRINSIC_GAS = "intrinsic_gas"
    EXCEEDS_BLOCK_GAS = "exceeds_block_gas"
    POOL_FULL = "pool_full"
    MALFORMED = "malformed"
    """The bytes are no signed transaction of this chain."""
    UNKNOWN = "unknown"


FOR_GOOD = frozenset({SendFact.INTRINSIC_GAS, SendFact.EXCEEDS_BLOCK_GAS})
"""What ends a mint, as no node will ever take its transaction."""
TAKEN = frozenset({SendFact.ACCEPTED, SendFact.ALREADY_KNOWN})
"""What a node says that has the transaction now."""


@dataclass(frozen=True, slots=True)
class SendAnswer:
    """A fact, with the node's own words."""

    fact: SendFact
    message: str = ""


# Order matters where one wording contains another: a replacement underpriced is also "underpriced".
WORDINGS: tuple[tuple[str, SendFact], ...] = (
    (r"already known", SendFact.ALREADY_KNOWN),  # geth, reth, Nethermind, Erigon
    (r"already imported", SendFact.ALREADY_KNOWN),  # anvil, reth's pool
    (r"known transaction", SendFact.ALREADY_KNOWN),  # Besu, older geth ("known transaction: 0x…")
    (r"existing txn? with same hash", SendFact.ALREADY_KNOWN),  # Erigon
    (r"alreadyknown", SendFact.ALREADY_KNOWN),  # Nethermind's name of the result
    (r"authority nonce too low", SendFact.UNKNOWN),  # geth, EIP-7702: about an authorization, not this nonce
    (r"nonce too low", SendFact.NONCE_TOO_LOW),  # geth, reth, Erigon, Besu, anvil, Nethermind
    (r"oldnonce", SendFact.NONCE_TOO_LOW),  # Nethermind
    (r"^mined$", SendFact.NONCE_TOO_LOW),  # Erigon: by the time that it looked
    (
        r"nonce too high|nonce too far in (the )?future",
        SendFact.NONCE_TOO_HIGH,
    ),  # geth, Besu, anvil, Nethermind
    (r"nonce is too distant|noncegap|noncetoofarinfuture", SendFact.NONCE_TOO_HIGH),  # Besu, Nethermind
    (r"tries to replace pending", SendFact.NONCE_TOO_HIGH),  # geth: a future one would displace a pending one
    (r"lower nonce exists", SendFact.NONCE_TOO_HIGH),  # Besu: its predecessor is invalid
    (r"gapped-nonce tx from delegated", SendFact.NONCE_TOO_HIGH),  # geth: an account with code (EIP-7702)
    (r"replacement transaction underpriced", SendFact.REPLACEMENT_UNDERPRICED),  # geth, reth, Besu, Erigon
    (r"insufficient gas price to replace", SendFact.REPLACEMENT_UNDERPRICED),  # anvil, reth's pool
    (r"could not replace existing", SendFact.REPLACEMENT_UNDERPRICED),  # Erigon
    (r"replaced by transaction with higher tip", SendFact.REPLACEMENT_UNDERPRICED),  # Erigon
    (r"replacementnotallowed", SendFact.REPLACEMENT_UNDERPRICED),  # Nethermind
    (r"less than block base fee", SendFact.FEE_CAP_BELOW_BASE_FEE),  # geth, reth, anvil
    (r"below current base fee", SendFact.FEE_CAP_BELOW_BASE_FEE),  # Besu
    (r"feecap \d+ below chain minimum", SendFact.FEE_CAP_BELOW_BASE_FEE),  # reth's pool
    (r"underpriced", SendFact.UNDERPRICED),  # geth, reth, Erigon, Nethermind
    (r"fee ?too ?low", SendFact.UNDERPRICED),  # Erigon, Nethermind (FeeTooLow, FeeTooLowToCompete)
    (r"below configured minimum", SendFact.UNDERPRICED),  # Besu
    (r"below minimum required priority fee", SendFact.UNDERPRICED),  # reth
    (r"insufficient ?funds", SendFact.INSUFFICIENT_FUNDS),  # geth, reth, anvil, Erigon, Nethermind
    (r"upfront cost exceeds", SendFact.INSUFFICIENT_FUNDS),  # Besu
    (r"overdraws from account", SendFact.INSUFFICIENT_FUNDS),  # reth's pool
    (
        r"intrinsic ?gas ?(too ?low)?$|intrinsic gas too low",
        SendFact.INTRINSIC_GAS,
    ),  # geth, reth, anvil, Erigon
    (r"intrinsic gas exceeds", SendFact.INTRINSIC_GAS),  # Besu
    (r"floor data gas", SendFact.INTRINSIC_GAS),  # geth, EIP-7623
    (r"gas ?limit is greater|intrinsic gas too high", SendFact.EXCEEDS_BLOCK_GAS),  # anvil, reth
    (r"exceeds block('s)? gas limit", SendFact.EXCEEDS_BLOCK_GAS),  # geth, reth, Besu
    (r"exceeds max transaction gas limit", SendFact.EXCEEDS_BLOCK_GAS),  # reth, EIP-7825
    (r"gas ?limit (is )?too high", SendFact.EXCEEDS_BLOCK_GAS),  # geth (EIP-7825), Erigon, reth
    (r"gas ?limit ?(cap ?)?exceeded|gas limit reached", SendFact.EXCEEDS_BLOCK_GAS),  # Nethermind
    (
        r"pool is full|pool overflow|txpool is full",
        SendFact.POOL_FULL,
    ),  # geth, reth, Erigon's three sub-pools
    (r"pool size constraints|spammer", SendFact.POOL_FULL),  # reth's pool, Erigon
    (r"account limit exceeded", SendFact.POOL_FULL),  # geth
    (r"in-flight transaction limit", SendFact.POOL_FULL),  # geth: an account with code (EIP-7702)
    (r"^rlp: |typed transaction too short", SendFact.MALFORMED),  # geth, Erigon
    (r"transaction type not supported", SendFact.MALFORMED),  # geth, Erigon
    (r"failed to decode (signed )?transaction", SendFact.MALFORMED),  # anvil, reth
    (r"empty (raw )?transaction data", SendFact.MALFORMED),  # reth, anvil
    (r"invalid transaction v, r, s values|invalid transaction signature", SendFact.MALFORMED),  # geth, reth
    (r"invalid signature", SendFact.MALFORMED),  # Besu
    (r"invalid chain id for signer|wrong chainid", SendFact.MALFORMED),  # geth, anvil, Besu
    (r"max priority fee per gas (higher|exceeds)", SendFact.MALFORMED),  # geth, anvil, Besu
)

_TABLE = tuple((re.compile(pattern), fact) for pattern, fact in WORDINGS)


def classify(message: str) -> SendFact:
    """Return the fact behind a node's refusal; UNKNOWN for words that no entry of the table has."""
    words = message.lower()
    return next((fact for pattern, fact in _TABLE if pattern.search(words)), SendFact.UNKNOWN)
