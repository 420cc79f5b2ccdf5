"""What the enclave asks of each kind of request: one module answers for one kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from mintline.clock import UnixSeconds
from mintline.clone_calls import address_of
from mintline.eth import keccak256
from mintline.key_subjects import PLATFORM
from mintline.kinds import transaction_of
from mintline.messages.intents import AnyIntent, Intent
from mintline.messages.parts import Clone, KeyRef, LineRef, Message
from mintline_signer.enclave.curve import SigningKey
from mintline_signer.enclave.policy import PlatformKey, Role, SigningPolicy
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.protocol import Issued, Signed

RequestT = TypeVar("RequestT", bound=Message)
IntentT = TypeVar("IntentT", bound=AnyIntent)


class ClientTerms(NamedTuple):
    """What a machine client's budget counts of an operation."""

    contract: str
    cost: int
    """The wei that it may cost at most."""
    owner: str | None = None
    """Whose collection it is, by the proof that its address follows from; None without such a proof."""


class RequiredAuthorization(NamedTuple):
    """What a user must have asked for, and what shows that."""

    subject: str
    """`sub` of the user, or of the machine client."""
    digest: bytes
    """Of the very thing to be signed (`mintline.request_digests`)."""
    envelope: bytes
    """The authorization that came with it; empty where none did."""
    operation_id: str = ""
    """Which operation it is of, where a request is for several."""
    scope: str | None = None
    """The scope that the token must carry; None: the policy's."""
    for_clients: ClientTerms | None = None
    """What a machine client's budget counts, if one may have asked for it. None: a user must have."""
    line: LineRef | None = None
    """Which line of a request for many it is: the envelope, which is the request's, comes apart from it."""

    @property
    def contract(self) -> str:
        """The contract of what clients may have asked for, empty for anything else."""
        return "" if self.for_clients is None else self.for_clients.contract


class Binding(NamedTuple):
    """What a signature binds an operation to: nothing else is signed for it afterwards."""

    name: str
    value: bytes
    """32 bytes."""
    refusal: RefusalCode
    """Why something else is refused."""
    operation_id: str = ""
    """Which operation it is of, where a request is for several."""


class Gift(NamedTuple):
    """What a top-up gives away, in wei."""

    recipient: str
    value: int


class Limit(NamedTuple):
    """How often something may be signed in a window of the policy's rates."""

    name: str
    """What is counted: a key's address, or a user."""
    most: int


class Identified(Protocol):
    """A key by its address and the `sub` of its KMS encryption context."""

    @property
    def address(self) -> str:
        """Return the address."""
        ...

    @property
    def subject(self) -> str:
        """Return the `sub`."""
        ...


class EnclaveKind(ABC, Generic[RequestT]):
    """A kind of request to the enclave."""

    @abstractmethod
    def check(self, policy: SigningPolicy, request: RequestT, now: UnixSeconds) -> Role:
        """Raise EnclaveRefusal unless the policy allows it; return what the signer acts as.

        Chain and key's chain are checked before. `now` is in Unix seconds.
        """

    @abstractmethod
    def keys(self, request: RequestT, policy: SigningPolicy) -> list[Identified]:
        """Return the keys that it takes, the signer's first."""

    @abstractmethod
    def limits(self, request: RequestT, role: Role, policy: SigningPolicy) -> list[Limit]:
        """Return what a signature counts against."""

    @abstractmethod
    def sign(self, request: RequestT, keys: Sequence[SigningKey]) -> Signed | Issued:
        """Sign it. Hazard: no policy is applied here. Raises EnclaveFailure (`signing_fault`)."""

    def required_authorizations(
        self,
        request: RequestT,  # noqa: ARG002 - few have any
        authorizations: Sequence[bytes],
    ) -> list[RequiredAuthorization]:
        """Return what users must have asked for; `authorizations` are those that came beside the request.

        Raises EnclaveFailure (`bad_request`) if they are not as many as it takes: that is the host's mistake.
        """
        if authorizations:
            raise EnclaveFailure(FailureCode.BAD_REQUEST)
        return []

    def nonce(self, request: RequestT) -> str | None:  # noqa: ARG002 - a voucher has none
        """Return the nonce that it takes, by chain and sender; None if it takes none."""
        return None

    fills = False
    """Whether it gives its nonce up: nothing else is signed for that afterwards."""

    def bindings(self, request: RequestT, meaning: bytes) -> Iterable[Binding]:  # noqa: ARG002 - few have any
        """Return what its operations are bound to; `meaning` is the request's (`mintline.kinds`)."""
        return ()

    def gift(self, request: RequestT) -> Gift | None:  # noqa: ARG002 - top-ups alone do
        """Return what it gives away by the policy's `top_ups`; None if that is nothing."""
        return None


