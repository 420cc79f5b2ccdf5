"""EIP-4361's grammar: what it makes it reads, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mintline.eth import to_checksum_address
from mintline_api.features.links.siwe import MAX_LENGTH, SiweMessage, compose, parse

AT = datetime(2026, 11, 23, 1, 50, 54, 123_000, UTC)
MESSAGE = SiweMessage(
    domain="app.example.com",
    address="0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    uri="https://app.example.com/link",
    chain_id=31337,
    nonce="3f1c9a7be04d4b0f",
    issued_at=AT,
    expires_at=AT + timedelta(minutes=10),
    statement="Link this wallet, please: it's mine!",
)
TEXT = """\
app.example.com wants you to sign in with your Ethereum account:
0x70997970C51812dc3A010C7d01b50e0d17dc79C8

Link this wallet, please: it's mine!

URI: https://app.example.com/link
Version: 1
Chain ID: 31337
Nonce: 3f1c9a7be04d4b0f
Issued At: 2026-11-23T01:50:54.123Z
Expiration Time: 2026-11-23T02:00:54.123Z"""
# The example of EIP-4361 itself, with its request id left out as there.
OF_THE_EIP = """\
example.com wants you to sign in with your Ethereum account:
0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2

I accept the ExampleOrg Terms of Service: https://example.com/tos

URI: https://example.com/login
Version: 1
Chain ID: 1
Nonce: 32891756
Issued At: 2021-09-30T16:25:24Z
Resources:
- ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/
- https://example.com/my-web2-claim.json"""


def test_message__when_composed__is_the_text_of_the_eip() -> None:
    assert compose(MESSAGE) == TEXT


def test_message__when_it_is_the_eips_example__is_read() -> None:
    message = parse(OF_THE_EIP)

    assert (message.domain, message.chain_id, message.nonce) == ("example.com", 1, "32891756")
    assert message.statement == "I accept the ExampleOrg Terms of Service: https://example.com/tos"
    assert message.issued_at == datetime(2021, 9, 30, 16, 25, 24, tzinfo=UTC)
    assert message.expires_at is None


def test_message__when_it_has_every_optional_part__is_read() -> None:
    text = (
        "https://"
        + TEXT.replace("Link this wallet, please: it's mine!\n", "")
        + "\nNot Before: 2026-11-23T02:50:54+01:00\nRequest ID: some-id\nResources:"
    )
    message = parse(text)

    assert message.statement is None
    assert message.not_before == datetime(2026, 11, 23, 1, 50, 54, tzinfo=UTC)


instants = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2200, 1, 1)).map(  # noqa: DTZ001 - made aware at once
    lambda at: at.replace(tzinfo=UTC, microsecond=at.microsecond // 1000 * 1000)
)


@pytest.mark.slow
@given(
    st.builds(
        SiweMessage,
        domain=st.from_regex(r"[a-z0-9]{1,20}(\.[a-z]{2,5}){0,2}(:[0-9]{1,5})?", fullmatch=True),
        address=st.binary(min_size=20, max_size=20).filter(any).map(to_checksum_address),
        uri=st.from_regex(r"https?://[a-z0-9.]{1,20}(/[a-z0-9]{0,9})?(\?[a-z=&]{0,9})?", fullmatch=True),
        chain_id=st.integers(0, 2**53),
        nonce=st.from_regex(r"[A-Za-z0-9]{8,40}", fullmatch=True),
        issued_at=instants,
        expires_at=st.none() | instants,
        not_before=st.none() | instants,
        statement=st.none() | st.from_regex(r"[A-Za-z0-9 .,:/?!'()-]{1,80}", fullmatch=True),
    )
)
def test_message__when_composed_and_read__is_the_same(message: SiweMessage) -> None:
    assert parse(compose(message)) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.replace("wants you", "asks you"), "wants you to sign in"),
        (lambda t: t.replace("Version: 1", "Version: 2"), "Version: 1"),
        (lambda t: t.replace("Chain ID: ", "Chain Id: "), "Chain ID"),
        (lambda t: t.replace("\nNonce: 3f1c9a7be04d4b0f", ""), "Nonce"),
        (lambda t: t.replace("3f1c9a7be04d4b0f", "3f1c9a7"), "malformed"),
        (lambda t: t.replace("3f1c9a7be04d4b0f", "3f1c9a7be04d4b0_"), "malformed"),
        (lambda t: t.replace("\n", "\r\n"), "malformed|has no"),
        (lambda t: t + "\n", "malformed"),
        (lambda t: " " + t, "malformed"),
        (lambda t: t.replace("\n\nURI", "\nURI"), "malformed"),
        (lambda t: t.replace("please", "plëase"), "malformed"),
        (lambda t: t.replace("please: ", "please\nURI: https://evil.example\n"), "malformed"),
        (lambda t: t.replace("https://app", "app"), "malformed"),
        (lambda t: t.replace("Issued At: 2026", "Issued At: yesterday"), "malformed"),
        (lambda t: t.replace("31337", "0x7a69"), "malformed"),
        (lambda t: t.replace("0x7099", "0x8099"), "checksum"),
        (lambda t: t.replace("0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x" + "00" * 20), "zero address"),
        (lambda t: t.replace("At: 2026-11-23", "At: 2026-02-30"), "day is out of range|must be in range"),
        (lambda t: t.replace("app.example.com wants", "app.example.com/path wants"), "malformed"),
        (lambda t: t + "\nOwner: me", "malformed"),
        (lambda t: "\n".join([*t.split("\n")[:-2], *reversed(t.split("\n")[-2:])]), "malformed"),
        (lambda t: t.replace("mine!", "mine!" * MAX_LENGTH), "at most"),
    ],
)
def test_message__when_it_breaks_the_grammar__is_refused(change: object, message: str) -> None:
    assert callable(change)
    broken = change(TEXT)
    assert broken != TEXT
    with pytest.raises(ValueError, match=message):
        parse(broken)
