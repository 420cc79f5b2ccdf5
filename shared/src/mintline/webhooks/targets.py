"""Where webhooks may lead: the form of their URLs, and the addresses that may be connected to.

A URL is checked when it is given; the address, which a name may change at any time, at each connection
(`mintline_notifier.webhooks.http_sender`). Sources: the IANA special-purpose address registries
(https://www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry), RFC 6052,
RFC 8215, RFC 3056, RFC 4380.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

MAX_URL = 2048
"""Characters of a URL, at most."""
_HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)
_URL = re.compile(r"[\x21-\x7e]+")
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")
_FIRST_OWN_PORT = 1024
_DENIED = tuple(
    ip_network(network)
    for network in (
        # IPv4: "this network", private, shared (RFC 6598), loopback, link-local with the metadata service,
        # protocol assignments, documentation, 6to4 relays, benchmarks, multicast, reserved, broadcast.
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        # IPv6 within 2000::/3, the only part that is in use: Teredo, ORCHID, 6to4, documentation.
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
)
_GLOBAL_V6 = ip_network("2000::/3")


class BadTarget(ValueError):  # noqa: N818 - what is wrong is the target
    """A URL that no webhook may have; `reason` says what is wrong with it, after "The URL"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def check_url(url: str, *, allow_loopback: bool = False) -> None:
    """Raise BadTarget for a URL that no webhook may have.

    It must be of https, with a host name or a public address, without user and fragment, at port 443 or from
    1024 on. `allow_loopback` allows loopback addresses and `localhost` too, by http or https at any port: for
    local stacks.
    """
    parts = _split(url)
    host = parts.hostname or ""
    if parts.username is not None or parts.password is not None:
        raise BadTarget("must name no user and no password")
    if "#" in url:
        raise BadTarget("must have no fragment")
    loopback = allow_loopback and is_loopback(host)
    if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
        raise BadTarget("must begin with https://")
    if loopback:
        return
    _check_host(host)
    if parts.port is not None and parts.port != 443 and parts.port < _FIRST_OWN_PORT:
        raise BadTarget("must have port 443, or one from 1024 on")


def _split(url: str) -> SplitResult:
    if len(url) > MAX_URL:
        raise BadTarget(f"must have at most {MAX_URL} characters")
    if not _URL.fullmatch(url) or "\\" in url:
        raise BadTarget("must consist of printable ASCII characters without spaces and backslashes")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for what is no port
    except ValueError:
        raise BadTarget("must be a valid URL, with a port up to 65535 if any") from None
    if not parts.hostname:
        raise BadTarget("must name a host")
    return parts


def _check_host(host: str) -> None:
    address = _literal(host)
    if address is not None:
        if not is_public(address):
            raise BadTarget("must lead to a public address")
        return
    last = host.rpartition(".")[2]
    if not _HOST.match(host) or _NUMERIC.match(last):
        raise BadTarget("must name a host, or an address in its usual form")
    if "." not in host or last in ("localhost", "local", "internal", "localdomain"):
        raise BadTarget("must name a host on the public Internet")


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except (AddressValueError, ValueError):
        return None


def is_loopback(host: str) -> bool:
    """Tell whether a URL's host is this machine: `localhost`, or a loopback address."""
    address = _literal(host)
    return host == "localhost" if address is None else address.is_loopback


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address may be connected to: it is of a host on the public Internet.

    No private, shared, loopback, link-local, multicast, documentation or reserved one; and no IPv6 address in
    which an IPv4 address is wrapped (IPv4-mapped, NAT64, 6to4, Teredo), whatever that is.
    """
    if isinstance(address, IPv6Address) and (address not in _GLOBAL_V6 or address.scope_id is not None):
        return False
    return address.is_global and not any(
        address in network for network in _DENIED if network.version == address.version
    )
