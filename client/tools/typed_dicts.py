"""Python's TypedDicts of the schemas of an OpenAPI 3.1 document, as far as ours go."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from textwrap import shorten, wrap
from typing import Any

WIDTH = 100
HEAD = '''"""The API's requests and responses, made from its OpenAPI document by `make clients`.

A response may have members that are not listed here: later releases add some.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict
'''
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def typed_dicts(document: Mapping[str, Any]) -> str:
    """Return a module with a TypedDict, or an alias, for each schema of a document."""
    schemas: Mapping[str, Any] = document["components"]["schemas"]
    return HEAD + "\n\n" + "\n\n\n".join(_definition(name, schemas[name]) for name in sorted(schemas)) + "\n"


def _definition(name: str, schema: Mapping[str, Any]) -> str:
    if "properties" not in schema:
        return f'{name} = {_type(schema)}\n"""{_sentence(schema, name)}"""'
    required = frozenset(schema.get("required", ()))
    members = {
        member: (_type(each) if member in required else f"NotRequired[{_type(each)}]", each)
        for member, each in schema["properties"].items()
    }
    if any(keyword.iskeyword(member) or not member.isidentifier() for member in members):
        inner = ", ".join(f'"{member}": "{text}"' for member, (text, _) in members.items())
        return f'{name} = TypedDict("{name}", {{{inner}}})\n"""{_sentence(schema, name)}"""'
    lines = [f"class {name}(TypedDict):", f'    """{_sentence(schema, name)}"""', ""]
    for member, (text, each) in members.items():
        lines.append(f"    {member}: {text}")
        if description := each.get("description"):
            lines += _wrapped(_escaped(description))
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    lines = wrap(f'"""{text}', WIDTH, break_on_hyphens=False)
    return [f"    {line}" for line in (lines if len(lines) > 1 else [f'"""{text}"""'])] + (
        ['    """'] if len(lines) > 1 else []
    )


def _sentence(schema: Mapping[str, Any], name: str) -> str:
    text = _escaped(schema.get("description", name).partition("\n")[0])
    first = text if len(text) < WIDTH - 10 else text.partition(". ")[0]
    return shorten(first if first.endswith(".") else first + ".", WIDTH - 10, placeholder=" …")


def _escaped(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace('"""', "'''").split())


def _type(schema: Mapping[str, Any]) -> str:
    return " | ".join(dict.fromkeys(_options(schema)))


def _options(schema: Mapping[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2]
    elif "anyOf" in schema or "oneOf" in schema:
        for option in schema.get("anyOf", schema.get("oneOf")):
            yield from _options(option)
    elif "enum" in schema:
        yield f"Literal[{', '.join(repr(value) for value in schema['enum'])}]"
    elif "const" in schema:
        yield f"Literal[{schema['const']!r}]"
    elif isinstance(schema.get("type"), list):
        for name in schema["type"]:
            yield from _options({**schema, "type": name})
    elif schema.get("type") == "array":
        yield f"list[{_type(schema['items'])}]" if schema.get("items") else "list[Any]"
    elif schema.get("type") == "object":
        values = schema.get("additionalProperties")
        yield f"dict[str, {_type(values) if isinstance(values, dict) and values else 'Any'}]"
    else:
        yield _PLAIN.get(schema.get("type", ""), "Any")
