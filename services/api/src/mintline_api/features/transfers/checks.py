"""What is refused of a transfer or burn at once, by the index, the records and the chain as they are now.

The builder simulates the very call before it reserves a nonce, so nothing here has to be certain: it tells
the user at once what would fail later.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from mintline.chain.calls import Call, CallReverted
from mintline.errors import Rejected, Retryable
from mintline.eth import address_word, selector, transfer_calldata, word
from mintline.records.collections import RegisteredContract
from mintline_api.chain import ChainReader
from mintline_api.features.tokens.problems import UNKNOWN_TOKEN
from mintline_api.features.transfers.ports import TokenOperationReader, TokenReader
from mintline_api.features.transfers.problems import (
    INVALID_RECIPIENT,
    NOT_TOKEN_OWNER,
    RECIPIENT_REFUSED,
    TOKEN_BURNED,
    TOKEN_OPERATION_PENDING,
    TOKEN_SOULBOUND,
)
from mintline_api.http.problems import Fault, ProblemType, RequestRefused

log = structlog.get_logger()

CHAIN_SECONDS = 2.0
"""How long a request waits for a node that is asked about its recipient."""
_REFUSES = "ERC721InvalidReceiver"
_WORD = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenChecks:
    """Refuses transfers and burns that would fail; without a `chain` no recipient's code is asked."""

    tokens: TokenReader
    operations: TokenOperationReader
    chain: ChainReader | None

    async def holds(self, wallet: str, contract: str, token_id: int) -> None:
        """Raise RequestRefused unless a wallet holds the token, and nothing else is done with it."""
        token = await self.tokens.token(contract, token_id)
        if token is None:
            raise _refused(
                UNKNOWN_TOKEN, f"Token {token_id} of {contract} not found in the index.", "token_id"
            )
        if token.owner is None:
            raise _refused(TOKEN_BURNED, f"Token {token_id} of {contract} was burned.", "token_id")
        if token.owner != wallet:
            raise _refused(
                NOT_TOKEN_OWNER,
                f"Token {token_id} of {contract} is not held by your wallet {wallet}. Send the id of a token "
                "that it holds.",
                "token_id",
            )
        for operation in await self.operations.under_way(wallet, contract):
            if (operation.contract, operation.token_id) == (contract, token_id):
                raise _refused(
                    TOKEN_OPERATION_PENDING,
                    f"The {operation.noun} {operation.operation_id} of token {token_id} is under way.",
                    "token_id",
                )

    async def holds_items(self, wallet: str, contract: str, item_id: int, quantity: int) -> None:
        """Raise RequestRefused if a node says that a wallet holds fewer tokens of an item.

        Others may be under way: each has a signature of its own, and takes its turn.
        """
        if self.chain is None:
            return
        data = selector("balanceOf(address,uint256)") + address_word(wallet) + word(item_id)
        try:
            async with asyncio.timeout(CHAIN_SECONDS):
                result = await self.chain.call(Call(sender=wallet, to=contract, data=data))
        except (Retryable, Rejected, TimeoutError) as error:
            log.warning("balance_unchecked", error=type(error).__name__)
            return
        held = int.from_bytes(result, "big")
        if len(result) == _WORD and held < quantity:
            detail = (
                f"Your wallet {wallet} holds {held} of item {item_id} of {contract}. Send an item and a "
                "quantity that it holds."
            )
            raise _refused(NOT_TOKEN_OWNER, detail, "quantity")

    async def takes(self, recipient: str, *, wallet: str, contract: str, token_id: int) -> None:
        """Raise RequestRefused if a node says that the recipient is a contract that takes no such token."""
        if self.chain is None:
            return
        data = transfer_calldata(sender=wallet, to=recipient, token_id=token_id)
        try:
            async with asyncio.timeout(CHAIN_SECONDS):
                if await self.chain.code(recipient):
                    await self.chain.call(Call(sender=wallet, to=contract, data=data))
        except CallReverted as reverted:
            # Anything else may be the collection's own refusal, about which the builder knows what to do.
            if reverted.revert is not None and reverted.revert.name == _REFUSES:
                raise _refused(
                    RECIPIENT_REFUSED,
                    f"The contract {recipient} does not accept ERC-721 tokens. Send another address.",
                    "to",
                ) from reverted
        except (Retryable, Rejected, TimeoutError) as error:
            log.warning("recipient_unchecked", error=type(error).__name__)


def check_recipient(to: str, *, wallet: str, contract: str) -> None:
    """Raise RequestRefused for a recipient that cannot be meant."""
    if to == contract:
        raise _refused(
            INVALID_RECIPIENT, "`to` is the collection's own contract: send another address.", "to"
        )
    if to == wallet:
        raise _refused(
            INVALID_RECIPIENT, "`to` is the wallet that holds the token: send another address.", "to"
        )


def check_transferable(collection: RegisteredContract) -> None:
    """Raise RequestRefused for a collection whose tokens stay with their first holders."""
    if collection.clone is not None and collection.clone.args.soulbound:
        raise _refused(
            TOKEN_SOULBOUND, f"The tokens of {collection.contract} cannot be transferred.", "contract"
        )


def _refused(kind: ProblemType, detail: str, member: str) -> RequestRefused:
    return RequestRefused(kind, detail, faults=[Fault(detail, pointer=f"#/{member}")])
