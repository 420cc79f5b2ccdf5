"""The operations, each declared once: the router, the OpenAPI document and /docs are made of these."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Literal, TypeAlias

from aiohttp import web
from pydantic import BaseModel

from mintline.scopes import MACHINE_SCOPES, USER_SCOPES, Scope
from mintline_api.http.context import FOR_CLIENTS, SCOPE
from mintline_api.http.models import NoQuery
from mintline_api.http.problems import ProblemType

Method: TypeAlias = Literal["GET", "POST", "PATCH", "DELETE"]
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class HeaderField:
    """A header of a request or an answer."""

    name: str
    description: str
    schema: Mapping[str, Any]
    example: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation answers when it does what it was asked."""

    status: int
    description: str
    model: type[BaseModel] | None = None
    example: Any = None
    media_type: str = "application/json"
    headers: tuple[HeaderField, ...] = ()


def not_modified(media_type: str = "application/json") -> Answer:
    """Return what an operation answers to a client whose copy is current (RFC 9110, 15.4.5)."""
    return Answer(304, "You have it already (`If-None-Match`).", media_type=media_type)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. A GET answers HEAD too."""

    method: Method
    path: str
    handler: Handler
    name: str
    tag: str
    summary: str
    description: str
    answers: tuple[Answer, ...]
    scope: Scope | None
    """What a token must have been given for; None: everybody may ask."""
    clients: bool
    """Whether machine clients may call it."""
    users: bool
    """Whether users may call it."""
    path_model: type[BaseModel] | None
    query_model: type[BaseModel]
    body_model: type[BaseModel] | None
    body_example: Any
    body_texts: Mapping[str, str]
    """Examples of a body that is no JSON, by their media types; empty for another body, or none."""
    headers: tuple[HeaderField, ...]
    problems: tuple[ProblemType, ...]

    @property
    def for_users(self) -> bool:
        """Whether users may call it with a token: there is none for scopes of machine clients alone."""
        return self.users and self.scope in USER_SCOPES

    @property
    def for_clients(self) -> bool:
        """Whether machine clients may call it with a token."""
        return self.clients and self.scope in MACHINE_SCOPES


@dataclass(slots=True, eq=False)
class Operations:
    """A group of operations under one heading."""

    tag: str
    description: str
    reads: Scope | None = None
    """What a token must have been given for, to read; None if the group has no operation for users alone."""
    changes: Scope | None = None
    """The same for everything but reading."""
    users: bool = True
    """Whether users may call them; they are refused otherwise, whatever their token's scopes."""
    _items: list[Operation] = field(default_factory=list)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._items)

    def add(
        self,
        method: Method,
        path: str,
        *,
        summary: str,
        description: str,
        answers: tuple[Answer, ...],
        secured: bool = True,
        clients: bool = False,
        path_model: type[BaseModel] | None = None,
        query_model: type[BaseModel] = NoQuery,
        body_model: type[BaseModel] | None = None,
        body_example: Any = None,
        body_texts: Mapping[str, str] | None = None,
        headers: tuple[HeaderField, ...] = (),
        problems: tuple[ProblemType, ...] = (),
    ) -> Callable[[Handler], Handler]:
        """Declare the decorated handler as an operation; `clients`: machine clients may call it too."""

        def declare(handler: Handler) -> Handler:
            self._items.append(
                Operation(
                    method=method,
                    path=path,
                    handler=handler,
                    name=getattr(handler, "__name__", path),
                    tag=self.tag,
                    summary=summary,
                    description=description,
                    answers=answers,
                    scope=(self.reads if method == "GET" else self.changes) if secured else None,
                    clients=clients,
                    users=self.users,
                    path_model=path_model,
                    query_model=query_model,
                    body_model=body_model,
                    body_example=body_example,
                    body_texts=body_texts or {},
                    headers=headers,
                    problems=problems,
                )
            )
            return handler

        return declare


def routes(groups: Iterable[Operations]) -> list[web.RouteDef]:
    """Return the operations as aiohttp's routes: a parameter is no word that another path has there.

    So each path has the methods that are documented for it, as in OpenAPI, where a path without parameters
    goes before one with them.
    """
    operations = [operation for group in groups for operation in group]
    paths = [operation.path.split("/") for operation in operations]
    return [
        web.route(operation.method, _unambiguous(path, paths), _scoped(operation))
        for operation, path in zip(operations, paths, strict=True)
    ]


def _unambiguous(path: Sequence[str], paths: Sequence[Sequence[str]]) -> str:
    segments = []
    for place, segment in enumerate(path):
        if not segment.startswith("{"):
            segments.append(segment)
            continue
        words = {
            other[place]
            for other in paths
            if len(other) > place and other[:place] == path[:place] and not other[place].startswith("{")
        }
        excluded = "|".join(re.escape(word) for word in sorted(words))
        # aiohttp's own pattern of a parameter, without these words.
        pattern = f":(?!(?:{excluded})(?:/|$))[^{{}}/]+" if words else ""
        segments.append(f"{segment[:-1]}{pattern}}}")
    return "/".join(segments)


def _scoped(operation: Operation) -> Handler:
    """Return the operation's handler, whose request says which scope it takes, and by whom."""
    handler, scope = operation.handler, operation.scope
    if scope is None:
        return handler

    @wraps(handler)
    async def handle(request: web.Request) -> web.StreamResponse:
        request[SCOPE] = scope
        request[FOR_CLIENTS] = operation.clients
        return await handler(request)

    return handle
