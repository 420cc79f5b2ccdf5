"""Amounts of ether, as people read them."""

from __future__ import annotations

from decimal import Context, Decimal

_FOUR_DIGITS = Context(prec=4)


def ether(wei: int | str) -> str:
    """Return an amount in ether, to four significant digits: `0.001009 ETH`."""
    return f"{_shown(wei, 18)} ETH"


def gwei(wei: int | str) -> str:
    """Return a price in Gwei, to four significant digits: `0.1 Gwei`."""
    return f"{_shown(wei, 9)} Gwei"


def _shown(wei: int | str, digits: int) -> str:
    rounded = _FOUR_DIGITS.create_decimal(Decimal(wei).scaleb(-digits))
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
