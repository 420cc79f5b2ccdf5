"""`mintline eif`: make an enclave image, and say what one measures as."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mintline.attestation.registers import policy_register
from mintline_cli.execution import ending_on_errors
from mintline_cli.options import Json
from mintline_cli.output import Screen
from mintline_eif import container_image, image
from mintline_eif.assembly import assemble, policy_in, read_boot
from mintline_ops import deployment_file
from mintline_signer.enclave.policy import parse_policy, read_policy

app = typer.Typer(help="Enclave images: make one, and say what one measures as.", no_args_is_help=True)


@app.command()
def build(
    container: Annotated[Path, typer.Argument(help="A container image, as `docker save` wrote it.")],
    *,
    blobs: Annotated[Path, typer.Option(help="Kernel (bzImage or Image), cmdline, init and nsm.ko.")],
    out: Annotated[Path, typer.Option(help="Where to write the enclave image.")],
    env: Annotated[
        list[str] | None, typer.Option(help="A setting of the enclave's, as NAME=VALUE; it is measured.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="The signing policy, if the host is not to hand it over.")
    ] = None,
    epoch: Annotated[
        int, typer.Option("--source-date-epoch", envvar="SOURCE_DATE_EPOCH", min=0, help="Unix seconds.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Make an enclave image; the same input gives the same bytes, and so the same measurements.

    Example: mintline eif build enclave.tar --blobs blobs --policy policy.json --out enclave.eif
    """
    settings = _settings(env or [])
    with ending_on_errors():
        read = container_image.read(container)
        boot = read_boot(blobs, arm64=read.arm64)
        image_bytes = assemble(
            read,
            boot,
            name=out.stem,
            settings=settings,
            policy=_policy(policy) if policy is not None else None,
            epoch=epoch,
        )
        out.write_bytes(image_bytes)
        _show(image_bytes, as_json=as_json)


@app.command()
def pcrs(
    enclave_image: Annotated[Path, typer.Argument(help="An enclave image (EIF).")],
    *,
    admit: Annotated[
        Path | None,
        typer.Option(help="Add PCR0 and PCR16 to this deployment's document, beside those there."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what an enclave image measures as: PCR0 and PCR16 are what the wallets' key must know.

    Example: mintline eif pcrs enclave.eif --admit infra/deployment.json
    """
    with ending_on_errors():
        image_bytes = enclave_image.read_bytes()
        if admit is not None and not deployment_file.admit_image(admit, _measured(image_bytes)):
            screen = Screen(as_json=as_json)
            screen.say(
                "enclave.pcr16 is empty, and the image that runs has a policy of its own: name the PCR16"
            )
            screen.say("of that one there, then admit this image again.")
        _show(image_bytes, as_json=as_json)


def _show(image_bytes: bytes, *, as_json: bool) -> None:
    screen = Screen(as_json=as_json)
    measured = _measured(image_bytes)
    for name, value in measured.items():
        screen.say(f"{name.upper():5}  {value}")
    screen.result(measured)


def _measured(image_bytes: bytes) -> dict[str, str]:
    """Return an image's registers, with that of the signing policy if it holds one."""
    sections = image.read(image_bytes)
    policy = policy_in(sections)
    own = {} if policy is None else {"pcr16": policy_register(policy).hex()}
    return asdict(image.measure(sections)) | own


def _policy(path: Path) -> bytes:
    """Return a policy document, if an enclave would start with it; raises Misconfigured."""
    document = read_policy(path)
    parse_policy(document)
    return document


def _settings(pairs: list[str]) -> dict[str, str]:
    settings = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not (name and separator):
            raise typer.BadParameter(f"{pair!r}: expected NAME=VALUE", param_hint="--env")
        settings[name] = value
    return settings
