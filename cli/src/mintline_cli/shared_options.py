"""Options that a group's commands share: declared once, and given to each command as one value."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any


def shared_option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    """Return an option as `gives` takes it, with the annotation that Typer reads."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def gives(
    make: Callable[..., object], options: Sequence[inspect.Parameter], *, beginning: str = ""
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these options, and what `make` makes of them as its first argument.

    `beginning` begins the names of the options' parameters, and is left out for `make`: so a command may have
    one of the same name, if the options say themselves what they are called.
    """
    names = {option.name for option in options}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = list(signature.parameters.values())[1:]

        def run(**arguments: Any) -> None:
            given = {name.removeprefix(beginning): arguments.pop(name) for name in names}
            command(make(**given), **arguments)

        run.__name__ = command.__name__
        run.__doc__ = command.__doc__
        run.__module__ = command.__module__
        parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *options)]
        # typer reads the options from it; the type of functions does not have it.
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": None}
        return run

    return decorate
