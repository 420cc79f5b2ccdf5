from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mintline.kinds import meaning_of
from mintline.messages.parts import Fees
from mintline_signer.enclave.signing_history import SigningHistory
from mintline_signer.errors import EnclaveRefusal, RefusalCode

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
FEES = Fees(max_fee_per_gas=7, max_priority_fee_per_gas=1)


def evolve(model: Any, **changes: Any) -> Any:
    return model.model_copy(update=changes)


def voucher(intent: Any, **changes: Any) -> Any:
    return evolve(intent, voucher=evolve(intent.voucher, **changes))


def admit(history: SigningHistory, *intents: Any) -> None:
    for intent in intents:
        history.check(intent, meaning_of(intent))
        history.remember(intent, meaning_of(intent))


def refused(history: SigningHistory, intent: Any) -> RefusalCode:
    with pytest.raises(EnclaveRefusal) as caught:
        admit(history, intent)
    return RefusalCode(caught.value.code)


def test_meaning__when_fees_attempt_trace_or_the_time_it_was_built_change__stays(cast: Cast) -> None:
    for request in cast.everything():
        changes: dict[str, Any] = {"trace": "00-1"}
        if hasattr(request, "fees"):
            changes |= {"fees": FEES, "attempt": 4, "gas": 1}
        if hasattr(request, "authorization"):
            changes |= {"authorization": b"another envelope"}
        if hasattr(request, "built_at"):
            changes |= {"built_at": 1}
        assert meaning_of(evolve(request, **changes)) == meaning_of(request)


def test_meaning__when_anything_else_changes__changes(cast: Cast) -> None:
    mint, batch, transfer, burn, top_up = (
        cast.mint(),
        cast.batch(),
        cast.transfer(),
        cast.burn(),
        cast.top_up(),
    )
    others = [
        evolve(mint, nonce=8),
        evolve(mint, mint_id="mint_9"),
        evolve(mint, contract=OTHER),
        evolve(mint, chain_id=1),
        evolve(mint, signer=evolve(mint.signer, address=OTHER)),
        voucher(mint, token_id=1),
        voucher(mint, to=OTHER),
        voucher(mint, metadata_digest=bytes(32)),
        voucher(mint, deadline=1),
        voucher(cast.voucher(), to=OTHER),
        evolve(top_up, recipient=OTHER),
        evolve(top_up, value=1),
        evolve(batch, mints=batch.mints[:2]),
        evolve(batch, mints=(*batch.mints[:2], evolve(batch.mints[2], to=OTHER))),
        evolve(batch, contract=OTHER),
        evolve(transfer, to=OTHER),
        evolve(transfer, token_id=1),
        evolve(transfer, request_id="t"),
        evolve(burn, token_id=1),
        evolve(burn, request_id="b"),
        *cast.everything(),
    ]
    assert len({meaning_of(other) for other in others}) == len(others)


def test_memory__when_the_fees_are_raised__admits_it_again(cast: Cast) -> None:
    history = SigningHistory(size=1000, secret=bytes(16))
    for request in cast.everything():
        admit(history, request, request)
        if hasattr(request, "fees"):
            admit(history, evolve(request, fees=FEES, attempt=1))


def test_memory__when_something_else_has_the_nonce__refuses(cast: Cast) -> None:
    history, mint = SigningHistory(size=1000, secret=bytes(16)), cast.mint()
    admit(history, mint)
    transfer = evolve(cast.transfer(), nonce=mint.nonce)
    for other in (transfer, voucher(mint, to=OTHER), voucher(mint, deadline=1), evolve(mint, contract=OTHER)):
        code = refused(history, other)
        assert code in {RefusalCode.NONCE, RefusalCode.TOKEN_ID}
    assert refused(history, transfer) == RefusalCode.NONCE
    admit(history, mint)


