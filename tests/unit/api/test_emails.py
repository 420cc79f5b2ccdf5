"""Which text is an e-mail address, and when two are the same."""

from __future__ import annotations

import pytest

from mintline_api.features.users.emails import Emails, normalised

SECRET = b"a secret that names the users of addresses"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("ada@example.com", "ada@example.com"),
        ("  ada@example.com\r\n", "ada@example.com"),
        ("ada@EXAMPLE.Com", "ada@example.com"),
        ("Ada.Lovelace+nft@sub.example.co.uk", "Ada.Lovelace+nft@sub.example.co.uk"),
        ("o'brien!#$%&*/=?^_`{|}~-@x.io", "o'brien!#$%&*/=?^_`{|}~-@x.io"),
        ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ("a@1.example", "a@1.example"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_normalised__when_a_text_is_an_address__then_it_is_in_its_one_form(text: str, same: str) -> None:
    assert normalised(text, case_sensitive=True) == same


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "ada",
        "@example.com",
        "ada@",
        "ada@localhost",
        "ada@example",
        "ada@.example.com",
        "ada@example..com",
        "ada@example.com.",
        "ada@-example.com",
        "ada@example-.com",
        "ada@127.0.0.1",
        "ada@[127.0.0.1]",
        "ada@ex_ample.com",
        "ada@" + "a" * 64 + ".com",
        ".ada@example.com",
        "ada.@example.com",
        "a..da@example.com",
        "a@da@example.com",
        '"ada l"@example.com',
        "ada l@example.com",
        "Ada <ada@example.com>",
        "ada@example.com, eve@example.com",
        "ada\x00@example.com",
        "ada\n@example.com",
        "ada@exam\nple.com",
        "ada@example.com\u2028",
        "\u00a0ada@example.com",
        "ada@b\u00fccher.example",
        "\u212ada@example.com",  # the Kelvin sign, which NFC makes a K
        "ada\ud800@example.com",
        "a" * 65 + "@example.com",
        "ada@" + "a" * 60 + "." + ("b" * 60 + ".") * 3 + "example",
        "a" * 250_000 + "@example.com",
        "ada@" + "a." * 100_000 + "com",
    ],
)
def test_normalised__when_a_text_is_no_address__then_it_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="expected") as refused:
        normalised(text, case_sensitive=True)

    assert len(str(refused.value)) < 150
    assert "ada" not in str(refused.value)


def test_normalised__when_the_pools_names_are_case_insensitive__then_the_local_part_is_in_lower_case() -> (
    None
):
    assert normalised("Ada@Example.com", case_sensitive=False) == "ada@example.com"


def test_normalised__when_it_is_at_the_limit__then_one_character_more_is_refused() -> None:
    longest = "a" * 64 + "@" + ".".join(["b" * 61] * 3) + ".co"
    assert len(longest) == 254 - 1

    assert normalised(longest + "m", case_sensitive=True)
    with pytest.raises(ValueError, match="254"):
        normalised(longest + "me", case_sensitive=True)


def test_name__when_spellings_are_of_one_address__then_it_is_the_same() -> None:
    emails = Emails(SECRET, case_sensitive=True)

    assert emails.read("ada@example.com").name == emails.read(" ada@EXAMPLE.com ").name
    assert emails.read("ada@example.com").name != emails.read("Ada@example.com").name


def test_name__when_the_secret_is_another__then_so_is_the_name() -> None:
    mine = Emails(SECRET, case_sensitive=True).read("ada@example.com")
    other = Emails(b"another secret, as long as the first one", case_sensitive=True).read("ada@example.com")

    assert mine.name != other.name
    assert mine.name.startswith("email-")
    assert "ada" not in mine.name
    assert "ada" not in repr(mine)
