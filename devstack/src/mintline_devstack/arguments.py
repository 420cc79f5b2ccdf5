"""The arguments of programs that are no part of `mintline`: refused in one line, with exit code 2."""

from __future__ import annotations

import argparse
import math
import sys
from typing import NoReturn

from mintline.text import escaped

REFUSED = 2
"""The exit code of arguments that make no command."""


class Arguments(argparse.ArgumentParser):
    """The arguments of a program that is one command, or a few."""

    def error(self, message: str) -> NoReturn:
        """End the program with one line on standard error that says why, and where to look."""
        cause = escaped(" ".join(message.split())).rstrip(".")
        sys.stderr.write(f"error: {cause[:1].lower()}{cause[1:]}; see `{self.prog} --help`\n")
        sys.exit(REFUSED)


def at_least_one(text: str) -> int:
    """Return a whole number, 1 or more: a type of argparse's."""
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number, 1 or more")


def amount(text: str) -> float:
    """Return a finite number above 0: a type of argparse's."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if 0 < value < math.inf:
        return value
    raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0")
