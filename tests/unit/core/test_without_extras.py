"""A service's process loads what the images have, and not what only a checkout has."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SERVICES = Path(__file__).parents[3] / "services"
MAINS = sorted(SERVICES.glob("*/src/**/__main__.py"))


@pytest.mark.parametrize("main", MAINS, ids=lambda path: path.parent.name)
def test_main__when_it_begins__then_extras_are_kept_out_before_anything_is_loaded(main: Path) -> None:
    imports = [
        node for node in ast.parse(main.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    first = next(node for node in imports if getattr(node, "module", None) != "__future__")
    assert ast.unparse(first) == "import mintline.without_extras"


def test_process__when_its_modules_are_loaded__then_none_is_of_an_extra() -> None:
    code = (
        "import mintline_notifier.__main__, sys\n"
        "from mintline.without_extras import NAMES\n"
        "print([name for name in sys.modules if name.split('.')[0] in NAMES and sys.modules[name]])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"
