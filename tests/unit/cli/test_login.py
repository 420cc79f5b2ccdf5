"""Where `mintline login` leads a browser."""

from __future__ import annotations

import pytest

from mintline_cli.login import with_query


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("https://a.example/authorize", "https://a.example/authorize?scope=openid%20mintline%2Fmints%3Aread"),
        (
            "https://a.example/authorize?audience=nft",
            "https://a.example/authorize?audience=nft&scope=openid%20mintline%2Fmints%3Aread",
        ),
    ],
)
def test_login__when_the_endpoint_has_a_query__then_the_request_comes_behind_it(
    endpoint: str, address: str
) -> None:
    assert with_query(endpoint, {"scope": "openid mintline/mints:read"}).replace("%2f", "%2F") == address
