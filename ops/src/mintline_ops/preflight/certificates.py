"""Whether the certificates that a document names are issued, and of the host that they are named for."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from mintline_ops.preflight.account import Account, Refusal


async def certificate_faults(account: Account, field: str, arn: str, public_url: str | None) -> list[str]:
    """Return what is wrong with the certificate that the document names as `field`; raises Refusal."""
    host = urlsplit(public_url or "").hostname or ""
    region = arn.split(":")[3]
    try:
        response = await account.ask("acm", "describe_certificate", region=region, CertificateArn=arn)
    except Refusal as refusal:
        if refusal.code != "ResourceNotFoundException":
            raise
        return [f"{field}: no such certificate in {region}"]
    certificate: dict[str, Any] = response["Certificate"]
    faults = []
    if (status := certificate.get("Status")) != "ISSUED":
        faults.append(f"{field}: the certificate is {status}, not ISSUED: validate its domain")
    names = {certificate.get("DomainName"), *certificate.get("SubjectAlternativeNames", ())}
    if not any(_covers(str(name), host) for name in names):
        faults.append(f"{field}: the certificate is not of {host}, the host of public_url")
    return faults


def _covers(name: str, host: str) -> bool:
    """Tell whether a certificate's name is a host's: a wildcard stands for one label (RFC 6125)."""
    name, host = name.lower(), host.lower()
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])