def test_memory__when_it_is_another_senders_or_chains_nonce__admits(cast: Cast) -> None:
    history, noop = SigningHistory(size=1000, secret=bytes(16)), cast.noop()
    admit(history, evolve(cast.transfer(), nonce=8))
    admit(history, evolve(noop, signer=cast.treasury.ref), evolve(noop, chain_id=1))


def test_memory__when_the_nonce_was_filled__admits_nothing_but_the_noop(cast: Cast) -> None:
    history, mint = SigningHistory(size=1000, secret=bytes(16)), cast.mint()
    noop = evolve(cast.noop(), nonce=mint.nonce)
    admit(history, mint, noop)
    assert refused(history, mint) == RefusalCode.NONCE_FILLED
    assert refused(history, evolve(mint, fees=FEES, attempt=9)) == RefusalCode.NONCE_FILLED
    admit(history, evolve(noop, fees=FEES, attempt=2, mint_id=None))


def test_memory__when_a_mint_gets_a_new_nonce__admits_the_same_token_alone(cast: Cast) -> None:
    history, mint = SigningHistory(size=1000, secret=bytes(16)), cast.mint()
    admit(history, mint, evolve(mint, nonce=20))
    assert refused(history, voucher(evolve(mint, nonce=21), token_id=5)) == RefusalCode.TOKEN_ID
    assert (
        refused(history, evolve(voucher(cast.voucher(), token_id=5), mint_id="mint_1"))
        == RefusalCode.TOKEN_ID
    )


def test_memory__when_nothing_was_signed__has_nothing_to_remember(cast: Cast) -> None:
    history, mint = SigningHistory(size=1000, secret=bytes(16)), cast.mint()
    history.check(mint, meaning_of(mint))
    other = voucher(mint, token_id=5)
    admit(history, other)
    assert refused(history, mint) == RefusalCode.TOKEN_ID
    admit(history, other)


def test_memory__when_full__forgets_the_oldest(cast: Cast) -> None:
    history = SigningHistory(size=2, secret=bytes(16))
    admit(history, *(evolve(cast.transfer(), nonce=n, request_id=f"transfer_{n}") for n in range(3)))
    assert len(history) == 2
    assert refused(history, evolve(cast.burn(), nonce=1)) == RefusalCode.NONCE
    admit(history, evolve(cast.burn(), nonce=0))


@pytest.mark.parametrize("kind", ["transfer", "burn"])
def test_memory__when_a_request_was_signed__admits_it_under_that_nonce_alone(cast: Cast, kind: str) -> None:
    history, request = SigningHistory(size=1000, secret=bytes(16)), getattr(cast, kind)()
    admit(history, request, evolve(request, fees=FEES, attempt=1))
    assert refused(history, evolve(request, nonce=20)) == RefusalCode.REQUEST
    assert refused(history, evolve(request, token_id=5)) == RefusalCode.REQUEST
    admit(history, evolve(request, nonce=20, request_id="another"))


def test_memory__when_a_request_has_the_id_of_a_mint__binds_neither_to_the_other(cast: Cast) -> None:
    history, mint = SigningHistory(size=1000, secret=bytes(16)), cast.mint()
    admit(history, mint, evolve(cast.transfer(), request_id=mint.mint_id), evolve(mint, nonce=20))


def test_memory__when_a_mint_gets_into_another_batch__admits_the_same_token_alone(cast: Cast) -> None:
    history, batch = SigningHistory(size=1000, secret=bytes(16)), cast.batch()
    admit(history, batch, evolve(batch, nonce=20, mints=batch.mints[1:]))
    changed = evolve(batch.mints[2], token_id=5)
    with pytest.raises(EnclaveRefusal) as caught:
        admit(history, evolve(batch, nonce=21, mints=(batch.mints[0], changed)))
    assert (caught.value.code, caught.value.operation_id) == (RefusalCode.TOKEN_ID, changed.mint_id)
    mint = voucher(evolve(cast.mint(), mint_id=batch.mints[0].mint_id), token_id=5)
    assert refused(history, mint) == RefusalCode.TOKEN_ID
