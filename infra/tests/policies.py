"""Decides by policy documents as AWS does, for the operators that ours use; refuses any other."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from synthesis import listed

Context = Mapping[str, str]


def allows(statements: list[dict[str, Any]], *, principal: str, action: str, context: Context) -> bool:
    effects = {s["Effect"] for s in statements if applies(s, principal, action, context)}
    return effects == {"Allow"}


def applies(statement: dict[str, Any], principal: str, action: str, context: Context) -> bool:
    principals = [text(arn) for arn in listed(statement["Principal"]["AWS"])]
    return (
        any(arn in ("*", principal) for arn in principals)
        and any(fnmatchcase(action.lower(), wanted.lower()) for wanted in listed(statement["Action"]))
        and all(
            holds(operator, key, [text(value) for value in listed(wanted)], context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def holds(operator: str, key: str, wanted: list[str], context: Context) -> bool:
    if operator == "Null":
        (absent,) = wanted
        return (key not in context) == (absent == "true")
    if key not in context:
        return False
    value = context[key]
    match operator:
        case "StringEquals":
            return value in wanted
        case "StringEqualsIgnoreCase":
            return value.lower() in [pattern.lower() for pattern in wanted]
        case "StringLike":
            return any(fnmatchcase(value, pattern) for pattern in wanted)
        case _:
            raise AssertionError(f"no such operator here: {operator}")


def text(value: Any) -> str:
    """Return a value with the intrinsic functions that a concrete account leaves."""
    if isinstance(value, str):
        return value
    if value.keys() == {"Ref"}:
        return {"AWS::Partition": "aws"}[value["Ref"]]
    separator, parts = value["Fn::Join"]
    joined: str = separator.join(text(part) for part in parts)
    return joined
