"""Wires the host: the signing queue, the wrapped keys, the enclave, and the enclave's way to KMS."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import AsyncExitStack
from functools import partial

import structlog

from mintline.admin import Admin, process_registry
from mintline.aws.authorization_key_items import AuthorizationKeyItems, AuthorizationKeyStores
from mintline.aws.authorization_keys import AuthorizationKeySecrets
from mintline.aws.dynamo import Dynamo
from mintline.aws.key_stores import open_key_stores
from mintline.aws.queues import Queues
from mintline.aws.session import open_client
from mintline.clock import monotonic
from mintline.consumer import Consumer
from mintline.messages.codec import AnyMessage
from mintline.messages.intents import IssueVoucher
from mintline.messages.parts import KeyRef
from mintline.messages.signed import Broadcast, SigningRefused, VoucherIssued
from mintline.queue_port import SendingPort
from mintline.resources import BROADCAST, SIGN
from mintline.tasks import cut_off
from mintline.tracer_factory import open_tracer
from mintline.tracing import with_tracing
from mintline_signer import addresses
from mintline_signer.host.audit_files import AuditFiles
from mintline_signer.host.audit_shipping import AuditBucket, AuditShipping
from mintline_signer.host.authorization_keys import read_authorization_keys
from mintline_signer.host.authorizations import DynamoAuthorizations
from mintline_signer.host.credentials import credential_source
from mintline_signer.host.denial import HeldBack
from mintline_signer.host.enclave_client import EnclaveClient
from mintline_signer.host.handlers import Answer, dedup_id, group_of, intent_of, sign
from mintline_signer.host.kms_proxy import KmsProxy
from mintline_signer.host.metrics import Metrics
from mintline_signer.host.policy_file import policy_source
from mintline_signer.host.ports import AuthorizationSource, SigningPort, WrappedKeySource
from mintline_signer.host.revocations import DynamoRevocations, RevocationFeed
from mintline_signer.host.settings import HostSettings
from mintline_signer.host.wrapped_keys import RememberedKeys
from mintline_signer.protocol import AuthorizationKeys

log = structlog.get_logger()


async def run(settings: HostSettings, stop: asyncio.Event) -> None:
    """Serve the signing queue until `stop` is set."""
    registry = process_registry()
    metrics = Metrics(registry)
    async with AsyncExitStack() as stack:
        tracer = metrics.aws.tracer = open_tracer(stack, "signer-host", settings)
        sqs = await open_client(stack, "sqs", settings, calls=metrics.aws)
        dynamo = Dynamo(
            await open_client(stack, "dynamodb", settings, calls=metrics.aws), settings.resource_prefix
        )
        stack.push_async_callback(dynamo.aclose)
        stores = await open_key_stores(stack, settings, dynamo, calls=metrics.aws)
        queues = Queues(sqs, settings.resource_prefix)
        stack.push_async_callback(queues.aclose)
        await stack.enter_async_context(_kms_proxy(settings))
        revocations = RevocationFeed(
            DynamoRevocations(dynamo, chain_id=settings.issuer.chain_id).read,
            every=settings.revocations_every,
            passed=metrics.revocations_passed,
        )
        audit = await _audit_trail(stack, settings, metrics)
        enclave = await stack.enter_async_context(
            EnclaveClient(
                addresses.parse(settings.enclave_address),
                credentials=credential_source(settings),
                authorization_keys=await _authorization_keys(settings, dynamo, metrics),
                audit=audit,
                timeout=settings.enclave_timeout,
                observe=metrics.observe_enclave,
                revocations=revocations.known,
                policy=None if settings.signing_policy is None else policy_source(settings.signing_policy),
            )
        )
        admin = Admin(
            host=settings.admin_host,
            port=settings.admin_port,
            checks={
                "sqs": partial(queues.ping, SIGN),
                "enclave": enclave.ping,
                "kms": enclave.denial.check,
            },
            registry=registry,
            metrics_namespace=settings.metrics_namespace,
        )
        await stack.enter_async_context(admin)
        log.info("admin_listening", port=admin.port)
        passing = revocations.keep(enclave.revoke, stop, sleep=asyncio.sleep, rng=random.Random())  # noqa: S311 - jitter
        stack.push_async_callback(cut_off, asyncio.create_task(passing, name="hand over revocations"))
        keys = RememberedKeys(
            stores.read,
            size=settings.key_cache_size,
            ttl=settings.key_cache_ttl,
            clock=monotonic,
            looked_up=metrics.caches.of("wrapped_keys"),
        )
        consumer = Consumer(
            queues=HeldBack(queues, enclave.denial),
            queue=SIGN,
            handle=partial(
                handle,
                queues=with_tracing(queues, tracer),
                keys=keys,
                authorizations=DynamoAuthorizations(dynamo, metrics.set_aside),
                enclave=enclave,
                issuer=settings.issuer,
            ),
            concurrency=settings.concurrency,
            wait=settings.receive_wait,
            metrics=metrics.consumer,
            tracer=tracer,
        )
        await consumer.run(stop)


async def _audit_trail(stack: AsyncExitStack, settings: HostSettings, metrics: Metrics) -> AuditFiles:
    """Open the trail's files, and ship them if there is a bucket: the last of them once they are closed."""
    if settings.audit_bucket is None:
        return await stack.enter_async_context(AuditFiles(settings.audit_dir))
    s3 = await open_client(stack, "s3", settings, calls=metrics.aws)
    bucket = AuditBucket(s3, bucket=settings.audit_bucket, host=socket.gethostname())
    shipping = AuditShipping(settings.audit_dir, bucket.put)
    stack.push_async_callback(shipping.finish)
    files = await stack.enter_async_context(AuditFiles(settings.audit_dir))
    kept = shipping.keep(files, every=settings.audit_ship_every, sleep=asyncio.sleep)
    stack.push_async_callback(cut_off, asyncio.create_task(kept, name="ship the audit trail"))
    return files


