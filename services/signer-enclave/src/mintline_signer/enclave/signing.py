"""From a request that the policy allows to a signed transaction, or a signed voucher."""

from __future__ import annotations

from mintline.messages.intents import AnyRequest
from mintline_signer.enclave.curve import SigningKey
from mintline_signer.enclave.kinds import kind_of
from mintline_signer.enclave.policy import SigningPolicy
from mintline_signer.errors import EnclaveFailure, FailureCode
from mintline_signer.protocol import Issued, Sign, Signed


def match_keys(request: Sign, policy: SigningPolicy) -> None:
    """Raise EnclaveFailure (`keys_mismatch`) unless the keys are those that the request takes, in order."""
    intent = request.intent
    expected = [(key.address, key.subject, intent.chain_id) for key in kind_of(intent).keys(intent, policy)]
    if [(key.address, key.subject, key.chain_id) for key in request.keys] != expected:
        raise EnclaveFailure(FailureCode.KEYS_MISMATCH)


def sign_request(request: AnyRequest, keys: list[SigningKey]) -> Signed | Issued:
    """Sign what is asked for; the second key signs a mint's voucher, or for the holder of a token.

    Hazard: no policy is applied here; the caller has done so. Raises EnclaveFailure (`signing_fault`).
    """
    return kind_of(request).sign(request, keys)
