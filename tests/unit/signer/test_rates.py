from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mintline.clock import UnixSeconds
from mintline.messages.intents import SignTopUp
from mintline_signer.enclave import rates
from mintline_signer.enclave.kinds import check
from mintline_signer.enclave.policy import Rates, Role, SigningPolicy, TopUpBudget
from mintline_signer.enclave.rates import RateLimiter
from mintline_signer.errors import EnclaveFailure, EnclaveRefusal, FailureCode, RefusalCode

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast

NOW = 1_800_000_000
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def limiter_of(policy: SigningPolicy, **rates: int) -> RateLimiter:
    given = Rates(**{"window": 60, "user": 100, "treasury": 100, "issuer": 100} | rates)
    return RateLimiter(policy.model_copy(update={"rates": given}))


def admit(limiter: RateLimiter, intent: Any, role: Role, *, now: int) -> None:
    limiter.check(intent, role, now=UnixSeconds(now))
    limiter.count(intent, role, now=UnixSeconds(now))


@pytest.mark.parametrize(
    ("role", "build"),
    [
        ("user", "mint"),
        ("user", "noop"),
        ("user", "burn"),
        ("treasury", "top_up"),
        ("issuer", "voucher"),
        ("issuer", "mint"),
        ("relayer", "batch"),
    ],
)
def test_rates__when_a_key_signed_as_often_as_it_may__fails_until_the_next_window(
    cast: Cast, role: str, build: str
) -> None:
    limiter = limiter_of(cast.policy(), **{role: 2})
    intent: Any = getattr(cast, build)()
    as_what = check(cast.policy(), intent, now=UnixSeconds(NOW))
    for _ in range(2):
        admit(limiter, intent, as_what, now=NOW)
    with pytest.raises(EnclaveFailure) as caught:
        admit(limiter, intent, as_what, now=NOW + 59)
    assert caught.value.code == FailureCode.RATE_LIMITED
    admit(limiter, intent, as_what, now=NOW + 60)


def test_rates__when_another_key_signs__counts_it_apart(cast: Cast) -> None:
    limiter = limiter_of(cast.policy(), user=1)
    for player in (cast.user, cast.treasury):
        noop = cast.noop().model_copy(update={"signer": player.ref})
        admit(limiter, noop, check(cast.policy(), noop, now=UnixSeconds(NOW)), now=NOW)


def test_rates__when_one_of_two_keys_is_over__counts_neither(cast: Cast) -> None:
    limiter = limiter_of(cast.policy(), user=2, issuer=1)
    mint, noop = cast.mint(), cast.noop()
    role = check(cast.policy(), mint, now=UnixSeconds(NOW))
    admit(limiter, mint, role, now=NOW)
    with pytest.raises(EnclaveFailure):
        admit(limiter, mint, role, now=NOW)
    admit(limiter, noop, role, now=NOW)


def test_rates__when_one_user_asks_for_too_many_vouchers__leaves_the_others_theirs(cast: Cast) -> None:
    limiter = limiter_of(cast.policy(), user=2)
    voucher = cast.voucher()
    for _ in range(2):
        admit(limiter, voucher, Role.ISSUER, now=NOW)
    with pytest.raises(EnclaveFailure) as caught:
        admit(limiter, voucher, Role.ISSUER, now=NOW)
    assert caught.value.code == FailureCode.RATE_LIMITED
    admit(limiter, voucher.evolve(subject="user-2"), Role.ISSUER, now=NOW)
    admit(limiter, cast.noop(), Role.USER, now=NOW)


def test_rates__when_it_comes_to_nothing__uses_up_nobodys_rate(cast: Cast) -> None:
    limiter = limiter_of(cast.policy(), user=1)
    for _ in range(3):
        limiter.check(cast.mint(), Role.USER, now=UnixSeconds(NOW))
    admit(limiter, cast.mint(), Role.USER, now=NOW)


