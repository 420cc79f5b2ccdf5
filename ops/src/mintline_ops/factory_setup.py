"""Set up the factory of a deployment's collections: its contracts, its relayers, its place in the policy."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from mintline.errors import Misconfigured
from mintline_ops import deployment_file
from mintline_ops.collection import DeployedFactory
from mintline_ops.deployment_setup import Administrator, api_url_of


@dataclass(frozen=True, slots=True)
class FactorySetUp:
    """The factory of a deployment; `deployed` is False if the document had one."""

    factory: str
    implementation: str
    multi_token: str
    """The code of its ERC-1155 collections."""
    admin: str
    deployed: bool
    granted: list[str]
    """The relayers that were given their role there, by address; the others had it before."""


async def deploy_factory(administrator: Administrator, *, url: str | None) -> FactorySetUp:
    """Deploy a factory unless the document has one, and let the document's relayers use it.

    Of a factory of an earlier version, the code of ERC-1155 collections alone is deployed. The addresses are
    entered into the document as soon as the contracts are deployed. A run that was cut off after that is
    continued by another. Raises Misconfigured and Unavailable.
    """
    document = administrator.document
    described = deployment_file.read(document)
    known = described.chain.factory
    async with administrator.deployer(described) as deployer:
        if known is None:
            deployed = await deployer.deploy_factory(api_url=api_url_of(document, described, url))
        else:
            multi_token = known.multi_token or await deployer.deploy_multi_token(known.address)
            deployed = DeployedFactory(known.address, known.implementation, multi_token)
        if known is None or known.multi_token is None:
            with deployment_file.changing(document) as changed:
                changed["chain"]["factory"] = asdict(deployed)
        pool = [key.address for key in described.chain.pool]
        granted = await deployer.complete_factory(deployed, pool)
        return FactorySetUp(
            factory=deployed.address,
            implementation=deployed.implementation,
            multi_token=deployed.multi_token,
            admin=deployer.admin,
            deployed=known is None,
            granted=granted,
        )


def name_factory(document: Path, policy: Path) -> None:
    """Have a policy document name the deployment's factory, beside those it names; raises Misconfigured.

    Others stay, since their collections are still minted into.
    """
    factory = deployment_file.read(document).chain.factory
    if factory is None:
        raise Misconfigured(f"{document}: chain.factory is missing: deploy the factory first")
    codes = [code for code in (factory.implementation, factory.multi_token) if code is not None]
    with deployment_file.changing(policy) as changed:
        named: list[dict[str, str]] = changed.setdefault("factories", [])
        entries = [{"address": factory.address, "implementation": code} for code in codes]
        named.extend(entry for entry in entries if entry not in named)
