from __future__ import annotations

import hashlib
import re
import ssl
import time
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mintline.attestation.development import DevelopmentAuthority
from mintline.errors import Misconfigured
from mintline_signer.enclave import measurement
from mintline_signer.enclave.kms_tls import ROOTS, kms_tls

# https://www.amazontrust.com/repository/
AMAZONS = {
    "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e": "Amazon Root CA 1",
    "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4": "Amazon Root CA 2",
    "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4": "Amazon Root CA 3",
    "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092": "Amazon Root CA 4",
    "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5": "Starfield Services Root Certificate "
    "Authority - G2",
}


def fingerprints(context: ssl.SSLContext) -> set[str]:
    return {hashlib.sha256(der).hexdigest() for der in context.get_ca_certs(binary_form=True)}


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other.pem"
    path.write_bytes(DevelopmentAuthority.create(now=datetime.now(UTC)).root.public_bytes(Encoding.PEM))
    return path


def test_tls__when_it_goes_to_kms__trusts_amazons_five_roots_and_no_other(
    monkeypatch: pytest.MonkeyPatch, other: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    context = kms_tls()
    assert fingerprints(context) == AMAZONS.keys()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_roots__when_read_by_people__name_each_certificate_and_its_sha_256() -> None:
    text = (files("mintline_signer.enclave") / ROOTS).read_text()
    named = re.findall(r"# (.+)\n# ([0-9a-f]{64})\n(-----BEGIN[^#]+)", text)
    assert {sha: name for name, sha, _ in named} == AMAZONS
    for name, sha, pem in named:
        alone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        alone.load_verify_locations(cadata=pem)
        assert fingerprints(alone) == {sha}
        (certificate,) = alone.get_ca_certs()
        assert (("commonName", name),) in certificate["subject"]
        assert ssl.cert_time_to_seconds(str(certificate["notAfter"])) > time.time() + 365 * 86_400


def test_tls__when_development_adds_roots__trusts_them_beside_amazons(other: Path) -> None:
    added = fingerprints(kms_tls(other)) - AMAZONS.keys()
    assert len(added) == 1


@pytest.mark.parametrize("content", [None, "", "rubbish"])
def test_tls__when_the_added_roots_are_none__is_misconfigured_in_one_line(
    tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "roots.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Misconfigured) as caught:
        kms_tls(path)
    assert "\n" not in str(caught.value)


def test_roots__when_the_code_is_measured__are_measured_too(monkeypatch: pytest.MonkeyPatch) -> None:
    before = measurement.measured("")[0]
    read = type(files("mintline_signer")).read_bytes

    def spoiled(path: Path) -> bytes:
        return b"" if path.name == ROOTS else read(path)

    monkeypatch.setattr(Path, "read_bytes", spoiled)
    assert measurement.measured("")[0] != before
