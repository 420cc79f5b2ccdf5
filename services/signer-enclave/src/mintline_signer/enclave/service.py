"""Wires the enclave: policy, keys, KMS, and the socket on which the host is served."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import secrets
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog

from mintline.clock import monotonic
from mintline_signer import addresses
from mintline_signer.connection import Limits
from mintline_signer.enclave.audit import open_audit, rotate
from mintline_signer.enclave.authorization_keys import AuthorizationKeyCache
from mintline_signer.enclave.authorizer import Authorizer
from mintline_signer.enclave.boot import measure_policy, open_nsm, seed
from mintline_signer.enclave.client_budgets import ClientBudgets
from mintline_signer.enclave.clock import NsmClock
from mintline_signer.enclave.handover import MeasuredPolicy, PolicyReceiver
from mintline_signer.enclave.http1 import HttpPool
from mintline_signer.enclave.keys import KeyCache
from mintline_signer.enclave.kms import KmsDecrypter, SuccessorKey, dial, parse_endpoint
from mintline_signer.enclave.kms_tls import kms_tls
from mintline_signer.enclave.nsm import Nsm
from mintline_signer.enclave.policy import parse_policy, read_policy
from mintline_signer.enclave.rates import RateLimiter
from mintline_signer.enclave.recipient import Recipients
from mintline_signer.enclave.revocations import RevokedTokens
from mintline_signer.enclave.rewrapping import Reassigner, Rewrapper
from mintline_signer.enclave.server import Enclave, Server
from mintline_signer.enclave.settings import EnclaveSettings
from mintline_signer.enclave.signing_history import SigningHistory
from mintline_signer.enclave.tokens import TokenVerifier
from mintline_signer.enclave.wrapped import WalletUnwrapper

log = structlog.get_logger()

_SWEEP = 1.0
"""Seconds between two looks for keys whose time is over, users' and the audit trail's."""


async def run(settings: EnclaveSettings, stop: asyncio.Event) -> None:
    """Serve the host until `stop` is set, then overwrite every key."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold the keys
    own = _policy_of_image(settings.signing_policy)
    nsm = open_nsm(settings)
    seed(nsm)
    if own is not None:
        measure_policy(nsm, own.document)
    address = addresses.parse(settings.enclave_address)
    listening = addresses.listen(address)
    try:
        measured = own or await _handed_over(settings, nsm, listening, stop)
        if measured is not None:
            await _serve(settings, nsm, measured, listening, stop)
    finally:
        listening.close()
        addresses.withdraw(address)


def _policy_of_image(path: Path | None) -> MeasuredPolicy | None:
    """Read the policy document that is part of the image, if one is; raises Misconfigured."""
    if path is None:
        return None
    document = read_policy(path)
    return MeasuredPolicy(document, parse_policy(document))


async def _handed_over(
    settings: EnclaveSettings, nsm: Nsm, listening: socket.socket, stop: asyncio.Event
) -> MeasuredPolicy | None:
    """Take the policy document from the host, None if `stop` is set first; raises NsmFailed."""
    receiver = PolicyReceiver(
        partial(measure_policy, nsm),
        limits=Limits(idle=settings.idle_timeout),
        connections=settings.max_connections,
        parent_cid=settings.parent_cid,
    )
    log.info("enclave_awaits_policy", address=settings.enclave_address)
    return await receiver.receive(listening, stop)


async def _serve(
    settings: EnclaveSettings,
    nsm: Nsm,
    measured: MeasuredPolicy,
    listening: socket.socket,
    stop: asyncio.Event,
) -> None:
    policy = measured.policy
    now = NsmClock(nsm.attest(), monotonic=time.monotonic)
    audit = open_audit(nsm, now=now)
    recipients = Recipients(nsm, now, rotation=settings.recipient_rotation, monotonic=time.monotonic)
    endpoint = parse_endpoint(settings.kms_endpoint_url)
    tls = kms_tls(settings.development_kms_roots) if endpoint.tls else None
    http = HttpPool(
        dial(addresses.parse(settings.kms_proxy_address), endpoint, tls=tls),
        size=settings.kms_connections,
        timeout=settings.kms_timeout,
    )
    kms = KmsDecrypter(http, endpoint, key_id=settings.kms_key_id, now=now, recipient=recipients.current)
    successor = None if policy.rewrap_to is None else SuccessorKey(kms, policy.rewrap_to)
    keys = KeyCache(
        WalletUnwrapper(kms, successor),
        size=settings.key_cache_size,
        ttl=settings.key_cache_ttl,
        clock=monotonic,
    )
    authorization_keys = AuthorizationKeyCache(kms, successor)
    statements = policy.authorization.statements()
    authorizer = Authorizer(
        authorization_keys,
        TokenVerifier(policy.authorization, machine_clients=policy.clients is not None),
        statements,
        RevokedTokens(statements, grace=policy.authorization.grace, secret=secrets.token_bytes(16)),
    )
    # A development module's secrets lie in a file: there is nobody to hide them from on the way.
    confidential = endpoint.tls or settings.nsm == "development"
    server = Server(
        Enclave(
            policy=policy,
            policy_digest=hashlib.sha384(measured.document).digest(),
            authorizer=authorizer,
            authorization_keys=authorization_keys,
            history=SigningHistory(size=settings.memory_size, secret=secrets.token_bytes(16)),
            rates=RateLimiter(policy),
            budgets=ClientBudgets(policy, secret=secrets.token_bytes(16)),
            audit=audit,
            keys=keys,
            kms=kms,
            now=now,
            rewrapper=None if successor is None else Rewrapper(kms, successor, confidential=confidential),
            reassigner=Reassigner(
                policy, kms, successor, partial(SuccessorKey, kms), confidential=confidential
            ),
        ),
        limits=Limits(idle=settings.idle_timeout),
        connections=settings.max_connections,
        in_flight=settings.max_in_flight,
        parent_cid=settings.parent_cid,
    )
    log.info("enclave_listening", address=settings.enclave_address, contracts=sorted(policy.contracts))
    sweeping = asyncio.create_task(_sweep(keys.expire), name="expire keys")
    rotating = partial(rotate, audit, nsm, age=settings.audit_rotation)
    handing_over = asyncio.create_task(_sweep(rotating), name="rotate the audit key")
    counting = asyncio.create_task(_sweep(audit.settle_refusals), name="settle refusals")
    attesting = asyncio.create_task(recipients.keep(), name="renew attestation")
    try:
        await server.serve(listening, stop)
    finally:
        sweeping.cancel()
        handing_over.cancel()
        counting.cancel()
        attesting.cancel()
        await http.aclose()
        keys.clear()


async def _sweep(step: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(_SWEEP)
        step()
