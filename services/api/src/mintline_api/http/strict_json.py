"""Request bodies, read by `mintline.strict_json`: what it refuses becomes a problem document."""

from __future__ import annotations

from typing import Any

from mintline import strict_json
from mintline.strict_json import escape
from mintline_api.http.problems import AMBIGUOUS_JSON, NOT_JSON, Fault, Refused

__all__ = ["escape", "parse"]


def parse(body: bytes) -> Any:
    """Return the value of a JSON text in UTF-8; raises Refused, with the place where it can be told."""
    try:
        return strict_json.parse(body)
    except strict_json.NotJson as fault:
        raise Refused(NOT_JSON, str(fault)) from None
    except strict_json.AmbiguousJson as fault:
        places = [] if fault.pointer is None else [fault.pointer]
        faults = [Fault("half of a surrogate pair stands alone", pointer=pointer) for pointer in places]
        raise Refused(AMBIGUOUS_JSON, str(fault), faults=faults) from None
