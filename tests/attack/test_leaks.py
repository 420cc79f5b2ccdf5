"""What a memory dump of each process, its log, its arguments and its environment would give away."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mintline.records.operations import Mint
    from tests.attack.conftest import User, Victim

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="session")]

SERVICES = ("api", "builder", "signer-host", "broadcaster", "indexer")
_MAPPED = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (r\S*) \S+ \S+ \S+\s*(\S*)")
_PIECE = 4 * 2**20


def found_in_memory(pid: int, wanted: list[bytes]) -> set[bytes]:
    """Return which of the byte strings lie somewhere in a process's readable memory."""
    needles: set[bytes] = set()
    longest = max(map(len, wanted))
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in maps:
            match = _MAPPED.match(line)
            if match is None or match[4] in ("[vvar]", "[vsyscall]"):
                continue
            start, end, tail = int(match[1], 16), int(match[2], 16), b""
            while start < end:
                try:
                    memory.seek(start)
                    piece = memory.read(min(_PIECE, end - start))
                except (OSError, OverflowError, ValueError):
                    break
                if not piece:
                    break
                window = tail + piece
                needles |= {needle for needle in wanted if needle in window}
                tail, start = window[-longest:], start + len(piece)
    return needles


async def test_memory__when_a_process_is_dumped__holds_keys_only_in_the_enclave(
    victim: Victim, minted: Mint, user: User
) -> None:
    """The control is the enclave, which must hold the key that it has just signed with."""
    assert await victim.signs(minted)
    secrets = await victim.secrets(minted, user)
    keys = {name: forms for name, forms in secrets.items() if name.endswith("key")}
    wanted = [form for forms in keys.values() for form in forms]

    inside = found_in_memory(victim.pid("enclave"), wanted)
    assert set(keys["the user's key"]) & inside

    for service in SERVICES:
        assert not found_in_memory(victim.pid(service), wanted), service


async def test_memory__when_a_process_is_dumped__holds_the_users_token_only_where_it_was_shown(
    victim: Victim, minted: Mint, user: User
) -> None:
    """The api is shown the token, and the enclave opens it; nobody between the two."""
    assert await victim.signs(minted)
    signature = user.token.rsplit(".", 1)[1].encode()

    assert found_in_memory(victim.pid("api"), [signature])
    for service in ("builder", "signer-host", "broadcaster", "indexer"):
        assert not found_in_memory(victim.pid(service), [signature]), service


async def test_memory__when_a_process_is_dumped__holds_no_other_roles_aws_secret(
    victim: Victim, minted: Mint
) -> None:
    """The host hands the enclave its credentials, so it knows those and its own."""
    known = {service: {service} for service in SERVICES}
    known["signer-host"] |= {"enclave"}
    for service in SERVICES:
        for role, credentials in victim.credentials.items():
            there = bool(found_in_memory(victim.pid(service), [credentials.secret_access_key.encode()]))
            assert there == (role in known[service]), (service, role)


async def test_logs__when_searched_after_a_run__hold_no_secret(
    victim: Victim, minted: Mint, user: User
) -> None:
    secrets = await victim.secrets(minted, user)
    secrets |= {
        f"the AWS secret of {role}": [credentials.secret_access_key.encode()]
        for role, credentials in victim.credentials.items()
    }
    logs = sorted(victim.state.logs.iterdir())
    text = {log.name: log.read_bytes() for log in logs}

    assert minted.mint_id.encode() in text["api.log"]
    assert {f"{service}.log" for service in (*SERVICES, "enclave", "kms-front")} <= set(text)
    for name, content in text.items():
        for secret, forms in secrets.items():
            for form in forms:
                assert form not in content, (name, secret)


def about_process(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


async def test_arguments__when_listed__hold_no_secret(victim: Victim, minted: Mint, user: User) -> None:
    """Anyone on the machine can list them; and the enclave's environment is part of its image."""
    secrets = [form for forms in (await victim.secrets(minted, user)).values() for form in forms]
    secrets += [credentials.secret_access_key.encode() for credentials in victim.credentials.values()]
    for name in (*SERVICES, "enclave"):
        arguments = about_process(victim.pid(name), "cmdline")
        assert b"mintline_" in arguments
        assert not [secret for secret in secrets if secret in arguments], name
    environment = about_process(victim.pid("enclave"), "environ")
    assert b"MINTLINE_KMS_KEY_ID" in environment
    assert not [secret for secret in secrets if secret in environment]
