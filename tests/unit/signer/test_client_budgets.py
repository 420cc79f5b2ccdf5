"""What machine clients may have minted: by their own tokens, in batches alone, within their budgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from mintline.acceptance import ACCEPTANCE
from mintline.clock import DAY_MS, HOUR_MS, UnixSeconds
from mintline.messages.intents import IssueVoucher, SignBatch
from mintline_signer.enclave import client_budgets
from mintline_signer.enclave.authorization_keys import AuthorizationKeyCache
from mintline_signer.enclave.authorizer import AROUND, Authorizer
from mintline_signer.enclave.client_budgets import ClientBudgets, ClientMint
from mintline_signer.enclave.kinds import required_authorizations
from mintline_signer.enclave.kinds.base import ClientTerms
from mintline_signer.enclave.policy import Budget, ClientsPolicy
from mintline_signer.enclave.revocations import RevokedTokens
from mintline_signer.enclave.tokens import TokenVerifier
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode
from mintline_testkit.constants import CONTRACT
from mintline_testkit.signer import CLIENT_ID
from tests.unit.signer.conftest import GRACE, Player

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
COST = 200_000 * 30 * 10**9
"""Of each line of the cast's batches."""
PLENTY = Budget(mints_per_hour=1000, wei_per_day=10**24)
CLIENTS = ClientsPolicy(default=PLENTY)


class InTheClear:
    """KMS that unwraps the cast's authorization key."""

    def __init__(self, plaintext: bytes) -> None:
        self.plaintext = plaintext

    async def decrypt(self, ciphertext: bytes, context: Any) -> bytearray:
        assert ciphertext
        assert context
        return bytearray(self.plaintext)


async def authorizer_of(
    cast: Cast, clients: ClientsPolicy | None = CLIENTS, *, revoked_before: int = 0
) -> Authorizer:
    keys = AuthorizationKeyCache(InTheClear(cast.authority.plaintext()))
    given = cast.authority.authorization_keys().keys
    keys.use(given)
    await keys.obtain(given[0].key_id)
    policy = cast.policy(clients=clients)
    statements = policy.authorization.statements()
    revoked = RevokedTokens(statements, grace=GRACE, secret=bytes(16), remembered=100)
    if revoked_before:
        revocation = cast.authority.revocation("shop", revoked_before=revoked_before, at=cast.now)
        revoked.take([revocation], now=UnixSeconds(cast.now))
    verifier = TokenVerifier(policy.authorization, machine_clients=clients is not None)
    return Authorizer(keys, verifier, statements, revoked)


def by_client(
    cast: Cast, size: int = 1, *, client: str = "shop", nonce: int = 3, **changes: Any
) -> SignBatch:
    """Return a batch, all of whose lines a machine client asked for."""
    batch = cast.batch(size)
    lines = tuple(line.model_copy(update={"subject": client}) for line in batch.mints)
    return batch.model_copy(update={"mints": lines, "nonce": nonce, **changes})


