"""`mintline attest`: look at attestation documents and signing policies without a local stack or AWS."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from mintline.attestation import registers
from mintline.attestation.chain import AWS_ROOT
from mintline.attestation.cose import MAX_LENGTH
from mintline.attestation.document import Document
from mintline.attestation.refusals import NotAttested
from mintline.attestation.verify import verify
from mintline.errors import Misconfigured
from mintline_cli.execution import ending_on_errors, execute, stop
from mintline_cli.options import Json, JwksUrls, jwks_urls
from mintline_cli.output import Screen
from mintline_ops import deployment_file, issuer_keys
from mintline_ops.issuer_keys import IssuerKeys
from mintline_signer.enclave.policy import parse_policy, read_policy

app = typer.Typer(help="Attestation documents of enclaves.", no_args_is_help=True)


@app.callback()
def attest() -> None:
    """Attestation documents of enclaves."""


@app.command("verify")
def verify_file(
    file: Annotated[Path, typer.Argument(help="The document: COSE_Sign1, as the security module gave it.")],
    *,
    at: Annotated[
        str | None, typer.Option(help="For which time, as 2022-11-09T22:52:00Z; now by default.")
    ] = None,
    pcr0: Annotated[
        list[str] | None, typer.Option(help="An image's measurement, in hex; repeatable.")
    ] = None,
    pcr: Annotated[
        list[str] | None, typer.Option(help="Another register's, as NUMBER=HEX; repeatable.")
    ] = None,
    root: Annotated[
        Path | None, typer.Option(help="The trusted root (PEM); AWS's root G1 by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify an attestation document: genuine, valid at that time, and measured as expected.

    Example: mintline attest verify attestation.bin --pcr0 PCR0
    """
    wanted = expected([f"0={value}" for value in pcr0 or []] + (pcr or []))
    when = moment(at)
    try:
        with file.open("rb") as opened:
            attestation = opened.read(MAX_LENGTH + 1)
    except OSError as error:
        stop(f"{file}: {error.strerror}")
    trusted = AWS_ROOT if root is None else fingerprint(root)
    screen = Screen(as_json=as_json)
    try:
        document = verify(attestation, root=trusted, at=when, pcrs=wanted)
    except NotAttested as refused:
        screen.result({"verified": False, "code": refused.code, "reason": refused.reason})
        stop(f"{file}: {refused.reason} ({refused.code})", answered=True)
    values = report(document)
    screen.say(f"{file} is genuine: {document.module_id} attested at {values['timestamp']}", style="bold")
    for name, value in values["pcrs"].items():
        if set(value) != {"0"}:
            screen.stage(name, value)
    screen.result({"verified": True, **values})


@app.command("policy")
def measure_policy(
    file: Annotated[Path, typer.Argument(help="The enclave's signing policy, byte for byte.")],
    *,
    admit: Annotated[
        Path | None, typer.Option(help="Add PCR16 to this deployment's document, beside those there.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print what an enclave that signs by this policy document measures in PCR16.

    Example: mintline attest policy policy.json --admit infra/deployment.json
    """
    try:
        document = read_policy(file)
        parse_policy(document)
    except Misconfigured as fault:
        stop(f"{file}: {fault}")
    measured = registers.policy_register(document).hex()
    if admit is not None:
        with ending_on_errors():
            deployment_file.admit_policy(admit, measured)
    screen = Screen(as_json=as_json)
    screen.say(measured)
    screen.result({"PCR16": measured})


@app.command("jwks")
def compare_keys(
    file: Annotated[Path, typer.Argument(help="The enclave's signing policy.")],
    *,
    jwks_url: JwksUrls = None,
    as_json: Json = False,
) -> None:
    """Compare the policy's signing keys with those that its issuers publish; exit 1 if it lacks any.

    A token that is signed by a key which the policy lacks is refused by the enclave.

    Example: mintline attest jwks policy.json
    """
    with ending_on_errors():
        document = read_policy(file)
    comparisons = execute(issuer_keys.compare(document, jwks_urls(jwks_url)))
    screen = Screen(as_json=as_json)
    for comparison in comparisons:
        _show_keys(screen, comparison)
    lacking = [comparison.name for comparison in comparisons if not comparison.suffices]
    screen.result(
        {"complete": not lacking, "issuers": [_keys_report(comparison) for comparison in comparisons]}
    )
    if lacking:
        stop(f"{file} lacks signing keys of: {', '.join(lacking)}", answered=True)


def _show_keys(screen: Screen, keys: IssuerKeys) -> None:
    screen.say(f"{keys.name}: {keys.issuer}, keys of {keys.jwks_url}", style="bold")
    for kid in sorted({*keys.policy, *keys.published}):
        if kid in keys.missing:
            screen.stage("missing", f"{kid}: published, not in the policy", style="red")
        elif kid in keys.changed:
            screen.stage("changed", f"{kid}: another key is published under this id", style="red")
        elif kid in keys.unpublished:
            screen.stage("unpublished", f"{kid}: in the policy, not published", style="yellow")
        else:
            screen.stage("same", kid)


def _keys_report(keys: IssuerKeys) -> dict[str, Any]:
    """Return an issuer's keys for programs: thumbprints (RFC 7638) by id, and the ids that differ."""
    differing = {"missing": keys.missing, "changed": keys.changed, "unpublished": keys.unpublished}
    return asdict(keys) | differing


def expected(assignments: list[str]) -> dict[int, list[bytes]]:
    """Return the values allowed for each register, from `NUMBER=HEX`."""
    wanted: dict[int, list[bytes]] = {}
    for assignment in assignments:
        index, _, value = assignment.partition("=")
        try:
            measured = bytes.fromhex(value)
            register = int(index)
        except ValueError:
            measured, register = b"", -1
        if not 0 <= register < registers.COUNT or len(measured) != registers.SIZE:
            raise typer.BadParameter(f"{assignment!r}: expected a register's NUMBER=HEX, 96 hex digits")
        wanted.setdefault(register, []).append(measured)
    return wanted


def moment(text: str | None) -> datetime:
    """Read a time in ISO 8601; one without a zone is refused, since documents are valid for hours."""
    if text is None:
        return datetime.now(UTC)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r}: expected a time such as 2022-11-09T22:52:00Z") from None
    if when.tzinfo is None:
        raise typer.BadParameter(f"{text!r}: the time needs its zone, such as Z")
    return when


def fingerprint(path: Path) -> bytes:
    """Return the SHA-256 of a certificate's DER; ends the command when the file holds none."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(SHA256())
    except OSError as error:
        stop(f"{path}: {error.strerror}")
    except ValueError:
        stop(f"{path}: not a certificate in PEM")


def report(document: Document) -> dict[str, Any]:
    """Return what a document says, for programs; bytes in hex."""
    optional = {"public_key": document.public_key, "user_data": document.user_data, "nonce": document.nonce}
    return {
        "module_id": document.module_id,
        "timestamp": datetime.fromtimestamp(document.timestamp / 1000, UTC).isoformat(),
        "pcrs": {f"PCR{index}": value.hex() for index, value in sorted(document.pcrs.items())},
        **{name: None if value is None else value.hex() for name, value in optional.items()},
    }
