"""Setting a checkout up: the pinned uv or nothing, causes in one line, finished steps not repeated."""

import hashlib
import importlib.util
import io
import json
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "devstack" / "bootstrap.py"


@pytest.fixture
def bootstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, at work in a checkout of its own."""
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, path in (
        ("ROOT", tmp_path),
        ("LOG", tmp_path / ".mintline" / "setup.log"),
        ("STAMPS", tmp_path / "stamps"),
    ):
        monkeypatch.setattr(module, name, path)
    return module


def wheel(version: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"uv-{version}.data/scripts/uv", "#!/bin/sh\necho uv\n")
    return content.getvalue()


def index(bootstrap: ModuleType, content: bytes) -> Callable[[str], bytes]:
    """A package index that offers the wheel of this platform with the given content."""
    name, _ = bootstrap.uv_wheel()
    page = f'<a href="../../files/{name}#sha256=ff" data-x="y">{name}</a>'.encode()
    pages = {
        "https://index.test/simple/uv/": page,
        f"https://index.test/files/{name}": content,
    }
    return pages.__getitem__


def test_uv__when_the_wheel_is_the_pinned_one__is_installed(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = wheel(bootstrap.UV_VERSION)
    name, _ = bootstrap.uv_wheel()
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://index.test/simple/")
    monkeypatch.setattr(bootstrap, "fetch", index(bootstrap, content))
    monkeypatch.setattr(bootstrap, "uv_wheel", lambda: (name, hashlib.sha256(content).hexdigest()))
    bootstrap.download_uv(tmp_path / "uv")
    assert (tmp_path / "uv").stat().st_mode & 0o111
    assert (tmp_path / "uv").read_text().startswith("#!/bin/sh")


def test_uv__when_the_wheel_is_another__is_refused_and_nothing_is_written(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://index.test/simple")
    monkeypatch.setattr(bootstrap, "fetch", index(bootstrap, wheel(bootstrap.UV_VERSION)))
    with pytest.raises(bootstrap.SetupError, match="does not have the pinned digest"):
        bootstrap.download_uv(tmp_path / "uv")
    assert not (tmp_path / "uv").exists()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("libc", ["glibc", ""])
def test_wheel__when_on_linux__fits_the_machine_and_its_libc(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, machine: str, libc: str
) -> None:
    monkeypatch.setattr(bootstrap.platform, "system", lambda: "Linux")
    monkeypatch.setattr(bootstrap.platform, "machine", lambda: machine)
    monkeypatch.setattr(bootstrap.platform, "libc_ver", lambda: (libc, ""))
    name, sha256 = bootstrap.uv_wheel()
    assert machine in name
    assert libc or "musllinux" in name
    assert len(bytes.fromhex(sha256)) == 32


def test_wheel__when_the_platform_is_not_pinned__says_which(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap.platform, "machine", lambda: "sparc64")
    with pytest.raises(bootstrap.SetupError, match="sparc64"):
        bootstrap.uv_wheel()


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("error: Failed to build\n  cause: no route\n  cause: dns error\n\nhint: retry", "cause: dns error"),
        (
            "npm error code E404\nnpm error not found\nnpm error A complete log of this run: x",
            "npm error not found",
        ),
        ("just\nwords", "words"),
        ("", "no output"),
    ],
)
def test_telling_line__when_a_tool_failed__names_the_cause(
    bootstrap: ModuleType, output: str, line: str
) -> None:
    assert bootstrap.telling_line(output) == line


def test_run__when_the_tool_fails__is_one_line_and_the_rest_is_logged(bootstrap: ModuleType) -> None:
    with pytest.raises(bootstrap.SetupError, match=r"^doing it failed: error: no \(all of it: .*"):
        bootstrap.run([sys.executable, "-c", "print('first'); exit('error: no')"], doing="doing it")
    assert {"first", "error: no"} <= set(bootstrap.LOG.read_text().splitlines())


def test_environment__when_the_user_set_the_tools_up__keeps_what_reaches_the_registries_alone(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {
        "HTTPS_PROXY": "http://proxy.test",
        "UV_DEFAULT_INDEX": "https://index.test/simple",
        "UV_INDEX_OURS_PASSWORD": "word",
        "NPM_CONFIG_REGISTRY": "https://npm.test",
        "npm_config_cafile": "/ca.pem",
        "NODE_EXTRA_CA_CERTS": "/ca.pem",
    }
    dropped = {
        "PIP_TARGET": "/elsewhere",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "UV_TARGET": "/elsewhere",
        "UV_SYSTEM_PYTHON": "1",
        "UV_NO_DEV": "1",
        "UV_PROJECT_ENVIRONMENT": "/elsewhere",
        "PYTHONPATH": "/elsewhere",
        "PYTHONHOME": "/elsewhere",
        "NODE_ENV": "production",
        "NODE_OPTIONS": "--require /elsewhere",
        "npm_config_prefix": "/elsewhere",
        "NPM_CONFIG_OMIT": "dev",
    }
    for name, value in {**kept, **dropped}.items():
        monkeypatch.setenv(name, value)

    environment = bootstrap.environment({"VIRTUAL_ENV": "/ours"})

    assert {name: environment.get(name) for name in kept} == kept
    assert not dropped.keys() & environment.keys()
    assert environment["VIRTUAL_ENV"] == "/ours"


@pytest.mark.parametrize("version", [(3, 10, 14), (3, 14, 0), (3, 15, 2)])
def test_setup__when_the_python_is_not_supported__says_so_in_one_line_and_does_nothing(
    bootstrap: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    version: tuple[int, ...],
) -> None:
    monkeypatch.setattr(bootstrap.sys, "version_info", version)
    monkeypatch.setattr(bootstrap, "prepare", lambda: pytest.fail("set-up has begun"))

    assert bootstrap.main() == 1

    text = capsys.readouterr().err
    assert text.startswith("setup: error: Python 3.11, 3.12 or 3.13 is needed")
    assert text.count("\n") == 1


def test_python__when_a_range_is_declared__is_the_same_everywhere(bootstrap: ModuleType) -> None:
    root = SCRIPT.parents[1]
    projects = [
        root / "pyproject.toml",
        *root.glob("*/pyproject.toml"),
        *root.glob("services/*/pyproject.toml"),
        *root.glob("tools/*/pyproject.toml"),
    ]
    (oldest, newest) = (bootstrap.OLDEST_PYTHON, bootstrap.FIRST_UNSUPPORTED_PYTHON)
    expected = ">={}.{},<{}.{}".format(*oldest, *newest)

    assert len(projects) == 17
    for project in projects:
        assert tomllib.loads(project.read_text())["project"]["requires-python"] == expected, project
    assert (
        f"({oldest[0]}, {oldest[1]}) <= sys.version_info < ({newest[0]}, {newest[1]})"
        in (root / "Makefile").read_text()
    )


def test_node_packages__when_locked__all_have_an_integrity() -> None:
    packages = json.loads((SCRIPT.parents[1] / "package-lock.json").read_text())["packages"]

    missing = [name for name, entry in packages.items() if name and "integrity" not in entry]

    assert len(packages) > 20
    assert missing == []


def test_once__when_the_step_is_done__runs_it_again_only_for_another_key_or_a_missing_result(
    bootstrap: ModuleType, tmp_path: Path
) -> None:
    result = tmp_path / "result"
    ran: list[str] = []

    def step() -> None:
        ran.append("step")
        result.write_text("")

    for key in ("a", "a", "b", "b"):
        bootstrap.once("step", key, [result], step)
    assert len(ran) == 2
    result.unlink()
    bootstrap.once("step", "b", [result], step)
    assert len(ran) == 3


def test_once__when_the_step_fails__is_tried_again(bootstrap: ModuleType) -> None:
    def fails() -> None:
        raise bootstrap.SetupError("no network")

    ran: list[str] = []
    with pytest.raises(bootstrap.SetupError):
        bootstrap.once("step", "a", [], fails)
    bootstrap.once("step", "a", [], lambda: ran.append("step"))
    assert ran == ["step"]


def test_requirements__when_installed__are_all_pinned_with_hashes() -> None:
    for name in ("emulator", "node", "uv"):
        lines = (SCRIPT.parent / "requirements" / f"{name}.txt").read_text().splitlines()
        pins = [line for line in lines if line and not line.startswith((" ", "#"))]
        assert pins
        assert all("==" in line and line.endswith("\\") for line in pins)


def test_help__when_asked__lists_every_target() -> None:
    shown = subprocess.run(
        ["make", "-C", str(SCRIPT.parents[1]), "help"], capture_output=True, text=True, check=True
    ).stdout
    for target in ("up", "demo", "test", "lint", "bench", "clean"):
        assert f"make {target} " in shown
