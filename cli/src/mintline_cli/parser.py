"""How every command fails: in one line, with exit code 1, or 2 and the way out if its arguments make none."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from mintline_cli.execution import Stopped
from mintline_cli.output import fail

_OF_THE_API = ("--url", "--profile", "--token")
_OF_AWS = {"--prefix", "--deployment"}
REFUSED = 2
"""The exit code of arguments that make no command."""


class CommandLine(TyperGroup):
    """A tree of commands: `typer.Typer(cls=CommandLine)`.

    With `--json`, of a command that has it, standard output carries `{"error": …}` in the place of a result.
    """

    _as_json = False

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - as in the base
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002 - as in the base
        **extra: Any,
    ) -> Any:
        """Run the command that the arguments name, and exit unless it is part of another program."""
        words = list(sys.argv[1:] if args is None else args)
        path, options = self._command_named(words)
        self._as_json = "--json" in options and "--json" in words
        program = prog_name or self.name or ""
        extra |= {"standalone_mode": False, "windows_expand_args": windows_expand_args}
        if not standalone_mode:
            return super().main(words, program, complete_var, **extra)
        try:
            code = super().main(words, program, complete_var, **extra)
        except typer.TyperException as error:
            cause = error.format_message()
            if not cause:  # no argument at all: the help was shown instead
                sys.exit(REFUSED)
            if getattr(error, "option_name", None) in _OF_THE_API and (of_aws := options & _OF_AWS):
                cause = (
                    f"{' '.join(path)} works with AWS rights, not over the API: pass {min(of_aws)}, not "
                    f"{getattr(error, 'option_name', '')}"
                )
            refuse(cause, command=" ".join((program, *path)), as_json=self._as_json)
        except typer.Abort:
            fail("aborted")
            sys.exit(1)
        sys.exit(code or 0)

    def invoke(self, ctx: Any) -> Any:
        """Do what the command does."""
        try:
            return super().invoke(ctx)
        except Stopped as stopped:
            if self._as_json and stopped.message is not None:
                _print_error(stopped.message)
            raise

    def _command_named(self, words: Sequence[str]) -> tuple[list[str], set[str]]:
        """Return the path of the command that the first words name, and its options."""
        path: list[str] = []
        command: Any = self
        for word in words:
            if not isinstance(command, TyperGroup) or word not in command.commands:
                break
            path.append(word)
            command = command.commands[word]
        return path, {option for parameter in command.params for option in parameter.opts}


def refuse(cause: str, *, command: str, as_json: bool = False) -> NoReturn:
    """End the program with one line on standard error that says why, and where to look."""
    line = f"{cause[:1].lower()}{cause[1:].rstrip('.')}; see `{command} --help`"
    fail(line)
    if as_json:
        _print_error(line)
    sys.exit(REFUSED)


def _print_error(error: str) -> None:
    sys.stdout.write(json.dumps({"error": error}) + "\n")
