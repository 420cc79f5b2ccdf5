from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from mintline.clock import UnixSeconds
from mintline.clones import CloneArgs
from mintline.errors import Misconfigured
from mintline.frozen import Frozen
from mintline.messages.intents import AnyIntent, Intent
from mintline.messages.parts import Fees
from mintline_signer.enclave.kinds import check
from mintline_signer.enclave.policy import Role, TopUpBudget, parse_policy, read_policy
from mintline_signer.errors import EnclaveRefusal, RefusalCode
from mintline_testkit.constants import CONTRACT

if TYPE_CHECKING:
    from tests.unit.signer.conftest import Cast

KMS_KEY = "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


class SignAnything(Intent):
    type: Literal["sign_anything"] = "sign_anything"


def evolve(model: Any, **changes: Any) -> Any:
    return model.model_copy(update=changes)


def fees(maximum: int, priority: int = 0) -> Frozen:
    return Fees(max_fee_per_gas=maximum, max_priority_fee_per_gas=priority)


def voucher(cast: Cast, deadline: int) -> AnyIntent:
    mint = cast.mint()
    intent: AnyIntent = evolve(mint, voucher=evolve(mint.voucher, deadline=deadline))
    return intent


def lone_voucher(cast: Cast, deadline: int) -> Any:
    request = cast.voucher()
    return evolve(request, voucher=evolve(request.voucher, deadline=deadline))


def signed_by(intent: Any, **changes: Any) -> Any:
    return evolve(intent, signer=evolve(intent.signer, **changes))


def held_by(intent: Any, **changes: Any) -> Any:
    return evolve(intent, holder=evolve(intent.holder, **changes))


def again(cast: Cast, **changes: Any) -> Any:
    batch = cast.batch()
    return evolve(batch, mints=(*batch.mints[:2], evolve(batch.mints[2], **changes)))


def made_by(intent: Any, **changes: Any) -> Any:
    return evolve(intent, clone=evolve(intent.clone, **changes))