class TransactionKind(EnclaveKind[IntentT]):
    """A kind of intent: what is signed is a transaction."""

    def keys(self, request: IntentT, policy: SigningPolicy) -> list[Identified]:  # noqa: ARG002 - a mint takes its issuer's too
        """Return the signer's."""
        return [request.signer]

    def limits(self, request: IntentT, role: Role, policy: SigningPolicy) -> list[Limit]:
        """Return the signer's rate."""
        return [Limit(request.signer.address, policy.rates.of(role))]

    def nonce(self, request: IntentT) -> str | None:
        """Return chain, sender and nonce."""
        return f"{request.chain_id} {request.signer.address} {request.nonce}"

    def sign(self, request: IntentT, keys: Sequence[SigningKey]) -> Signed:
        """Sign the transaction with the signer's key."""
        signer = keys[0]
        require_key(signer, request.signer)
        transaction = transaction_of(request, issued=self.issued(request, keys))
        signature = signer.sign(transaction.signing_hash())
        raw = transaction.signed(signature.y_parity, signature.r, signature.s)
        return Signed(raw=raw, tx_hash=keccak256(raw))

    def issued(self, request: IntentT, keys: Sequence[SigningKey]) -> bytes:  # noqa: ARG002 - mints alone do
        """Return the signature that its call carries, of a voucher or a holder; empty if it carries none."""
        return b""


def require(allowed: bool, code: RefusalCode, operation_id: str = "") -> None:  # noqa: FBT001 - reads as the rule it states
    """Raise EnclaveRefusal unless it is allowed."""
    if not allowed:
        raise EnclaveRefusal(code, operation_id)


def require_key(key: SigningKey, signer: KeyRef) -> None:
    """Raise EnclaveFailure (`signing_fault`) unless a key is the signer's."""
    if key.address != signer.address:
        raise EnclaveFailure(FailureCode.SIGNING_FAULT)


def same(signer: KeyRef, key: PlatformKey) -> bool:
    """Tell whether a signer is a key of the platform, by address and subject."""
    return (signer.address, signer.subject) == (key.address, key.subject)


def sender_role(policy: SigningPolicy, signer: KeyRef) -> Role:
    """Return what the sender of a transaction acts as; raises EnclaveRefusal.

    Half a match with a key of the platform is none.
    """
    issuer = policy.issuer
    barred = signer.address == issuer.address or signer.subject == issuer.subject
    require(not barred, RefusalCode.ISSUER_TRANSACTS)
    if same(signer, policy.treasury):
        return Role.TREASURY
    if any(same(signer, relayer) for relayer in policy.relayers):
        return Role.RELAYER
    require(signer.address not in policy.senders(), RefusalCode.SIGNER)
    require(not signer.subject.startswith(PLATFORM), RefusalCode.SIGNER)
    return Role.USER


def check_contract(policy: SigningPolicy, contract: str, clone: Clone | None) -> None:
    """Raise EnclaveRefusal unless the policy has a contract, or its factory made it.

    `clone` proves the latter: the address follows from it. A wrong proof is refused for any contract.
    """
    if clone is None:
        require(contract in policy.contracts, RefusalCode.CONTRACT)
        return
    require(policy.makes(clone), RefusalCode.FACTORY)
    require(address_of(clone) == contract, RefusalCode.CLONE)


def check_fees(policy: SigningPolicy, intent: Intent, *, lines: int = 1) -> None:
    """Raise EnclaveRefusal unless gas and fees are within bounds; the cost bound is for each of its lines."""
    check_fee_caps(policy, intent, gas=policy.max_gas * lines, cost=policy.max_transaction_cost * lines)


def check_fee_caps(policy: SigningPolicy, intent: Intent, *, gas: int, cost: int) -> None:
    """Raise EnclaveRefusal unless fees are within the policy's bounds, gas and cost (wei) within these."""
    fees = intent.fees
    require(intent.gas <= gas, RefusalCode.GAS)
    require(fees.max_fee_per_gas <= policy.max_fee_per_gas, RefusalCode.FEE)
    require(fees.max_priority_fee_per_gas <= fees.max_fee_per_gas, RefusalCode.PRIORITY_FEE)
    require(intent.gas * fees.max_fee_per_gas <= cost, RefusalCode.COST)


def check_user(
    policy: SigningPolicy, intent: Intent, contract: str, *, action: str, clone: Clone | None = None
) -> Role:
    """Raise EnclaveRefusal unless a user's key may do this at the contract."""
    role = sender_role(policy, intent.signer)
    check_fees(policy, intent)
    require(role is Role.USER, RefusalCode.SIGNER)
    require(action in policy.user_actions, RefusalCode.ACTION)
    check_contract(policy, contract, clone)
    return role


def embedded_authorization(
    authorizations: Sequence[bytes], required: RequiredAuthorization
) -> list[RequiredAuthorization]:
    """Return what a request requires that has its authorization in itself, so that none comes beside it."""
    if authorizations:
        raise EnclaveFailure(FailureCode.BAD_REQUEST)
    return [required]
