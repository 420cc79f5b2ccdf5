"""The api of a schedule: its handlers over the ports of one process, past HTTP."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TypeVar

from mintline.records.collections import RegisteredContract
from mintline.records.operations import Mint, TokenOperation
from mintline_api.auth.authorizations import Authorizations
from mintline_api.auth.intake_sessions import IntakeSessions
from mintline_api.features.bulk.drafts import BulkSubmission
from mintline_api.features.bulk.models import BulkRequest
from mintline_api.features.bulk.recipients import LineRecipients
from mintline_api.features.bulk.use_cases import BulkIntake, BulkState, LinesIntake, accept_bulk
from mintline_api.features.collections.minting import MintGate
from mintline_api.features.contracts.registry import CollectionRegistry
from mintline_api.features.items.use_cases import Items
from mintline_api.features.mints.intake import MintIntake, accept_mint
from mintline_api.features.mints.models import MintRequest
from mintline_api.features.mints.packing import MetadataPacker
from mintline_api.features.mints.recipients import Recipients
from mintline_api.features.mints.self_custody import SubmitTransaction, submit_signed_transaction
from mintline_api.features.mints.token_ids import TokenIds
from mintline_api.features.mints.use_cases import Cancellation, CancelMint, cancel_mint, get_mint
from mintline_api.features.operations.nudges import Nudges
from mintline_api.features.operations.outbox import SqsOutbox
from mintline_api.features.operations.use_cases import Accepted, Submission
from mintline_api.features.transfers.models import BurnRequest, TransferRequest
from mintline_api.features.transfers.use_cases import (
    AnyBurn,
    AnyTransfer,
    CancelTokenOperation,
    accept_burn,
    accept_transfer,
    cancel_token_operation,
    get_burn,
    get_transfer,
)
from mintline_api.features.uploads.use_cases import Uploads
from mintline_api.features.users.emails import Emails
from mintline_api.features.users.use_cases import UserDirectory
from mintline_api.features.wallets.use_cases import WalletDirectory
from mintline_api.http.models import Input
from mintline_harness.simulation.accounts import CHAIN_ID, CLONE, CONTRACT, authority, token_of
from mintline_harness.simulation.lines import TornLines
from mintline_harness.simulation.parts import Environment, node_over
from mintline_harness.simulation.process import EPOCH, Process
from mintline_testkit.api.collections import MemoryCollections as ApiCollections
from mintline_testkit.api.operations import MemoryMints
from mintline_testkit.api.uploads import MemoryFiles, MemoryUploads

RequestT = TypeVar("RequestT", bound=Input)


class Cloned(CollectionRegistry):
    """The registered collections, as if a factory had made each."""

    def __init__(self, registry: CollectionRegistry) -> None:
        self._registry = registry

    async def known(self, contract: str) -> RegisteredContract:
        """Return a collection with what it is made of."""
        contract_record = await self._registry.known(contract)
        return contract_record if contract_record.clone else contract_record.evolve(clone=CLONE)


def _users(process: Process, environment: Environment) -> UserDirectory:
    return UserDirectory(
        process.port(environment.tables.pool_users),
        Emails(b"simulated", case_sensitive=True),
        clock=process.clock,
    )


class Api:
    """The api's handlers over one process's ports."""

    def __init__(self, process: Process, environment: Environment) -> None:
        tables = environment.tables
        self._mints = process.port(tables.api_mints)
        self._outbox = SqsOutbox(process.port(environment.queues))
        self._collections = CollectionRegistry(process.port(tables.index), clock=process.clock)
        self._wallets = WalletDirectory(
            chain_id=CHAIN_ID,
            wallets=process.port(tables.wallets),
            keys=process.port(environment.custody),
            now=process.milliseconds,
            clock=process.clock,
        )
        self._links = process.port(tables.links)
        self._node = node_over(environment.endpoints.rpc(process), process)
        self._intake = IntakeSessions(
            process.port(environment.custody).certify,
            intake_key=authority().intake_key.public_key(),
            now=process.milliseconds,
        )
        self._authorizations = Authorizations(authority().public_authorization_key, self._intake)
        self._token_ids = TokenIds(
            process.port(tables.token_ids),
            used=(process.port(tables.index), self._mints),
            clock=process.clock,
        )
        self._process = process
        users = _users(process, environment)
        self._accepts = self._mint_intake(process, environment, users)
        self._moves = (
            replace(self._accepts, collections=Cloned(self._collections))
            if environment.relaying
            else self._accepts
        )
        self._bulk = BulkIntake(
            mints=self._accepts,
            recipients=LineRecipients(users=users, wallets=self._wallets),
            lines=LinesIntake(
                lines=TornLines(process, environment.parts.lines(tables)),
                packs=process.port(tables.packs),
                outbox=self._outbox,
                nudges=Nudges(),
            ),
        )

    def _mint_intake(self, process: Process, environment: Environment, users: UserDirectory) -> MintIntake:
        tables = environment.tables
        return MintIntake(
            chain_id=CHAIN_ID,
            default_collection=CONTRACT,
            collections=self._collections,
            wallets=self._wallets,
            links=self._links,
            token_ids=self._token_ids,
            packer=MetadataPacker(process.port(tables.packs), chain_id=CHAIN_ID, clock=process.clock),
            recipients=Recipients(
                users=users,
                wallets=self._wallets,
            ),
            gate=MintGate(
                registry=self._collections,
                collections=ApiCollections(tables.index, MemoryMints()),
                chain=None,
                reserved=None,
                clock=process.clock,
            ),
            uploads=Uploads(
                uploads=MemoryUploads(),
                files=MemoryFiles(),
                media_url="https://example.com/media",
                most=0,
                entropy=environment.rng.randbytes,
                now=process.milliseconds,
            ),
            items=Items(
                chain_id=CHAIN_ID,
                versions=process.port(tables.index.versions),
                texts=process.port(tables.item_texts),
            ),
            operations=self._mints,
            outbox=self._outbox,
            entropy=environment.rng.randbytes,
        )

    async def bulk(self, request: BulkRequest, *, sub: str, key: str) -> BulkState:
        """Answer POST /v1/mints/bulk, past its HTTP."""
        submission = BulkSubmission(
            request=request,
            sub=sub,
            client_id=None,
            key=key,
            trace="",
            seal=await self._authorizations.envelopes_for(token_of(sub, int(EPOCH))),
            now=self._process.milliseconds(),
        )
        return await accept_bulk(submission, intake=self._bulk)

    async def mint(self, request: MintRequest, *, sub: str, key: str) -> Accepted[Mint]:
        """Answer POST /v1/mints, past its HTTP."""
        return await accept_mint(await self._submission(request, sub, key), intake=self._accepts)

    async def transfer(self, request: TransferRequest, *, sub: str, key: str) -> Accepted[AnyTransfer]:
        """Accept a transfer."""
        return await accept_transfer(await self._submission(request, sub, key), intake=self._moves)

    async def burn(self, request: BurnRequest, *, sub: str, key: str) -> Accepted[AnyBurn]:
        """Accept a burn."""
        return await accept_burn(await self._submission(request, sub, key), intake=self._moves)

    async def _submission(self, request: RequestT, sub: str, key: str) -> Submission[RequestT]:
        authorize = await self._authorizations.by(token_of(sub, int(EPOCH)))
        now = self._process.milliseconds()
        return Submission(request=request, sub=sub, key=key, trace="", authorize=authorize, now=now)

    async def begin(self) -> None:
        """Have the process's session key certified, and keep it so until the process dies."""
        await self._intake.begin()
        rng = random.Random(self._process.name)  # noqa: S311 - jitter
        await self._intake.keep(asyncio.Event(), sleep=asyncio.sleep, rng=rng)

    async def cancel(self, mint_id: str, *, sub: str) -> Cancellation:
        """Answer POST /v1/mints/{id}/cancel, past its HTTP."""
        command = CancelMint(mint_id=mint_id, sub=sub, trace="", now=self._process.milliseconds())
        return await cancel_mint(command, mints=self._mints, outbox=self._outbox)

    async def cancel_token_operation(self, operation_id: str, *, sub: str) -> TokenOperation:
        """Answer POST /v1/transfers/{id}/cancel and its like for burns, past their HTTP."""
        now = self._process.milliseconds()
        if operation_id.startswith("transfer_"):
            transfer = await get_transfer(operation_id, sub=sub, operations=self._mints)
            stop_transfer = CancelTokenOperation(operation=transfer, trace="", now=now)
            return await cancel_token_operation(stop_transfer, operations=self._mints, outbox=self._outbox)
        burn = await get_burn(operation_id, sub=sub, operations=self._mints)
        stop_burn = CancelTokenOperation(operation=burn, trace="", now=now)
        return await cancel_token_operation(stop_burn, operations=self._mints, outbox=self._outbox)

    async def redeem(self, mint_id: str, raw: bytes, *, sub: str) -> None:
        """Answer POST /v1/mints/{id}/transaction, past its HTTP."""
        mint = await get_mint(mint_id, sub=sub, mints=self._mints)
        command = SubmitTransaction(raw=raw, mint=mint, now=self._process.milliseconds())
        await submit_signed_transaction(command, chain=self._node, outbox=self._outbox)
