"""JSON-RPC responses: a result, the node's error, or neither (JSON-RPC 2.0, section 5)."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

from mintline.chain.transport import Request, host
from mintline.errors import MintlineError, Retryable, Throttled, Unavailable
from mintline.text import bounded

METHOD_NOT_FOUND = -32601
"""JSON-RPC 2.0, section 5.1."""

MOST_DATA = 8_192
"""Characters that are kept of the data of a node's error: a contract may revert with megabytes."""

TOO_MANY = 429
"""HTTP's status, which some providers take as an error's code."""

_REVERTED = re.compile(r"revert", re.IGNORECASE)
_THROTTLED = re.compile(
    r"rate.?limit|too many requests|request (rate|count) exceeded|compute units|exceeded .*capacity",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(r"response (size )?(is )?too (large|big)|response size exceed", re.IGNORECASE)
_OWN_TROUBLE = re.compile(
    r"missing trie node|header not found|state .*(not available|is unavailable)|pruned", re.IGNORECASE
)


class RpcError(MintlineError):
    """The node answered a call with an error; message and data are bounded, as a contract may choose them."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{message} ({code})")
        self.code = code
        self.message = bounded(message)
        self.data = _kept(data)

    def is_cut(self) -> bool:
        """Tell whether only the size of a batch's common response left this answer out."""
        return _TOO_LARGE.search(self._own_words()) is not None

    def is_own_trouble(self) -> bool:
        """Tell whether it is about what this node has, where another may have more."""
        return _OWN_TROUBLE.search(self._own_words()) is not None

    def is_throttled(self) -> bool:
        """Tell whether the node asks for fewer requests."""
        return self.code == TOO_MANY or _THROTTLED.search(self._own_words()) is not None

    def _own_words(self) -> str:
        """Return the node's part of the message: behind "reverted" stands what the contract chose."""
        return _REVERTED.split(self.message, maxsplit=1)[0]


CallResult: TypeAlias = Any
"""A call's result, or the exception that its caller gets."""


def result_of(url: str, response: Any) -> CallResult:
    """Return the result in a response to one call."""
    if response is None:
        return Unavailable(f"{host(url)} left a call unanswered")
    if not isinstance(response, dict):
        return unexpected(url)
    error = response.get("error")
    if error is not None:
        return _error(error)
    if "result" not in response:
        return Unavailable("the node answered neither a result nor an error")
    return response["result"]


def unexpected(url: str) -> Unavailable:
    """Return the failure of an endpoint that answered something else."""
    return Unavailable(f"{host(url)} answered something other than JSON-RPC")


def outcome(result: CallResult) -> str:
    """Return the name under which an answer is counted."""
    if isinstance(result, Retryable):
        return "failed"
    return "refused" if isinstance(result, RpcError) else "answered"


def reported_head(request: Request, result: CallResult) -> int | None:
    """Return the chain's height if the result contains it."""
    if request.method == "eth_blockNumber":
        number = result
    elif request.method == "eth_getBlockByNumber" and request.params and request.params[0] == "latest":
        number = result.get("number") if isinstance(result, dict) else None
    else:
        return None
    try:
        return int(number, 16)
    except (TypeError, ValueError):
        return None


def _error(error: Any) -> MintlineError:
    if not isinstance(error, dict):
        return Unavailable("the node answered an error of no known shape")
    code = error.get("code")
    text = error.get("message")
    message = text if isinstance(text, str) else ""
    refusal = RpcError(code if isinstance(code, int) else 0, message, error.get("data"))
    if refusal.is_throttled():
        return Throttled(f"the node asks for fewer requests: {bounded(message, 200)}")
    return refusal


def _kept(data: Any) -> Any:
    """Return the start of an error's data, which nodes put as text or in an object's member `data`."""
    if isinstance(data, dict):
        inner = data.get("data")
        return {"data": _kept(inner)} if isinstance(inner, str) else None
    return data[:MOST_DATA] if isinstance(data, str) else None
