"""The stack in containers: the KMS front, the one-shot set-up, and a token.

`compose.yaml` starts these from one image. The set-up brings the emulators to where the services can start,
and writes what each process is told into a folder of its own, which only that process mounts: the enclave
sees no credentials, and no service another's.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from mintline.atomic_files import replace_file
from mintline.errors import MintlineError, Misconfigured, Unavailable
from mintline_client.sign_in import demo_client_token, sign_in
from mintline_devstack import emulators, services
from mintline_devstack.arguments import Arguments
from mintline_devstack.attestation import AUTHORITY, admit, image_of, issue_authority
from mintline_devstack.emulator_clients import open_clients
from mintline_devstack.emulators import CHAIN_ID, PREFIX
from mintline_devstack.principals import issue_credentials
from mintline_devstack.provisioning import set_up
from mintline_devstack.running_stack import describe
from mintline_devstack.services import Environment
from mintline_devstack.state_folder import StateFolder, write_json
from mintline_ops.run_file import read_json

STATE = Path("/data")
SETTINGS = Path("/settings")
"""Holds a folder for each process, which that process mounts at `SEEN_AT`."""
SEEN_AT = Path("/run/settings")
SOCKETS = Path("/run/mintline")
AUDIT = Path("/var/lib/mintline/audit")
MEASUREMENT = Path("/measurement/enclave.json")
"""Where a container of the enclave's image has written what it is measured as."""
ADMIN_PORT = 9100
PORTS = {"api": 8080, "ministack": 4566, "kms_front": 4567, "anvil": 8545}
HOSTS = {"ministack": "ministack", "kms_front": "kms-front", "anvil": "anvil"}
HOSTS |= {port: name for name, port in services.ADMIN_PORTS.items()}
"""The names of the containers on their network, by listener."""


@dataclass(frozen=True, slots=True)
class ContainerNetwork:
    """Where the containers reach each other; only the api has a public address."""

    public_url: str
    bind: str = "0.0.0.0"  # noqa: S104 - inside a container; compose.yaml publishes on the loopback

    def port(self, name: str) -> int:
        """Return the port of a listener."""
        return PORTS.get(name, ADMIN_PORT)

    def url(self, name: str) -> str:
        """Return the base URL of a listener; the api's is the one that its users know."""
        return self.public_url if name == "api" else f"http://{HOSTS[name]}:{self.port(name)}"


def kms_front() -> None:
    """Become the KMS front, after making every role's credentials if there are none."""
    state = StateFolder(STATE)
    state.prepare()
    issue_credentials(state)
    variables = emulators.kms_front_settings(state, ContainerNetwork(public_url=""))
    os.execve(  # noqa: S606 - this very interpreter, no shell
        sys.executable, [sys.executable, "-m", "mintline_devstack.kms_front"], {**os.environ, **variables}
    )


def set_up_once(public_url: str) -> None:
    """Make or find queues, tables, keys, user pool and contract; write every process's settings."""
    _run(_set_up(public_url.rstrip("/")))


def token(*, client: bool = False) -> None:
    """Print an access token of the demo user, or of the demo client."""
    info = read_json(StateFolder(STATE).run)

    async def fetch() -> str:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(30)) as http:
            if client:
                return (await demo_client_token(http, info)).access_token
            pool = info["cognito"]
            tokens = await sign_in(http, info, username=pool["username"], password=pool["password"])
            return tokens.access_token

    sys.stdout.write(_run(fetch()) + "\n")


async def _set_up(public_url: str) -> None:
    state = StateFolder(STATE)
    network = ContainerNetwork(public_url)
    with state.locked():
        credentials = issue_credentials(state)
        try:
            async with open_clients(network, credentials["operator"]) as clients:
                known = await set_up(state, network, clients)
                issue_authority(state, SETTINGS / "enclave")
                policy = services.write_policy(SETTINGS / "signer-host", known)
                await admit(
                    clients.aws.kms, prefix=PREFIX, chain_id=CHAIN_ID, image=measured_image(), policy=policy
                )
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(f"the resources could not be set up: {error}") from error
        environment = Environment(state, network, known, credentials, SOCKETS, AUDIT)
        write_settings(environment, SETTINGS)
        write_json(state.run, describe(state, network, known, credentials["operator"]))


def measured_image() -> str:
    """Return what the enclave's container says that its image is measured as (PCR0, hex)."""
    try:
        return image_of(MEASUREMENT.read_text())
    except OSError as error:
        raise Misconfigured(
            f"cannot read the enclave's measurement {MEASUREMENT}: {error.strerror}"
        ) from None


def write_settings(environment: Environment, folder: Path) -> None:
    """Write what every process is told into its own folder, as a file that a shell reads."""
    own = services.settings_of(environment)
    for name in ("indexer", "notifier"):
        del own[name]["MINTLINE_INSTANCE"]  # each container names itself by its host name
    own["signer-host"]["MINTLINE_SIGNING_POLICY"] = str(SEEN_AT / services.POLICY)
    for name in services.ADMIN_PORTS:
        variables = {
            **environment.credentials[name].environment(),
            **services.common_settings(environment, name),
            **own[name],
        }
        write_environment(folder / name / "environment", variables)
    write_environment(
        folder / "enclave" / "environment", services.enclave_settings(environment, SEEN_AT / AUTHORITY)
    )


def write_environment(path: Path, variables: Mapping[str, str]) -> None:
    """Write variables as a shell's assignments, in one step, readable by this user alone."""
    lines = (f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    replace_file(path, "".join(lines).encode())


def _run(work: Any) -> Any:
    try:
        return asyncio.run(work)
    except MintlineError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2 if isinstance(error, Misconfigured) else 1)


def main(argv: Sequence[str]) -> None:
    """Do what the command line names."""
    parser = Arguments(prog="python -m mintline_devstack.containers", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND", prog=parser.prog)
    commands.add_parser("kms-front", help="become the KMS front")
    set_up_parser = commands.add_parser("set-up", help="make every resource, and write all settings")
    set_up_parser.add_argument(
        "--public-url",
        default=os.environ.get("MINTLINE_PUBLIC_URL", "http://127.0.0.1:8080"),
        help="where users reach the API; MINTLINE_PUBLIC_URL by default",
    )
    token_parser = commands.add_parser("token", help="print an access token of the demo user")
    token_parser.add_argument("--client", action="store_true", help="of the demo client instead")
    options = parser.parse_args(argv)
    match options.command:
        case "kms-front":
            kms_front()
        case "set-up":
            set_up_once(options.public_url)
        case _:
            token(client=options.client)


if __name__ == "__main__":
    main(sys.argv[1:])
