"""Structured logs: JSON lines on stdout, with mint and trace ids from context variables."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

import structlog

from mintline.messages import AnyMessage, mint_id_of
from mintline.settings import Settings

_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
"""Tracebacks without local variables: those may hold keys and tokens."""

LONGEST_VALUE = 4_096
"""Characters of one field of a line."""


class _Lossy:
    """A stream that loses what it cannot write: a full disk, or a collector that is gone, ends no work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def configure(service: str, settings: Settings) -> None:
    """Send structlog and the standard library's logging to stdout in one format.

    Third-party libraries are heard from WARNING up: their debug lines may quote requests.
    """
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _bounded,
        _named(service),
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer()
        if settings.log_format == "console"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, _TRACEBACKS, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Lossy(sys.stdout))),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _TRACEBACKS,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("aiohttp.server").addFilter(_without_quotation)


def _without_quotation(record: logging.LogRecord) -> bool:
    """Say of a request that aiohttp could not read only that: its errors quote the header, token and all."""
    error = record.exc_info[1] if record.exc_info else None
    if error is not None and type(error).__module__.startswith("aiohttp."):
        record.msg, record.args, record.exc_info = "http_not_understood", (), None
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
    return True


def _bounded(_logger: Any, _method: str, event: Any) -> Any:
    """Cut what others say at a length that a line can bear: their text has no bound of its own."""
    for name, value in event.items():
        if isinstance(value, str) and len(value) > LONGEST_VALUE:
            event[name] = f"{value[:LONGEST_VALUE]}… ({len(value)} characters)"
    return event


def _named(service: str) -> Callable[[Any, str, dict[str, Any]], dict[str, Any]]:
    def add(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        event["service"] = service
        return event

    return add


@contextmanager
def message_context(message: AnyMessage) -> Iterator[None]:
    """Bind the message's mint and trace ids to every log line inside the block."""
    bound: dict[str, Any] = {"message": message.type}
    if (mint_id := mint_id_of(message)) is not None:
        bound["mint_id"] = mint_id
    if message.trace:
        bound["trace"] = message.trace
    with structlog.contextvars.bound_contextvars(**bound):
        yield
