"""Accounts and contracts of a schedule, and the keys in custody."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from coincurve import PublicKey
from pydantic import SecretStr

from mintline import key_subjects
from mintline.acceptance import Certificate
from mintline.aws.key_stores import secret_name
from mintline.aws.keys import GeneratedKey
from mintline.clone_calls import address_of
from mintline.clones import CloneArgs
from mintline.errors import Rejected
from mintline.eth import Transaction, address_of_public_key, keccak256
from mintline.messages.parts import Clone, KeyRef
from mintline.records.keys import scoped
from mintline.records.wallets import Link, Wallet
from mintline_harness.simulation.chain import TRANSFER_GAS, Sent, read
from mintline_signer.enclave.curve import SigningKey
from mintline_signer.protocol import WrappedKey
from mintline_testkit.signer import Authority

CHAIN_ID = 31337
CLONE = Clone(
    factory="0x" + "f1" * 20,
    implementation="0x" + "c1" * 20,
    principal="simulated",
    operation_id="deploy_simulated",
    args=CloneArgs(name="Simulated", symbol="SIM"),
)
"""What a factory made the collection of, in schedules in which holders' signatures move its tokens."""
CONTRACT = address_of(CLONE)
ITEMS_CLONE = Clone(
    factory=CLONE.factory,
    implementation="0x" + "c2" * 20,
    principal="simulated",
    operation_id="deploy_items",
    args=CloneArgs(name="Items", symbol="ITM"),
)
ITEMS = address_of(ITEMS_CLONE)
"""The ERC-1155 collection, in schedules that have one."""
PREFIX = "mintline"
_WRAPPED = b"wrapped:"
USERS = ("user-0", "user-1", "user-2")


@lru_cache(maxsize=256)
def key_of(subject: str, number: int = 0) -> GeneratedKey:
    """Return a key that is the same in every run: making one costs as much as signing."""
    secret = keccak256(f"{subject}#{number}".encode())
    address = address_of_public_key(PublicKey.from_secret(secret).format(compressed=False))
    return GeneratedKey(address=address, wrapped=_WRAPPED + secret)


def key_ref(subject: str) -> KeyRef:
    """Return the reference to a platform key."""
    address = key_of(subject).address
    secret_id = secret_name(PREFIX, CHAIN_ID, address)
    return KeyRef(address=address, subject=subject, chain_id=CHAIN_ID, secret_id=secret_id)


def stray(subject: str, address: str, nonce: int, *, fee: int) -> Sent:
    """Return a transaction of a user's wallet that no service made; `fee` is in wei per gas."""
    number = next(number for number in range(16) if key_of(subject, number).address == address)
    return _signed(key_of(subject, number), address, nonce, fee=fee, gas=TRANSFER_GAS, data=b"")


def own_address(user: str) -> str:
    """Return the address of a wallet that is its user's own."""
    return key_of(f"own:{user}").address


def signed_by(user: str, to: str, nonce: int, *, fee: int, gas: int, data: bytes) -> Sent:
    """Return a call that a user's own wallet signed; `fee` is in wei per gas."""
    return _signed(key_of(f"own:{user}"), to, nonce, fee=fee, gas=gas, data=data)


def link_of(user: str) -> Link:
    """Return the link of a user's own wallet."""
    address = own_address(user)
    return Link(
        link_id=scoped(CHAIN_ID, address),
        sub=user,
        chain_id=CHAIN_ID,
        address=address,
        kind="account",
        nonce="",
        linked_at=0,
    )


def _signed(by: GeneratedKey, to: str, nonce: int, *, fee: int, gas: int, data: bytes) -> Sent:
    key = SigningKey(bytearray(by.wrapped.removeprefix(_WRAPPED)))
    body = Transaction(
        chain_id=CHAIN_ID,
        nonce=nonce,
        max_priority_fee_per_gas=fee // 2,
        max_fee_per_gas=fee,
        gas=gas,
        to=to,
        value=0,
        data=data,
    )
    signature = key.sign(body.signing_hash())
    return read(body.signed(signature.y_parity, signature.r, signature.s))


ISSUER = key_ref(key_subjects.ISSUER)
TREASURY = key_ref(key_subjects.TREASURY)
RELAYERS = tuple(key_ref(key_subjects.relayer(number)) for number in (1, 2))


class Custody:
    """KMS and the store of wrapped keys: makes keys, keeps them, unwraps them."""

    def __init__(self) -> None:
        self._made: dict[str, int] = {}
        self._kept: dict[str, tuple[str, bytes]] = {
            ref.secret_id: (ref.subject, key_of(ref.subject).wrapped) for ref in (ISSUER, TREASURY, *RELAYERS)
        }

    async def generate(self, sub: str) -> GeneratedKey:
        """Make a key for a user, another one at each call."""
        number = self._made.get(sub, 0)
        self._made[sub] = number + 1
        return key_of(sub, number)

    async def keep(self, wallet: Wallet) -> None:
        """Keep a wallet's wrapped key; the first one stays."""
        assert wallet.wrapped is not None
        self._kept.setdefault(wallet.secret_id, (wallet.sub, wallet.wrapped))

    def secret_id(self, address: str) -> str:
        """Return where the wrapped key of an address is kept."""
        return secret_name(PREFIX, CHAIN_ID, address)

    async def read(self, key: KeyRef) -> WrappedKey:
        """Return a wrapped key, as the signer's host reads it."""
        kept = self._kept.get(key.secret_id)
        if kept is None or kept[0] != key.subject:
            raise Rejected("key_unknown", "There is no such key.")
        return WrappedKey(address=key.address, subject=key.subject, chain_id=key.chain_id, wrapped=kept[1])

    async def unwrap(self, key: WrappedKey) -> bytearray:
        """Return the private key, as the enclave gets it from KMS."""
        return bytearray(key.wrapped.removeprefix(_WRAPPED))

    async def certify(self, certificate: Certificate) -> Certificate:
        """Have the intake key sign, as the api does."""
        return authority().certify(certificate)

    async def decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> bytearray:
        """Return the authorization key's private half, which the enclave has KMS unwrap as well."""
        del ciphertext, context
        return bytearray(authority().plaintext())


@lru_cache(maxsize=1)
def authority() -> Authority:
    """Return the user pool, the authorization key and the intake key, which take a while to make."""
    return Authority(chain_id=CHAIN_ID)


@lru_cache(maxsize=64)
def token_of(sub: str, now: int) -> SecretStr:
    """Return a user's access token."""
    return SecretStr(authority().token(sub, now=now))
