"""What a user's own wallet gets of a mint: voucher, typed data, and the transaction to sign."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from mintline.fields import Address, Bytes32, HexBytes, TokenId
from mintline.records.operations import Mint
from mintline.views.base import Time, View, rfc3339
from mintline.vouchers import voucher_of

_TYPES = {
    "EIP712Domain": [
        {"name": "name", "type": "string"},
        {"name": "version", "type": "string"},
        {"name": "chainId", "type": "uint256"},
        {"name": "verifyingContract", "type": "address"},
    ],
    "Voucher": [
        {"name": "tokenId", "type": "uint256"},
        {"name": "to", "type": "address"},
        {"name": "metadataDigest", "type": "bytes32"},
        {"name": "deadline", "type": "uint256"},
    ],
}


class VoucherView(View):
    """What the contract takes, once, from anyone, for the recipient."""

    token_id: TokenId
    to: Address
    metadata_digest: Bytes32
    deadline: int = Field(description="Unix seconds; the contract refuses the voucher after it.")
    expires_at: Time = Field(description="The same as a date.")
    signature: HexBytes = Field(description="The issuer's, 65 bytes: the second argument of `redeem`.")


class UnsignedTransaction(View):
    """An EIP-1559 transaction in the words of JSON-RPC: parameters of `eth_sendTransaction`.

    What the chain could not be asked for is absent: nonce and fees, and `from` for a contract wallet, which
    sends no transaction of its own.
    """

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    type: str = "0x2"
    chain_id: str = Field(serialization_alias="chainId")
    from_: Address | None = Field(default=None, serialization_alias="from")
    to: Address
    value: str = "0x0"
    data: HexBytes
    gas: str
    max_fee_per_gas: str | None = Field(default=None, serialization_alias="maxFeePerGas")
    max_priority_fee_per_gas: str | None = Field(default=None, serialization_alias="maxPriorityFeePerGas")
    nonce: str | None = Field(default=None, description="The wallet's next, as a suggestion.")

    @model_serializer(mode="wrap")
    def _without_unknowns(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in serialize(self).items() if value is not None}


class SelfCustodyView(View):
    """All that the user's own wallet needs to redeem the voucher."""

    voucher: VoucherView
    typed_data: dict[str, Any] = Field(
        description="The voucher as EIP-712 has it, with domain and types: what the signature is over."
    )
    transaction: UnsignedTransaction | None = Field(
        description="What to sign and send, or to post; null in lists, and once there is nothing to sign."
    )


def self_custody_view(mint: Mint, transaction: UnsignedTransaction | None) -> SelfCustodyView | None:
    """Return what the user's wallet needs, None before the voucher is issued."""
    if mint.custody != "self" or mint.voucher_signature is None:
        return None
    voucher = voucher_of(mint)
    return SelfCustodyView(
        voucher=VoucherView(
            **voucher.model_dump(),
            expires_at=rfc3339(voucher.deadline * 1000),
            signature=mint.voucher_signature,
        ),
        typed_data=typed_data(mint),
        transaction=transaction,
    )


def typed_data(mint: Mint) -> dict[str, Any]:
    """Return the voucher as `eth_signTypedData_v4` takes it, its 256-bit numbers as strings."""
    voucher = voucher_of(mint)
    return {
        "types": _TYPES,
        "primaryType": "Voucher",
        "domain": {
            "name": "Mintline",
            "version": "1",
            "chainId": mint.chain_id,
            "verifyingContract": mint.contract,
        },
        "message": {
            "tokenId": str(voucher.token_id),
            "to": voucher.to,
            "metadataDigest": "0x" + voucher.metadata_digest.hex(),
            "deadline": str(voucher.deadline),
        },
    }
