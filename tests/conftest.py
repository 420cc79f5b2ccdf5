"""How tests are shared out among workers, and what the end-to-end tests run against.

That is local processes, or, with `--stack containers`, the containers of compose.yaml: the same images,
built from this checkout, with the same mounts and confinement, on a network of their own, for one session.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import uuid
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling  # type: ignore[import-untyped]

from mintline.chain.transport import load_web3
from mintline_testkit.chromium import MISSING, find_chromium

if TYPE_CHECKING:
    # docker ships no types.
    from docker import DockerClient  # type: ignore[import-untyped]
    from docker.models.containers import Container  # type: ignore[import-untyped]
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.network import Network

load_web3()
# Tests that import eth-account load py_ecc, which lets Python recurse until the process dies. Whichever comes
# first raises the limit, once: this one sets it back.

ROOT = Path(__file__).resolve().parents[1]
LOCAL = "devstack/docker/Dockerfile"
SERVICES = "services/Dockerfile"
SIGNER = "services/signer-enclave/Dockerfile"
IMAGES: dict[str, tuple[str, str | None, dict[str, str]]] = {
    # Each image's Dockerfile, its target there, and its arguments.
    "ministack": (LOCAL, "ministack", {}),
    "anvil": (LOCAL, "anvil", {}),
    "set-up": (LOCAL, "set-up", {}),
    "api": (SERVICES, None, {"SERVICE": "api"}),
    "builder": (SERVICES, None, {"SERVICE": "builder"}),
    "broadcaster": (SERVICES, None, {"SERVICE": "broadcaster"}),
    "indexer": (SERVICES, None, {"SERVICE": "indexer"}),
    "reconciler": (SERVICES, None, {"SERVICE": "indexer"}),
    "notifier": (SERVICES, None, {"SERVICE": "notifier"}),
    "enclave": (SIGNER, "enclave", {}),
    "signer-host": (SIGNER, "host", {}),
}
MODULES = {
    "enclave": "mintline_signer.enclave",
    "signer-host": "mintline_signer.host",
    "builder": "mintline_builder",
    "broadcaster": "mintline_broadcaster",
    "indexer": "mintline_indexer",
    "reconciler": "mintline_indexer.reconciler",
    "notifier": "mintline_notifier",
    "api": "mintline_api",
}
MOST_OUTPUT = 4000
"""Characters of the output of a container that does not start."""
WITH_SETTINGS = ". /run/settings/environment && export MINTLINE_INSTANCE=$HOSTNAME && exec python -m $0"
SIGNER_PAIR = ("enclave", "signer-host")
CONFINED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges:true"],
}
SECOND = 10**9
FRONT_HEALTH = {
    "test": [
        *("CMD", "python", "-c"),
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:4567/healthz')",
    ],
    "interval": SECOND,
    "timeout": 4 * SECOND,
    "retries": 20,
    # Failures before then do not count: on a busy machine its start takes as long as theirs.
    "start_period": 60 * SECOND,
}
GRACE = 30
"""Seconds between SIGTERM and SIGKILL, as on Fargate."""
SHARED_STACK = ("tests/e2e/", "tests/attack/")
"""Folders whose tests share a running stack, but for files that start one of their own."""
OWN_STACK = "running_stack("
LONGEST_FIRST = ("tests/e2e/", "tests/attack/", "tests/simulation/", "tests/integration/")
"""So workers end together; all other folders come after these."""


class Distribution(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Gives a worker of xdist a test file as a whole, and all files that share a stack to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid.partition("::")[0])


@cache
def group_of(path: str) -> str:
    """Return the name of the group of tests that a file is in."""
    folder = next((folder for folder in SHARED_STACK if path.startswith(folder)), None)
    if folder is None or OWN_STACK in (ROOT / path).read_text(encoding="utf-8"):
        return path
    return folder


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Distribution | None:
    if config.getvalue("dist") != "loadscope":
        return None
    config.option.loadscopereorder = False  # the order is that of pytest_collection_modifyitems
    return Distribution(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack",
        choices=("processes", "containers"),
        default="processes",
        help="what the end-to-end tests run against",
    )
    parser.addoption(
        "--grants",
        type=Path,
        help="a file that gets what of their roles the services used, by the end-to-end tests that are run",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        order = (*LONGEST_FIRST, "")
        items.sort(
            key=lambda item: next(n for n, folder in enumerate(order) if item.nodeid.startswith(folder))
        )
    containers = config.getoption("--stack") == "containers"
    for item in items:
        fixtures: list[str] = getattr(item, "fixturenames", [])
        if not containers and item.get_closest_marker("containers"):
            item.add_marker(pytest.mark.skip(reason="needs containers: `make test-containers` runs it"))
        elif (
            containers
            and item.get_closest_marker("e2e")
            and "harness" not in fixtures
            and "containers" not in fixtures
        ):
            item.add_marker(pytest.mark.skip(reason="starts a pipeline of its own: `make test` runs it"))


@dataclass(slots=True)
class Containers:
    """A line in containers, and what tests may do to its parts."""

    engine: DockerClient
    network: Network
    ends: ExitStack
    """Removes everything, newest first."""
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    volumes: set[str] = field(default_factory=set)
    parts: dict[str, DockerContainer] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    """What the set-up says about the line, with addresses that this machine reaches."""

    def build(self, name: str) -> None:
        """Build an image; the engine's cache makes that short when nothing changed."""
        from testcontainers.core.image import DockerImage

        dockerfile, target, arguments = IMAGES[name]
        base = os.environ.get("BASE_IMAGE")
        with DockerImage(
            ROOT,
            tag=f"mintline-test/{name}",
            dockerfile_path=dockerfile,
            target=target,
            buildargs=arguments | ({"BASE_IMAGE": base} if base else {}),
            clean_up=False,
        ):
            pass

    def volume(self, name: str) -> str:
        """Return this line's volume of that name, made on first use."""
        full = f"mintline-{self.run}-{name}"
        if full not in self.volumes:
            self.ends.callback(self.engine.volumes.create(full).remove, force=True)
            self.volumes.add(full)
        return full

    def start(
        self,
        part: str,
        image: str,
        *,
        mounts: dict[str, str],
        ports: dict[int, int] | None = None,
        variables: dict[str, str] | None = None,
        once: bool = False,
        **more: Any,
    ) -> DockerContainer:
        """Start a container under the part's name; unless it runs but once, wait until it is healthy."""
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.wait_strategies import HealthcheckWaitStrategy

        container = DockerContainer(f"mintline-test/{image}").with_tmpfs_mount("/tmp")
        for path, volume in mounts.items():
            container.with_volume_mapping(self.volume(volume), path, "rw")
        for inside, outside in (ports or {}).items():
            container.with_bind_ports(inside, outside)
        for name, value in (variables or {}).items():
            container.with_env(name, value)
        if "network_mode" not in more:
            container.with_network(self.network).with_network_aliases(part)
        container.with_command(more.pop("command", None))
        container.with_kwargs(**CONFINED, **more)
        if not once:
            container.waiting_for(HealthcheckWaitStrategy())
        self.ends.callback(container.stop)
        try:
            self.parts[part] = container.start()
        except (RuntimeError, TimeoutError) as error:
            output = b"".join(container.get_logs()).decode(errors="replace")
            raise RuntimeError(f"{part} did not become healthy: {output[-MOST_OUTPUT:]}") from error
        return container

    def start_service(
        self, service: str, *, part: str = "", sockets: str = "sockets", ports: dict[int, int] | None = None
    ) -> None:
        """Start a copy of a service, with its settings from their volume, as compose.yaml does."""
        self.start(
            part or service,
            service,
            mounts={"/run/settings": f"settings-{service}"}
            | ({"/run/mintline": sockets} if service in SIGNER_PAIR else {})
            | ({"/var/lib/mintline/audit": f"audit-{part or service}"} if service == "signer-host" else {}),
            ports=ports,
            entrypoint=["sh", "-c", WITH_SETTINGS],
            command=[MODULES[service]],
            **cast("dict[str, Any]", {"network_mode": "none"} if service == "enclave" else {}),
        )

    def logged(self, part: str, event: str) -> bool:
        """Tell whether the part has logged an event."""
        return f'"event": "{event}"'.encode() in self._container(part).logs()

    def _container(self, part: str) -> Any:
        return self.parts[part].get_wrapped_container()

    def _up_again(self, part: str) -> None:
        from testcontainers.core.wait_strategies import HealthcheckWaitStrategy

        self._container(part).start()
        HealthcheckWaitStrategy().wait_until_ready(self.parts[part])

    async def kill(self, part: str) -> None:
        """Kill -9 the part, start it again, and wait until it is healthy."""
        await asyncio.to_thread(self._container(part).kill)
        await asyncio.to_thread(self._up_again, part)

    async def restart(self, part: str) -> int:
        """Stop the part as a deployment does, start it again, and return the exit code of the old one."""
        container = self._container(part)
        await asyncio.to_thread(container.stop, timeout=GRACE)
        code: int = (await asyncio.to_thread(container.wait))["StatusCode"]
        await asyncio.to_thread(self._up_again, part)
        return code

    async def pause(self, part: str, seconds: float) -> None:
        """Freeze the part for a while."""
        container = self._container(part)
        await self._freeze(container)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(container.unpause)

    async def _freeze(self, container: Container) -> None:
        """Pause a container; a busy engine may give up ("unable to freeze"), and thaws it then."""
        from docker.errors import APIError  # type: ignore[import-untyped] # it ships no types

        for _ in range(9):
            with suppress(APIError):
                await asyncio.to_thread(container.pause)
                return
            await asyncio.sleep(0.5)
        await asyncio.to_thread(container.pause)

    async def cut_off(self, part: str, seconds: float) -> None:
        """Take the part off the network for a while."""
        (network,) = await asyncio.to_thread(self.engine.networks.list, names=[self.network.name])
        container = self._container(part)
        await asyncio.to_thread(network.disconnect, container)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(network.connect, container, aliases=[part])

    async def restart_all(self) -> None:
        """Stop the services, then the emulators, as `docker compose stop` does; start all of them again."""
        emulators = ("kms-front", "ministack", "anvil")
        for parts in (tuple(MODULES), emulators):
            stops = (asyncio.to_thread(self._container(part).stop, timeout=GRACE) for part in parts)
            await asyncio.gather(*stops)
        for parts in (emulators, tuple(MODULES)):
            await asyncio.gather(*(asyncio.to_thread(self._up_again, part) for part in parts))

    async def double(self) -> None:
        """Start a second copy of every service, as `builder-2` and so on; the signer's is a second pair."""
        for service in MODULES:
            await asyncio.to_thread(self.start_service, service, part=f"{service}-2", sockets="sockets-2")

    async def halve(self) -> None:
        """Stop the second copies, in order."""
        for service in MODULES:
            await asyncio.to_thread(self._container(f"{service}-2").stop, timeout=GRACE)


