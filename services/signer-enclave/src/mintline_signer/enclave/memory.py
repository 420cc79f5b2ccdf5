"""What was signed, as far as it binds what may be signed next: the enclave's own guard against equivocation.

::

    nonce   anything ──▶ itself again, at other fees ──▶ the no-op ──▶ nothing but the no-op
    mint    a token id ──▶ the same token id, under whatever nonce

The chain takes each nonce once and the contract mints each token once, so exactness does not rest on this:
it keeps whoever writes to the queue from having two transactions to choose from. It forgets old ones when
it is full, and everything when the enclave ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from mintline.messages import AnyIntent, AnyRequest, IssueVoucher, SignMint, SignNoop
from mintline_signer.enclave.fixed_table import VALUE_BYTES, FixedTable
from mintline_signer.errors import RefusalCode, Refused

_NOOP = bytes(VALUE_BYTES)
"""Stands for the meaning of every no-op: there is one for each nonce."""


class Memory:
    """Remembers about `size` nonces and as many mints, in memory that it takes at once.

    `secret` (16 bytes or more) is drawn anew for each enclave.
    """

    def __init__(self, *, size: int, secret: bytes) -> None:
        self._nonces = FixedTable(size=size, secret=secret)
        self._tokens = FixedTable(size=size, secret=secret)

    def __len__(self) -> int:
        return len(self._nonces)

    def check(self, intent: AnyRequest, meaning: bytes) -> None:
        """Raise Refused if something else was signed before; `meaning` is by `mintline.kinds`."""
        for mint_id, token in _tokens_of(intent):
            if self._tokens.get(mint_id) not in (None, token):
                raise Refused(RefusalCode.TOKEN_ID)
        if isinstance(intent, IssueVoucher | SignNoop):
            return
        before = self._nonces.get(_nonce_of(intent))
        if before == _NOOP:
            raise Refused(RefusalCode.NONCE_FILLED)
        if before is not None and before != meaning:
            raise Refused(RefusalCode.NONCE)

    def remember(self, intent: AnyRequest, meaning: bytes) -> None:
        """Remember what was signed. Nothing else is: what nobody signed for must not take up room."""
        if not isinstance(intent, IssueVoucher):
            self._nonces.put(_nonce_of(intent), _NOOP if isinstance(intent, SignNoop) else meaning)
        for mint_id, token in _tokens_of(intent):
            self._tokens.put(mint_id, token)


def _nonce_of(intent: AnyIntent) -> bytes:
    return f"{intent.chain_id} {intent.signer.address} {intent.nonce}".encode()


def _tokens_of(intent: AnyRequest) -> Iterator[tuple[bytes, bytes]]:
    """Yield each mint of an intent with the SHA-256 of its token: chain, contract, token id."""
    match intent:
        case SignMint() | IssueVoucher():
            yield intent.mint_id.encode(), _token(intent.chain_id, intent.contract, intent.voucher.token_id)
        case _:
            return


def _token(chain_id: int, contract: str, token_id: int) -> bytes:
    return hashlib.sha256(f"{chain_id} {contract} {token_id}".encode()).digest()
