"""The caller's word, for the enclaves: the very token of the request, sealed under what it asks for."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from mintline.authorization import Sealer, mint_digest, voucher_digest
from mintline.records import Mint


@dataclass(frozen=True, slots=True)
class Authorizations:
    """Seals callers' tokens; the api itself cannot open again what it sealed."""

    sealer: Sealer

    def of(self, mint: Mint, token: SecretStr) -> bytes:
        """Return the authorization of a mint by the token of the user who asks for it."""
        return self.sealer.seal(token.get_secret_value(), digest_of(mint))


def digest_of(mint: Mint) -> bytes:
    """Return what the user authorizes: a mint by the wallet in custody, or a voucher for the user's own."""
    if mint.sender is None:
        return voucher_digest(
            mint_id=mint.mint_id,
            chain_id=mint.chain_id,
            contract=mint.contract,
            to=mint.to,
            metadata_digest=mint.metadata_digest,
        )
    return mint_digest(
        mint_id=mint.mint_id,
        sub=mint.sub,
        chain_id=mint.chain_id,
        contract=mint.contract,
        to=mint.to,
        metadata_digest=mint.metadata_digest,
        sender=mint.sender.address,
    )
