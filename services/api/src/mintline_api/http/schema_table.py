"""A JSON schema as a table: one row per member, nested ones by their path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from html import escape
from typing import Any


def resolve(schema: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema with its reference followed, its own words kept over the referenced ones."""
    found = dict(schema)
    while "$ref" in found:
        name = found.pop("$ref").rpartition("/")[2]
        found = {**document["components"]["schemas"][name], **found}
    return found


def schema_table(schema: Mapping[str, Any], document: Mapping[str, Any], prose: Callable[[str], str]) -> str:
    """Return an HTML table of an object's members; `prose` renders descriptions."""
    rows = "".join(
        f"<tr><td><code>{escape(path)}</code></td><td>{escape(kind)}</td><td>{prose(text)}</td></tr>"
        for path, kind, text in _rows(resolve(schema, document), document, "")
    )
    return (
        '<table class="schema"><thead><tr><th>Member</th><th>Type</th><th></th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _rows(
    schema: Mapping[str, Any], document: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, str, str]]:
    required = set(schema.get("required", ()))
    for name, member in schema.get("properties", {}).items():
        options = [resolve(option, document) for option in member.get("anyOf", (member,))]
        kinds = [kind for option in options if (kind := _kind(option, document)) != "null"]
        nullable = any(option.get("type") == "null" for option in options)
        path = f"{prefix}{name}"
        notes = list(dict.fromkeys(kinds)) + (["null"] if nullable else [])
        text = member.get("description") or _description(options)
        yield path, " or ".join(notes) + ("" if name in required else ", optional"), text
        for option in options:
            if option.get("type") == "object" and "properties" in option:
                yield from _rows(option, document, f"{path}.")
            elif option.get("type") == "array":
                items = resolve(option["items"], document)
                if "properties" in items:
                    yield from _rows(items, document, f"{path}[].")


def _description(options: list[dict[str, Any]]) -> str:
    return next((str(option["description"]) for option in options if "description" in option), "")


def _kind(schema: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(resolve(option, document), document) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        kind = f"array of {_kind(resolve(schema['items'], document), document)}"
    limits = [
        text
        for key, text in (
            ("format", "{}"),
            ("maxLength", "≤ {} characters"),
            ("maxItems", "≤ {} items"),
        )
        if key in schema
        for text in [text.format(schema[key])]
    ]
    return f"{kind} ({', '.join(limits)})" if limits else kind