def top_up(cast: Cast, nonce: int, value: int) -> SignTopUp:
    intent: SignTopUp = cast.top_up().model_copy(update={"nonce": nonce, "value": value})
    return intent


def budgeted(cast: Cast, value: int, recipient: int | None = None, relayer: int | None = None) -> RateLimiter:
    budget = TopUpBudget(window=3600, value=value, recipient=recipient, relayer=relayer)
    return RateLimiter(cast.policy().model_copy(update={"top_ups": budget}))


def test_top_ups__when_the_budget_is_given_away__fail_until_its_next_window(cast: Cast) -> None:
    limiter = budgeted(cast, 10)
    admit(limiter, top_up(cast, 0, 6), Role.TREASURY, now=NOW)
    with pytest.raises(EnclaveFailure) as caught:
        admit(limiter, top_up(cast, 1, 5), Role.TREASURY, now=NOW + 3599)
    assert caught.value.code == FailureCode.RATE_LIMITED
    admit(limiter, top_up(cast, 1, 4), Role.TREASURY, now=NOW + 3599)
    with pytest.raises(EnclaveFailure):
        admit(limiter, top_up(cast, 2, 1), Role.TREASURY, now=NOW + 3599)
    admit(limiter, top_up(cast, 2, 10), Role.TREASURY, now=NOW + 3600)


def test_top_ups__when_one_is_signed_again__count_once(cast: Cast) -> None:
    limiter = budgeted(cast, 10)
    for attempt in range(3):
        again = top_up(cast, 0, 10).model_copy(update={"attempt": attempt})
        admit(limiter, again, Role.TREASURY, now=NOW)


def test_top_ups__when_refused_by_the_budget__leave_the_treasurys_no_ops_alone(cast: Cast) -> None:
    limiter = budgeted(cast, 0)
    with pytest.raises(EnclaveFailure):
        admit(limiter, top_up(cast, 0, 1), Role.TREASURY, now=NOW)
    noop = cast.noop().model_copy(update={"signer": cast.treasury.ref})
    admit(limiter, noop, Role.TREASURY, now=NOW)


def to(intent: SignTopUp, recipient: str) -> SignTopUp:
    return intent.model_copy(update={"recipient": recipient})


def test_top_ups__when_one_address_got_all_it_may__are_refused_to_it_alone(cast: Cast) -> None:
    limiter = budgeted(cast, 100, recipient=10)
    admit(limiter, top_up(cast, 0, 6), Role.TREASURY, now=NOW)
    for _ in range(3):
        with pytest.raises(EnclaveRefusal) as caught:
            admit(limiter, top_up(cast, 1, 5), Role.TREASURY, now=NOW + 3599)
        assert caught.value.code == RefusalCode.TOP_UP_BUDGET
    admit(limiter, to(top_up(cast, 1, 5), OTHER), Role.TREASURY, now=NOW + 3599)
    admit(limiter, top_up(cast, 2, 4), Role.TREASURY, now=NOW + 3599)
    admit(limiter, top_up(cast, 3, 10), Role.TREASURY, now=NOW + 3600)


@pytest.mark.parametrize("budgeted_at_all", [True, False])
def test_top_ups__when_the_policy_names_no_share__one_address_gets_no_more_than_one_of_the_largest(
    cast: Cast, *, budgeted_at_all: bool
) -> None:
    policy = cast.policy()
    most = policy.max_top_up_value
    budget = TopUpBudget(window=3600, value=100 * most) if budgeted_at_all else None
    limiter = RateLimiter(policy.model_copy(update={"top_ups": budget}))

    admit(limiter, top_up(cast, 0, most), Role.TREASURY, now=NOW)
    with pytest.raises(EnclaveRefusal) as caught:
        admit(limiter, top_up(cast, 1, 1), Role.TREASURY, now=NOW)
    admit(limiter, to(top_up(cast, 1, most), OTHER), Role.TREASURY, now=NOW)

    assert caught.value.code == RefusalCode.TOP_UP_BUDGET


