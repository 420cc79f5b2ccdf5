"""Message calls that are simulated, and what a node's refusal says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mintline.chain import answers, collection
from mintline.chain.rpc import RpcError
from mintline.errors import Rejected

_REVERTED = re.compile(r"revert", re.IGNORECASE)
_OUT_OF_GAS = re.compile(
    r"out ?of ?gas|gas required exceeds|exceeds block gas limit|intrinsic gas", re.IGNORECASE
)
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})+")


@dataclass(frozen=True, slots=True)
class Call:
    """A message call to simulate; `value` is in wei, and `to` is None where `data` creates a contract."""

    sender: str
    to: str | None
    data: bytes
    value: int = 0
    gas: int | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """What a simulation takes for true of one account; `storage` replaces single slots."""

    balance: int | None = None
    nonce: int | None = None
    code: bytes | None = None
    storage: Mapping[bytes, bytes] = field(default_factory=dict)


Overrides: TypeAlias = Mapping[str, Override]
"""By address."""


class CallReverted(Rejected):
    """A simulated call reverted; `revert` is the contract's reason, None when the node passed on no data."""

    def __init__(self, revert: collection.Revert | None, reason: str) -> None:
        super().__init__("simulation_reverted", f"The contract would refuse: {reason}")
        self.revert = revert


def simulation(call: Call, at: str, overrides: Overrides | None) -> list[Any]:
    """Return the parameters of `eth_call` and `eth_estimateGas`, on the block that `at` names."""
    params: list[Any] = [_call_object(call), at]
    if overrides:
        params.append({address: _override_object(override) for address, override in overrides.items()})
    return params


def _call_object(call: Call) -> dict[str, str]:
    fields = {"from": call.sender, "input": "0x" + call.data.hex(), "value": hex(call.value)}
    if call.to is not None:
        fields["to"] = call.to
    if call.gas is not None:
        fields["gas"] = hex(call.gas)
    return fields


def _override_object(override: Override) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if override.balance is not None:
        fields["balance"] = hex(override.balance)
    if override.nonce is not None:
        fields["nonce"] = hex(override.nonce)
    if override.code is not None:
        fields["code"] = "0x" + override.code.hex()
    if override.storage:
        fields["stateDiff"] = {
            "0x" + slot.hex(): "0x" + value.hex() for slot, value in override.storage.items()
        }
    return fields


def refusal(error: RpcError) -> Rejected | None:
    """Return what a simulation's error says of the call, None if it is the node's own trouble."""
    data = _revert_data(error.data)
    if data or _REVERTED.search(error.message):
        revert = collection.decode_revert(data) if data else None
        return CallReverted(revert, str(revert) if revert else error.message)
    if _OUT_OF_GAS.search(error.message):
        return Rejected("simulation_out_of_gas", f"No gas limit would do: {error.message}")
    return None


def refuses(most: int | None, result: Any) -> bool | None:
    """Tell whether an estimate refuses the call, or needs more gas than `most`; None if it says neither."""
    if isinstance(result, RpcError):
        return None if refusal(result) is None else True
    return most is not None and answers.quantity(result, "gas") > most


def _revert_data(data: Any) -> bytes:
    """Find the revert data, which nodes put as hex, in an object, or behind "Reverted " (Nethermind)."""
    if isinstance(data, dict):
        data = data.get("data")
    match = _HEX.search(data) if isinstance(data, str) else None
    return bytes.fromhex(match[0][2:]) if match else b""
