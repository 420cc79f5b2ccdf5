from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mintline.authorization import private_key_id
from mintline.errors import Misconfigured
from mintline_signer.enclave.authorization_keys import AuthorizationKeyCache
from mintline_signer.enclave.policy import Reassignment, parse_policy
from mintline_signer.enclave.rewrapping import Reassigner, Rewrapper
from mintline_signer.enclave.wrapped import WalletUnwrapper
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_signer.protocol import WrappedKey
from mintline_testkit.signer import policy_document

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast, Player

OLD = "arn:aws:kms:us-east-1:111122223333:key/old"
NEW = "arn:aws:kms:us-east-1:111122223333:key/new"


def der_of(player: Player) -> bytes:
    key = ec.derive_private_key(int.from_bytes(player.secret, "big"), ec.SECP256K1())
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@dataclass
class FakeKey:
    """One KMS key: a ciphertext is the key's name, the context and the plaintext."""

    arn: str
    given: list[bytearray] = field(default_factory=list)
    damage: bool = False

    def wrap(self, plaintext: bytes, context: Mapping[str, str]) -> bytes:
        return b"|".join((self.arn.encode(), repr(sorted(context.items())).encode(), plaintext))

    async def encrypt(self, plaintext: bytearray, context: Mapping[str, str]) -> bytes:
        return self.wrap(bytes(plaintext), context)

    async def decrypt(self, ciphertext: bytes, context: Mapping[str, str]) -> bytearray:
        prefix = self.wrap(b"", context)
        if not ciphertext.startswith(prefix):
            raise EnclaveRefusal(RefusalCode.KEY_UNDECRYPTABLE)
        plaintext = bytearray(ciphertext[len(prefix) :])
        if self.damage:
            plaintext[-1] ^= 1
        self.given.append(plaintext)
        return plaintext


@dataclass
class Vault:
    old: FakeKey = field(default_factory=lambda: FakeKey(OLD))
    new: FakeKey = field(default_factory=lambda: FakeKey(NEW))

    def rewrapper(self, *, confidential: bool = True) -> Rewrapper:
        return Rewrapper(self.old, self.new, confidential=confidential)

    def key(self, player: Player, **changes: object) -> WrappedKey:
        context = {"sub": player.subject, "chain": "31337"}
        wrapped = self.old.wrap(der_of(player), context)
        return player.wrapped.model_copy(update={"wrapped": wrapped, "kms_key": OLD, **changes})


@pytest.fixture
def vault() -> Vault:
    return Vault()


async def test_rewrap__when_the_key_is_sound__wraps_it_under_the_other_and_erases_it(
    cast: Cast, vault: Vault
) -> None:
    key = vault.key(cast.user)

    rewrapped = await vault.rewrapper().rewrap(key)

    assert rewrapped.kms_key == NEW
    assert rewrapped.wrapped.startswith(NEW.encode())
    again = key.model_copy(update={"wrapped": rewrapped.wrapped, "kms_key": NEW})
    unwrapper = WalletUnwrapper(vault.old, vault.new)
    assert await unwrapper.unwrap(again) == await unwrapper.unwrap(key) == cast.user.secret
    for plaintext in (*vault.old.given, *vault.new.given):
        assert plaintext == bytes(len(plaintext))


async def test_rewrap__when_the_key_is_another_than_it_claims__refuses(cast: Cast, vault: Vault) -> None:
    for key, code in (
        (vault.key(cast.user, address=cast.treasury.address), RefusalCode.KEY_ADDRESS),
        (vault.key(cast.user, subject="user-2"), RefusalCode.KEY_UNDECRYPTABLE),
        (vault.key(cast.user, chain_id=1), RefusalCode.KEY_UNDECRYPTABLE),
        (vault.key(cast.user, kms_key=NEW), RefusalCode.REWRAP),
    ):
        with pytest.raises(EnclaveRefusal) as caught:
            await vault.rewrapper().rewrap(key)
        assert caught.value.code == code
    assert vault.new.given == []


async def test_rewrap__when_the_way_to_kms_is_open__asks_for_nothing(cast: Cast, vault: Vault) -> None:
    with pytest.raises(EnclaveFailure) as caught:
        await vault.rewrapper(confidential=False).rewrap(vault.key(cast.user))

    assert caught.value.code is FailureCode.NOT_CONFIDENTIAL
    assert vault.old.given == []


async def test_rewrap__when_kms_gives_something_else_back__fails(cast: Cast, vault: Vault) -> None:
    vault.new.damage = True

    with pytest.raises(EnclaveFailure) as caught:
        await vault.rewrapper().rewrap(vault.key(cast.user))

    assert caught.value.code is FailureCode.KMS_ANSWER


async def test_unwrapper__when_no_other_key_is_named__opens_all_under_the_pinned_one(
    cast: Cast, vault: Vault
) -> None:
    key = vault.key(cast.user, kms_key=NEW)

    assert await WalletUnwrapper(vault.old).unwrap(key) == cast.user.secret
    with pytest.raises(EnclaveRefusal):
        await WalletUnwrapper(vault.old, vault.new).unwrap(key)


