"""Structured logs: JSON lines on stdout, with mint and trace ids from context variables."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

import structlog

from mintline.messages.codec import AnyMessage, mint_id_of
from mintline.settings import Settings
from mintline.text import bounded

_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
"""Tracebacks without local variables: those may hold keys and tokens."""


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
        _named(service),
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer()
        if settings.log_format == "console"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, _TRACEBACKS, _bounded, renderer],
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
                _bounded,
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
    """Bound and escape every text of a line, errors and tracebacks included: others may have chosen it."""
    return {name: _bounded_value(value) for name, value in event.items()}


def _bounded_value(value: Any) -> Any:
    if isinstance(value, str):
        return bounded(value)
    if isinstance(value, dict):
        return {name: _bounded_value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_bounded_value(inner) for inner in value]
    return value


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
