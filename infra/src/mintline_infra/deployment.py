"""One deployment, as its operator describes it in a JSON file."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from mintline.attestation.registers import role_register
from mintline.authorizations import KEPT
from mintline.aws.partitions import domain, partition
from mintline.errors import Misconfigured
from mintline.eth import GWEI
from mintline.fields import Address, Wei
from mintline.key_stores import StoreName
from mintline.key_subjects import MAX_RELAYERS
from mintline.messages.parts import KeyRef
from mintline.resources import OPTIONAL_INDEXES, OptionalIndex
from mintline_infra.names import Prefix

RECONCILER = "reconciler"
"""The task that checks records, chain and index: the indexer's image, with a role of its own."""

PositiveWei = Annotated[Wei, Field(gt=0)]

NEWEST_AMI = (
    "aws ssm get-parameter --name /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64 "
    "--query Parameter.Value --output text"
)
_MEASUREMENT = re.compile(r"[0-9a-f]{96}")
_HOST_ALONE = re.compile(r"https://[a-z0-9.-]+/?")
_CALLBACK = re.compile(r"(https://[^\s#/?*]+|http://localhost(:[0-9]{1,5})?)(/[^\s#*]*)?")


def _measurement(text: str) -> str:
    if not _MEASUREMENT.fullmatch(text):
        raise ValueError("expected a SHA-384 in 96 lower-case hex digits")
    if set(text) == {"0"}:
        raise ValueError("an all-zero measurement is an enclave in debug mode")
    return text


Measurement = Annotated[str, AfterValidator(_measurement)]
"""A platform configuration register of an enclave, as `nitro-cli describe-eif` prints it."""


SPKI = r"^[A-Za-z0-9+/]{122}==$"
"""SubjectPublicKeyInfo of a P-256 key, DER in base64."""


def _callback(text: str) -> str:
    if not _CALLBACK.fullmatch(text):
        raise ValueError("expected https://…, or http://localhost for a client on the user's own machine")
    return text


_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:(\d{1,5}|\*))?|\*")


def _origin(text: str) -> str:
    if not _ORIGIN.fullmatch(text):
        raise ValueError(
            "expected an origin such as https://shop.example, with :* for any port, or * for all"
        )
    return text


Origin = Annotated[str, AfterValidator(_origin)]
"""An origin as browsers name it (RFC 6454)."""

ImageName = Literal["api", "builder", "signer", "broadcaster", "indexer", "notifier"]
"""A service with an image; the reconciler runs the indexer's."""
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
"""An image's digest, as `docker push` and ECR print it."""

Size = Literal["standard", "small"]
"""What a deployment is made of: `small` has one signer and one task of each service in each zone."""

FeaturePlan = Literal["lite", "essentials"]
"""A plan of Cognito's, by name."""

Callback = Annotated[str, AfterValidator(_callback)]
"""A redirect URI of a client; Cognito compares it character by character."""


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


class Minting(BaseModel):
    """The contract and the keys that mint; known once they are made."""

    model_config = ConfigDict(frozen=True)

    default_collection: Address
    issuer: KeyRef
    treasury: KeyRef
    pool: tuple[KeyRef, ...]
    """The relayers."""
    sealing: AuthorizationKey
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
    sealing: AuthorizationKey | None = None
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
        needed = (self.issuer, self.treasury, self.sealing, self.intake_key, self.default_collection)
        missing = None in needed
        return None if missing else Minting.model_validate(self, from_attributes=True)


def _user(sub: str) -> str:
    if sub.startswith("platform:"):
        raise ValueError("expected a user's sub; platform: keys cannot be reassigned")
    return sub


Subject = Annotated[str, Field(pattern=r"^[A-Za-z0-9:_.-]{1,128}$"), AfterValidator(_user)]
"""A user, by `sub`. No character of it is a wildcard in a policy."""


class Enclave(BaseModel):
    """What an enclave must measure as for KMS to unwrap keys for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pcr0: tuple[Measurement, ...] = ()
    """Images that may unwrap keys: one, or two while a new one is rolled out. None: nobody may."""
    pcr16: tuple[Measurement, ...] = ()
    """Policy documents by which they may sign: SHA384(0^48 || SHA384(document)). None: any document."""
    pcr8: Measurement | None = None
    """The certificate that signed the image, if it is signed."""
    reassigned: tuple[Subject, ...] = Field(default=(), max_length=16)
    """Users (`sub`) for whom it wraps the keys of wallets that were another user's: `to` of each entry of the
    policy document's `reassign`, while that ceremony lasts."""


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