def sealed(cast: Cast, batch: SignBatch, token: str, *, accepted_at: int | None = None) -> list[bytes]:
    """Return what the api seals of each line, by this token, for any subject."""
    at = cast.now * 1000 if accepted_at is None else accepted_at
    session = cast.authority.session(now=at // 1000)
    envelopes = []
    for required in required_authorizations(batch, [b""] * len(batch.mints)):
        accepted = session.state(ACCEPTANCE, required.digest, required.subject.encode(), at=at)
        envelopes.append(cast.authority.public_authorization_key.seal(token, required.digest, accepted))
    return envelopes


def client_token(cast: Cast, client: str = "shop", **changes: Any) -> str:
    return cast.authority.sign(cast.authority.client_claims(client, now=cast.now) | changes)


async def test_batch__when_a_client_asked_for_every_line__passes_and_is_counted_for_it(cast: Cast) -> None:
    batch = by_client(cast, 2)
    authorizer = await authorizer_of(cast)
    authorizations = sealed(cast, batch, client_token(cast))

    judged = authorizer.judge(batch, now=UnixSeconds(cast.now), authorizations=authorizations)
    later = await authorizer.judge_later(batch, now=UnixSeconds(cast.now), authorizations=authorizations)

    assert judged == later
    assert judged is not None
    assert [(mint.client_id, mint.operation_id, mint.terms) for mint in judged.client_mints] == [
        ("shop", line.mint_id, ClientTerms(CONTRACT, COST)) for line in batch.mints
    ]


async def test_batch__when_users_asked_for_its_lines__counts_for_no_client(cast: Cast) -> None:
    batch = cast.batch()
    judged = (await authorizer_of(cast)).judge(
        batch, now=UnixSeconds(cast.now), authorizations=cast.authorizations(batch)
    )
    assert judged is not None
    assert judged.client_mints == ()


def named(batch: SignBatch, subject: str) -> SignBatch:
    return batch.model_copy(
        update={"mints": tuple(line.model_copy(update={"subject": subject}) for line in batch.mints)}
    )


FORGED: list[tuple[str, RefusalCode, Callable[[Cast], tuple[SignBatch, list[bytes]]]]] = [
    (
        "a line that names a client, by a user's token",
        RefusalCode.AUTHORIZATION_SUBJECT,
        lambda c: (by_client(c), sealed(c, by_client(c), c.token())),
    ),
    (
        "a line that names a user, by a client's token",
        RefusalCode.AUTHORIZATION_SUBJECT,
        lambda c: (c.batch(1), sealed(c, c.batch(1), client_token(c))),
    ),
    (
        "a line that names another client",
        RefusalCode.AUTHORIZATION_SUBJECT,
        lambda c: (by_client(c, client="rival"), sealed(c, by_client(c, client="rival"), client_token(c))),
    ),
    (
        "a user's line, renamed to a client's",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c: (named(c.batch(1), "shop"), c.authorizations(c.batch(1))),
    ),
    (
        "a replayed envelope for another recipient",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c: (
            by_client(c, mints=(by_client(c).mints[0].model_copy(update={"to": OTHER}),)),
            sealed(c, by_client(c), client_token(c)),
        ),
    ),
    (
        "a replayed envelope for another collection",
        RefusalCode.ACCEPTANCE_SIGNATURE,
        lambda c: (by_client(c, contract=OTHER), sealed(c, by_client(c), client_token(c))),
    ),
    (
        "a token of a user who is called like the client",
        RefusalCode.TOKEN_CLIENT,
        lambda c: (by_client(c), sealed(c, by_client(c), client_token(c, username="shop"))),
    ),
    (
        "the app client of users for itself",
        RefusalCode.TOKEN_SUBJECT,
        lambda c: (
            by_client(c, client=CLIENT_ID),
            sealed(c, by_client(c, client=CLIENT_ID), client_token(c, CLIENT_ID)),
        ),
    ),
    (
        "a token without the scope",
        RefusalCode.TOKEN_SCOPE,
        lambda c: (by_client(c), sealed(c, by_client(c), client_token(c, scope="mintline/mints:read"))),
    ),
    (
        "an acceptance from before the token, so that an earlier hour would count",
        RefusalCode.ACCEPTANCE_TIME,
        lambda c: (
            by_client(c),
            sealed(c, by_client(c), client_token(c), accepted_at=(c.now - int(AROUND) - 1) * 1000),
        ),
    ),
]


@pytest.mark.parametrize(("code", "build"), [case[1:] for case in FORGED], ids=[case[0] for case in FORGED])
async def test_batch__when_a_line_is_not_what_a_client_asked_for__is_refused_by_its_name(
    cast: Cast, code: RefusalCode, build: Callable[[Cast], tuple[SignBatch, list[bytes]]]
) -> None:
    batch, authorizations = build(cast)
    with pytest.raises(EnclaveRefusal) as caught:
        (await authorizer_of(cast)).judge(batch, now=UnixSeconds(cast.now), authorizations=authorizations)
    assert (caught.value.code, caught.value.operation_id) == (code, batch.mints[0].mint_id)


CLIENT_WALLET = Player("shop", b"\x77" * 32)
"""A wallet wrapped under a client's id, as an owner of the tables and KMS could make one."""


@pytest.mark.parametrize("kind", ["mint", "voucher", "transfer", "burn"])
async def test_request__when_a_client_asks_for_what_users_alone_may__is_refused(
    cast: Cast, kind: str
) -> None:
    intent: Any = getattr(cast, kind)()
    renamed = {"subject": "shop"} if isinstance(intent, IssueVoucher) else {"signer": CLIENT_WALLET.ref}
    forged = cast.authority.authorized(intent.model_copy(update=renamed), client_token(cast), now=cast.now)
    with pytest.raises(EnclaveRefusal) as caught:
        (await authorizer_of(cast)).judge(forged, now=UnixSeconds(cast.now))
    assert caught.value.code == RefusalCode.TOKEN_SUBJECT


async def test_batch__when_the_policy_knows_no_clients__refuses_their_tokens(cast: Cast) -> None:
    batch = by_client(cast)
    authorizations = sealed(cast, batch, client_token(cast))
    with pytest.raises(EnclaveRefusal) as caught:
        (await authorizer_of(cast, None)).judge(
            batch, now=UnixSeconds(cast.now), authorizations=authorizations
        )
    assert caught.value.code == RefusalCode.TOKEN_CLIENT


async def test_batch__when_the_client_was_disabled__is_refused_for_what_was_accepted_since(
    cast: Cast,
) -> None:
    batch = by_client(cast)
    authorizer = await authorizer_of(cast, revoked_before=cast.now + 1)
    early, late = (
        sealed(cast, batch, client_token(cast), accepted_at=cast.now * 1000 + offset) for offset in (-1000, 0)
    )
    assert authorizer.judge(batch, now=UnixSeconds(cast.now), authorizations=early)
    with pytest.raises(EnclaveRefusal) as caught:
        authorizer.judge(batch, now=UnixSeconds(cast.now), authorizations=late)
    assert caught.value.code == RefusalCode.TOKEN_REVOKED


class Counted:
    """Budgets by which batches are signed, without keys."""

    def __init__(self, cast: Cast, clients: ClientsPolicy, *, remembered: int = 1000) -> None:
        self.cast = cast
        self.now = cast.now
        policy = cast.policy(clients=clients)
        self.budgets = ClientBudgets(policy, secret=bytes(16), remembered=remembered)

    def sign(
        self,
        *ids: str,
        at: int | None = None,
        nonce: int = 0,
        client: str = "shop",
        contract: str = CONTRACT,
        cost: int = 1,
    ) -> str | None:
        """Return the operation that is refused, None if the batch is signed."""
        accepted_at = self.now * 1000 if at is None else at
        mints = [
            ClientMint(client, name, name.encode(), accepted_at, ClientTerms(contract, cost)) for name in ids
        ]
        batch = by_client(self.cast, nonce=nonce)
        try:
            self.budgets.check(batch, mints, now=UnixSeconds(self.now))
        except EnclaveRefusal as refused:
            self.refused = refused.code
            return refused.operation_id
        self.budgets.count(batch, mints)
        return None


def names(first: int, count: int) -> list[str]:
    return [f"mint_{number}" for number in range(first, first + count)]


def allowing(mints: int = 1000, wei: int = 10**24) -> ClientsPolicy:
    return ClientsPolicy(default=Budget(mints_per_hour=mints, wei_per_day=wei))


def test_budget__when_an_hours_mints_are_used_up__refuses_the_next_by_name_and_the_rest_can_go_on(
    cast: Cast,
) -> None:
    counted = Counted(cast, allowing(mints=100))
    assert counted.sign(*names(0, 60)) is None
    assert counted.sign(*names(60, 41), nonce=1) == "mint_100"
    assert counted.refused == RefusalCode.CLIENT_BUDGET
    assert counted.sign(*names(60, 40), nonce=1) is None
    assert counted.sign("mint_100", nonce=2) == "mint_100"


def test_budget__when_messages_are_delivered_again__counts_each_mint_once(cast: Cast) -> None:
    counted = Counted(cast, allowing(mints=10, wei=10))
    for _ in range(5):
        assert counted.sign(*names(0, 10)) is None
    counted.now += 3600
    assert counted.sign(*names(0, 10), at=cast.now * 1000) is None, (
        "an hour later, for the hour of acceptance"
    )
    assert counted.sign("mint_10", at=cast.now * 1000) == "mint_10"


def test_budget__when_the_hour_is_another__begins_again(cast: Cast) -> None:
    counted = Counted(cast, allowing(mints=10))
    assert counted.sign(*names(0, 10)) is None
    counted.now += 3600
    assert counted.sign(*names(10, 10), nonce=1) is None
    assert counted.sign("late", at=cast.now * 1000, nonce=2) == "late", "accepted in the hour that is used up"


def test_budget__when_a_days_wei_are_used_up__refuses_though_the_hour_is_another(cast: Cast) -> None:
    counted = Counted(cast, allowing(wei=100))
    morning = cast.now * 1000 // DAY_MS * DAY_MS
    assert counted.sign(*names(0, 10), at=morning, cost=10) is None
    assert counted.sign("more", at=morning + 5 * HOUR_MS, nonce=1, cost=1) == "more"
    assert counted.refused == RefusalCode.CLIENT_BUDGET
    assert counted.sign("tomorrow", at=morning + DAY_MS, nonce=2, cost=100) is None


def test_budget__when_fees_are_raised__counts_the_difference_and_refuses_no_replacement(cast: Cast) -> None:
    counted = Counted(cast, allowing(wei=100))
    assert counted.sign("mint_1", cost=60) is None
    assert counted.sign("mint_1", cost=90) is None
    assert counted.sign("mint_2", nonce=1, cost=11) == "mint_2", "90 of 100 are used up"
    assert counted.sign("mint_1", cost=150) is None, "the nonce must not wait"
    assert counted.sign("mint_1", cost=60) is None
    assert counted.sign("mint_2", nonce=1, cost=1) == "mint_2"


def test_budget__when_a_mint_gets_another_nonce__pays_again_but_is_no_other_mint(cast: Cast) -> None:
    """The first transaction may have been mined and reverted; forged ones under many nonces are."""
    counted = Counted(cast, allowing(mints=1, wei=100))
    assert counted.sign("mint_1", nonce=0, cost=50) is None
    assert counted.sign("mint_1", nonce=1, cost=50) is None
    assert counted.sign("mint_1", nonce=2, cost=50) == "mint_1"


def test_budget__when_it_is_another_clients__is_its_own(cast: Cast) -> None:
    small = Budget(mints_per_hour=1, wei_per_day=10**24)
    counted = Counted(cast, ClientsPolicy(default=PLENTY, overrides={"shop": small}))
    assert counted.sign("mint_1") is None
    assert counted.sign("mint_2", nonce=1) == "mint_2"
    assert counted.sign(*names(0, 100), client="rival", nonce=2) is None


def test_budget__when_there_is_none_for_the_client__refuses(cast: Cast) -> None:
    counted = Counted(cast, ClientsPolicy(overrides={"shop": PLENTY}))
    assert counted.sign("mint_1") is None
    assert counted.sign("mint_2", client="rival") == "mint_2"
    assert counted.refused == RefusalCode.CLIENT_UNKNOWN


def test_budget__when_the_collection_is_not_the_clients__refuses(cast: Cast) -> None:
    nowhere = Budget(mints_per_hour=100, wei_per_day=10**24, collections=frozenset())
    counted = Counted(cast, ClientsPolicy(default=PLENTY, overrides={"shop": nowhere}))
    assert counted.sign("mint_1") == "mint_1"
    assert counted.refused == RefusalCode.CLIENT_COLLECTION
    assert counted.sign("mint_1", client="rival") is None


def test_budget__when_more_is_signed_than_is_remembered__counts_too_much_and_never_too_little(
    cast: Cast,
) -> None:
    counted = Counted(cast, allowing(mints=50), remembered=8)
    for name in names(0, 50):
        assert counted.sign(name) is None
    assert counted.sign("mint_0") == "mint_0", "it was forgotten, so it is one more"


def test_budget__when_time_passes__forgets_windows_and_refuses_what_would_count_in_them(cast: Cast) -> None:
    counted = Counted(cast, allowing(mints=1))
    assert counted.sign("mint_1") is None
    assert len(counted.budgets) == 2
    counted.now += GRACE + 4 * 86_400
    assert counted.sign("mint_2", at=cast.now * 1000) == "mint_2"
    assert counted.sign("mint_3") is None
    assert len(counted.budgets) == 2


def test_budget__when_a_token_still_counts__remembers_its_windows(cast: Cast) -> None:
    """Cognito issues access tokens for a day at most."""
    counted = Counted(cast, allowing(mints=1))
    assert counted.sign("mint_1") is None
    counted.now += 86_400 + GRACE
    assert counted.sign("mint_2", at=cast.now * 1000) == "mint_2"
    assert counted.sign("mint_1", at=cast.now * 1000) is None


def test_budget__when_there_are_too_many_clients__fails_for_now(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_budgets, "MAX_COUNTERS", 4)
    counted = Counted(cast, allowing())
    assert counted.sign("mint_1", client="one") is None
    assert counted.sign("mint_2", client="two") is None
    with pytest.raises(EnclaveFailure) as caught:
        counted.sign("mint_3", client="three")
    assert caught.value.code is FailureCode.RATE_LIMITED
    assert counted.sign("mint_4", client="one") is None


def test_batch__when_its_cost_is_shared__shares_add_up_to_the_most_that_it_may_burn(cast: Cast) -> None:
    batch = by_client(cast, 3, gas=100_000)
    costs = [
        required.for_clients.cost
        for required in required_authorizations(batch, [b""] * 3)
        if required.for_clients is not None
    ]
    assert len(costs) == 3
    assert sum(costs) >= 100_000 * batch.fees.max_fee_per_gas
    assert sum(costs) - 100_000 * batch.fees.max_fee_per_gas < 3


@pytest.mark.parametrize(
    ("clients", "text"),
    [
        ({"default": {"mints_per_hour": -1, "wei_per_day": "0"}}, "greater than or equal to 0"),
        ({"default": {"mints_per_hour": 1}}, "wei_per_day"),
        ({"overrides": {"": PLENTY.model_dump(mode="json")}}, "match pattern"),
        ({"overrides": {"platform:x y": PLENTY.model_dump(mode="json")}}, "match pattern"),
        ({"overrides": {CLIENT_ID: PLENTY.model_dump(mode="json")}}, "users sign in by this app client"),
        (
            {"overrides": {"shop": {**PLENTY.model_dump(mode="json"), "collections": [OTHER]}}},
            "clients.overrides.shop.collections: each must be one of contracts",
        ),
        ({"defaults": {}}, "Extra inputs"),
    ],
)
def test_policy__when_its_clients_make_no_sense__is_refused(
    cast: Cast, clients: dict[str, Any], text: str
) -> None:
    policy = cast.policy()
    document = policy.model_dump(mode="json", by_alias=True) | {"clients": clients}
    with pytest.raises(ValidationError, match=text):
        type(policy).model_validate(document)


def deployed_by(cast: Cast, token: str, *, principal: str = "shop") -> Any:
    """Return a deployment for a principal with that token as its authorization."""
    deploy = cast.deploy(cast.clone(principal))
    return cast.authority.authorized(deploy, token, now=cast.now)


async def test_deployment__when_its_client_asks__counts_for_it_with_its_cost(cast: Cast) -> None:
    authorizer = await authorizer_of(cast)
    judged = authorizer.judge(deployed_by(cast, client_token(cast)), now=UnixSeconds(cast.now))
    assert judged is not None
    [counted] = judged.client_mints
    assert (counted.client_id, counted.terms.owner) == ("shop", "shop")
    assert counted.terms.cost == 400_000 * 30 * 10**9


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (lambda c: client_token(c, "other"), RefusalCode.AUTHORIZATION_SUBJECT),
        (lambda c: client_token(c, scope="mintline/mints:create"), RefusalCode.TOKEN_SCOPE),
    ],
    ids=["another client's token", "a token without the scope"],
)
async def test_deployment__when_the_token_does_not_allow_it__is_refused(
    cast: Cast, token: Callable[[Cast], str], code: RefusalCode
) -> None:
    authorizer = await authorizer_of(cast)
    with pytest.raises(EnclaveRefusal) as caught:
        authorizer.judge(deployed_by(cast, token(cast)), now=UnixSeconds(cast.now))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("owner", "listed", "allowed"),
    [
        ("shop", None, True),
        ("shop", frozenset({OTHER}), True),
        ("rival", None, False),
        ("rival", frozenset({OTHER}), False),
        ("rival", frozenset({CONTRACT}), True),
        (None, None, True),
        (None, frozenset({OTHER}), False),
    ],
)
def test_budget__when_a_collection_is_a_clone__allows_the_clients_own_and_those_it_lists(
    cast: Cast, owner: str | None, listed: frozenset[str] | None, *, allowed: bool
) -> None:
    budget = PLENTY.model_copy(update={"collections": listed})
    policy = cast.policy().model_copy(update={"clients": ClientsPolicy(overrides={"shop": budget})})
    mint = ClientMint("shop", "m", bytes(32), cast.now * 1000, ClientTerms(CONTRACT, COST, owner))
    budgets = ClientBudgets(policy, secret=bytes(16))
    if allowed:
        budgets.check(cast.batch(), [mint], now=UnixSeconds(cast.now))
    else:
        with pytest.raises(EnclaveRefusal) as caught:
            budgets.check(cast.batch(), [mint], now=UnixSeconds(cast.now))
        assert caught.value.code == RefusalCode.CLIENT_COLLECTION
