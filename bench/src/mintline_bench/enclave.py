"""`make bench-enclave`: the enclave alone, driven through its socket as its host drives it.

A line of its own is started for what surrounds an enclave: KMS that answers attested callers, a user pool,
keys. Every pair is a voucher and the transaction that redeems it, with the user's authorization to open and
verify, and a record of the audit trail to be confirmed. Throughput is per second of the enclave's own CPU, in
which neither this driver nor other work on the machine has a part; latencies are of the wall clock.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from mintline.acceptance import ACCEPTANCE
from mintline.audit.records import Batch
from mintline.authorization import PublicAuthorizationKey
from mintline.aws.key_stores import SecretsManagerKeys
from mintline.aws.keys import generate_key
from mintline.clock import unix_ms
from mintline.errors import MintlineError, Unavailable
from mintline.eth import GWEI
from mintline.interrupts import Interrupted, run
from mintline.messages.intents import SignMint
from mintline.messages.parts import Fees, KeyRef, Voucher
from mintline.p256 import load_p256
from mintline.resources import WALLET_KEY
from mintline_api.auth.intake_sessions import IntakeSessions
from mintline_api.auth.store import KmsIntake
from mintline_bench.report import spread
from mintline_bench.users import sign_in_new
from mintline_devstack.arguments import Arguments, at_least_one
from mintline_devstack.emulators import CHAIN_ID, PREFIX, REGION
from mintline_devstack.known import Known, load_known
from mintline_devstack.principals import issue_credentials
from mintline_devstack.running_stack import running_stack
from mintline_devstack.state_folder import StateFolder
from mintline_ops.aws_clients import aws_client, operator_client
from mintline_signer.enclave.kinds import required_authorizations
from mintline_signer.frames import FrameDecoder
from mintline_signer.protocol import Sign, Signed, Stored, WrappedKey
from mintline_signer.protocol_frames import read_response, request_frame


@dataclass(frozen=True, slots=True)
class User:
    """A user with a token of the pool, and a key that KMS made."""

    token: str
    key: WrappedKey


@dataclass(slots=True)
class Driver:
    """One connection, on which up to `window` requests are under way."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    decoder: FrameDecoder = field(default_factory=FrameDecoder)
    signed: int = 0

    async def run(self, frames: Sequence[bytes], *, window: int) -> list[float]:
        """Send every frame, and return the seconds that each answer took; raises Unavailable if one fails."""
        started: dict[int, float] = {}
        took: list[float] = []
        waiting = iter(enumerate(frames))
        for request_id, frame in itertools.islice(waiting, window):
            self._send(request_id, frame, started)
        while len(took) < len(frames):
            for body in self.decoder.feed(await self.reader.read(1 << 16)):
                received = read_response(body)
                if isinstance(received, Batch):
                    self.writer.write(request_frame(2**62, Stored(batches=1)))
                    continue
                request_id, response = received
                if request_id not in started:
                    continue
                if not isinstance(response, Signed):
                    raise Unavailable(f"the enclave answered {response}")
                took.append(time.perf_counter() - started.pop(request_id))
                for following, frame in itertools.islice(waiting, 1):
                    self._send(following, frame, started)
        return took

    def _send(self, request_id: int, frame: bytes, started: dict[int, float]) -> None:
        started[request_id] = time.perf_counter()
        self.writer.write(frame)


class Mints:
    """Makes requests, each for another mint of the next user, as the builder and the host would."""

    def __init__(
        self, known: Known, issuer: WrappedKey, users: Sequence[User], intake: IntakeSessions
    ) -> None:
        assert known.authorization_key is not None
        self._known = known
        self._issuer = issuer
        self._users = users
        self._intake = intake
        self._authorization_key = PublicAuthorizationKey(base64.b64decode(known.authorization_key.public_key))
        self._count = itertools.count()

    def frames(self, count: int) -> list[bytes]:
        """Return so many requests; their ids count from 0."""
        return [self._frame(request_id, next(self._count)) for request_id in range(count)]

    def _frame(self, request_id: int, number: int) -> bytes:
        user = self._users[number % len(self._users)]
        key = user.key
        intent = SignMint(
            signer=KeyRef(
                address=key.address,
                subject=key.subject,
                chain_id=key.chain_id,
                secret_id="bench",  # noqa: S106 - a reference, which nobody follows here
            ),
            chain_id=CHAIN_ID,
            nonce=number,
            gas=200_000,
            fees=Fees(max_fee_per_gas=30 * GWEI, max_priority_fee_per_gas=GWEI),
            mint_id=f"mint_bench_{number}",
            contract=self._known.contract,
            voucher=Voucher(
                token_id=2**128 + number,
                to=key.address,
                metadata_digest=number.to_bytes(32, "big"),
                deadline=int(time.time()) + 3600,
            ),
        )
        [required] = required_authorizations(intent)
        digest, now = required.digest, unix_ms()
        accepted = self._intake.state(ACCEPTANCE, digest, key.subject.encode(), at=now)
        sealed = self._authorization_key.seal(user.token, digest, accepted)
        intent = intent.evolve(authorization=sealed)
        return request_frame(request_id, Sign(intent=intent, keys=[key, self._issuer]))


