"""A token of a user's wallet in custody is burned, as the wallet signs: a relayer sends the transaction."""

from __future__ import annotations

from collections.abc import Sequence

from mintline.kinds.base import CallFields, asked_token, only
from mintline.kinds.relayed import RelayedKind, holder_call, relayed_fields
from mintline.messages.intents import SignRelayedBurn
from mintline.records.operations import Operation, RelayedBurn
from mintline.records.transactions import Transaction
from mintline.request_digests import relayed_burn_digest


class RelayedBurnKind(RelayedKind[SignRelayedBurn]):
    """`sign_relayed_burn`."""

    def authorized_digest(self, operation: Operation) -> bytes:
        """Return the digest of the burn."""
        assert isinstance(operation, RelayedBurn)
        return relayed_burn_digest(**asked_token(operation), quantity=operation.quantity)

    def call(self, intent: SignRelayedBurn, issued: bytes) -> CallFields:
        """Return `burnBySignature`."""
        data = holder_call(intent, to=None).calldata(issued)
        return CallFields(intent.contract, data=data)

    def intent(
        self, transaction: Transaction, operations: Sequence[Operation], authorization: bytes
    ) -> SignRelayedBurn:
        """Return the intent; no enclave signs it without the user's authorization."""
        burn = only(RelayedBurn, transaction, operations)
        return SignRelayedBurn(**relayed_fields(transaction, burn, authorization))


KIND = RelayedBurnKind()