async def _authorization_keys(settings: HostSettings, dynamo: Dynamo, metrics: Metrics) -> AuthorizationKeys:
    async with AsyncExitStack() as stack:
        client = await open_client(stack, "secretsmanager", settings, calls=metrics.aws)
        stores = AuthorizationKeyStores(
            AuthorizationKeySecrets(client, prefix=settings.resource_prefix), AuthorizationKeyItems(dynamo)
        )
        return await read_authorization_keys(stores.read, settings.authorization_key_secrets)


async def handle(
    message: AnyMessage,
    *,
    queues: SendingPort,
    keys: WrappedKeySource,
    authorizations: AuthorizationSource,
    enclave: SigningPort,
    issuer: KeyRef,
) -> None:
    """Take one message from the signing queue to the broadcast queue."""
    intent = intent_of(message)
    outgoing = await sign(intent, keys=keys, authorizations=authorizations, enclave=enclave, issuer=issuer)
    await queues.send(BROADCAST, outgoing, group=group_of(intent), dedup=dedup_id(outgoing))
    _log_answer(outgoing)


def _log_answer(message: Answer) -> None:
    intent = message.intent
    identity: dict[str, str | int] = {}
    if not isinstance(intent, IssueVoucher):
        identity = {"sender": intent.signer.address, "nonce": intent.nonce, "attempt": intent.attempt}
    match message:
        case Broadcast():
            log.info("intent_signed", tx_hash=f"0x{message.tx_hash.hex()}", **identity)
        case VoucherIssued():
            log.info("voucher_issued", **identity)
        case SigningRefused():
            blamed = {"operation_id": message.operation_id} if message.operation_id else {}
            log.warning("intent_refused", code=message.code, **blamed, **identity)


def _kms_proxy(settings: HostSettings) -> KmsProxy:
    host, _, port = settings.kms_proxy_target.rpartition(":")
    enclave = addresses.parse(settings.enclave_address)
    return KmsProxy(
        addresses.parse(settings.kms_proxy_address),
        (host, int(port)),
        connections=settings.proxy_connections,
        idle_timeout=settings.proxy_idle_timeout,
        peer_cid=enclave.cid if isinstance(enclave, addresses.VsockAddress) else None,
    )
