"""What the builder and the broadcaster are to look at: each names a record, which holds the rest."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mintline.fields import Address, Bytes32, Wei
from mintline.messages.parts import UINT64_MAX, Message, MintId


class BuildMint(Message):
    """A mint was accepted; its record holds everything else."""

    type: Literal["build_mint"] = "build_mint"
    mint_id: MintId
    digest: Bytes32 | None = None
    """What its authorization is stored under, so that both are read at once; the record takes precedence."""


class BuildLines(Message):
    """A part of a request for many mints was accepted; the mints' records hold everything else."""

    type: Literal["build_lines"] = "build_lines"
    request_id: MintId
    chunk: int = Field(ge=0, lt=2**31)


class FundWallet(Message):
    """A node refused a wallet's transaction for lack of funds: top it up."""

    type: Literal["fund_wallet"] = "fund_wallet"
    wallet: Address
    required: Wei
    """What the refused transaction takes at most, in wei; the builder adds the others in flight."""
    balance: Wei = 0
    """What the wallet held when it was refused, in wei: too little, whatever the builder knows of."""


class RenewNonce(Message):
    """Another transaction has used a mint's nonce: give the mint another one."""

    type: Literal["renew_nonce"] = "renew_nonce"
    mint_id: MintId
    nonce: int = Field(ge=0, lt=UINT64_MAX)
    """The nonce that is spent; a mint that has another by now is left as it is."""


class FinishBatch(Message):
    """A batch's nonce is reserved, but not all of its operations are claimed: claim them, have it signed."""

    type: Literal["finish_batch"] = "finish_batch"
    sender: Address
    nonce: int = Field(ge=0, lt=UINT64_MAX)


class ReviewMint(Message):
    """Something happened to a mint on its way to the chain: look at its record, and do what that asks for."""

    type: Literal["review_mint"] = "review_mint"
    mint_id: MintId