async def test_rewrap__when_it_is_an_authorization_key__checks_it_by_its_id(cast: Cast, vault: Vault) -> None:
    (right,) = cast.authority.authorization_keys().keys
    context = {"sub": "platform:sealing", "chain": "31337"}
    wrapped = vault.old.wrap(cast.authority.plaintext(), context)
    key = right.model_copy(update={"wrapped": wrapped, "kms_key": OLD})

    rewrapped = await vault.rewrapper().rewrap(key)

    assert rewrapped.wrapped == vault.new.wrap(cast.authority.plaintext(), context)
    authorization_keys = AuthorizationKeyCache(vault.old, vault.new)
    authorization_keys.use([key.model_copy(update={"wrapped": rewrapped.wrapped, "kms_key": NEW})])
    assert private_key_id(await authorization_keys.obtain(key.key_id)) == key.key_id
    with pytest.raises(EnclaveRefusal) as caught:
        await vault.rewrapper().rewrap(key.model_copy(update={"key_id": bytes(8)}))
    assert caught.value.code == RefusalCode.KEY_ADDRESS


def reassigner(cast: Cast, vault: Vault, **changes: object) -> Reassigner:
    named = {"from": cast.user.subject, "to": "user-new", "address": cast.user.address, "kms_key": NEW}
    policy = cast.policy().model_copy(update={"reassign": (Reassignment.model_validate(named | changes),)})
    keys = {OLD: vault.old, NEW: vault.new}
    return Reassigner(policy, vault.old, None, keys.__getitem__, confidential=True)


@pytest.mark.parametrize("kms_key", [OLD, NEW])
async def test_reassign__when_the_policy_names_it__wraps_the_key_for_the_other_user_and_erases_it(
    cast: Cast, vault: Vault, kms_key: str
) -> None:
    key = vault.key(cast.user)

    wrapped = await reassigner(cast, vault, kms_key=kms_key).reassign(key, "user-new")

    assert wrapped.kms_key == kms_key
    context = {"sub": "user-new", "chain": "31337"}
    kms = vault.old if kms_key == OLD else vault.new
    assert wrapped.wrapped == kms.wrap(der_of(cast.user), context)
    for plaintext in (*vault.old.given, *vault.new.given):
        assert plaintext == bytes(len(plaintext))


@pytest.mark.parametrize(
    ("named", "to", "changes"),
    [
        ({}, "thief", {}),
        ({"from": "another"}, "user-new", {}),
        ({"address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"}, "user-new", {}),
        ({}, "user-new", {"chain_id": 1}),
    ],
)
async def test_reassign__when_the_policy_names_something_else__refuses_and_opens_nothing(
    cast: Cast, vault: Vault, named: dict[str, str], to: str, changes: dict[str, object]
) -> None:
    with pytest.raises(EnclaveRefusal) as caught:
        await reassigner(cast, vault, **named).reassign(vault.key(cast.user, **changes), to)

    assert caught.value.code == RefusalCode.REASSIGN
    assert vault.old.given == []


async def test_reassign__when_the_key_is_another_than_the_policy_names__refuses(
    cast: Cast, vault: Vault
) -> None:
    other = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
    with pytest.raises(EnclaveRefusal) as caught:
        await reassigner(cast, vault, address=other).reassign(vault.key(cast.user, address=other), "user-new")

    assert caught.value.code == RefusalCode.KEY_ADDRESS
    assert vault.new.given == []


async def test_reassign__when_the_way_to_kms_is_open__asks_for_nothing(cast: Cast, vault: Vault) -> None:
    unsafe = replace(reassigner(cast, vault), confidential=False)
    with pytest.raises(EnclaveFailure) as caught:
        await unsafe.reassign(vault.key(cast.user), "user-new")

    assert caught.value.code is FailureCode.NOT_CONFIDENTIAL
    assert vault.old.given == []


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ([{"from": "platform:issuer"}], "platform: keys cannot be reassigned"),
        ([{"to": "platform:treasury"}], "platform: keys cannot be reassigned"),
        ([{"to": "old"}], "a user must not be named twice"),
        ([{}, {"from": "another"}], "a user must not be named twice"),
        ([{"address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"}], "must be a user's wallet"),
        ([{"from": f"old-{n}", "to": f"new-{n}"} for n in range(17)], "at most 16 items"),
        ([{"old": "old"}], "Extra inputs are not permitted"),
    ],
)
def test_policy__when_it_reassigns_what_it_must_not__is_refused(
    entries: list[dict[str, str]], fault: str
) -> None:
    wallet = {
        "from": "old",
        "to": "new",
        "address": "0x5FbDB2315678afecb367f032d93F642f64180aa3",
        "kms_key": OLD,
    }
    document = {**policy_document(), "reassign": [wallet | entry for entry in entries]}

    with pytest.raises(Misconfigured, match=fault):
        parse_policy(json.dumps(document).encode())
    assert parse_policy(json.dumps({**document, "reassign": [wallet]}).encode()).reassign[0].new == "new"
