"""Decide by an AWS key policy, as KMS does: an explicit deny wins, else some statement must allow.

Only what Mintline's policies use is understood: `Principal.AWS`, `Action`, `Resource: "*"`, and conditions
with the operators below. Anything else is refused when the policy is read, so that no statement is
ever taken to mean more than it says.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Context = Mapping[str, str]
"""Condition keys of one request, such as `kms:EncryptionContext:chain`, and their values."""

OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": lambda value, wanted: value.casefold() == wanted.casefold(),
    "StringLike": fnmatchcase,
}


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


OneOrMany = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
Operator = Literal["StringEquals", "StringEqualsIgnoreCase", "StringLike", "Null"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Principal(_Part):
    """Whom a statement is about: ARNs, or `*` for everyone."""

    AWS: OneOrMany


class Statement(_Part):
    """One statement of a key policy; its conditions must all hold."""

    Sid: str
    Effect: Literal["Allow", "Deny"]
    Principal: Principal
    Action: OneOrMany
    Resource: Literal["*"]
    Condition: dict[Operator, dict[str, OneOrMany]] = Field(default_factory=dict)

    def applies(self, *, principal: str, action: str, context: Context) -> bool:
        """Tell whether this statement speaks about the request."""
        return (
            any(arn in ("*", principal) for arn in self.Principal.AWS)
            and any(fnmatchcase(action.casefold(), wanted.casefold()) for wanted in self.Action)
            and all(
                holds(operator, context.get(key), values)
                for operator, keys in self.Condition.items()
                for key, values in keys.items()
            )
        )


def holds(operator: Operator, value: str | None, wanted: tuple[str, ...]) -> bool:
    """Tell whether a condition holds for a key's value; one that a request does not set meets Null alone."""
    if operator == "Null":
        return ("true" if value is None else "false") in wanted
    return value is not None and any(OPERATORS[operator](value, pattern) for pattern in wanted)


class KeyPolicy(_Part):
    """A key policy document."""

    Version: Literal["2012-10-17"]
    Statement: tuple[Statement, ...]

    def allows(self, *, principal: str, action: str, context: Context) -> bool:
        """Tell whether `principal` (an ARN) may do `action` (`kms:Decrypt`) in this context."""
        effects = {
            statement.Effect
            for statement in self.Statement
            if statement.applies(principal=principal, action=action, context=context)
        }
        return effects == {"Allow"}
