"""One deployment, as its operator describes it in a JSON file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from mintline.attestation.registers import role_register
from mintline.aws.partitions import domain, partition
from mintline.errors import Misconfigured
from mintline.key_stores import StoreName
from mintline.oidc_issuers import distinct_issuers, issuer_of_people
from mintline.resources import OPTIONAL_INDEXES, OptionalIndex
from mintline_infra.deployment_fields import Callback, Digest, FeaturePlan, ImageName, Origin, Size
from mintline_infra.deployment_parts import ChainConfig, Enclave, Limits, OtherIssuer
from mintline_infra.names import Prefix

RECONCILER = "reconciler"
"""The task that checks records, chain and index: the indexer's image, with a role of its own."""


NEWEST_AMI = (
    "aws ssm get-parameter --name /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64 "
    "--query Parameter.Value --output text"
)
OF_POOL = ("sign_in_callbacks", "feature_plan", "self_sign_up", "email_from", "operators_console")
"""What a document says about a user pool."""
_HOST_ALONE = re.compile(r"https://[a-z0-9.-]+/?")


@dataclass(frozen=True, slots=True)
class InnerCertificate:
    """A certificate with which the load balancer proves itself to API Gateway, and the name that it is of."""

    arn: str
    name: str


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
    signing_policy: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._/-]{1,512}$")
    """The key of the policy document in the artifact bucket, which hosts hand to their enclaves. None: the
    enclave's image holds one."""
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

    cloudfront_certificate_arn: str | None = Field(
        default=None, pattern=r"^arn:aws:acm:us-east-1:[0-9]{12}:certificate/[0-9a-f-]+$"
    )
    """The same, in us-east-1, where CloudFront's are: CloudFront then answers under that name."""

    media_url: str | None = Field(default=None, pattern=r"^https?://[^?#\s]+[^/?#\s]$")
    """What the permanent addresses of uploaded files begin with, if that is not CloudFront's own address with
    the path `/media`: one's own domain in front of the same bucket. It stands in the metadata of every token
    that names an upload."""

    pool: bool = True
    """Whether there is a user pool. Without one, `other_issuers` stand in its place, one of them with
    `sign_in`. Chosen with the first deployment: users and their wallets are named by their issuer."""

    sign_in_callbacks: tuple[Callback, ...] = Field(
        default=("http://localhost:8400/signed-in",), min_length=1, max_length=100
    )
    """Where the pool's login page sends a user's browser with the code, exactly: the clients' own addresses.
    Plain http is for an address of the user's own machine (RFC 8252) alone."""

    feature_plan: FeaturePlan = "essentials"
    """The user pool's plan. Nothing that the stack declares takes more than the cheaper one."""

    self_sign_up: bool = False
    """Whether anybody may become a user on the pool's login page. Addresses are verified by a code."""

    email_from: str | None = Field(default=None, max_length=254, pattern=r"^[\w.+-]+@[a-z0-9.-]+\.[a-z]{2,}$")
    """From whom the pool's messages come, by SES in the deployment's region, where this address's domain must
    be a verified identity. Without it they come from Cognito's own address, at most 50 a day."""

    operators_console: bool = False
    """Whether users in the group `operators` may act as a machine client in the console. The signing policy
    must name the app client that is made for them in `operator_client_ids`. Takes `public_url`."""

    other_issuers: tuple[OtherIssuer, ...] = Field(default=(), max_length=4)
    """OIDC issuers beside the user pool whose tokens are accepted; the signing policy must have them too."""

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
        held = [key.secret_id for key in keys] + [
            *(self.chain.authorization_key.secrets if self.chain.authorization_key else ())
        ]
        if self.small and (
            self.wallet_store != "dynamodb" or any(not name.startswith("dynamodb:") for name in held)
        ):
            raise ValueError(
                "a small deployment's signer does not reach Secrets Manager: keys are in dynamodb"
            )
        return self

    @model_validator(mode="after")
    def _certificate_is_of_a_name(self) -> Self:
        names = ("certificate_arn", "cloudfront_certificate_arn")
        named = [name for name in names if getattr(self, name) is not None]
        if len(named) > 1:
            raise ValueError("certificate_arn is API Gateway's: name cloudfront_certificate_arn alone")
        if named and not _HOST_ALONE.fullmatch(self.public_url or ""):
            raise ValueError(f"{named[0]} takes a public_url of https, with a host and nothing behind it")
        if self.certificate_arn is not None and self.certificate_arn.split(":")[3] != self.region:
            raise ValueError(f"certificate_arn: API Gateway takes certificates of {self.region}")
        if self.cloudfront_certificate_arn is not None and not self.has_cloudfront:
            raise ValueError(f"cloudfront_certificate_arn: {self.region} has no CloudFront")
        return self

    @model_validator(mode="after")
    def _issuers_are_distinct(self) -> Self:
        pool = "the user pool's is known once it is made" if self.pool else None
        distinct_issuers(pool, self.other_issuers)
        issuer_of_people(pool, self.other_issuers)
        return self

    @model_validator(mode="after")
    def _without_a_pool_nothing_is_said_of_it(self) -> Self:
        fields = type(self).model_fields
        named = [name for name in OF_POOL if getattr(self, name) != fields[name].default]
        if named and not self.pool:
            raise ValueError(f"{named[0]} is about the user pool, and pool is false: leave it out")
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
        return None if self.certificate_arn is None else self._public_host()

    @property
    def front_host(self) -> str | None:
        """The name under which CloudFront answers in front of the API, if there is a certificate for it."""
        return None if self.cloudfront_certificate_arn is None else self._public_host()

    @property
    def inner_certificate(self) -> InnerCertificate | None:
        """The certificate of the public name that is in the deployment's region, if there is one there."""
        arn = self.certificate_arn or self.cloudfront_certificate_arn
        host = self._public_host()
        if arn is None or host is None or arn.split(":")[3] != self.region:
            return None
        return InnerCertificate(arn, host)

    def _public_host(self) -> str | None:
        return None if self.public_url is None else self.public_url.removeprefix("https://").rstrip("/")

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
