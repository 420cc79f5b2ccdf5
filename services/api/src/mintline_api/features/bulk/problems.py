"""Problems of requests for many mints."""

from __future__ import annotations

from mintline_api.http.problems import ProblemType

LINES_REFUSED = ProblemType(
    "lines-refused",
    422,
    "Lines refused, and none minted",
    "`errors` names each member at fault by a JSON pointer, such as `#/mints/17/recipient/email`. Nothing "
    "was minted of the others either: repair these lines or leave them out, and send the request again.",
)
UNKNOWN_REQUEST = ProblemType(
    "unknown-request",
    404,
    "Request not found",
    "Not an id of a request of yours. Other callers' requests are not shown to exist.",
)
