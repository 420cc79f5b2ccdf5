from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mintline.aws.authorization_keys import StoredAuthorizationKey
from mintline.errors import Unavailable
from mintline_ops.wallets.rewrap import rewrap
from mintline_ops.wallets.summary import Summary
from mintline_signer.protocol import Rewrap, Rewrapped

if TYPE_CHECKING:
    from tests.unit.wallets.conftest import Custody

NEW = "arn:aws:kms:us-east-1:111122223333:key/new"
OTHER = "arn:aws:kms:us-east-1:111122223333:key/other"


@dataclass
class FakeEnclave:
    to: str = NEW
    requested: list[str] = field(default_factory=list)
    fails_after: int | None = None

    async def rewrap(self, request: Rewrap) -> Rewrapped:
        if self.fails_after is not None and len(self.requested) >= self.fails_after:
            raise Unavailable("the enclave went away")
        self.requested.append(request.key.wrapped.decode())
        return Rewrapped(wrapped=b"again " + request.key.wrapped, kms_key=self.to)


@dataclass
class MemoryAuthorizationKeys:
    keys: dict[str, StoredAuthorizationKey] = field(default_factory=dict)

    async def references(self) -> AsyncIterator[str]:
        for reference in list(self.keys):
            yield reference

    async def read(self, reference: str) -> StoredAuthorizationKey:
        return self.keys[reference]

    async def replace(
        self, reference: str, *, old: StoredAuthorizationKey, new: StoredAuthorizationKey
    ) -> None:
        assert self.keys[reference] == old
        self.keys[reference] = new


async def rewrapped(
    custody: Custody,
    enclave: FakeEnclave,
    *,
    dry_run: bool = False,
    authorization_keys: MemoryAuthorizationKeys | None = None,
) -> Summary:
    return await rewrap(
        to=NEW,
        stores=custody.stores,
        authorization_keys=authorization_keys or MemoryAuthorizationKeys(),
        enclave=enclave,
        concurrency=4,
        dry_run=dry_run,
    )


async def test_rewrap__when_done__has_replaced_every_key_of_both_stores_where_it_lies(
    custody: Custody,
) -> None:
    wallets = [await custody.add(f"user-{n}") for n in range(10)]
    await custody.items.create(await custody.secrets.read(wallets[0].secret_id))

    assert (await rewrapped(custody, FakeEnclave(), dry_run=True)).counts == {"rewrapped": 11}
    assert await custody.key(wallets[3]) == b"wrapped user-3"
    assert (await rewrapped(custody, FakeEnclave())).report() == {"rewrapped": 11, "failed": []}

    for wallet in wallets:
        stored = await custody.stores.read(wallet.key())
        assert (stored.wrapped, stored.kms_key) == (b"again " + f"wrapped {wallet.sub}".encode(), NEW)
    again = FakeEnclave()
    assert (await rewrapped(custody, again)).counts == {"there": 11}
    assert again.requested == []


async def test_rewrap__when_the_enclave_goes_away__is_finished_by_the_next_run(custody: Custody) -> None:
    for n in range(10):
        await custody.add(f"user-{n}")

    first = await rewrapped(custody, FakeEnclave(fails_after=4))
    assert (first.counts, len(first.failures)) == ({"rewrapped": 4}, 6)

    assert (await rewrapped(custody, FakeEnclave())).report() == {"rewrapped": 6, "there": 4, "failed": []}


async def test_rewrap__when_the_enclaves_policy_names_another_key__changes_nothing(custody: Custody) -> None:
    wallet = await custody.add("alice")

    summary = await rewrapped(custody, FakeEnclave(to=OTHER))

    assert "other_kms_key" in summary.failures[0]["reason"]
    assert await custody.key(wallet) == b"wrapped alice"


async def test_rewrap__when_a_key_is_being_deleted__leaves_it(custody: Custody) -> None:
    wallet = await custody.add("alice")
    await custody.secrets.schedule_deletion(wallet.secret_id, days=7)

    assert (await rewrapped(custody, FakeEnclave())).report() == {"failed": []}


async def test_rewrap__when_there_are_sealing_keys__wraps_them_too(custody: Custody) -> None:
    pair = ec.generate_private_key(ec.SECP256R1()).public_key()
    spki = pair.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    authorization_keys = MemoryAuthorizationKeys(
        {"p/sealing/1": StoredAuthorizationKey(chain_id=1, public_key=spki, wrapped=b"sealing")}
    )

    for outcome in ("rewrapped", "there"):
        assert (await rewrapped(custody, FakeEnclave(), authorization_keys=authorization_keys)).counts == {
            outcome: 1
        }

    kept = authorization_keys.keys["p/sealing/1"]
    assert (kept.public_key, kept.wrapped, kept.kms_key) == (spki, b"again sealing", NEW)
