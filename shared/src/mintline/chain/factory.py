"""The factory of collections as the services see it. What needs no chain client is in `mintline.clones`."""

from __future__ import annotations

from eth_abi.abi import encode

from mintline.chain.compiled import creation_code
from mintline.eth import address_word, selector


def factory_code(admin: str, base_uri: str) -> bytes:
    """Return the data of the transaction that deploys a factory."""
    return creation_code("MintlineFactory", admin, base_uri)


def implementation_code(factory: str) -> bytes:
    """Return the data of the transaction that deploys the implementation of a factory's collections."""
    return creation_code("MintlineClone", factory)


def multi_token_code(factory: str) -> bytes:
    """Return the data of the transaction that deploys the implementation of its ERC-1155 collections."""
    return creation_code("MintlineMultiToken", factory)


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