RULES: list[tuple[str, RefusalCode, Callable[[Cast], Any]]] = [
    (
        "another kind of intent",
        RefusalCode.INTENT,
        lambda c: SignAnything(**c.noop().model_dump(exclude={"type", "mint_id"})),
    ),
    ("another chain", RefusalCode.CHAIN, lambda c: signed_by(evolve(c.mint(), chain_id=1), chain_id=1)),
    ("a key of another chain", RefusalCode.KEY_CHAIN, lambda c: signed_by(c.mint(), chain_id=1)),
    ("another contract", RefusalCode.CONTRACT, lambda c: evolve(c.mint(), contract=OTHER)),
    ("too much gas", RefusalCode.GAS, lambda c: evolve(c.mint(), gas=200_001)),
    ("too high a fee", RefusalCode.FEE, lambda c: evolve(c.mint(), fees=fees(30 * 10**9 + 1))),
    ("a priority above the fee", RefusalCode.PRIORITY_FEE, lambda c: evolve(c.mint(), fees=fees(10, 11))),
    ("a voucher at its deadline", RefusalCode.VOUCHER_EXPIRED, lambda c: voucher(c, c.now)),
    ("a voucher for too long", RefusalCode.VOUCHER_TTL, lambda c: voucher(c, c.now + 3601)),
    ("a voucher alone at its deadline", RefusalCode.VOUCHER_EXPIRED, lambda c: lone_voucher(c, c.now)),
    ("a voucher alone for too long", RefusalCode.VOUCHER_TTL, lambda c: lone_voucher(c, c.now + 3601)),
    (
        "a voucher alone for another contract",
        RefusalCode.CONTRACT,
        lambda c: evolve(c.voucher(), contract=OTHER),
    ),
    ("a voucher alone by a user", RefusalCode.SIGNER, lambda c: evolve(c.voucher(), signer=c.user.ref)),
    (
        "a voucher alone by the treasury",
        RefusalCode.SIGNER,
        lambda c: evolve(c.voucher(), signer=c.treasury.ref),
    ),
    (
        "a voucher alone by another's key in the issuer's name",
        RefusalCode.SIGNER,
        lambda c: signed_by(c.voucher(), address=c.user.address),
    ),
    (
        "a voucher alone for another chain",
        RefusalCode.CHAIN,
        lambda c: signed_by(evolve(c.voucher(), chain_id=1), chain_id=1),
    ),
    ("a mint by a relayer", RefusalCode.SIGNER, lambda c: c.mint(c.relayer)),
    ("a batch by a user", RefusalCode.SIGNER, lambda c: evolve(c.batch(), signer=c.user.ref)),
    (
        "a batch by the issuer",
        RefusalCode.ISSUER_TRANSACTS,
        lambda c: evolve(c.batch(), signer=c.issuer.ref),
    ),
    ("a batch by the treasury", RefusalCode.SIGNER, lambda c: evolve(c.batch(), signer=c.treasury.ref)),
    (
        "a batch by a user's key in a relayer's name",
        RefusalCode.SIGNER,
        lambda c: signed_by(c.batch(), address=c.user.address),
    ),
    ("a batch of too many", RefusalCode.BATCH, lambda c: c.batch(101)),
    ("a batch at another contract", RefusalCode.CONTRACT, lambda c: evolve(c.batch(), contract=OTHER)),
    ("a batch of too much gas", RefusalCode.GAS, lambda c: evolve(c.batch(), gas=600_001)),
    ("a batch that has a mint twice", RefusalCode.BATCH_LINE, lambda c: again(c, mint_id="mint_b0")),
    ("a batch that has a token twice", RefusalCode.BATCH_LINE, lambda c: again(c, token_id=2**200 + 100)),
    (
        "a relayer's address as a user's",
        RefusalCode.SIGNER,
        lambda c: signed_by(c.noop(), address=c.relayer.address),
    ),
    (
        "a relayer's address as the treasury's",
        RefusalCode.SIGNER,
        lambda c: signed_by(c.top_up(), address=c.relayer.address),
    ),
    ("a top-up by a relayer", RefusalCode.SIGNER, lambda c: evolve(c.top_up(), signer=c.relayer.ref)),
    (
        "a top-up of a relayer",
        RefusalCode.TOP_UP_RECIPIENT,
        lambda c: evolve(c.top_up(), recipient=c.relayer.address),
    ),
    ("a transfer by a relayer", RefusalCode.SIGNER, lambda c: evolve(c.transfer(), signer=c.relayer.ref)),
    (
        "a voucher alone by a relayer",
        RefusalCode.SIGNER,
        lambda c: evolve(c.voucher(), signer=c.relayer.ref),
    ),
    ("a transfer by the treasury", RefusalCode.SIGNER, lambda c: evolve(c.transfer(), signer=c.treasury.ref)),
    (
        "a transfer by the issuer",
        RefusalCode.ISSUER_TRANSACTS,
        lambda c: evolve(c.transfer(), signer=c.issuer.ref),
    ),
    ("a transfer at another contract", RefusalCode.CONTRACT, lambda c: evolve(c.transfer(), contract=OTHER)),
    ("a burn by a relayer", RefusalCode.SIGNER, lambda c: evolve(c.burn(), signer=c.relayer.ref)),
    ("a burn at another contract", RefusalCode.CONTRACT, lambda c: evolve(c.burn(), contract=OTHER)),
    (
        "a relayed transfer by a user",
        RefusalCode.SIGNER,
        lambda c: evolve(c.relayed_transfer(), signer=c.user.ref),
    ),
    (
        "a relayed burn by the treasury",
        RefusalCode.SIGNER,
        lambda c: evolve(c.relayed_burn(), signer=c.treasury.ref),
    ),
    ("a relayed burn of a relayer's", RefusalCode.HOLDER, lambda c: c.relayed_burn(c.relayer)),
    ("a relayed transfer of the treasury's", RefusalCode.HOLDER, lambda c: c.relayed_transfer(c.treasury)),
    (
        "a relayed transfer of the issuer's",
        RefusalCode.ISSUER_TRANSACTS,
        lambda c: c.relayed_transfer(c.issuer),
    ),
    (
        "a relayed transfer of a relayer's address in a user's name",
        RefusalCode.SIGNER,
        lambda c: held_by(c.relayed_transfer(), address=c.relayer.address),
    ),
    (
        "a relayed transfer of a user's address in a relayer's name",
        RefusalCode.SIGNER,
        lambda c: held_by(c.relayed_transfer(), subject=c.relayer.subject),
    ),
    (
        "a relayed transfer by a key of another chain",
        RefusalCode.KEY_CHAIN,
        lambda c: held_by(c.relayed_transfer(), chain_id=1),
    ),
    (
        "a relayed transfer at its deadline",
        RefusalCode.SIGNATURE_EXPIRED,
        lambda c: evolve(c.relayed_transfer(), deadline=c.now),
    ),
    (
        "a relayed burn for too long",
        RefusalCode.SIGNATURE_TTL,
        lambda c: evolve(c.relayed_burn(), deadline=c.now + 3601),
    ),
    (
        "a relayed transfer at a listed contract",
        RefusalCode.CLONE,
        lambda c: evolve(c.relayed_transfer(), contract=CONTRACT),
    ),
    (
        "a relayed burn at another factory's clone",
        RefusalCode.FACTORY,
        lambda c: made_by(c.relayed_burn(), factory=OTHER),
    ),
    (
        "a relayed transfer of too much gas",
        RefusalCode.GAS,
        lambda c: evolve(c.relayed_transfer(), gas=200_001),
    ),
    ("a deployment by a user", RefusalCode.SIGNER, lambda c: evolve(c.deploy(), signer=c.user.ref)),
    ("a deployment by the treasury", RefusalCode.SIGNER, lambda c: evolve(c.deploy(), signer=c.treasury.ref)),
    ("a change by a user", RefusalCode.SIGNER, lambda c: evolve(c.administer(), signer=c.user.ref)),
    ("a deployment by another factory", RefusalCode.FACTORY, lambda c: made_by(c.deploy(), factory=OTHER)),
    (
        "a deployment of another implementation",
        RefusalCode.FACTORY,
        lambda c: made_by(c.deploy(), implementation=OTHER),
    ),
    ("a deployment at another address", RefusalCode.CLONE, lambda c: evolve(c.deploy(), contract=OTHER)),
    (
        "a deployment of other arguments",
        RefusalCode.CLONE,
        lambda c: made_by(c.deploy(), args=CloneArgs(name="Other", symbol="SYM", owner=OTHER)),
    ),
    (
        "a deployment for another principal",
        RefusalCode.CLONE,
        lambda c: made_by(c.deploy(), principal="user-2"),
    ),
    (
        "a deployment for another request",
        RefusalCode.CLONE,
        lambda c: evolve(c.deploy(), request_id="deploy_2"),
    ),
    ("a deployment of too much gas", RefusalCode.GAS, lambda c: evolve(c.deploy(), gas=1_600_001)),
    ("a change of too much gas", RefusalCode.GAS, lambda c: evolve(c.administer(), gas=200_001)),
    ("a change of another's clone", RefusalCode.CLONE, lambda c: evolve(c.administer(), contract=CONTRACT)),
    (
        "a change of another factory's clone",
        RefusalCode.FACTORY,
        lambda c: made_by(c.administer(), factory=OTHER),
    ),
    (
        "a batch at a clone without its proof",
        RefusalCode.CONTRACT,
        lambda c: evolve(c.batch(), contract=c.deploy().contract),
    ),
    (
        "a batch at a clone with another's proof",
        RefusalCode.CLONE,
        lambda c: evolve(c.batch(), contract=c.deploy().contract, clone=c.clone("user-2")),
    ),
    (
        "a batch at a listed contract with a clone's proof",
        RefusalCode.CLONE,
        lambda c: evolve(c.batch(), clone=c.clone()),
    ),
    (
        "a transfer at a clone with another's proof",
        RefusalCode.CLONE,
        lambda c: evolve(c.transfer(), contract=c.deploy().contract, clone=c.clone("user-2")),
    ),
    ("a mint by the treasury", RefusalCode.SIGNER, lambda c: c.mint(c.treasury)),
    ("a mint by the issuer", RefusalCode.ISSUER_TRANSACTS, lambda c: c.mint(c.issuer)),
    ("a no-op by the issuer", RefusalCode.ISSUER_TRANSACTS, lambda c: evolve(c.noop(), signer=c.issuer.ref)),
    (
        "the issuer's address as a user's",
        RefusalCode.ISSUER_TRANSACTS,
        lambda c: signed_by(c.mint(), address=c.issuer.address),
    ),
    (
        "a user's address as the issuer's",
        RefusalCode.ISSUER_TRANSACTS,
        lambda c: signed_by(c.noop(), subject=c.issuer.subject),
    ),
    (
        "the treasury's address as a user's",
        RefusalCode.SIGNER,
        lambda c: signed_by(c.noop(), address=c.treasury.address),
    ),
    (
        "a user's address as the treasury's",
        RefusalCode.SIGNER,
        lambda c: signed_by(c.top_up(), address=c.user.address),
    ),
    (
        "an unknown key of the platform",
        RefusalCode.SIGNER,
        lambda c: signed_by(c.mint(), subject="platform:other"),
    ),
    ("a top-up by a user", RefusalCode.SIGNER, lambda c: evolve(c.top_up(), signer=c.user.ref)),
    ("too high a top-up", RefusalCode.TOP_UP_VALUE, lambda c: evolve(c.top_up(), value=10**17 + 1)),
    (
        "a top-up of the issuer",
        RefusalCode.TOP_UP_RECIPIENT,
        lambda c: evolve(c.top_up(), recipient=c.issuer.address),
    ),
    (
        "a top-up of a contract",
        RefusalCode.TOP_UP_RECIPIENT,
        lambda c: evolve(c.top_up(), recipient=c.mint().contract),
    ),
]


