"""Parts of a deployment document: the chain, what an enclave must measure as, and limits."""

from __future__ import annotations

from typing import Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from mintline.authorizations import KEPT
from mintline.eth import GWEI
from mintline.fields import Address, Wei
from mintline.key_subjects import MAX_RELAYERS
from mintline.messages.parts import KeyRef
from mintline.oidc_issuers import SignInIssuer
from mintline_infra.deployment_fields import SPKI, Measurement, PositiveWei, Subject


class AuthorizationKey(BaseModel):
    """The authorization key, by which the api encrypts users' tokens for the enclaves; made beforehand."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    public_key: str = Field(pattern=SPKI)
    secrets: tuple[str, ...] = Field(min_length=1, max_length=8)
    """Where the wrapped halves lie, of this key and of those before that envelopes may still name."""


class Factory(BaseModel):
    """The factory of clients' collections, and the code of its collections."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: Address
    implementation: Address
    multi_token: Address | None = None
    """The code of its ERC-1155 collections, once it is deployed."""


class OtherIssuer(SignInIssuer):
    """Another OIDC issuer whose tokens are accepted, with the place of its signing keys."""

    jwks_url: str = Field(pattern=r"^https://\S+$")


class Minting(BaseModel):
    """The contract and the keys that mint; known once they are made."""

    model_config = ConfigDict(frozen=True)

    default_collection: Address
    issuer: KeyRef
    treasury: KeyRef
    pool: tuple[KeyRef, ...]
    """The relayers."""
    authorization_key: AuthorizationKey
    intake_key: str


class ChainConfig(BaseModel):
    """The chain that is minted on. What mints on it comes after the stacks that it is made with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    chain_id: int = Field(gt=0)
    issuer: KeyRef | None = None
    treasury: KeyRef | None = None
    relayers: tuple[KeyRef, ...] = Field(default=(), max_length=MAX_RELAYERS)
    """The keys that send sponsored mints and pay for them; without any they wait."""
    relayer: KeyRef | None = None
    """The only one, as earlier versions named it."""
    authorization_key: AuthorizationKey | None = Field(
        default=None, validation_alias=AliasChoices("authorization_key", "sealing")
    )
    """`sealing` is its name in earlier versions."""
    intake_key: str | None = Field(default=None, pattern=SPKI)
    """The public half of the intake key, which the data stack makes."""
    default_collection: Address | None = None
    factory: Factory | None = None
    """Makes clients' collections, once it is deployed; the policy document's `factories` must have it."""
    managed_blockchain: bool = False
    """Whether nodes of Amazon Managed Blockchain are asked, by requests that the tasks sign (SigV4)."""

    @property
    def pool(self) -> tuple[KeyRef, ...]:
        """The relayers, by whichever name."""
        return self.relayers or ((self.relayer,) if self.relayer is not None else ())

    @property
    def minting(self) -> Minting | None:
        """Return what mints, or None while some of it is missing."""
        needed = (
            self.issuer,
            self.treasury,
            self.authorization_key,
            self.intake_key,
            self.default_collection,
        )
        missing = None in needed
        return None if missing else Minting.model_validate(self, from_attributes=True)


class Enclave(BaseModel):
    """What an enclave must measure as for KMS to unwrap keys for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pcr0: tuple[Measurement, ...] = ()
    """Images that may unwrap keys: one, or two while a new one is rolled out. None: nobody may."""
    pcr16: tuple[Measurement, ...] = ()
    """Policy documents by which they may sign: SHA384(0^48 || SHA384(document))."""
    pcr8: Measurement | None = None
    """The certificate that signed the image, if it is signed."""
    reassigned: tuple[Subject, ...] = Field(default=(), max_length=16)
    """Users (`sub`) for whom it wraps the keys of wallets that were another user's: `to` of each entry of the
    policy document's `reassign`, while that ceremony lasts."""

    @model_validator(mode="after")
    def _signs_by_a_named_policy(self) -> Self:
        if self.pcr0 and not self.pcr16:
            raise ValueError(
                "pcr16 names no policy document: add what `mintline attest policy` prints for the one "
                "by which the enclave signs"
            )
        return self


class Limits(BaseModel):
    """What the platform spends, and how long it waits: what depends on the chain or must fit other settings.

    The defaults are the services' own and fit the document in docs/signing-policy.md. Amounts are wei.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_rate: int = Field(default=600, ge=1)
    """Writes that a user may make a minute, over all copies of the API."""
    user_gas_budget: Wei = 10**19
    """Gas that the platform pays for a wallet and UTC day, for the API and the builder alike; not above the
    policy document's `top_ups.recipient`."""
    sponsored_mint_gas: int = Field(default=52_000, ge=21_000)
    """Gas of one sponsored mint in a batch: what clients' `wei_per_day` counts, and dry runs of drops where
    none is measured."""
    drop_users_per_second: int = Field(default=25, ge=1, le=1_000)
    """Recipients of drops that each copy of the API looks up or makes a second, within the pool's quota."""
    drop_grace: int = Field(default=0, ge=0, le=KEPT)
    """Seconds past its token's expiry for which a drop hands on lines; within the policy's `grace`."""
    max_transaction_cost: Wei = 5 * 10**17
    """The most that one transaction of a wallet may ask a top-up for: the policy document's own value."""
    relayer_min_balance: Wei = 0
    """The treasury tops a relayer up that holds less."""
    relayer_target_balance: Wei = 0
    """What a relayer is topped up to; 0: never. The policy document's `top_ups.relayer` must allow it."""
    max_fee: PositiveWei = 200 * GWEI
    """The most that a new transaction offers per gas; mints wait while the base fee asks for more."""
    fee_cap: PositiveWei = 500 * GWEI
    """The most that a replacement may offer per gas; not above the policy document's `max_fee_per_gas`."""
    max_wait: int = Field(default=24 * 3600, ge=0, le=KEPT)
    """Seconds for which a mint may wait for an operator; within the policy document's `grace`."""
    max_chain_skew: int = Field(default=12 * 3600, ge=60)
    """Seconds by which the chain's time may differ from the host's; with a voucher's day within the policy
    document's `max_voucher_ttl`."""

    @model_validator(mode="after")
    def _refillable(self) -> Self:
        if self.relayer_min_balance > self.relayer_target_balance:
            raise ValueError("relayer_min_balance must not be above relayer_target_balance")
        return self

    @model_validator(mode="after")
    def _replaceable(self) -> Self:
        if self.fee_cap < self.max_fee:
            raise ValueError(
                f"fee_cap is {self.fee_cap}, below max_fee ({self.max_fee}): a transaction sent at max_fee "
                "could not be replaced; raise fee_cap or lower max_fee"
            )
        return self
