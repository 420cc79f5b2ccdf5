"""Sponsored mints, signed by a relayer's key if each has the authorization of its user or machine client."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mintline.clock import UnixSeconds
from mintline.kinds.batch import line_digest
from mintline.messages.intents import SignBatch
from mintline_signer.enclave.kinds.base import (
    Binding,
    ClientTerms,
    RequiredAuthorization,
    TransactionKind,
    check_contract,
    check_fees,
    require,
    sender_role,
)
from mintline_signer.enclave.kinds.vouchers import token_of
from mintline_signer.enclave.policy import Role, SigningPolicy
from mintline_signer.errors import EnclaveFailure, FailureCode, RefusalCode


class BatchKind(TransactionKind[SignBatch]):
    """`sign_batch`."""

    def check(self, policy: SigningPolicy, request: SignBatch, now: UnixSeconds) -> Role:  # noqa: ARG002 - it has no deadline
        """Allow it to relayers, with each mint and each token once."""
        role = sender_role(policy, request.signer)
        require(role is Role.RELAYER, RefusalCode.SIGNER)
        require(len(request.mints) <= policy.max_batch, RefusalCode.BATCH)
        check_fees(policy, request, lines=len(request.mints))
        check_contract(policy, request.contract, request.clone)
        mints: set[str] = set()
        tokens: set[int] = set()
        for line in request.mints:
            new = line.mint_id not in mints and line.token_id not in tokens
            require(new, RefusalCode.BATCH_LINE, line.mint_id)
            mints.add(line.mint_id)
            tokens.add(line.token_id)
        return role

    def required_authorizations(
        self, request: SignBatch, authorizations: Sequence[bytes]
    ) -> list[RequiredAuthorization]:
        """Return each line, asked for by the user or client that it names; authorizations in their order."""
        if len(authorizations) != len(request.mints):
            raise EnclaveFailure(FailureCode.BAD_REQUEST)
        # An equal share of the gas limit at the fee cap, rounded up.
        cost = -(-request.gas * request.fees.max_fee_per_gas // len(request.mints))
        owner = None if request.clone is None else request.clone.principal
        terms = ClientTerms(request.contract, cost, owner)
        return [
            RequiredAuthorization(
                line.subject,
                line_digest(request, line),
                envelope,
                line.mint_id,
                for_clients=terms,
                line=line.request,
            )
            for line, envelope in zip(request.mints, authorizations, strict=True)
        ]

    def bindings(self, request: SignBatch, meaning: bytes) -> Iterable[Binding]:  # noqa: ARG002 - a mint may get into another batch
        """Return the mints' tokens."""
        for line in request.mints:
            yield token_of(
                line.mint_id,
                chain_id=request.chain_id,
                contract=request.contract,
                token_id=line.token_id,
                operation_id=line.mint_id,
            )


KIND = BatchKind()
