"""Request bodies, read by `mintline.strict_json`: what it refuses becomes a problem document."""

from __future__ import annotations

from typing import Any

from mintline import strict_json
from mintline.strict_json import escape
from mintline_api.http.problems import AMBIGUOUS_JSON, NOT_JSON, Fault, RequestRefused

__all__ = ["escape", "parse"]


def parse(body: bytes) -> Any:
    """Return the value of a JSON text in UTF-8; raises RequestRefused, with the place if it is known."""
    try:
        return strict_json.parse(body)
    except strict_json.NotJson as fault:
        raise RequestRefused(NOT_JSON, str(fault)) from None
    except strict_json.AmbiguousJson as fault:
        places = [] if fault.pointer is None else [fault.pointer]
        faults = [Fault("half of a surrogate pair stands alone", pointer=pointer) for pointer in places]
        raise RequestRefused(AMBIGUOUS_JSON, str(fault), faults=faults) from None
