"""Every kind of request, from the records to the transaction that is signed, and back to what it means."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from mintline.authorizations import digest_of
from mintline.clone_calls import deployment_calldata
from mintline.clones import CloneArgs, set_royalty_calldata
from mintline.eth import burn_calldata, mint_batch_calldata, redeem_calldata, transfer_calldata
from mintline.holder_signatures import (
    burn_by_signature_calldata,
    carried_signature,
    transfer_by_signature_calldata,
)
from mintline.kinds import (
    KINDS,
    TRANSACTION_KINDS,
    NotCarried,
    dedup_id,
    first_intent,
    meaning_of,
    operation_ids,
    transaction_of,
)
from mintline.kinds.mint import sign_mint
from mintline.messages.intents import AnyIntent, AnyRequest, TransactionKind
from mintline.messages.parts import Clone, CollectionChange, Fees, KeyRef
from mintline.records.operations import (
    CollectionCall,
    CollectionDeployment,
    Mint,
    Operation,
    RelayedBurn,
    RelayedTransfer,
    TokenBurn,
    TokenTransfer,
)
from mintline.records.transactions import TopUpPayload, Transaction, as_far_as
from mintline.states import MintStatus, TransactionState

WALLET, CONTRACT, OTHER = "0x" + "1" * 40, "0x" + "2" * 40, "0x" + "3" * 40
FACTORY = "0x" + "4" * 40
BY_RELAYER = ("batch", "relayed_transfer", "relayed_burn", "deploy", "administer")
KEY = KeyRef(address=WALLET, subject="user", chain_id=1, secret_id="secret")
RELAYER = KeyRef(address=OTHER, subject="platform:relayer-1", chain_id=1, secret_id="secret")
FEES = Fees(max_fee_per_gas=3, max_priority_fee_per_gas=1)
COMMON: dict[str, Any] = {
    "status": MintStatus.BUILT,
    "chain_id": 1,
    "contract": CONTRACT,
    "request_digest": "",
    "created_at": 0,
    "updated_at": 0,
    "sender": KEY,
    "nonce": 7,
}
MINTING: dict[str, Any] = {**COMMON, "sub": "user", "to": OTHER, "metadata_digest": b"\x05" * 32}
MINT = Mint(**MINTING, mint_id="mint_1", token_id=4, deadline=99)
BATCH = [
    Mint(**MINTING | {"sender": RELAYER}, custody="sponsored", mint_id=f"mint_{number}", token_id=number)
    for number in (1, 2, 3)
]
TRANSFER = TokenTransfer(**COMMON, mint_id="transfer_1", token_id=4, to=OTHER)
BURN = TokenBurn(**COMMON, mint_id="burn_1", token_id=4)
RELAYED: dict[str, Any] = {
    **COMMON,
    "sender": RELAYER,
    "wallet": KEY,
    "token_id": 4,
    "counter": 6,
    "deadline": 99,
}
RELAYED_TRANSFER = RelayedTransfer(**RELAYED, mint_id="transfer_2", to=OTHER)
RELAYED_BURN = RelayedBurn(**RELAYED, mint_id="burn_2")
CLONE = Clone(
    factory=FACTORY,
    implementation=WALLET,
    principal="client",
    operation_id="deploy_1",
    args=CloneArgs(name="Name", symbol="SYM", owner=WALLET),
)
CHANGE = CollectionChange(action="set_royalty", receiver=OTHER, bps=250)
ASKED: dict[str, Any] = {**COMMON, "sender": RELAYER, "principal": "client", "clone": CLONE}
DEPLOYMENT = CollectionDeployment(**ASKED, mint_id="deploy_1")
CALL = CollectionCall(**ASKED, mint_id="change_1", change=CHANGE)
OPERATIONS: dict[TransactionKind, list[Operation]] = {
    "mint": [MINT],
    "batch": [*BATCH],
    "transfer": [TRANSFER],
    "burn": [BURN],
    "relayed_transfer": [RELAYED_TRANSFER],
    "relayed_burn": [RELAYED_BURN],
    "deploy": [DEPLOYMENT],
    "administer": [CALL],
    "top_up": [],
    "noop": [],
}
SIGNATURE = bytes(65)
CALLDATA = {
    "mint": redeem_calldata(
        token_id=4, to=OTHER, metadata_digest=b"\x05" * 32, deadline=99, signature=SIGNATURE
    ),
    "batch": mint_batch_calldata([(number, OTHER, b"\x05" * 32) for number in (1, 2, 3)]),
    "transfer": transfer_calldata(sender=WALLET, to=OTHER, token_id=4),
    "burn": burn_calldata(4),
    "relayed_transfer": transfer_by_signature_calldata(
        holder=WALLET, to=OTHER, token_id=4, counter=6, deadline=99, signature=SIGNATURE
    ),
    "relayed_burn": burn_by_signature_calldata(
        holder=WALLET, token_id=4, counter=6, deadline=99, signature=SIGNATURE
    ),
    "deploy": deployment_calldata(CLONE),
    "administer": set_royalty_calldata(OTHER, 250),
    "top_up": b"",
    "noop": b"",
}


def reserved(kind: TransactionKind, **changes: Any) -> Transaction:
    signer = RELAYER if kind in BY_RELAYER else KEY
    return Transaction(
        sender_id=f"1#{signer.address}",
        nonce=7,
        signer=signer,
        kind=kind,
        operations=tuple(operation.operation_id for operation in OPERATIONS[kind]),
        top_up=TopUpPayload(recipient=OTHER, value=5) if kind == "top_up" else None,
        clone=CLONE if kind.startswith("relayed_") else None,
        gas=100_000,
        fees=FEES,
        meaning=bytes(32),
        reserved_at=0,
        updated_at=0,
    ).evolve(**changes)


def test_kinds__when_listed__then_they_are_all_that_the_enclave_signs() -> None:
    def types(union: Any) -> set[str]:
        return {member.model_fields["type"].default for member in get_args(get_args(union)[0])}

    assert types(AnyRequest) == set(KINDS)
    assert types(AnyIntent) == set(TRANSACTION_KINDS)
    assert {f"sign_{kind}" for kind in get_args(TransactionKind)} == set(TRANSACTION_KINDS)
    assert set(OPERATIONS) == set(get_args(TransactionKind))


@pytest.mark.parametrize("kind", get_args(TransactionKind))
def test_first_intent__when_made_from_the_records__is_the_transaction_of_its_kind(
    kind: TransactionKind,
) -> None:
    transaction = reserved(kind)
    intent = first_intent(transaction, OPERATIONS[kind], b"sealed")
    created = transaction_of(intent, issued=SIGNATURE)
    to = {"noop": WALLET, "top_up": OTHER, "deploy": FACTORY}.get(kind, CONTRACT)
    assert (created.to, created.data, created.value) == (to, CALLDATA[kind], 5 if kind == "top_up" else 0)
    assert (created.nonce, created.gas, created.chain_id) == (7, 100_000, 1)
    assert operation_ids(intent) == transaction.operations
    assert getattr(intent, "authorization", b"sealed") == b"sealed"
    assert len(dedup_id(intent)) <= 128
    again = intent.evolve(fees=Fees(max_fee_per_gas=9, max_priority_fee_per_gas=2), attempt=1)
    assert meaning_of(again) == meaning_of(intent)
    assert dedup_id(again) != dedup_id(intent)


@pytest.mark.parametrize("kind", [kind for kind, carried in OPERATIONS.items() if carried])
@pytest.mark.parametrize(
    "changes", [{"nonce": 8}, {"sender": KEY.model_copy(update={"address": CONTRACT})}], ids=["nonce", "key"]
)
def test_first_intent__when_an_operation_is_carried_elsewhere__is_none(
    kind: TransactionKind, changes: dict[str, Any]
) -> None:
    operations = [*OPERATIONS[kind]]
    operations[-1] = operations[-1].evolve(**changes)
    with pytest.raises(NotCarried):
        first_intent(reserved(kind), operations)
    with pytest.raises(NotCarried):
        first_intent(reserved(kind), OPERATIONS[kind][:-1])


def test_sign_mint__when_made_from_the_mint_as_it_stands__is_the_transactions_own() -> None:
    transaction = reserved("mint")
    assert sign_mint(as_far_as(MINT, transaction), b"x") == first_intent(transaction, [MINT], b"x")


def test_digest_of__when_kind_or_custody_differ__differs() -> None:
    others = (TRANSFER, BURN, RELAYED_TRANSFER, RELAYED_BURN, DEPLOYMENT, CALL)
    sponsored, own = BATCH[0], MINT.evolve(mint_id="mint_1", token_id=1, deadline=None)
    alone = own.evolve(custody="self", sender=None)
    digests = [digest_of(operation) for operation in (sponsored, own, alone, *others)]
    assert len(set(digests)) == len(digests)
    assert digest_of(sponsored) == digest_of(sponsored.evolve(sender=None, nonce=None))


@pytest.mark.parametrize(
    ("outcome", "state", "status"),
    [
        (None, TransactionState.RESERVED, MintStatus.BUILT),
        ("succeeded", TransactionState.MINED, MintStatus.MINED),
        ("succeeded", TransactionState.FINAL, MintStatus.FINALIZED),
        ("failed", TransactionState.MINED, MintStatus.SUBMITTED),
        ("failed", TransactionState.FINAL, MintStatus.SUBMITTED),
    ],
)
def test_as_far_as__when_a_batch_carries_it__then_its_failure_ends_none(
    outcome: Any, state: TransactionState, status: MintStatus
) -> None:
    sent = {
        "attempt": {"tx_hash": b"\x01" * 32, "max_fee_per_gas": 1, "max_priority_fee_per_gas": 1, "at": 0}
    }
    transaction = reserved(
        "batch", outcome=outcome, state=state, attempts=(sent["attempt"],) if outcome else ()
    )
    assert as_far_as(BATCH[0], transaction).status is status
    if outcome == "failed":
        alone = reserved("transfer", outcome=outcome, state=state, attempts=(sent["attempt"],))
        assert as_far_as(TRANSFER, alone).status is MintStatus.REVERTED


def test_digest_of__when_a_relayed_operation_has_its_nonce_and_counter__stays() -> None:
    """So the authorization of before is found, and is good, after the build."""
    for built in (RELAYED_TRANSFER, RELAYED_BURN):
        accepted = built.evolve(sender=None, nonce=None, counter=None, deadline=None)
        assert digest_of(accepted) == digest_of(built)
        assert digest_of(built.evolve(token_id=5)) != digest_of(built)
        assert digest_of(built.evolve(wallet=RELAYER)) != digest_of(built)


def test_carried_signature__when_the_call_is_another__is_empty() -> None:
    signature = bytes(range(65))
    fields: dict[str, Any] = {"holder": WALLET, "token_id": 4, "counter": 6, "deadline": 99}
    transfer = transfer_by_signature_calldata(**fields, to=OTHER, signature=signature)
    burn = burn_by_signature_calldata(**fields, signature=signature)
    assert carried_signature(transfer) == carried_signature(burn) == signature
    assert carried_signature(burn_calldata(4)) == carried_signature(b"") == b""
