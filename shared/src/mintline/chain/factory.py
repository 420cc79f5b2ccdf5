"""The factory of collections as the services see it. What needs no chain client is in `mintline.clones`."""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode

from mintline.chain.answers import Log, checksummed
from mintline.chain.compiled import creation_code
from mintline.eth import address_word, keccak256, selector

COLLECTION_CREATED_TOPIC = keccak256(b"CollectionCreated(address,address,bytes32)")


@dataclass(frozen=True, slots=True)
class CollectionCreated:
    """The factory's event of a new collection; `salt` is 32 bytes."""

    collection: str
    implementation: str
    salt: bytes


def decode_collection_created(log: Log) -> CollectionCreated | None:
    """Decode the factory's CollectionCreated; None for any other event."""
    if len(log.topics) != 3 or log.topics[0] != COLLECTION_CREATED_TOPIC or len(log.data) != 32:
        return None
    collection, implementation = (checksummed("0x" + topic[12:].hex()) for topic in log.topics[1:])
    return CollectionCreated(collection=collection, implementation=implementation, salt=log.data)


def factory_code(admin: str, base_uri: str) -> bytes:
    """Return the data of the transaction that deploys a factory."""
    return creation_code("MintlineFactory", admin, base_uri)


def implementation_code(factory: str) -> bytes:
    """Return the data of the transaction that deploys the implementation of a factory's collections."""
    return creation_code("MintlineClone", factory)


def factory_base_uri(api_url: str) -> str:
    """Return what stands before a collection's address in its URIs: where the api serves metadata."""
    return f"{api_url}/v1/metadata/"


def add_implementation_calldata(implementation: str) -> bytes:
    """Return the calldata of the factory's `addImplementation(address)`."""
    return selector("addImplementation(address)") + address_word(implementation)


def is_implementation_calldata(implementation: str) -> bytes:
    """Return the calldata of the factory's `isImplementation(address)`."""
    return selector("isImplementation(address)") + address_word(implementation)


def set_base_uri_calldata(base_uri: str) -> bytes:
    """Return the calldata of the factory's `setBaseURI(string)`."""
    return selector("setBaseURI(string)") + encode(["string"], [base_uri])