@pytest.mark.parametrize(("code", "build"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_policy__when_a_rule_is_broken__refuses_with_its_code(
    cast: Cast, code: RefusalCode, build: Callable[[Cast], Any]
) -> None:
    with pytest.raises(EnclaveRefusal) as caught:
        check(cast.policy(), build(cast), now=UnixSeconds(cast.now))
    assert caught.value.code == code


def test_policy__when_gas_times_fee_exceeds_the_cost__refuses(cast: Cast) -> None:
    policy = evolve(cast.policy(), max_transaction_cost=200_000 * 30 * 10**9 - 1)
    with pytest.raises(EnclaveRefusal) as caught:
        check(policy, cast.mint(), now=UnixSeconds(cast.now))
    assert caught.value.code == RefusalCode.COST


@pytest.mark.parametrize("action", ["mint", "transfer", "burn"])
def test_policy__when_users_may_not_do_it__refuses(cast: Cast, action: str) -> None:
    others = frozenset({"mint", "transfer", "burn"}) - {action}
    policy = evolve(cast.policy(), user_actions=others)
    intents: dict[str, list[Any]] = {
        "mint": [cast.mint()],
        "transfer": [cast.transfer(), cast.relayed_transfer()],
        "burn": [cast.burn(), cast.relayed_burn()],
    }
    for intent in intents.pop(action):
        with pytest.raises(EnclaveRefusal) as caught:
            check(policy, intent, now=UnixSeconds(cast.now))
        assert caught.value.code == RefusalCode.ACTION
    for intent in (intent_of for others in intents.values() for intent_of in others):
        check(policy, intent, now=UnixSeconds(cast.now))


def test_policy__when_it_allows__says_what_the_signer_is(cast: Cast) -> None:
    roles = [check(cast.policy(), request, now=UnixSeconds(cast.now)) for request in cast.everything()]
    user, issuer, treasury, relayer = Role.USER, Role.ISSUER, Role.TREASURY, Role.RELAYER
    assert roles == [user, issuer, treasury, user, relayer, user, user, *[relayer] * 4]


def test_policy__when_it_budgets_relayers__lets_the_treasury_top_up_a_relayer_and_no_other_barred_address(
    cast: Cast,
) -> None:
    budget = TopUpBudget(window=3600, value=10**18, relayer=10**18)
    policy = evolve(cast.policy(), top_ups=budget)
    top_up = evolve(cast.top_up(), recipient=cast.relayer.address)

    assert check(policy, top_up, now=UnixSeconds(cast.now)) is Role.TREASURY
    for recipient in (cast.issuer.address, cast.treasury.address, *policy.contracts):
        with pytest.raises(EnclaveRefusal) as caught:
            check(policy, evolve(top_up, recipient=recipient), now=UnixSeconds(cast.now))
        assert caught.value.code == RefusalCode.TOP_UP_RECIPIENT


def test_policy__when_its_factory_made_a_contract__allows_it_by_the_proof(cast: Cast) -> None:
    contract = cast.deploy().contract
    for intent in (cast.batch(), cast.transfer(), cast.burn()):
        check(
            cast.policy(),
            evolve(intent, contract=contract, clone=cast.clone()),
            now=UnixSeconds(cast.now),
        )
        with pytest.raises(EnclaveRefusal) as caught:
            check(
                evolve(cast.policy(), factories=()),
                evolve(intent, contract=contract, clone=cast.clone()),
                now=UnixSeconds(cast.now),
            )
        assert caught.value.code == RefusalCode.FACTORY


def test_policy__when_a_deployment_may_cost_more_than_its_gas_allows__refuses(cast: Cast) -> None:
    policy = evolve(cast.policy(), max_deploy_gas=400_000, max_transaction_cost=200_000 * 30 * 10**9 - 1)
    with pytest.raises(EnclaveRefusal) as caught:
        check(policy, cast.deploy(), now=UnixSeconds(cast.now))
    assert caught.value.code == RefusalCode.COST


def test_policy__when_a_line_is_refused__says_which(cast: Cast) -> None:
    with pytest.raises(EnclaveRefusal) as caught:
        check(cast.policy(), again(cast, token_id=2**200 + 100), now=UnixSeconds(cast.now))
    assert caught.value.operation_id == "mint_b2"


def test_policy__when_it_names_no_relayer__lets_nobody_sign_a_batch(cast: Cast) -> None:
    with pytest.raises(EnclaveRefusal) as caught:
        check(evolve(cast.policy(), relayers=()), cast.batch(), now=UnixSeconds(cast.now))
    assert caught.value.code == RefusalCode.SIGNER


def test_policy__when_a_batch_may_cost_more_than_its_mints_apart__refuses(cast: Cast) -> None:
    policy = evolve(cast.policy(), max_transaction_cost=200_000 * 30 * 10**9 - 1)
    with pytest.raises(EnclaveRefusal) as caught:
        check(policy, cast.batch(), now=UnixSeconds(cast.now))
    assert caught.value.code == RefusalCode.COST


def test_policy__when_it_has_a_rule__some_test_here_breaks_it() -> None:
    broken = {rule[1] for rule in RULES} | {RefusalCode.COST, RefusalCode.ACTION}
    assert broken == {code for code in RefusalCode if code.startswith("policy_")}


def test_policy__when_every_amount_is_at_its_limit__allows(cast: Cast) -> None:
    noops = [evolve(cast.noop(), signer=player.ref) for player in (cast.treasury, cast.relayer)]
    for intent in (*cast.everything(), cast.batch(100), *noops):
        check(cast.policy(), intent, now=UnixSeconds(cast.now))


def document(cast: Cast) -> dict[str, Any]:
    return {
        "version": 1,
        "chain_ids": [31337],
        "contracts": [OTHER],
        "authorization": cast.authority.policy(),
        "issuer": {"address": cast.issuer.address, "subject": "platform:issuer"},
        "treasury": {"address": cast.treasury.address, "subject": "platform:treasury"},
        "rates": {"window": 60, "user": 5, "treasury": 10, "issuer": 100},
        "max_gas": 500_000,
        "max_fee_per_gas": "200000000000",
        "max_transaction_cost": "100000000000000000",
        "max_top_up_value": "1000000000000000000",
        "max_voucher_ttl": 86_400,
    }


def test_policy__when_the_document_is_sound__is_read(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(document(cast)))
    assert read_policy(path) == path.read_bytes()
    policy = parse_policy(read_policy(path))
    assert policy.contracts == {OTHER}
    assert policy.max_top_up_value == 10**18
    assert (policy.relayers, policy.max_batch, policy.rates.of(Role.RELAYER)) == ((), 250, 10)


def test_policy__when_it_names_relayers__is_read(cast: Cast) -> None:
    relayers = [{"address": player.address, "subject": player.subject} for player in (cast.relayer,)]
    more = {"relayers": relayers, "max_batch": 500}
    rates = {"window": 60, "user": 5, "treasury": 10, "issuer": 100, "relayer": 20}
    policy = parse_policy(json.dumps(document(cast) | more | {"rates": rates}).encode())
    assert policy.relayers == cast.policy().relayers
    assert policy.rates.of(Role.RELAYER) == 20


def test_policy__when_it_reassigns_a_relayers_address__is_misconfigured(cast: Cast) -> None:
    relayer = {"address": cast.relayer.address, "subject": cast.relayer.subject}
    moved = {"from": "user-1", "to": "user-2", "address": cast.relayer.address, "kms_key": KMS_KEY}
    more = {"relayers": [relayer], "reassign": [moved]}
    with pytest.raises(Misconfigured, match="reassign: the address must be a user's wallet"):
        parse_policy(json.dumps(document(cast) | more).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"allow_everything": True},
        {"version": 2},
        {"contracts": []},
        {"chain_ids": []},
        {"max_gas": 0},
        {"max_fee_per_gas": "-1"},
        {"issuer": {"address": OTHER, "subject": "user-1"}},
        {"relayers": {"keys": [{"address": OTHER, "subject": "platform:relayer-1"}], "max_batch": 1}},
        {"relayers": None},
        {"relayers": [{"address": OTHER, "subject": "user-1"}]},
        {"relayers": [{"address": OTHER, "subject": "platform:issuer"}]},
        {"relayers": [{"address": OTHER, "subject": f"platform:relayer-{n}"} for n in range(2)]},
        {"relayers": [{"address": f"0x{n:040x}", "subject": f"platform:r-{n}"} for n in range(10, 27)]},
        {"max_batch": 501},
        {"max_batch": 0},
        {"top_ups": {"window": 3600, "value": "9" * 20, "recipient": str(10**18 - 1)}},
    ],
)
def test_policy__when_the_document_is_unsound__is_misconfigured_in_one_line(
    cast: Cast, change: dict[str, Any]
) -> None:
    with pytest.raises(Misconfigured) as caught:
        parse_policy(json.dumps(document(cast) | change).encode())
    assert "\n" not in str(caught.value)
    assert next(iter(change)) in str(caught.value)


