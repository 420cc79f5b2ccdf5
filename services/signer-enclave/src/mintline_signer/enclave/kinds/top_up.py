"""Gas money from the treasury to a wallet in custody."""

from __future__ import annotations

from mintline.clock import UnixSeconds
from mintline.messages.intents import SignTopUp
from mintline_signer.enclave.kinds.base import Gift, TransactionKind, check_fees, require, sender_role
from mintline_signer.enclave.policy import Role, SigningPolicy
from mintline_signer.errors import RefusalCode


class TopUpKind(TransactionKind[SignTopUp]):
    """`sign_top_up`."""

    def check(self, policy: SigningPolicy, request: SignTopUp, now: UnixSeconds) -> Role:  # noqa: ARG002 - it has no deadline
        """Allow it to the treasury, up to a value, to wallets; to relayers if the policy budgets them."""
        role = sender_role(policy, request.signer)
        check_fees(policy, request)
        require(role is Role.TREASURY, RefusalCode.SIGNER)
        require(request.value <= policy.max_top_up_value, RefusalCode.TOP_UP_VALUE)
        barred = {policy.issuer.address, *policy.senders(), *policy.contracts}
        refill = policy.is_relayer(request.recipient) and policy.top_up_bounds().relayer > 0
        require(refill or request.recipient not in barred, RefusalCode.TOP_UP_RECIPIENT)
        return role

    def gift(self, request: SignTopUp) -> Gift:
        """Return what the wallet gets."""
        return Gift(request.recipient, request.value)


KIND = TopUpKind()