def test_top_ups__when_one_is_signed_again__count_once_for_its_recipient(cast: Cast) -> None:
    limiter = budgeted(cast, 100, recipient=10)
    for attempt in range(3):
        again = top_up(cast, 0, 10).model_copy(update={"attempt": attempt})
        admit(limiter, again, Role.TREASURY, now=NOW)


def test_top_ups__when_a_nonce_is_signed_for_another_address__count_for_both(cast: Cast) -> None:
    limiter = budgeted(cast, 100, recipient=10)
    admit(limiter, top_up(cast, 0, 10), Role.TREASURY, now=NOW)
    admit(limiter, to(top_up(cast, 0, 10), OTHER), Role.TREASURY, now=NOW)
    for recipient in (cast.user.address, OTHER):
        with pytest.raises(EnclaveRefusal):
            admit(limiter, to(top_up(cast, 1, 1), recipient), Role.TREASURY, now=NOW)


def test_top_ups__when_a_relayer_got_all_it_may__are_refused_to_it_alone(cast: Cast) -> None:
    limiter = budgeted(cast, 100, recipient=10, relayer=50)
    admit(limiter, to(top_up(cast, 0, 45), cast.relayer.address), Role.TREASURY, now=NOW)
    with pytest.raises(EnclaveRefusal) as caught:
        admit(limiter, to(top_up(cast, 1, 6), cast.relayer.address), Role.TREASURY, now=NOW + 3599)
    assert caught.value.code == RefusalCode.TOP_UP_BUDGET
    admit(limiter, top_up(cast, 1, 10), Role.TREASURY, now=NOW + 3599)
    admit(limiter, to(top_up(cast, 2, 50), cast.relayer.address), Role.TREASURY, now=NOW + 3600)


def test_top_ups__when_the_whole_budget_is_gone__fail_and_are_not_refused(cast: Cast) -> None:
    limiter = budgeted(cast, 10, recipient=10)
    admit(limiter, top_up(cast, 0, 10), Role.TREASURY, now=NOW)
    with pytest.raises(EnclaveFailure):
        admit(limiter, to(top_up(cast, 1, 1), OTHER), Role.TREASURY, now=NOW)


def test_top_ups__when_there_were_too_many_to_remember__fail_until_the_next_window(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "MAX_TOP_UPS", 3)
    limiter = budgeted(cast, 100, recipient=10)
    for nonce in range(3):
        admit(limiter, top_up(cast, nonce, 1), Role.TREASURY, now=NOW)
    with pytest.raises(EnclaveFailure):
        admit(limiter, to(top_up(cast, 3, 1), OTHER), Role.TREASURY, now=NOW)
    admit(limiter, top_up(cast, 2, 1), Role.TREASURY, now=NOW)
    admit(limiter, to(top_up(cast, 3, 1), OTHER), Role.TREASURY, now=NOW + 3600)


def test_rates__when_a_batch_has_many_mints__counts_one_signature_of_the_relayers(cast: Cast) -> None:
    limiter = limiter_of(cast.policy(), relayer=2, user=1)
    for _ in range(2):
        admit(limiter, cast.batch(50), Role.RELAYER, now=NOW)
    admit(limiter, cast.noop(), Role.USER, now=NOW)
    with pytest.raises(EnclaveFailure):
        admit(limiter, cast.batch(1), Role.RELAYER, now=NOW)


def test_rates__when_the_policy_names_no_relayers_rate__it_is_the_treasurys(cast: Cast) -> None:
    limiter = limiter_of(cast.policy(), treasury=1)
    admit(limiter, cast.batch(), Role.RELAYER, now=NOW)
    with pytest.raises(EnclaveFailure):
        admit(limiter, cast.batch(), Role.RELAYER, now=NOW)