@pytest.mark.parametrize(
    ("twice", "message"),
    [
        ('"max_gas": 1, "max_gas": 500000', '"max_gas" appears twice'),
        ('"max_gas": 1, "max_g\\u0061s": 500000', '"max_gas" appears twice'),
        ('"chain_ids": [1], "chain_ids": [31337]', '"chain_ids" appears twice'),
        ('"treasury": {"address": "0x0", "address": "0x1"}', '"address" appears twice'),
    ],
)
def test_policy__when_a_member_is_there_twice__is_misconfigured(cast: Cast, twice: str, message: str) -> None:
    rest = json.dumps(document(cast) | {"max_gas": 500_000})[1:]
    with pytest.raises(Misconfigured, match=message):
        parse_policy(f"{{{twice}, {rest}".encode())


@pytest.mark.parametrize("junk", [b"", b"root:x:0:0:root:/root:/bin/bash\n", b"\xff", b"[]", b"null", b"NaN"])
def test_policy__when_the_file_is_no_policy__is_misconfigured_in_one_line(junk: bytes) -> None:
    with pytest.raises(Misconfigured) as caught:
        parse_policy(junk)
    assert str(caught.value).startswith("signing policy: ")
    assert "\n" not in str(caught.value)


def test_policy__when_there_is_no_file__is_misconfigured(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot read"):
        read_policy(tmp_path / "none.json")
