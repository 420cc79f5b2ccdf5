"""The certificate that the api makes for itself, by handshakes in memory."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from mintline_api.http.tls import self_signed


def balancer() -> ssl.SSLContext:
    """Return a client that checks no certificate, as a load balancer checks none of its targets."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """Return the client's side of a connection; raises SSLError if the two do not agree."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    of_server = server.wrap_bio(there, back, server_side=True)
    of_client = client.wrap_bio(back, there, server_hostname="mintline-api")
    for _ in range(4):
        for side in (of_client, of_server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    of_client.do_handshake()
    return of_client


def test_certificate__when_the_balancer_connects__then_it_speaks_tls_and_http_1() -> None:
    protocol = shake_hands(self_signed(), balancer())

    assert (protocol.version(), protocol.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")


def test_certificate__when_a_client_is_older_than_tls_1_2__then_nothing_older_is_spoken() -> None:
    assert self_signed().minimum_version is ssl.TLSVersion.TLSv1_2


def test_certificate__when_a_client_checks_it__then_it_is_refused() -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
        shake_hands(self_signed(), ssl.create_default_context())


def test_certificate__when_a_process_starts__then_its_key_is_new_and_lasts_longer_than_it() -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    ders = [shake_hands(self_signed(now), balancer()).getpeercert(binary_form=True) for _ in range(2)]
    first, second = (x509.load_der_x509_certificate(der or b"") for der in ders)

    assert first.public_key() != second.public_key()
    assert first.not_valid_before_utc < now < now + timedelta(days=3000) < first.not_valid_after_utc
