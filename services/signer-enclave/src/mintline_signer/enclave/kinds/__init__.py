"""The kinds of request, each in a module of its own, found by its type: what the enclave asks of them.

What they mean and which transactions they become is in `mintline.kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mintline.clock import UnixSeconds
from mintline.kinds.registry import NAMES, VOUCHER, find_kinds, request_type
from mintline.messages.intents import AnyRequest
from mintline_signer.enclave.kinds.base import EnclaveKind, RequiredAuthorization, require
from mintline_signer.enclave.policy import Role, SigningPolicy
from mintline_signer.errors import EnclaveRefusal, RefusalCode

__all__ = ["KINDS", "check", "kind_of", "required_authorizations"]

KINDS: Mapping[str, EnclaveKind[Any]] = MappingProxyType(
    {request_type(name): kind for name, kind in find_kinds(__name__, (*NAMES, VOUCHER)).items()}
)
"""All, by the type of the request."""


def kind_of(request: AnyRequest) -> EnclaveKind[Any]:
    """Return a request's kind; raises EnclaveRefusal for one that is not known."""
    kind = KINDS.get(request.type)
    if kind is None:
        raise EnclaveRefusal(RefusalCode.INTENT)
    return kind


def check(policy: SigningPolicy, request: AnyRequest, *, now: UnixSeconds) -> Role:
    """Raise EnclaveRefusal unless the policy allows what is asked for; return what the signer acts as.

    `now` is in Unix seconds.
    """
    require(request.chain_id in policy.chain_ids, RefusalCode.CHAIN)
    require(request.signer.chain_id == request.chain_id, RefusalCode.KEY_CHAIN)
    return kind_of(request).check(policy, request, now)


def required_authorizations(
    request: AnyRequest, authorizations: Sequence[bytes] = ()
) -> list[RequiredAuthorization]:
    """Return what users must have asked for, so that this may be signed.

    The platform's own keys act by the policy alone, and a no-op moves nothing. `authorizations` are those
    that came beside the request; raises EnclaveFailure if they are not as many as it takes.
    """
    return kind_of(request).required_authorizations(request, authorizations)
