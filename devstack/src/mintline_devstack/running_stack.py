"""The local stack on this machine, from a state folder, for as long as a context lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from mintline.errors import Unavailable
from mintline.scopes import SIGN_IN_SCOPES
from mintline_devstack import emulators, services
from mintline_devstack.attestation import admit, issue_authority
from mintline_devstack.emulator_clients import open_clients
from mintline_devstack.emulators import CHAIN_ID, PREFIX, REGION
from mintline_devstack.known import Known, load_known
from mintline_devstack.local_enclave import DevelopmentEnclave, LocalEnclave
from mintline_devstack.ports import Listeners, PortChoice, Ports, choose
from mintline_devstack.principals import issue_credentials
from mintline_devstack.provisioning import set_up
from mintline_devstack.replicas import further
from mintline_devstack.sign_in import REDIRECT_URI
from mintline_devstack.state_folder import StateFolder, write_json
from mintline_devstack.supervisor import Event, Restarts, StartFailed, Supervisor
from mintline_ops.aws_clients import AwsCredentials

OnEvent = Callable[[Event], None]
Through = Callable[[Ports], Awaitable[Listeners]]
"""Puts something between the services and what they reach; it may stand until the local stack has stopped."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A running local stack."""

    state: StateFolder
    supervisor: Supervisor
    environment: services.Environment
    info: dict[str, Any]
    """What the run file holds: addresses, sign-in, pids. The pids here are those of the start."""


def _ignore(_event: Event) -> None:
    pass


@asynccontextmanager
async def running_stack(
    state_dir: Path,
    *,
    ports: PortChoice = "default",
    wanted: Ports | None = None,
    copies: Mapping[str, int] | None = None,
    on_event: OnEvent = _ignore,
    through: Through | None = None,
    finality: int = emulators.FINALITY,
    enclave: LocalEnclave | None = None,
) -> AsyncIterator[Stack]:
    """Start the local stack, and stop it when the context ends, however it ends.

    `copies` says how many of each worker to run, one if it does not. `finality` is in blocks. `enclave` takes
    the place of the development enclave.

    Raises Misconfigured, one line, when the folder is in use or damaged, a port is taken, a tool is missing,
    or a process does not start.
    """
    state = StateFolder(state_dir)
    async with AsyncExitStack() as stack:
        stack.enter_context(state.locked())
        state.run.unlink(missing_ok=True)
        emulators.check_saved_state(state)
        load_known(state)  # damage is told before anything starts
        chosen = choose(ports, wanted)
        credentials = issue_credentials(state)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        sockets = stack.enter_context(state.sockets())
        run_file = RunFile(state)
        supervisor = Supervisor(state.logs, on_event=on_event, changed=run_file.refresh)
        run_file.pids, run_file.restarts = supervisor.pids, supervisor.restarts
        stack.callback(state.run.unlink, missing_ok=True)
        stack.push_async_callback(supervisor.stop)

        await _start_emulators(supervisor, state, chosen, http, finality=finality)
        signing = enclave or DevelopmentEnclave()
        known = await _set_up(state, chosen, credentials["operator"], signing)
        on_event(Event("resources", "ready"))
        reached = chosen if through is None else await through(chosen)
        environment = services.Environment(state, reached, known, credentials, sockets, state.audit)
        for process in signing.processes(environment):
            await supervisor.start(process)
        networked = services.networked(environment, http)
        more, admin = further(networked, copies or {}, sockets=sockets, http=http)
        await supervisor.start(*networked, *more)
        run_file.info = describe(state, chosen, known, credentials["operator"])
        run_file.info["admin"] |= admin
        run_file.info["enclave_address"] = f"unix://{environment.enclave_socket}"
        run_file.refresh()
        yield Stack(state, supervisor, environment, {**run_file.info, "pids": supervisor.pids()})


class RunFile:
    """Keeps the run file's pids true: it is written once everything runs, and again when a pid changes."""

    def __init__(self, state: StateFolder) -> None:
        self._path = state.run
        self.info: dict[str, Any] | None = None
        self.pids: Callable[[], dict[str, int]] = dict
        self.restarts: Callable[[], dict[str, Restarts]] = dict

    def refresh(self) -> None:
        """Write the file, if there is a local stack to describe."""
        if self.info is not None:
            write_json(self._path, {**self.info, "pids": self.pids(), "restarts": self.restarts()})


async def _start_emulators(
    supervisor: Supervisor,
    state: StateFolder,
    ports: Ports,
    http: aiohttp.ClientSession,
    *,
    finality: int,
) -> None:
    chain = emulators.anvil(state, ports, http, finality=finality)
    try:
        await supervisor.start(emulators.ministack(state, ports, http), chain)
    except StartFailed as failure:
        raise emulators.damaged_by(str(failure), state) or failure from None
    await supervisor.start(emulators.kms_front(state, ports, http))


async def _set_up(state: StateFolder, ports: Ports, operator: AwsCredentials, enclave: LocalEnclave) -> Known:
    try:
        async with open_clients(ports, operator) as clients:
            known = await set_up(state, ports, clients)
            issue_authority(state, state.enclave)
            policy = services.write_policy(state.enclave, known)
            image = await enclave.measure(state, ports)
            await admit(clients.aws.kms, prefix=PREFIX, chain_id=CHAIN_ID, image=image, policy=policy)
            return known
    except (BotoCoreError, ClientError) as error:
        raise Unavailable(f"the resources could not be set up: {error} (logs: {state.logs})") from error


def describe(state: StateFolder, ports: Listeners, known: Known, operator: AwsCredentials) -> dict[str, Any]:
    """Return what others need to use the local stack."""
    pool = known.pool
    assert known.demo_client is not None
    assert known.factory is not None
    return {
        "api_url": ports.url("api"),
        "rpc_url": ports.url("anvil"),
        "aws_endpoint_url": ports.url("ministack"),
        "kms_url": ports.url("kms_front"),
        "sign_in_url": ports.url("ministack"),
        "region": REGION,
        "prefix": PREFIX,
        "chain_id": CHAIN_ID,
        "contract": known.contract,
        "deployed_block": known.deployed_block,
        "factory": known.factory.model_dump(mode="json"),
        "admin_address": known.admin,
        "treasury": known.treasury.address,
        "relayers": [key.address for key in known.relayers],
        "cognito": {
            "user_pool_id": pool.user_pool_id,
            "client_id": pool.client_id,
            "issuer": services.issuer_url(pool.user_pool_id),
            "redirect_uri": REDIRECT_URI,
            "scopes": list(SIGN_IN_SCOPES),
            "username": pool.username,
            "password": pool.password,
        },
        "demo_client": {"client_id": known.demo_client.client_id, "client_secret": known.demo_client.secret},
        "operator": asdict(operator),
        "console": {"url": f"{ports.url('api')}/console/home", **_operator_of(known)},
        "state_dir": str(state.path),
        "admin": services.admin_urls(ports),
    }


def _operator_of(known: Known) -> dict[str, str]:
    """Return how an operator signs in to the console."""
    assert known.operator is not None
    return known.operator.model_dump(mode="json")
