from collections.abc import Callable
from typing import Any

import pytest


class Scripted:
    """Stands in for an AWS client: answers each operation from its script, and keeps what was asked."""

    def __init__(self) -> None:
        self.requested: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Callable[[dict[str, Any]], Any]] = {}

    def on(self, operation: str, response: Callable[[dict[str, Any]], Any]) -> None:
        self.answers[operation] = response

    def count(self, operation: str) -> int:
        return len([name for name, _ in self.requested if name == operation])

    def __getattr__(self, operation: str) -> Any:
        async def call(**arguments: Any) -> Any:
            self.requested.append((operation, arguments))
            response = self.answers[operation](arguments)
            if isinstance(response, Exception):
                raise response
            return response

        return call


@pytest.fixture
def client() -> Scripted:
    return Scripted()


@pytest.fixture
def naps() -> list[float]:
    return []
