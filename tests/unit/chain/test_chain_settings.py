from __future__ import annotations

from typing import Any

import pytest

from mintline.chain.settings import ChainSettings
from mintline.errors import Misconfigured
from mintline.settings import load


def settings(urls: str) -> ChainSettings:
    return load(ChainSettings, {"MINTLINE_CHAIN_ID": "1", "MINTLINE_RPC_URLS": urls})


def test_endpoints__when_they_are_urls_or_objects__then_both_are_read_and_nothing_secret_is_public() -> None:
    read = settings(
        '["https://a.example/KEY-1", {"url": "https://b.example/KEY-2", '
        '"auth": {"type": "bearer", "token": "KEY-3"}}, '
        '{"url": "https://c.example", "auth": {"type": "sigv4"}}]'
    )
    assert [node.url.get_secret_value() for node in read.rpc_urls] == [
        "https://a.example/KEY-1",
        "https://b.example/KEY-2",
        "https://c.example",
    ]
    assert [node.auth.type if node.auth else None for node in read.rpc_urls] == [None, "bearer", "sigv4"]
    assert "KEY" not in f"{read.public()}{read!r}"


@pytest.mark.parametrize(
    "urls",
    [
        "[]",
        '["ftp://KEY"]',
        '["KEY"]',
        "[5]",
        '[{"url": "http://a", "more": "KEY"}]',
        '[{"url": "http://a", "auth": {"type": "odd"}}]',
        '[{"url": "http://a", "auth": {"type": "bearer"}}]',
    ],
)
def test_endpoints__when_one_is_no_endpoint__then_the_variable_is_named_and_its_value_is_not(
    urls: Any,
) -> None:
    with pytest.raises(Misconfigured, match="MINTLINE_RPC_URLS") as caught:
        settings(urls)
    assert "KEY" not in str(caught.value)