class Deployment(BaseModel):
    """Everything that the stacks need to know; the same input gives the same templates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: Prefix
    """Begins every name. Bucket names are global, so it must be one that nobody else uses."""
    account: str = Field(pattern=r"^[0-9]{12}$")
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")
    size: Size = "standard"
    """What it is made of. Chosen with the first deployment: another one takes another network."""
    zones: tuple[str, ...] = Field(default=("a", "b"), min_length=1, max_length=3)
    """Letters of the availability zones, which must offer the signer's instance type; of a small deployment
    one, unless more are named."""
    chain: ChainConfig
    enclave: Enclave = Enclave()
    limits: Limits = Limits()
    image_tag: str = Field(min_length=1, max_length=128)
    """The tag of the services' images in the deployment's registries."""
    image_digests: dict[ImageName, Digest] = {}
    """Digests of images, by service: what is deployed then is these bytes, whatever has the tag."""
    enclave_image: str = Field(pattern=r"^[A-Za-z0-9._/-]{1,512}$")
    """The key of the enclave's image file (EIF) in the deployment's artifact bucket."""
    signer_ami: str | None = Field(default=None, pattern=r"^ami-[0-9a-f]{8,17}$")
    """The machine image of the signer's instances: Amazon Linux 2023 for arm64. Needed once there is a
    contract. Another one replaces the instances, so it is not looked up."""
    wallet_store: StoreName = "dynamodb"
    """Where the wrapped keys of new wallets are kept."""
    query_indexes: tuple[OptionalIndex, ...] = OPTIONAL_INDEXES
    """The indexes of holders and transfers to keep, each for one more write unit a mint or transfer. DynamoDB
    adds one index of an existing table at a time: an upgrade names one more in each deployment."""
    wallet_keys: tuple[PositiveInt, ...] = Field(default=(1,), min_length=1, max_length=2)
    """The KMS keys in use, by number. The first wraps new wallets' keys; a second one is named while those
    that the lower number wrapped are wrapped again by the higher."""
    audit_retention_days: PositiveInt = 365
    """For how long nobody can delete what was shipped of the audit trail, the account's root included."""
    alarm_email: str | None = None
    public_url: str | None = None
    """Where clients reach the API, if that is not API Gateway's own address."""

    certificate_arn: str | None = Field(
        default=None, pattern=r"^arn:aws(-[a-z]+)*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]+$"
    )
    """The certificate in ACM of `public_url`'s host: API Gateway then answers under that name."""

    media_url: str | None = Field(default=None, pattern=r"^https?://[^?#\s]+[^/?#\s]$")
    """What the permanent addresses of uploaded files begin with, if that is not CloudFront's own address with
    the path `/media`: one's own domain in front of the same bucket. It stands in the metadata of every token
    that names an upload."""

    sign_in_callbacks: tuple[Callback, ...] = Field(
        default=("http://localhost:8400/signed-in",), min_length=1, max_length=100
    )
    """Where the pool's login page sends a user's browser with the code, exactly: the clients' own addresses.
    Plain http is for an address of the user's own machine (RFC 8252) alone."""

    feature_plan: FeaturePlan = "essentials"
    """The user pool's plan. Nothing that the stack declares takes more than the cheaper one."""

    operators_console: bool = False
    """Whether users in the group `operators` may act as a machine client in the console. The signing policy
    must name the app client that is made for them in `operator_client_ids`. Takes `public_url`."""

    sign_in_domains: tuple[str, ...] = ()
    """Sites, as browsers name them, that may have users link wallets, in addition to the API's own."""

    cors_origins: tuple[Origin, ...] = ()
    """Origins whose pages may call the API from a browser, such as `https://shop.example`."""

    @model_validator(mode="before")
    @classmethod
    def _small_has_one_zone(cls, document: Any) -> Any:
        if isinstance(document, dict) and document.get("size") == "small":
            return {"zones": ("a",), **document}
        return document

    @model_validator(mode="after")
    def _outlives_a_zone(self) -> Self:
        if self.size == "standard" and len(self.zones) < 2:
            raise ValueError("a deployment of the size standard takes two zones or three")
        return self

    @model_validator(mode="after")
    def _small_reads_keys_of_dynamodb(self) -> Self:
        keys = (*self.chain.pool, *(key for key in (self.chain.issuer, self.chain.treasury) if key))
        held = [key.secret_id for key in keys] + [*(self.chain.sealing.secrets if self.chain.sealing else ())]
        if self.small and (
            self.wallet_store != "dynamodb" or any(not name.startswith("dynamodb:") for name in held)
        ):
            raise ValueError(
                "a small deployment's signer does not reach Secrets Manager: keys are in dynamodb"
            )
        return self

    @model_validator(mode="after")
    def _certificate_is_of_a_name(self) -> Self:
        if self.certificate_arn is None:
            return self
        if not _HOST_ALONE.fullmatch(self.public_url or ""):
            raise ValueError("certificate_arn takes a public_url of https, with a host and nothing behind it")
        if self.certificate_arn.split(":")[3] != self.region:
            raise ValueError(f"certificate_arn: API Gateway takes certificates of {self.region}")
        return self

    @model_validator(mode="after")
    def _operators_return_to_an_address(self) -> Self:
        if self.operators_console and self.public_url is None:
            raise ValueError("operators_console takes public_url")
        return self

    @model_validator(mode="after")
    def _signer_has_an_image(self) -> Self:
        if self.holds_something and self.signer_ami is None:
            raise ValueError(f"signer_ami is missing: {NEWEST_AMI} --region {self.region} prints the newest")
        return self

    @field_validator("region")
    @classmethod
    def _has_user_pools(cls, region: str) -> str:
        if partition(region) == "aws-cn":
            raise ValueError("China's regions have no Cognito user pools: name one of aws or aws-us-gov")
        return region

    @model_validator(mode="after")
    def _media_have_an_address(self) -> Self:
        if self.media_url is None and not self.has_cloudfront:
            raise ValueError(f"{self.region} has no CloudFront: name what serves media, as media_url")
        return self

    @field_validator("wallet_keys")
    @classmethod
    def _differ(cls, numbers: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(numbers)) < len(numbers):
            raise ValueError("the same key is named twice")
        return numbers

    def role_name(self, service: str) -> str:
        """Return the name of a service's IAM role."""
        return f"{self.prefix}-{service}"

    def role_arn(self, service: str) -> str:
        """Return the ARN of a service's IAM role."""
        return f"{self.arns}:iam::{self.account}:role/{self.role_name(service)}"

    @property
    def partition(self) -> str:
        """The partition in which the deployment's ARNs are."""
        return partition(self.region)

    @property
    def has_cloudfront(self) -> bool:
        """Whether CloudFront serves metadata and media: it is in the partition `aws` alone."""
        return self.partition == "aws"

    @property
    def arns(self) -> str:
        """What the deployment's ARNs begin with, such as `arn:aws`."""
        return f"arn:{self.partition}"

    @property
    def root_arn(self) -> str:
        """The ARN of the account itself."""
        return f"{self.arns}:iam::{self.account}:root"

    @property
    def domain(self) -> str:
        """The domain of the services of AWS that it uses."""
        return domain(self.region)

    @property
    def api_host(self) -> str | None:
        """The name of the deployment's own under which API Gateway answers, if there is a certificate."""
        if self.certificate_arn is None or self.public_url is None:
            return None
        return self.public_url.removeprefix("https://").rstrip("/")

    @property
    def small(self) -> bool:
        """Whether it is of the size small."""
        return self.size == "small"

    @property
    def copies(self) -> int:
        """Signer instances and tasks of a service that run at least, where one is not enough."""
        return len(self.zones) if self.small else 2

    @property
    def holds_something(self) -> bool:
        """Whether it has a contract: from then on nothing of it is deleted by a command or a failure.

        Before, protection would only keep a first deployment that failed from being removed and repeated.
        """
        return self.chain.minting is not None

    def log_group_name(self, service: str) -> str:
        """Return the name of a service's log group."""
        return f"/{self.prefix}/{service}"

    def repository_name(self, service: str) -> str:
        """Return the name of the registry that holds a service's images, as `make image` pushes them."""
        return f"{self.prefix}/{'signer-host' if service == 'signer' else service}"

    def image_version(self, service: str) -> str:
        """Return the digest of a service's image if the document has it, else its tag."""
        digests: dict[str, str] = dict(self.image_digests.items())
        return digests.get(service, self.image_tag)

    def artifact_bucket_name(self) -> str:
        """Return the name of the bucket that holds the enclave's images."""
        return f"{self.prefix}-artifacts"

    def audit_bucket_name(self) -> str:
        """Return the name of the bucket that the signer's audit trail is shipped to."""
        return f"{self.prefix}-audit"

    def pcr3(self) -> str:
        """Return the measurement of the signer's instance role."""
        return role_register(self.role_arn("signer")).hex()


def read(document: Any) -> Deployment:
    """Read a deployment's document; raises Misconfigured, one line that names what is wrong."""
    try:
        return Deployment.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'document'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise Misconfigured(f"deployment: {faults}") from None
