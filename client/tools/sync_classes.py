"""The classes of the client without an event loop, made of the asynchronous ones."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

HEAD = '''"""The resources of `Mintline`, made from those of `AsyncMintline` by `make clients`."""

from __future__ import annotations
'''
MODULES = (
    "minting",
    "drops",
    "collections",
    "tokens",
    "transfers",
    "accounts",
    "uploads",
    "events",
    "webhooks",
)


def sync_classes(folder: Path, modules: Sequence[str] = MODULES) -> str:
    """Return a module with the resources of the client's modules in `folder`, without `async`."""
    trees = {name: ast.parse((folder / f"{name}.py").read_text()) for name in modules}
    classes = [text for name, tree in trees.items() for text in _classes(name, tree)]
    body = "\n\n\n".join(classes)
    imports = sorted(set().union(*(_imports(name, tree, body) for name, tree in trees.items())))
    aliases = [
        f"from mintline_client import {', '.join(modules)}",
        "from mintline_client.portal import Portal",
    ]
    return HEAD + "\n" + "\n".join([*imports, *aliases]) + "\n\n\n" + body + "\n"


def _resources(tree: ast.Module) -> Iterator[ast.ClassDef]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(
            isinstance(each, ast.FunctionDef)
            and each.name == "__init__"
            and [argument.arg for argument in each.args.args] == ["self", "api"]
            for each in node.body
        ):
            yield node


def _classes(module: str, tree: ast.Module) -> Iterator[str]:
    for node in _resources(tree):
        methods = [
            _method(each)
            for each in node.body
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and not each.name.startswith("_")
        ]
        yield "\n".join(
            [
                f"class {node.name}:",
                f'    """{ast.get_docstring(node)}"""',
                "",
                f"    def __init__(self, resource: {module}.{node.name}, portal: Portal) -> None:",
                "        self._resource = resource",
                "        self._portal = portal",
                *methods,
            ]
        )


def _method(method: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    result = ast.unparse(method.returns) if method.returns else "None"
    how = "run"
    if result.startswith("AsyncIterator["):
        how, result = "iterate", result.removeprefix("Async")
    arguments = [f"{each.arg}" for each in method.args.args if each.arg != "self"]
    if method.args.vararg:
        arguments.append(f"*{method.args.vararg.arg}")
    arguments += [f"{each.arg}={each.arg}" for each in method.args.kwonlyargs]
    if method.args.kwarg:
        arguments.append(f"**{method.args.kwarg.arg}")
    docstring = (ast.get_docstring(method) or "").replace("\n", "\n        ")
    ending = "\n        " if "\n" in docstring else ""
    returned = "" if result == "None" else "return "
    return "\n".join(
        [
            "",
            f"    def {method.name}({ast.unparse(method.args)}) -> {result}:",
            f'        """{docstring}{ending}"""',
            f"        {returned}self._portal.{how}(self._resource.{method.name}({', '.join(arguments)}))",
        ]
    )


def _imports(module: str, tree: ast.Module, body: str) -> set[str]:
    """Return the imports for the names that the classes use: those of the module, and those it defines."""
    words = {each.id for each in ast.walk(ast.parse(body)) if isinstance(each, ast.Name)}
    resources = list(_resources(tree))
    imports = {"from collections.abc import Iterator"}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module != "__future__":
            imports |= {f"from {node.module} import {each.name}" for each in node.names if each.name in words}
        elif node not in resources:
            imports |= {
                f"from mintline_client.{module} import {name}" for name in _defined(node) if name in words
            }
    return imports


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]
