"""The cast of the signer's tests: keys that are known, a policy, and one intent of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from coincurve import PrivateKey

from mintline.acceptance import Session
from mintline.clone_calls import address_of
from mintline.clones import CloneArgs
from mintline.eth import address_of_public_key
from mintline.messages.intents import (
    AnyIntent,
    AnyRequest,
    BatchMint,
    IssueVoucher,
    SignAdminister,
    SignBatch,
    SignBurn,
    SignDeploy,
    SignMint,
    SignNoop,
    SignRelayedBurn,
    SignRelayedTransfer,
    SignTopUp,
    SignTransfer,
)
from mintline.messages.parts import Clone, CollectionChange, Fees, KeyRef, Voucher
from mintline.scopes import Scope
from mintline_signer.enclave.curve import SigningKey
from mintline_signer.enclave.policy import ClientsPolicy, Factory, PlatformKey, Rates, SigningPolicy
from mintline_signer.enclave.signing import sign_request
from mintline_signer.enclave.tokens import AuthorizationPolicy
from mintline_signer.protocol import Issued, Signed, WrappedKey
from mintline_testkit.constants import CHAIN_ID, CONTRACT
from mintline_testkit.signer import Authority

NOW = 1_800_000_000
FACTORY, IMPLEMENTATION = "0x" + "f1" * 20, "0x" + "c1" * 20
GRACE = 600


@cache
def _authority() -> Authority:
    return Authority(chain_id=CHAIN_ID)


@cache
def _authorized(intent: Any, token: str) -> Any:
    """Return an intent with its authorization, the same one each time; sealing itself never repeats."""
    return _authority().authorized(intent, token, now=NOW, session=_session())


@cache
def _batch_authorizations(batch: SignBatch) -> list[bytes]:
    return _authority().authorizations(batch, now=NOW, session=_session())


@cache
def _session() -> Session:
    return _authority().session(now=NOW)


@dataclass(frozen=True)
class Player:
    """A key whose secret the test knows."""

    subject: str
    secret: bytes

    @property
    def address(self) -> str:
        return address_of_public_key(PrivateKey(self.secret).public_key.format(compressed=False))

    @property
    def ref(self) -> KeyRef:
        return KeyRef(
            address=self.address, subject=self.subject, chain_id=CHAIN_ID, secret_id=f"s/{self.subject}"
        )

    @property
    def wrapped(self) -> WrappedKey:
        return WrappedKey(
            address=self.address, subject=self.subject, chain_id=CHAIN_ID, wrapped=b"wrapped " + self.secret
        )

    def signing_key(self) -> SigningKey:
        return SigningKey(bytearray(self.secret))


def sign(intent: AnyIntent, keys: list[SigningKey]) -> Signed:
    signed = sign_request(intent, keys)
    assert isinstance(signed, Signed)
    return signed


def issue(intent: IssueVoucher, issuer: SigningKey) -> Issued:
    issued = sign_request(intent, [issuer])
    assert isinstance(issued, Issued)
    return issued


@dataclass(frozen=True)
class Cast:
    user: Player = Player("user-1", b"\x11" * 32)
    other: Player = Player("user-2", b"\x55" * 32)
    issuer: Player = Player("platform:issuer", b"\x22" * 32)
    treasury: Player = Player("platform:treasury", b"\x33" * 32)
    relayer: Player = Player("platform:relayer-1", b"\x44" * 32)
    now: int = NOW

    @property
    def authority(self) -> Authority:
        return _authority()

    def token(self, player: Player | None = None) -> str:
        return self.authority.token((player or self.user).subject, now=self.now)

    def authorized(self, intent: Any, player: Player | None = None) -> Any:
        return _authorized(intent, self.token(player))

    def mint(self, signer: Player | None = None) -> SignMint:
        signer = signer or self.user
        intent = SignMint(
            signer=signer.ref,
            chain_id=CHAIN_ID,
            nonce=7,
            gas=200_000,
            fees=Fees(max_fee_per_gas=30 * 10**9, max_priority_fee_per_gas=10**9),
            mint_id="mint_1",
            contract=CONTRACT,
            voucher=Voucher(
                token_id=2**200 + 1,
                to=signer.address,
                metadata_digest=bytes(range(32)),
                deadline=NOW + 3600,
            ),
        )
        mint: SignMint = self.authorized(intent, signer)
        return mint

    def voucher(self) -> IssueVoucher:
        mint = self.mint()
        intent = IssueVoucher(
            signer=self.issuer.ref,
            chain_id=CHAIN_ID,
            mint_id="mint_2",
            contract=CONTRACT,
            voucher=mint.voucher,
            subject=self.user.subject,
        )
        voucher: IssueVoucher = self.authorized(intent)
        return voucher

    def top_up(self) -> SignTopUp:
        return SignTopUp(
            signer=self.treasury.ref,
            chain_id=CHAIN_ID,
            nonce=0,
            gas=21_000,
            fees=Fees(max_fee_per_gas=30 * 10**9, max_priority_fee_per_gas=10**9),
            recipient=self.user.address,
            value=10**17,
        )

    def noop(self) -> SignNoop:
        return SignNoop(
            signer=self.user.ref,
            chain_id=CHAIN_ID,
            nonce=8,
            gas=21_000,
            fees=Fees(max_fee_per_gas=30 * 10**9, max_priority_fee_per_gas=10**9),
            mint_id="mint_1",
        )

    def batch(self, size: int = 3) -> SignBatch:
        return SignBatch(
            signer=self.relayer.ref,
            chain_id=CHAIN_ID,
            nonce=3,
            gas=200_000 * size,
            fees=Fees(max_fee_per_gas=30 * 10**9, max_priority_fee_per_gas=10**9),
            contract=CONTRACT,
            mints=tuple(
                BatchMint(
                    mint_id=f"mint_b{n}",
                    token_id=2**200 + 100 + n,
                    to=self.user.address,
                    metadata_digest=bytes(32),
                    subject=(self.user, self.other)[n % 2].subject,
                )
                for n in range(size)
            ),
        )

    def authorizations(self, batch: SignBatch) -> list[bytes]:
        """Return the authorization of each line of a batch, the same ones each time."""
        return _batch_authorizations(batch)

    def transfer(self) -> SignTransfer:
        intent = SignTransfer(
            signer=self.user.ref,
            chain_id=CHAIN_ID,
            nonce=9,
            gas=90_000,
            fees=Fees(max_fee_per_gas=30 * 10**9, max_priority_fee_per_gas=10**9),
            request_id="transfer_1",
            contract=CONTRACT,
            token_id=2**200 + 1,
            to=self.relayer.address,
        )
        transfer: SignTransfer = self.authorized(intent)
        return transfer

    def burn(self) -> SignBurn:
        intent = SignBurn(
            signer=self.user.ref,
            chain_id=CHAIN_ID,
            nonce=10,
            gas=90_000,
            fees=Fees(max_fee_per_gas=30 * 10**9, max_priority_fee_per_gas=10**9),
            request_id="burn_1",
            contract=CONTRACT,
            token_id=2**200 + 1,
        )
        burn: SignBurn = self.authorized(intent)
        return burn

    def relayed_transfer(self, holder: Player | None = None) -> SignRelayedTransfer:
        transfer: SignRelayedTransfer = self.authorized(
            SignRelayedTransfer(**self._relayed(holder, "transfer_2", 13), to=self.other.address), holder
        )
        return transfer

    def relayed_burn(self, holder: Player | None = None) -> SignRelayedBurn:
        burn: SignRelayedBurn = self.authorized(
            SignRelayedBurn(**self._relayed(holder, "burn_2", 14)), holder
        )
        return burn

    def _relayed(self, holder: Player | None, request_id: str, nonce: int) -> dict[str, Any]:
        return {
            "signer": self.relayer.ref,
            "chain_id": CHAIN_ID,
            "nonce": nonce,
            "gas": 120_000,
            "fees": Fees(max_fee_per_gas=30 * 10**9, max_priority_fee_per_gas=10**9),
            "request_id": request_id,
            "holder": (holder or self.user).ref,
            "contract": address_of(self.clone()),
            "token_id": 2**200 + 1,
            "counter": 2,
            "deadline": NOW + 3600,
            "clone": self.clone(),
        }

    def clone(self, principal: str | None = None, operation_id: str = "deploy_1") -> Clone:
        return Clone(
            factory=FACTORY,
            implementation=IMPLEMENTATION,
            principal=principal or self.user.subject,
            operation_id=operation_id,
            args=CloneArgs(name="Name", symbol="SYM", owner=self.user.address, supply_cap=100),
        )

    def collector_token(self, player: Player | None = None) -> str:
        """Return a token of a user that may make collections."""
        claims = self.authority.claims((player or self.user).subject, now=self.now)
        return self.authority.sign({**claims, "scope": Scope.COLLECTIONS_WRITE})

    def deploy(self, clone: Clone | None = None) -> SignDeploy:
        clone = clone or self.clone()
        intent = SignDeploy(
            signer=self.relayer.ref,
            chain_id=CHAIN_ID,
            nonce=11,
            gas=400_000,
            fees=Fees(max_fee_per_gas=30 * 10**9, max_priority_fee_per_gas=10**9),
            request_id=clone.operation_id,
            contract=address_of(clone),
            clone=clone,
        )
        deploy: SignDeploy = _authorized(intent, self.collector_token())
        return deploy

    def administer(self) -> SignAdminister:
        intent = SignAdminister(
            signer=self.relayer.ref,
            chain_id=CHAIN_ID,
            nonce=12,
            gas=90_000,
            fees=Fees(max_fee_per_gas=30 * 10**9, max_priority_fee_per_gas=10**9),
            request_id="change_1",
            contract=address_of(self.clone()),
            change=CollectionChange(action="pause"),
            clone=self.clone(),
        )
        administer: SignAdminister = _authorized(intent, self.collector_token())
        return administer

    def everything(self) -> list[AnyRequest]:
        """Return one request of each kind."""
        return [
            self.mint(),
            self.voucher(),
            self.top_up(),
            self.noop(),
            self.batch(),
            self.transfer(),
            self.burn(),
            self.relayed_transfer(),
            self.relayed_burn(),
            self.deploy(),
            self.administer(),
        ]

    def policy(self, *, clients: ClientsPolicy | None = None) -> SigningPolicy:
        return SigningPolicy(
            clients=clients,
            chain_ids=frozenset({CHAIN_ID}),
            contracts=frozenset({CONTRACT}),
            authorization=AuthorizationPolicy.model_validate(self.authority.policy(grace=GRACE)),
            issuer=PlatformKey(address=self.issuer.address, subject=self.issuer.subject),
            treasury=PlatformKey(address=self.treasury.address, subject=self.treasury.subject),
            relayers=(PlatformKey(address=self.relayer.address, subject=self.relayer.subject),),
            factories=(Factory(address=FACTORY, implementation=IMPLEMENTATION),),
            max_batch=100,
            user_actions=frozenset({"mint", "transfer", "burn"}),
            rates=Rates(window=60, user=30, treasury=30, issuer=30),
            max_gas=200_000,
            max_fee_per_gas=30 * 10**9,
            max_transaction_cost=200_000 * 30 * 10**9,
            max_top_up_value=10**17,
            max_voucher_ttl=3600,
        )


@pytest.fixture
def cast() -> Cast:
    return Cast()
