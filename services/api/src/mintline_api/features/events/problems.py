"""Problems of event logs."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

TOO_MANY_STREAMS = ProblemType(
    "too-many-streams",
    429,
    "Too many event streams",
    "A principal has up to 10 event streams at once. Close one, or read the log by pages.",
)
