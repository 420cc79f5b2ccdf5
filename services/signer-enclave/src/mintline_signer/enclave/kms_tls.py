"""TLS to KMS: trusts Amazon's own roots, whatever the system that the enclave runs on trusts.

The roots are those of Amazon Trust Services (`amazon_roots.pem`): https://www.amazontrust.com/repository/.
A public root store has more than a hundred others, each of which could vouch for a KMS of its own.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from ssl import PROTOCOL_TLS_CLIENT, SSLContext, SSLError, TLSVersion
from typing import TypeAlias

from mintline.errors import Misconfigured

Tls: TypeAlias = SSLContext

ROOTS = "amazon_roots.pem"


def kms_tls(more_roots: Path | None = None) -> Tls:
    """Return what KMS is called with: TLS 1.2 at least, and a certificate in KMS's name under these roots.

    `more_roots` (PEM) are trusted as well, which only development may ask for. Raises Misconfigured.
    """
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.minimum_version = TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=(files(__package__) / ROOTS).read_text())
    if more_roots is not None:
        try:
            context.load_verify_locations(cafile=more_roots)
        except SSLError:
            raise Misconfigured(f"development KMS roots: {more_roots} holds no certificate in PEM") from None
        except OSError as error:
            raise Misconfigured(
                f"development KMS roots: cannot read {more_roots}: {error.strerror}"
            ) from None
    return context
