"""The command line of the boot: a local stack whose enclave is the booted image, and one JSON object."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from mintline.audit.kms_log import modules_in
from mintline.errors import MintlineError, Rejected
from mintline.interrupts import Interrupted, run
from mintline_devstack.arguments import Arguments
from mintline_devstack.attestation import root_file
from mintline_devstack.principals import role_arn
from mintline_devstack.running_stack import running_stack
from mintline_devstack.state_folder import StateFolder
from mintline_devstack.supervisor import Event
from mintline_harness.boot.enclave import INSTANCE, BootedImage
from mintline_harness.boot.evidence import boot_document, compare, expected
from mintline_harness.boot.machine import Machine
from mintline_harness.evidence import evidence


def main(argv: Sequence[str]) -> int:
    """Boot the image and mint by it; 0 only if every register is as computed and every check passed."""
    parser = Arguments(
        prog="python -m mintline_harness.boot",
        description="Boot the enclave's image under QEMU, and mint by it.",
    )
    parser.add_argument("--machine", type=Path, required=True, help="what tools/boot/build has made")
    parser.add_argument("--image", type=Path, required=True, help="the enclave's container image, saved")
    options = parser.parse_args(argv)
    machine = Machine(options.machine.resolve())
    try:
        machine.check()
        result = run(_boot(BootedImage(machine, options.image.resolve())))
    except Interrupted as interruption:
        return interruption.exit_code
    except MintlineError as error:
        print(f"boot: error: {error}", file=sys.stderr)  # noqa: T201 - a command's own output
        return 1
    print(json.dumps(result, indent=2))  # noqa: T201 - the result
    return 0


async def _boot(enclave: BootedImage) -> dict[str, Any]:
    started, ready = time.monotonic(), dict[str, float]()

    def note(event: Event) -> None:
        """Say what is ready, and after how many seconds."""
        if event.what == "ready":
            ready[event.child] = round(time.monotonic() - started, 1)
            print(f"boot: {event.child} ready after {ready[event.child]} s", file=sys.stderr)  # noqa: T201 - progress

    async with AsyncExitStack() as stack:
        again = "make boot-enclave"
        kept = stack.enter_context(evidence("boot", again=again))
        running = await stack.enter_async_context(
            running_stack(kept.folder, ports="free", on_event=note, enclave=enclave)
        )
        state = running.state
        began = time.monotonic()
        minted = await _mintline("demo", "--state", str(state.path))
        demo_seconds = round(time.monotonic() - began, 1)
        attested = boot_document(state.audit)
        wanted = expected(enclave.computed, role=role_arn("enclave"), instance=INSTANCE)
        registers = compare(attested, wanted)
        decrypted_for = sorted(modules_in((state.kms / "decrypted.jsonl").read_text()))
        if decrypted_for != [enclave.module_id] or attested.module_id != enclave.module_id:
            raise Rejected("other_enclave", f"KMS decrypted for {decrypted_for}, not for {enclave.module_id}")
        trail = await _verified_trail(state, pcr0=enclave.computed["pcr0"])
        kept.dispensable()
    return {
        "module_id": attested.module_id,
        "registers_as_computed": registers,
        "kms_decrypted_for": decrypted_for,
        "audit_trail": trail,
        "minted": minted,
        "seconds": {
            "image_and_stack": ready["vsock"],
            "boot": round(ready["enclave"] - ready["vsock"], 1),
            "demo": demo_seconds,
        },
    }


async def _verified_trail(state: StateFolder, *, pcr0: str) -> dict[str, Any]:
    """Verify the trail as one of this image alone, and return what it says was signed."""
    root, log = str(root_file(state)), str(state.kms / "decrypted.jsonl")
    options = ("--root", root, "--pcr0", pcr0, "--kms-log", log, "--json")
    report = await _mintline("audit", "verify", str(state.audit), *options)
    return {"verified": report["verified"], "outcomes": report["outcomes"]}


async def _mintline(*arguments: str) -> Any:
    """Run the command line as a user does, and return its JSON; raises Rejected if it fails."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mintline_cli", *arguments), stdout=pipe, stderr=pipe
    )
    output, complaint = await process.communicate()
    if process.returncode != 0:
        words = (complaint or output).decode()[-300:]
        raise Rejected("command_failed", f"mintline {arguments[0]} failed: {words}")
    return json.loads(output)
