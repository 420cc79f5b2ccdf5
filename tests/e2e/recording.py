"""A stack whose calls of AWS are noted, and which grants of the services' roles they used."""

from __future__ import annotations

import fcntl
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from mintline_devstack.ports import Ports
from mintline_devstack.principals import ROLES, role_arn
from mintline_devstack.running_stack import Stack, running_stack
from mintline_harness.aws_calls import AwsCall, AwsCallRecorder, allowed, grants_of
from mintline_harness.chaos.proxy import Reached
from mintline_harness.kms_calls import KmsCall, KmsCallRecorder

GRANTS = Path(__file__).resolve().parents[2] / "infra/tests/grants.json"
"""The roles' statements; `make infra` compares them with those that it synthesizes."""
KMS_CALLS = "kms_calls.json"
"""The file of calls of KMS, beside the one of grants; `make infra` holds the keys' policies to it."""
OWN = {"operator": None, "enclave": None, "signer-host": "signer"}
"""Roles of the local stack by their names on AWS; None: no service runs under it there."""
CALLS_KMS = OWN | {"enclave": "signer"}
"""The same of those who call KMS: there the enclave does so with its instance's role."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A stack whose calls are noted."""

    stack: Stack
    recorder: AwsCallRecorder
    kms: KmsCallRecorder
    state: Path

    def by_service(self) -> dict[str, set[AwsCall]]:
        """Return the calls by the service that made them; each was signed by a role that is known."""
        return self._by_service(self.recorder.calls, OWN)

    def of_kms(self) -> dict[str, set[KmsCall]]:
        """Return the calls of KMS, likewise."""
        return self._by_service(self.kms.calls, CALLS_KMS)

    def _by_service(self, calls: Mapping[str, set[T]], names: Mapping[str, str | None]) -> dict[str, set[T]]:
        known = json.loads((self.state / "kms/principals.json").read_text())
        roles = {role_arn(role): names.get(role, role) for role in ROLES}
        named = {key: roles[entry["arn"]] for key, entry in known.items()}
        strangers = {key: theirs for key, theirs in calls.items() if key not in named}
        assert strangers == {}
        return {role: theirs for key, theirs in calls.items() if (role := named[key])}


@asynccontextmanager
async def recorded_stack(state: Path, *, into: Path | None = None) -> AsyncIterator[Recorded]:
    """Run the stack, and note its calls; `into` is a file that gets the grants that they used."""
    async with AsyncExitStack() as stack:
        recorders: list[tuple[AwsCallRecorder, KmsCallRecorder]] = []

        async def through(ports: Ports) -> Reached:
            recorder = AwsCallRecorder(ports.url("ministack"), prefix="mintline")
            await stack.enter_async_context(recorder)
            kms = await stack.enter_async_context(KmsCallRecorder(ports.url("kms_front"), prefix="mintline"))
            recorders.append((recorder, kms))
            return Reached(ports, {"ministack": recorder, "kms_front": kms})

        running = await stack.enter_async_context(running_stack(state, ports="free", through=through))
        recorded = Recorded(running, *recorders[0], state)
        yield recorded
        if into is not None:
            add_kms(into.with_name(KMS_CALLS), recorded.of_kms())
            add(into, recorded.by_service())


def add_kms(file: Path, recorded: Mapping[str, set[KmsCall]]) -> None:
    """Add calls of KMS to those of a file, by service. Safe for several processes at once."""
    with file.open("a+") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)
        kept.seek(0)
        known = read_kms(json.loads(kept.read() or "{}"))
        document = {
            service: [
                {**asdict(call), "conditions": dict(call.conditions)}
                for call in sorted(known.get(service, set()) | recorded.get(service, set()))
            ]
            for service in sorted(known.keys() | recorded.keys())
        }
        kept.truncate(0)
        kept.write(json.dumps(document, indent=1) + "\n")


def read_kms(document: Mapping[str, Any]) -> dict[str, set[KmsCall]]:
    """Return the calls of KMS that a file holds, by service."""
    return {
        service: {
            KmsCall(**{**call, "conditions": tuple(sorted(call["conditions"].items()))}) for call in calls
        }
        for service, calls in document.items()
    }


def add(file: Path, recorded: Mapping[str, set[AwsCall]]) -> None:
    """Add the grants that calls used to those of a file: by service and action, the resources.

    Raises AssertionError for calls that no grant allows, once the others are kept. Safe for several
    processes at once.
    """
    grants: dict[str, Any] = json.loads(GRANTS.read_text())
    used = {
        (service, *grant)
        for service, calls in recorded.items()
        for call in calls
        for grant in grants_of(grants[service], call)
    }
    with file.open("a+") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)
        kept.seek(0)
        known = json.loads(kept.read() or "{}")
        used |= {
            (service, action, resource)
            for service, actions in known.items()
            for action, resources in actions.items()
            for resource in resources
        }
        document: dict[str, dict[str, list[str]]] = {}
        for service, action, resource in sorted(used):
            document.setdefault(service, {}).setdefault(action, []).append(resource)
        kept.truncate(0)
        kept.write(json.dumps(document, indent=1) + "\n")
    assert refused(grants, recorded) == {}


def refused(grants: Mapping[str, Any], recorded: Mapping[str, set[AwsCall]]) -> dict[str, list[AwsCall]]:
    """Return the calls that a service's role does not allow."""
    refused_calls = {
        service: sorted(call for call in calls if not allowed(grants[service], call))
        for service, calls in recorded.items()
    }
    return {service: calls for service, calls in refused_calls.items() if calls}
