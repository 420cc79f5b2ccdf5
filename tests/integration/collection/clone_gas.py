"""What the factory and its clones use in gas: rows of the gas table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from eth_account import Account
from web3 import Web3

from mintline.chain.compiled import Contract, compiled
from mintline.clones import clone_salt
from tests.integration.collection.clones.conftest import BASE_URI, deploy_factory
from tests.integration.collection.conftest import FAR_FUTURE

if TYPE_CHECKING:
    from eth_typing import ChecksumAddress

    from tests.integration.collection.clones.conftest import Clone

BATCHES = (1, 10, 100)
# In the middle of a used slot of the bitmap of minted ids, as in the rows of MintlineCollection.
FIRST_ID = 4096 + 128
HOLDER = Account.from_key(Web3.keccak(text="gas holder"))

CLONE_LABELS = {
    "deploy_factory": "Deploy the factory",
    "deploy_implementation": "Deploy the clones' implementation",
    "create": "Create a collection: a clone with 448 bytes of arguments",
    **{
        f"clone_batch_{size}_fresh": f"Clone: `mintBatch` of {size}, each to a new holder" for size in BATCHES
    },
    "clone_batch_100_capped": "Clone: `mintBatch` of 100, each to a new holder, with supply cap and window",
    "clone_batch_100_soulbound": "Clone: `mintBatch` of 100, each to a new holder, soulbound",
    "clone_transfer": "Clone: `transferFrom`, by the owner, to a holder",
    "clone_transfer_signed": "Clone: `transferBySignature`, to a holder, the signer's second",
    "clone_burn_signed": "Clone: `burnBySignature`, a holder of more",
}


def gas_of_clones(w3: Web3, largest: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield each figure's name, its gas, and how many tokens it is for (0: not told by token)."""
    factory = deploy_factory(w3)
    admin, address = factory.cast.admin, factory.contract.address
    yield "deploy_factory", (deployment_gas(w3, "MintlineFactory", (admin, BASE_URI), largest), 0)
    yield "deploy_implementation", (deployment_gas(w3, "MintlineClone", (address,), largest), 0)
    yield "create", (factory.send_create(clone_salt("client", "first"), factory.args())["gasUsed"], 0)
    plain = factory.create("plain")
    for size in BATCHES:
        yield f"clone_batch_{size}_fresh", (_batch(plain, size, largest), size)
    capped = factory.create("capped", supply_cap=1_000_000, mint_start=1, mint_end=2**40)
    yield "clone_batch_100_capped", (_batch(capped, 100, largest), 100)
    yield "clone_batch_100_soulbound", (_batch(factory.create("bound", soulbound=True), 100, largest), 100)
    yield from _moves(plain)


def deployment_gas(w3: Web3, contract: Contract, arguments: tuple[Any, ...], largest: int) -> int:
    """Return the gas of a contract's deployment."""
    artifact = compiled(contract)
    factory = w3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"])
    sent = factory.constructor(*arguments).transact({"from": w3.eth.accounts[0], "gas": largest})
    receipt = w3.eth.wait_for_transaction_receipt(sent)
    assert receipt["status"] == 1
    return receipt["gasUsed"]


def _batch(clone: Clone, size: int, largest: int) -> int:
    with clone.undone():
        clone.mint_batch(FIRST_ID)
        call = clone.functions.mintBatch(
            [(FIRST_ID + 1 + offset, fresh_address(offset), digest_of(offset)) for offset in range(size)]
        )
        return clone.send(call, clone.cast.relayer, gas=largest)["gasUsed"]


def _moves(clone: Clone) -> Iterator[tuple[str, tuple[int, int]]]:
    alice, bob = clone.cast.alice, clone.cast.bob
    clone.mint_batch(1, to=alice)
    clone.mint_batch(2, to=bob)
    clone.mint_batch(3, 4, 5, 6, to=HOLDER.address)
    moved = clone.send(clone.functions.transferFrom(alice, bob, 1), alice)
    yield "clone_transfer", (moved["gasUsed"], 0)
    gas = 0
    for nonce, token_id in enumerate((3, 4)):
        transfer = {
            "from": HOLDER.address,
            "to": bob,
            "tokenId": token_id,
            "nonce": nonce,
            "deadline": FAR_FUTURE,
        }
        signature = clone.sign_typed("Transfer", transfer, HOLDER)
        call = clone.functions.transferBySignature(*transfer.values(), signature)
        gas = clone.send(call, clone.cast.stranger)["gasUsed"]
    yield "clone_transfer_signed", (gas, 0)
    burn = {"from": HOLDER.address, "tokenId": 5, "nonce": 2, "deadline": FAR_FUTURE}
    call = clone.functions.burnBySignature(*burn.values(), clone.sign_typed("Burn", burn, HOLDER))
    yield "clone_burn_signed", (clone.send(call, clone.cast.stranger)["gasUsed"], 0)


def fresh_address(number: int) -> ChecksumAddress:
    """Return an address that holds nothing."""
    return Web3.to_checksum_address(Web3.keccak(text=f"gas receiver {number}")[:20].to_0x_hex())


def digest_of(number: int) -> bytes:
    """Return the digest of a token's metadata."""
    return bytes(Web3.keccak(text=f"metadata of {number}"))