def _subject_of(token: str) -> str:
    claims = token.split(".")[1]
    subject: str = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"]
    return subject


@asynccontextmanager
async def _surroundings(users: int) -> AsyncIterator[tuple[StateFolder, Mints, Mints]]:
    """Start a line, and yield it with what makes warm requests, and cold ones, which have other keys."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mintline-bench-")))
        running = await stack.enter_async_context(running_stack(folder, ports="free"))
        info, known = running.info, load_known(running.state)
        assert known is not None
        api = issue_credentials(running.state)["api"]
        kms = await stack.enter_async_context(
            aws_client("kms", endpoint_url=info["kms_url"], region=REGION, credentials=api)
        )
        secrets = await stack.enter_async_context(operator_client("secretsmanager", info))
        tokens = await sign_in_new(info, count=2 * users)
        users_made = [await _user(kms, token) for token in tokens]
        stored = await SecretsManagerKeys(secrets, prefix=PREFIX).read(known.issuer.secret_id)
        issuer = WrappedKey(
            address=stored.address, subject=stored.subject, chain_id=stored.chain_id, wrapped=stored.wrapped
        )
        intake = IntakeSessions(
            KmsIntake(kms, prefix=PREFIX).certify,
            intake_key=load_p256(base64.b64decode(known.intake_key)),
            now=unix_ms,
        )
        await intake.renew()
        warm, cold = (
            Mints(known, issuer, group, intake) for group in (users_made[:users], users_made[users:])
        )
        yield running.state, warm, cold


async def _user(kms: Any, token: str) -> User:
    subject = _subject_of(token)
    key = await generate_key(kms, key_id=WALLET_KEY.alias(PREFIX), subject=subject, chain_id=CHAIN_ID)
    return User(
        token, WrappedKey(address=key.address, subject=subject, chain_id=CHAIN_ID, wrapped=key.wrapped)
    )


async def bench(*, pairs: int, users: int) -> dict[str, Any]:
    """Return the figures of one run."""
    async with _surroundings(users) as (state, warm, cold):
        info = state.running()
        assert info is not None, "a line runs now"
        process = psutil.Process(info["pids"]["enclave"])
        reader, writer = await asyncio.open_unix_connection(str(state.enclave / "enclave.sock"))
        driver = Driver(reader, writer)
        try:
            await driver.run(warm.frames(users), window=users)
            throughput = await _throughput(driver, process, warm.frames(pairs))
            alone = await driver.run(warm.frames(max(pairs // 10, 100)), window=1)
            four = await driver.run(warm.frames(max(pairs // 10, 100)), window=4)
            began = time.perf_counter()
            unwrapped = await driver.run(cold.frames(users), window=users)
            seconds = time.perf_counter() - began
        finally:
            writer.close()
    return {
        "pairs": pairs,
        "users": users,
        **throughput,
        "latency_ms_1_under_way": spread(alone),
        "latency_ms_4_under_way": spread(four),
        "cold_keys": len(unwrapped),
        "cold_keys_per_s": round(len(unwrapped) / seconds, 1),
        "cold_ms_all_at_once": spread(unwrapped),
    }


async def _throughput(driver: Driver, process: psutil.Process, frames: Sequence[bytes]) -> dict[str, Any]:
    before, began = process.cpu_times(), time.perf_counter()
    await driver.run(frames, window=64)
    after, seconds = process.cpu_times(), time.perf_counter() - began
    cpu = after.user + after.system - before.user - before.system
    return {
        "pairs_per_cpu_s": round(len(frames) / cpu),
        "pairs_per_s": round(len(frames) / seconds),
        "cpu_ms_per_pair": round(1000 * cpu / len(frames), 3),
    }


def main(argv: Sequence[str]) -> int:
    """Read the command line, run, and print the figures as one JSON object."""
    parser = Arguments(prog="python -m mintline_bench.enclave", description="Measure the enclave alone.")
    parser.add_argument("--pairs", type=at_least_one, default=10_000)
    parser.add_argument("--users", type=at_least_one, default=50)
    options = parser.parse_args(argv)
    try:
        figures = run(bench(pairs=options.pairs, users=options.users))
    except Interrupted as interruption:
        return interruption.exit_code
    except MintlineError as error:
        print(f"bench-enclave: {error}", file=sys.stderr)  # noqa: T201 - a command's own output
        return 2
    print(json.dumps(figures, indent=2))  # noqa: T201 - the result
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
