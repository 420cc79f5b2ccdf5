"""`infra/` has an environment of its own, so the import contracts of pyproject.toml do not see it."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]


def modules_imported(path: Path) -> set[str]:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported.add(node.module)
    return imported


def test_infra__when_it_imports_a_package_of_ours__then_it_is_the_library() -> None:
    files = list((ROOT / "infra" / "src").rglob("*.py"))
    packages = {
        module.partition(".")[0]
        for path in files
        for module in modules_imported(path)
        if module.startswith("mintline")
    }
    assert packages == {"mintline", "mintline_infra"}
    assert len(files) > 10
