"""`mintline operator`: set up a deployment, and complete the document that `infra/` deploys from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mintline.key_subjects import MAX_RELAYERS
from mintline.metadata_urls import checked_image
from mintline_cli.execution import ending_on_errors, execute, stop
from mintline_cli.options import Deployment, EndpointUrl, Json
from mintline_cli.output import Screen
from mintline_cli.policies import policy, policy_keys
from mintline_cli.source_verification import verify
from mintline_cli.unpack import unpack
from mintline_ops import deployment_setup, factory_setup
from mintline_ops.collection import MAX_GAS, CollectionTerms
from mintline_ops.deployment_setup import About, Administrator
from mintline_ops.preflight import run_preflight

app = typer.Typer(help="Set up a deployment: its keys, its contract, its collection.", no_args_is_help=True)
app.command()(verify)
app.command()(policy)
app.command("policy-keys")(policy_keys)

KEYS = {
    "intake_key": "intake    {}: the signing policy's authorization.intake_keys must have it",
    "issuer": "issuer    {[address]}",
    "treasury": "treasury  {[address]}: it pays for the gas of users' wallets, so send it ether",
    "relayer": (
        "relayer   {[address]}: it pays for sponsored mints, so send it ether; "
        "the signing policy's relayers must have it"
    ),
}
"""What is printed for each key that was made, by its name in the document."""

Url = Annotated[str | None, typer.Option(help="Where the API is; the document's public_url by default.")]
RpcUrl = Annotated[str, typer.Option("--rpc", help="A node of the deployment's chain.")]
MaxGas = Annotated[
    int,
    typer.Option(
        min=1,
        envvar="MINTLINE_MAX_DEPLOYMENT_GAS",
        help="The highest gas limit of a transaction; the node's estimate and a margin decide within it.",
    ),
]
Keystore = Annotated[Path, typer.Option(help="The administrator's key: an encrypted keystore file.")]
Password = Annotated[
    str,
    typer.Option(
        envvar="MINTLINE_KEYSTORE_PASSWORD", prompt=True, hide_input=True, help="The file's password."
    ),
]


def _image(url: str | None) -> str | None:
    if url is None:
        return None
    try:
        return checked_image(url)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@app.command()
def preflight(*, document: Deployment, endpoint_url: EndpointUrl = None, as_json: Json = False) -> None:
    """Check what the account needs before its first deployment, changing nothing; exit 1 if it lacks any.

    Example: mintline operator preflight --deployment infra/deployment.json
    """
    screen = Screen(as_json=as_json)
    findings = execute(run_preflight(document, endpoint_url))
    for finding in findings:
        screen.stage(finding.check, finding.text, style="green" if finding.ok else "red")
    missing = [finding.check for finding in findings if not finding.ok]
    screen.result({"ready": not missing, "checks": [asdict(finding) for finding in findings]})
    if missing:
        stop(f"{document}: not ready to be deployed: {', '.join(missing)}", answered=True)


@app.command()
def keys(*, document: Deployment, endpoint_url: EndpointUrl = None, as_json: Json = False) -> None:
    """Make those of the platform's keys that the document lacks, and enter them into it.

    The wallets' key wraps them. Keys that the document has are left alone.

    Example: mintline operator keys --deployment infra/deployment.json
    """
    screen = Screen(as_json=as_json)
    created = execute(deployment_setup.make_keys(document, endpoint_url))
    for name, text in KEYS.items():
        if name in created:
            screen.say(text.format(created[name]))
    if not created:
        screen.say(f"{document} has every key already")
    screen.result(created)


@app.command("intake-key")
def intake_key(*, document: Deployment, endpoint_url: EndpointUrl = None, as_json: Json = False) -> None:
    """Enter the intake key's public half into the document of a deployment that has its other keys.

    Example: mintline operator intake-key --deployment infra/deployment.json
    """
    screen = Screen(as_json=as_json)
    key = execute(deployment_setup.read_intake_key(document, endpoint_url))
    screen.say(f"the signing policy's authorization.intake_keys must have {key}")
    screen.result({"intake_key": key})


@app.command()
def deploy(
    *,
    document: Deployment,
    rpc_url: RpcUrl,
    keystore: Keystore,
    password: Password,
    name: Annotated[str, typer.Option(help="The collection's name.")],
    symbol: Annotated[str, typer.Option(help="Its symbol.")],
    royalty_bps: Annotated[int, typer.Option(min=0, max=10_000, help="Royalty, in 1/10,000 of a price.")] = 0,
    url: Url = None,
    max_gas: MaxGas = MAX_GAS,
    as_json: Json = False,
) -> None:
    """Deploy the collection's contract; the keystore's account administers it.

    Example: mintline operator deploy --deployment infra/deployment.json --rpc URL --keystore admin.json
    --name Tickets --symbol TIX
    """
    screen = Screen(as_json=as_json)
    administrator = Administrator(document, rpc_url, keystore, password, max_gas)
    terms = CollectionTerms(name, symbol, royalty_bps)
    deployed = execute(deployment_setup.deploy(administrator, terms=terms, url=url))
    screen.say(f"contract {deployed.contract}, deployed in block {deployed.block} by {deployed.admin}")
    screen.result(asdict(deployed))


@app.command("deploy-factory")
def deploy_factory(
    *,
    document: Deployment,
    rpc_url: RpcUrl,
    keystore: Keystore,
    password: Password,
    url: Url = None,
    policy: Annotated[
        Path | None, typer.Option(help="A policy document, which is made to name the factory.")
    ] = None,
    max_gas: MaxGas = MAX_GAS,
    as_json: Json = False,
) -> None:
    """Deploy the factory of clients' collections, and let the relayers use it.

    Repeating it does what is still to be done. Afterwards deploy a signer with the policy document, then the
    API.

    Example: mintline operator deploy-factory --deployment infra/deployment.json --rpc URL --keystore
    admin.json
    """
    screen = Screen(as_json=as_json)
    administrator = Administrator(document, rpc_url, keystore, password, max_gas)
    done = execute(factory_setup.deploy_factory(administrator, url=url))
    how = "deployed" if done.deployed else "deployed before"
    screen.say(f"factory {done.factory}, implementation {done.implementation}: {how}")
    screen.say(f"implementation of ERC-1155 collections: {done.multi_token}")
    screen.say(f"{len(done.granted)} relayers were granted their role there, the others had it")
    if policy is not None:
        with ending_on_errors():
            factory_setup.name_factory(document, policy)
        screen.say(f"{policy} names it: roll it out before you deploy the API with it")
    screen.result(asdict(done))


@app.command()
def relayers(
    *,
    document: Deployment,
    count: Annotated[int, typer.Option(min=1, max=MAX_RELAYERS, help="How many there are to be.")],
    rpc_url: Annotated[str | None, typer.Option("--rpc", help="A node of the deployment's chain.")] = None,
    keystore: Annotated[
        Path | None, typer.Option(help="The administrator's key: grants the relayers their role by it.")
    ] = None,
    password: Annotated[
        str | None, typer.Option(envvar="MINTLINE_KEYSTORE_PASSWORD", help="The file's password.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="A policy document, which is made to name the relayers.")
    ] = None,
    max_gas: MaxGas = MAX_GAS,
    endpoint_url: EndpointUrl = None,
    as_json: Json = False,
) -> None:
    """Make relayers' keys until there are as many as asked for, and let all of them send sponsored mints.

    Repeating it does what is still to be done. Afterwards deploy a signer with the policy document, then the
    builder.

    Example: mintline operator relayers --deployment infra/deployment.json --count 4
    """
    screen = Screen(as_json=as_json)
    if (rpc_url is None) != (keystore is None):
        stop(
            "pass --rpc and --keystore together: the role is granted by a transaction of the administrator's"
        )
    pool = execute(deployment_setup.make_relayers(document, count, endpoint_url))
    for address in pool.relayers:
        screen.say(f"relayer   {address}" + (": new, send it ether" if address in pool.created else ""))
    granted: list[str] = []
    at_factory: list[str] = []
    if rpc_url is not None and keystore is not None:
        if password is None:
            password = str(typer.prompt("Password", hide_input=True))
        administrator = Administrator(document, rpc_url, keystore, password, max_gas)
        done = execute(deployment_setup.grant_relayers(administrator))
        granted, at_factory = done.granted, done.at_factory
        screen.say(f"{len(granted)} of them were granted their role at {done.contract}, the others had it")
        if done.factory is not None:
            screen.say(f"{len(at_factory)} of them were granted their role at the factory {done.factory}")
    if policy is not None:
        with ending_on_errors():
            deployment_setup.name_relayers(document, policy)
        screen.say(f"{policy} names them: roll it out before you deploy the builder with them")
    relayers = {"relayers": pool.relayers, "made": pool.created}
    screen.result({**relayers, "granted": granted, "granted_at_factory": at_factory})


@app.command("set-base-uri")
def set_base_uri(
    *,
    document: Deployment,
    rpc_url: RpcUrl,
    keystore: Keystore,
    password: Password,
    url: Url = None,
    max_gas: MaxGas = MAX_GAS,
    as_json: Json = False,
) -> None:
    """Make the URIs of the contract, and of the factory's collections, lead to the API at another address.

    Example: mintline operator set-base-uri --deployment infra/deployment.json --rpc URL --keystore admin.json
    """
    screen = Screen(as_json=as_json)
    administrator = Administrator(document, rpc_url, keystore, password, max_gas)
    done = execute(deployment_setup.set_base_uri(administrator, url=url))
    screen.say(f"the tokens of {done.contract} point to {done.url}")
    screen.result(asdict(done))


@app.command()
def register(
    *,
    document: Deployment,
    name: Annotated[str, typer.Option(help="The collection's name.")],
    symbol: Annotated[str, typer.Option(help="Its symbol.")],
    description: Annotated[str, typer.Option(help="What it is, for marketplaces.")],
    block: Annotated[int, typer.Option(min=0, help="The block that deployed its contract.")],
    image: Annotated[
        str | None,
        typer.Option(callback=_image, metavar="URL", help="The URL of an image, which marketplaces show."),
    ] = None,
    sponsored: Annotated[
        bool | None,
        typer.Option(
            help="Let users have a relayer pay for their mints, without a budget of their own; "
            "left as it is if not given, at first not sponsored."
        ),
    ] = None,
    endpoint_url: EndpointUrl = None,
    as_json: Json = False,
) -> None:
    """Give the document's contract its row, from which it is minted and indexed, and publish its metadata.

    Example: mintline operator register --deployment infra/deployment.json --name Tickets --symbol TIX
    --description TEXT --block 1234 --image https://example.com/tickets.png
    """
    screen = Screen(as_json=as_json)
    about = About(name, symbol, description, deployed_block=block, image=image, sponsored=sponsored)
    done = execute(deployment_setup.register(document, about, endpoint_url))
    screen.say(
        f"{done.contract} is registered"
        if done.registered
        else f"{done.contract} was registered before; its metadata is as you gave it, "
        "and its sponsorship if you gave that"
    )
    screen.result(asdict(done))


@app.command()
def migrate(*, document: Deployment, endpoint_url: EndpointUrl = None, as_json: Json = False) -> None:
    """Bring the tables of an earlier version to this one's form; stop the services first.

    Example: mintline operator migrate --deployment infra/deployment.json
    """
    screen = Screen(as_json=as_json)
    done = execute(deployment_setup.migrate(document, endpoint_url))
    for step in done:
        screen.say(f"step {step.number}, {step.name}: {step.items} items")
    if not done:
        screen.say("the tables have this version's form already")
    screen.result({"steps": [asdict(step) for step in done]})


app.command("unpack-metadata")(unpack)
