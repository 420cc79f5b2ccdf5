"""Services of neighbouring releases run side by side during an upgrade and a rollback, in any order.

The releases before are frozen copies in `releases/`; the release after this one is this one's messages with
more in them. The golden files are what this release writes (`test_messages`), and what earlier ones wrote.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mintline.errors import Unsupported
from mintline.messages import codec
from mintline.messages.work import BuildMint

HERE = Path(__file__).parent
GOLDEN = sorted(path.name for path in (HERE / "golden").iterdir())
RELEASES = sorted(path.name for path in (HERE / "releases").iterdir() if path.is_dir())


def golden(name: str) -> str:
    return (HERE / "golden" / name).read_text()


def loaded(release: str) -> ModuleType:
    """Return the messages of a release, from its copy."""
    package = f"mintline_{release}"
    if package not in sys.modules:
        parent = ModuleType(package)
        parent.__path__ = [str(HERE / "releases" / release)]
        sys.modules[package] = parent
    packaged = (HERE / "releases" / release / "messages").is_dir()
    return importlib.import_module(f"{package}.messages.codec" if packaged else f"{package}.messages")


@pytest.fixture(params=RELEASES)
def previous(request: pytest.FixtureRequest) -> ModuleType:
    return loaded(request.param)


def knows(release: ModuleType, document: Any) -> bool:
    """Tell whether a release has the types of a message and of the one inside it."""
    kinds = {
        field.default
        for kind in vars(release).values()
        if isinstance(kind, type) and (field := getattr(kind, "model_fields", {}).get("type")) is not None
    }
    inside = document.get("intent", document)
    return document["type"] in kinds and inside["type"] in kinds


def common(read: Any, written: Any) -> Any:
    """Return what is read without what was not written: a field of the reader that took its default."""
    if isinstance(read, dict):
        return {name: common(value, written[name]) for name, value in read.items() if name in written}
    if isinstance(read, list):
        return [common(value, other) for value, other in zip(read, written, strict=True)]
    return read


def contains(written: Any, read: Any) -> bool:
    """Tell whether all that is read was written so."""
    if isinstance(read, dict):
        return all(contains(written[name], value) for name, value in read.items())
    if isinstance(read, list):
        return len(read) == len(written) and all(map(contains, written, read))
    return bool(read == written)


def extended(value: Any) -> Any:
    """Return a message as the next release may write it: with a field more in every object."""
    if isinstance(value, dict):
        return {name: extended(inner) for name, inner in value.items()} | {"added": {"type": "next", "x": []}}
    if isinstance(value, list):
        return [extended(inner) for inner in value]
    return value


@pytest.mark.parametrize("name", GOLDEN)
def test_message__when_the_release_before_reads_it__then_means_the_same(
    previous: ModuleType, name: str
) -> None:
    document = json.loads(golden(name))
    if not knows(previous, document):
        with pytest.raises(previous.Unsupported):
            previous.decode(golden(name))
        return
    read = json.loads(previous.encode(previous.decode(golden(name))))
    assert contains(document, common(read, document))


@pytest.mark.parametrize("name", GOLDEN)
def test_message_of_the_release_before__when_this_one_reads_it__then_means_the_same(
    previous: ModuleType, name: str
) -> None:
    if not knows(previous, json.loads(golden(name))):
        pytest.skip("a message that the release before does not have")
    written = previous.encode(previous.decode(golden(name)))
    document = json.loads(written)
    read = json.loads(codec.encode(codec.decode(written)))
    assert contains(document, common(read, document))


@pytest.mark.parametrize("name", GOLDEN)
def test_message__when_the_next_release_added_fields__then_is_read_without_them(name: str) -> None:
    body = json.dumps(extended(json.loads(golden(name))))
    assert codec.decode(body) == codec.decode(golden(name))


@pytest.mark.parametrize("name", GOLDEN)
def test_message__when_it_is_passed_on__then_is_one_of_this_release(name: str) -> None:
    passed_on = codec.encode(codec.decode(json.dumps(extended(json.loads(golden(name))))))
    assert passed_on == codec.encode(codec.decode(golden(name)))


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize(
    ("change", "unknown"),
    [({"type": "sign_drop"}, "type sign_drop"), ({"version": 2}, "version 2")],
    ids=["type", "version"],
)
def test_message__when_its_type_or_version_is_of_the_next_release__then_is_unsupported(
    name: str, change: dict[str, Any], unknown: str
) -> None:
    document = json.loads(golden(name))
    bodies = [extended(document) | change]
    if "intent" in document:
        bodies.append(document | {"intent": extended(document["intent"]) | change})
    for body in bodies:
        with pytest.raises(Unsupported, match=unknown):
            codec.decode(json.dumps(body))


def test_message__when_it_is_made_in_code__then_takes_no_field_that_it_does_not_have() -> None:
    with pytest.raises(ValueError, match="extra_forbidden"):
        BuildMint.model_validate({"mint_id": "m", "added": 1})