def start_line(line: Containers) -> None:
    """Start everything, in the order that compose.yaml's conditions make."""
    from mintline_devstack.ports import free_ports

    for name in IMAGES:
        line.build(name)
    ports = free_ports()
    line.start("ministack", "ministack", mounts={"/data": "ministack"}, ports={4566: ports.ministack})
    line.start("anvil", "anvil", mounts={"/data": "anvil"}, ports={8545: ports.anvil})
    front = line.start(
        "kms-front", "set-up", mounts={"/data": "set-up"}, command=["kms-front"], healthcheck=FRONT_HEALTH
    )
    settings = {f"/settings/{name}": f"settings-{name}" for name in MODULES}
    measuring = line.start(
        "measurement",
        "enclave",
        mounts={"/run/mintline": "measurement"},
        network_mode="none",
        entrypoint=["sh", "-c", "python -m mintline_signer.enclave.measure > /run/mintline/enclave.json"],
        once=True,
    ).get_wrapped_container()
    assert measuring.wait()["StatusCode"] == 0, measuring.logs().decode()
    set_up = line.start(
        "set-up",
        "set-up",
        mounts={"/data": "set-up", "/measurement": "measurement", **settings},
        command=["set-up", "--public-url", ports.url("api")],
        variables={
            "MINTLINE_UPLOAD_ENDPOINT_URL": ports.url("ministack"),
            "MINTLINE_PUBLIC_SIGN_IN_URL": f"{ports.url('ministack')}/oauth2",
        },
        once=True,
    ).get_wrapped_container()
    assert set_up.wait()["StatusCode"] == 0, set_up.logs().decode()
    for name in MODULES:
        line.start_service(name, ports={8080: ports.api} if name == "api" else None)
    run = json.loads(front.exec(["cat", "/data/run.json"]).output)
    addresses = {name: ports.url("ministack") for name in ("aws_endpoint_url", "sign_in_url")}
    line.info = run | {"rpc_url": ports.url("anvil"), **addresses}


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of Chromium; skips where there is none, or fails with MINTLINE_CHROMIUM=required."""
    browser = find_chromium()
    if browser is None and os.environ.get("MINTLINE_CHROMIUM") == "required":
        pytest.fail(MISSING)
    if browser is None:
        pytest.skip(MISSING)
    return browser


def reach_engine() -> DockerClient:
    """Return a client of the container engine; skips, saying why, where none is reachable.

    Where one must be there, as in CI, MINTLINE_ENGINE=required makes that a failure.
    """
    from testcontainers.core.docker_client import DockerClient

    try:
        engine = DockerClient().client
        engine.ping()
    except Exception as error:  # noqa: BLE001 - the client's errors have no types, and all mean the same here
        reason = f"no container engine is reachable: {error}"
    else:
        return engine
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()  # the client leaves its socket open when there is no engine at the other end
    if os.environ.get("MINTLINE_ENGINE") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerClient]:
    """Return a client of the container engine; skips where none is reachable."""
    reached = reach_engine()
    yield reached
    reached.close()


@pytest.fixture(scope="session")
def containers(engine: DockerClient) -> Iterator[Containers]:
    """Run the whole pipeline in containers; skips where no engine is reachable."""
    from testcontainers.core.network import Network

    with ExitStack() as ends:
        on_loopback = {"options": {"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"}}
        line = Containers(engine, ends.enter_context(Network(docker_network_kw=on_loopback)), ends)
        start_line(line)
        yield line
