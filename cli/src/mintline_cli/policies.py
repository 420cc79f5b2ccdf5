"""`mintline operator policy…`: write signing policies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mintline.attestation.registers import policy_register
from mintline_cli.execution import ending_on_errors, execute
from mintline_cli.options import Deployment, Json, JwksUrls, jwks_urls
from mintline_cli.output import Screen
from mintline_ops import issuer_keys, policy_setup
from mintline_signer.enclave.policy import read_policy


def policy(
    *,
    document: Deployment,
    out: Annotated[Path, typer.Option(help="Where to write it; no file is replaced.")],
    user_pool: Annotated[
        str | None, typer.Option(help="The user pool's id: output of the stack `identity`.")
    ] = None,
    client: Annotated[
        list[str] | None,
        typer.Option(help="An app client that users sign in by: output `client`; repeatable."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the signing policy of a deployment that has its keys and its contract.

    Where the document says `"pool": false`, leave out --user-pool and --client.

    Example: mintline operator policy --deployment infra/deployment.json --user-pool POOL --client ID --out
    policy.json
    """
    screen = Screen(as_json=as_json)
    content = execute(policy_setup.policy_of(document, user_pool=user_pool, clients=client or []))
    with ending_on_errors():
        policy_setup.write_new(out, content)
    screen.say(f"{out}: read it before it is rolled out (docs/signing-policy.md)")
    screen.result({"policy": str(out)})


def policy_keys(
    policy: Annotated[Path, typer.Argument(help="A policy document.")],
    *,
    out: Annotated[Path, typer.Option(help="Where to write the new one; no file is replaced.")],
    drop_unpublished: Annotated[
        bool, typer.Option(help="Leave out keys that are not published any more: their tokens end at once.")
    ] = False,
    jwks_url: JwksUrls = None,
    as_json: Json = False,
) -> None:
    """Write the policy document with every signing key that its issuers publish now.

    Example: mintline operator policy-keys policy.json --out policy-2.json
    """
    screen = Screen(as_json=as_json)
    with ending_on_errors():
        document = read_policy(policy)
    content = execute(
        issuer_keys.with_published_keys(document, jwks_urls(jwks_url), drop_unpublished=drop_unpublished)
    )
    with ending_on_errors():
        policy_setup.write_new(out, content)
    pcr16 = policy_register(content).hex()
    screen.say(f"{out}: PCR16 {pcr16}; two people read what differs before it is rolled out")
    screen.result({"policy": str(out), "pcr16": pcr16})
