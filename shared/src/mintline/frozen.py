"""The base of messages, records and other values: immutable, and validated as a whole."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError


class Frozen(BaseModel):
    """A value: immutable, and strict about what it does not know.

    What other releases write too (messages, records) is read with `extra="ignore"` instead.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def evolve(self, **changes: Any) -> Self:
        """Return the value with `changes`, validated as a whole, unlike `model_copy(update=…)`.

        Raises pydantic's ValidationError.
        """
        given = self.model_fields_set
        kept = {name: value for name, value in self.__dict__.items() if name in given}
        return self.model_validate(kept | changes, by_name=True)


def is_none(value: object) -> bool:
    """Tell whether a value is None: fields that later releases added are left out of JSON then."""
    return value is None


def faults_of(error: ValidationError) -> str:
    """Return what is wrong with a value, by the places within it, without quoting it."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or 'body'}: {fault['type']}" for fault in faults
    )
