"""What was signed, as far as it binds what may be signed next: the enclave's own guard against equivocation.

::

    nonce            anything ──▶ itself again, at other fees ──▶ the no-op ──▶ nothing but the no-op
    mint             a token id ──▶ the same token id, under whatever nonce
    transfer, burn   a nonce ──▶ the same one, at other fees (also a change of a collection)
    by signature     counter and deadline ──▶ the same ones, under whatever nonce of a relayer
    deployment       a collection ──▶ the same one, under whatever nonce

The chain takes each nonce once and the contract mints each token once, so exactness of mints does not rest
on this: it keeps a writer to the queue from having two transactions to choose from. A transfer that
went out and came back could go out again under another nonce, and a change of a collection could undo a later
one. It forgets old ones when it is full, and everything when the enclave ends.
"""

from __future__ import annotations

from mintline.messages.intents import AnyRequest
from mintline_signer.enclave.fixed_table import VALUE_BYTES, FixedTable
from mintline_signer.enclave.kinds import kind_of
from mintline_signer.errors import EnclaveRefusal, RefusalCode

_NOOP = bytes(VALUE_BYTES)
"""Stands for the meaning of every no-op: there is one for each nonce."""


class SigningHistory:
    """Remembers about `size` nonces and as many operations, in memory that it takes at once.

    `secret` (16 bytes or more) is drawn at random for each enclave.
    """

    def __init__(self, *, size: int, secret: bytes) -> None:
        self._nonces = FixedTable(size=size, secret=secret)
        self._operations = FixedTable(size=size, secret=secret)

    def __len__(self) -> int:
        return len(self._nonces)

    def check(self, request: AnyRequest, meaning: bytes) -> None:
        """Raise EnclaveRefusal if something else was signed before; `meaning` is by `mintline.kinds`."""
        kind = kind_of(request)
        for bound in kind.bindings(request, meaning):
            if self._operations.get(bound.name.encode()) not in (None, bound.value):
                raise EnclaveRefusal(bound.refusal, bound.operation_id)
        nonce = kind.nonce(request)
        if nonce is None or kind.fills:
            return
        before = self._nonces.get(nonce.encode())
        if before == _NOOP:
            raise EnclaveRefusal(RefusalCode.NONCE_FILLED)
        if before is not None and before != meaning:
            raise EnclaveRefusal(RefusalCode.NONCE)

    def remember(self, request: AnyRequest, meaning: bytes) -> None:
        """Remember what was signed. Nothing else is: what nobody signed for must not take up room."""
        kind = kind_of(request)
        if (nonce := kind.nonce(request)) is not None:
            self._nonces.put(nonce.encode(), _NOOP if kind.fills else meaning)
        for bound in kind.bindings(request, meaning):
            self._operations.put(bound.name.encode(), bound.value)
