"""The resources of `Mintline`, made from those of `AsyncMintline` by `make clients`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mintline_client import (
    accounts,
    bulk,
    collections,
    drops,
    events,
    minting,
    tokens,
    transfers,
    uploads,
    webhooks,
)
from mintline_client.drops import Heard
from mintline_client.events import Event, EventPage
from mintline_client.minting import Passed
from mintline_client.models import (
    BalanceView,
    BulkView,
    BurnOperationView,
    BurnRequest,
    ChallengeRequest,
    ChallengeView,
    ClientChange,
    ClientList,
    ClientRequest,
    ClientUseView,
    ClientView,
    CollectionRequest,
    CollectionView,
    CreatedClientView,
    DocumentsRequest,
    DocumentsView,
    DropRequest,
    DropView,
    DryRunView,
    HolderView,
    HoldsView,
    ItemHolderView,
    LineRequest,
    LinesView,
    LinkList,
    LinkRequest,
    LinkView,
    ListedTransfer,
    MetadataRequest,
    MetadataVersionView,
    MintReceipt,
    MintRequest,
    MintView,
    PipelineView,
    RedriveRequest,
    RedriveView,
    SecretView,
    TokenSummary,
    TokenView,
    TransferOperationView,
    TransferRequest,
    TransferView,
    UploadView,
    UserView,
    WalletView,
)
from mintline_client.portal import Portal
from mintline_client.waiting import PATIENCE


class Mints:
    """The caller's mints. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, resource: minting.Mints, portal: Portal) -> None:
        self._resource = resource
        self._portal = portal

    def create(self, request: MintRequest, *, idempotency_key: str | None = None) -> MintView:
        """Ask for a mint, and return it as accepted.

        The same idempotency key is the same mint; None: a new one, which this call's own tries share.
        """
        return self._portal.run(self._resource.create(request, idempotency_key=idempotency_key))

    def create_many(
        self, mints: Sequence[LineRequest], *, contract: str | None = None, idempotency_key: str | None = None
    ) -> BulkView:
        """Ask for 1 to 250 mints of one collection, all or none, as a machine client."""
        return self._portal.run(
            self._resource.create_many(mints, contract=contract, idempotency_key=idempotency_key)
        )

    def get(self, mint_id: str) -> MintView:
        """Return a mint."""
        return self._portal.run(self._resource.get(mint_id))

    def list(
        self, *, status: str | None = None, tag: str | None = None, external_id: str | None = None
    ) -> Iterator[MintView]:
        """Return the caller's mints, newest first, those of a status, a tag or an id of the caller's own."""
        return self._portal.iterate(self._resource.list(status=status, tag=tag, external_id=external_id))

    def wait(
        self, mint: MintView, *, passed: Passed = lambda _stage, _seconds: None, patience: float = PATIENCE
    ) -> MintView:
        """Follow a mint until it is finalized, and return it.

        Raises Rejected when it ends without a token, and Unavailable after `patience` seconds.
        """
        return self._portal.run(self._resource.wait(mint, passed=passed, patience=patience))

    def wait_many(
        self,
        request: BulkView,
        *,
        heard: bulk.Heard = lambda _request: None,
        patience: float = bulk.LONG_PATIENCE,
    ) -> BulkView:
        """Follow a request for many mints until all have ended, and return it; `statuses` says how."""
        return self._portal.run(self._resource.wait_many(request, heard=heard, patience=patience))

    def hand_over(self, mint_id: str, raw: str) -> MintView:
        """Hand over the transaction of a mint with self-custody, which the user's wallet has signed (hex)."""
        return self._portal.run(self._resource.hand_over(mint_id, raw))

    def cancel(self, mint_id: str) -> MintView:
        """End a mint that is not on chain yet, or compete for its nonce; its later status says who won."""
        return self._portal.run(self._resource.cancel(mint_id))


class Drops:
    """A machine client's drops. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, resource: drops.Drops, portal: Portal) -> None:
        self._resource = resource
        self._portal = portal

    def create(self, request: DropRequest, *, idempotency_key: str | None = None) -> DropView:
        """Make an empty drop; the same idempotency key is the same drop."""
        return self._portal.run(self._resource.create(request, idempotency_key=idempotency_key))

    def get(self, drop_id: str) -> DropView:
        """Return a drop."""
        return self._portal.run(self._resource.get(drop_id))

    def list(self) -> Iterator[DropView]:
        """Return the client's drops, newest first."""
        return self._portal.iterate(self._resource.list())

    def upload(self, drop_id: str, file: Path, *, begins_at: int = 0) -> LinesView:
        """Upload a file of lines, from where the drop's upload stands; see `offset` for another file.

        `begins_at` is the drop's byte that the file's first byte is. An upload that breaks off is continued.
        Raises ValueError for a file whose name says no format, or that does not reach to where the upload
        stands.
        """
        return self._portal.run(self._resource.upload(drop_id, file, begins_at=begins_at))

    def offset(self, drop_id: str) -> int:
        """Return how many bytes of lines a drop has taken, of all files."""
        return self._portal.run(self._resource.offset(drop_id))

    def refused(self, drop_id: str) -> bytes:
        """Return the refused lines in the format in which they came, with the reasons."""
        return self._portal.run(self._resource.refused(drop_id))

    def dry_run(self, drop_id: str) -> DryRunView:
        """Return what a drop would make, cost and take, before anything is made or spent."""
        return self._portal.run(self._resource.dry_run(drop_id))

    def prepare(self, drop_id: str) -> DropView:
        """Make the users, wallets and token ids of a drop; it takes no more lines."""
        return self._portal.run(self._resource.prepare(drop_id))

    def start(self, drop_id: str) -> DropView:
        """Authorize a prepared drop, and have its lines minted."""
        return self._portal.run(self._resource.start(drop_id))

    def pause(self, drop_id: str) -> DropView:
        """Hand on no more lines of a drop; those that were are minted."""
        return self._portal.run(self._resource.pause(drop_id))

    def resume(self, drop_id: str) -> DropView:
        """Go on with a paused drop, authorized by a fresh token."""
        return self._portal.run(self._resource.resume(drop_id))

    def cancel(self, drop_id: str) -> DropView:
        """Hand on no more lines of a drop, permanently; those that were are minted."""
        return self._portal.run(self._resource.cancel(drop_id))

    def run(self, drop_id: str, *, heard: Heard = lambda _drop: None) -> DropView:
        """Prepare a drop, start or resume it, and follow it until all its tokens are final.

        Raises Rejected if it is paused or cancelled meanwhile.
        """
        return self._portal.run(self._resource.run(drop_id, heard=heard))

    def wait(self, drop_id: str, *statuses: str, heard: Heard = lambda _drop: None) -> DropView:
        """Follow a drop until its status is one of `statuses`, and return it.

        Raises Rejected if it is paused, cancelled or completed instead.
        """
        return self._portal.run(self._resource.wait(drop_id, *statuses, heard=heard))

    def mints(self, drop_id: str, *, status: str | None = None) -> Iterator[MintView]:
        """Return the mints of a drop's lines that were handed on."""
        return self._portal.iterate(self._resource.mints(drop_id, status=status))


class Collections:
    """A machine client's collections. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, resource: collections.Collections, portal: Portal) -> None:
        self._resource = resource
        self._portal = portal

    def create(self, request: CollectionRequest, *, idempotency_key: str | None = None) -> CollectionView:
        """Have a collection deployed; the same idempotency key is the same collection."""
        return self._portal.run(self._resource.create(request, idempotency_key=idempotency_key))

    def list(self) -> Iterator[CollectionView]:
        """Return the client's collections, newest first."""
        return self._portal.iterate(self._resource.list())

    def get(self, contract: str) -> CollectionView:
        """Return one collection."""
        return self._portal.run(self._resource.get(contract))

    def change(self, contract: str, **member: Any) -> CollectionView:
        """Have a collection changed: `paused=…`, `royalties=…` or `metadata=…`."""
        return self._portal.run(self._resource.change(contract, **member))

    def freeze(self, contract: str) -> CollectionView:
        """Have a collection's metadata made permanent."""
        return self._portal.run(self._resource.freeze(contract))

    def keep_documents(self, contract: str, request: DocumentsRequest) -> DocumentsView:
        """Hand over texts that are to be revealed, each with its path."""
        return self._portal.run(self._resource.keep_documents(contract, request))

    def reveal(self, contract: str, salt: str, *, idempotency_key: str | None = None) -> CollectionView:
        """Have the texts that were handed over served in the place of the placeholders."""
        return self._portal.run(self._resource.reveal(contract, salt, idempotency_key=idempotency_key))

    def revealed_documents(self, contract: str, first_token_id: int) -> DocumentsView:
        """Return the texts of the chunk that begins with a token, of a collection that was revealed."""
        return self._portal.run(self._resource.revealed_documents(contract, first_token_id))

    def import_contract(self, contract: str, *, from_block: int) -> CollectionView:
        """Have a contract indexed that others deployed, from a block on."""
        return self._portal.run(self._resource.import_contract(contract, from_block=from_block))

    def tokens(self, contract: str) -> Iterator[TokenSummary]:
        """Return the tokens of any collection that the deployment knows."""
        return self._portal.iterate(self._resource.tokens(contract))

    def holders(self, contract: str) -> Iterator[HolderView]:
        """Return everybody who owns tokens of a collection, with their number, in a fixed order."""
        return self._portal.iterate(self._resource.holders(contract))

    def transfers(
        self,
        contract: str,
        *,
        from_block: int | None = None,
        to_block: int | None = None,
        from_time: str | None = None,
        to_time: str | None = None,
    ) -> Iterator[ListedTransfer]:
        """Return the transfers, mints and burns of a collection's tokens, newest first.

        Blocks and times (RFC 3339, of the blocks) are both included.
        """
        return self._portal.iterate(
            self._resource.transfers(
                contract, from_block=from_block, to_block=to_block, from_time=from_time, to_time=to_time
            )
        )

    def wait(self, collection: Mapping[str, Any], *, patience: float = PATIENCE) -> CollectionView:
        """Follow what is under way until it is mined, and return the collection.

        Raises Rejected if it fails, and Unavailable after `patience` seconds.
        """
        return self._portal.run(self._resource.wait(collection, patience=patience))


class Tokens:
    """Tokens and owners. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, resource: tokens.Tokens, portal: Portal) -> None:
        self._resource = resource
        self._portal = portal

    def get(self, contract: str, token_id: int | str) -> TokenView:
        """Return a token."""
        return self._portal.run(self._resource.get(contract, token_id))

    def change(
        self,
        contract: str,
        token_id: int | str,
        metadata: MetadataRequest,
        *,
        idempotency_key: str | None = None,
    ) -> MetadataVersionView:
        """Replace a token's metadata, as the machine client whose collection it is in."""
        return self._portal.run(
            self._resource.change(contract, token_id, metadata, idempotency_key=idempotency_key)
        )

    def versions(self, contract: str, token_id: int | str) -> list[MetadataVersionView]:
        """Return the versions of a token's metadata, newest first."""
        return self._portal.run(self._resource.versions(contract, token_id))

    def version(self, contract: str, token_id: int | str, version: int) -> bytes:
        """Return the exact text of a version of a token's metadata."""
        return self._portal.run(self._resource.version(contract, token_id, version))

    def transfers(
        self,
        contract: str,
        token_id: int | str,
        *,
        from_block: int | None = None,
        to_block: int | None = None,
    ) -> Iterator[TransferView]:
        """Return a token's transfers, those in a range of blocks if one is given."""
        return self._portal.iterate(
            self._resource.transfers(contract, token_id, from_block=from_block, to_block=to_block)
        )

    def proof(self, contract: str, token_id: int | str, *, mint: str | None = None) -> MintReceipt:
        """Return the receipt that proves a token's mint to anyone with a node.

        In an ERC-1155 collection `mint` is the id of a mint of the item.
        """
        return self._portal.run(self._resource.proof(contract, token_id, mint=mint))

    def owned_by(self, address: str, *, contract: str | None = None) -> Iterator[TokenSummary]:
        """Return the tokens of an address, those of a collection if one is given."""
        return self._portal.iterate(self._resource.owned_by(address, contract=contract))

    def moved_by(
        self,
        address: str,
        *,
        contract: str | None = None,
        direction: Literal["in", "out"] | None = None,
        from_block: int | None = None,
        to_block: int | None = None,
        from_time: str | None = None,
        to_time: str | None = None,
    ) -> Iterator[ListedTransfer]:
        """Return the transfers, mints and burns by which an address got or gave a token, newest first.

        Blocks and times (RFC 3339, of the blocks) are both included.
        """
        return self._portal.iterate(
            self._resource.moved_by(
                address,
                contract=contract,
                direction=direction,
                from_block=from_block,
                to_block=to_block,
                from_time=from_time,
                to_time=to_time,
            )
        )

    def balance(self, address: str, contract: str, token_id: int | str | None = None) -> BalanceView:
        """Return how many tokens of a collection an address owns, of a certain one if `token_id` is given."""
        return self._portal.run(self._resource.balance(address, contract, token_id))

    def holders(self, contract: str, token_id: int | str) -> Iterator[ItemHolderView]:
        """Return who has some of an ERC-1155 token, and how many; of an ERC-721 token its owner."""
        return self._portal.iterate(self._resource.holders(contract, token_id))

    def holds(self, address: str, contract: str, token_id: int | str | None = None) -> HoldsView:
        """Return whether an address owns a token of a collection, a certain one if `token_id` is given."""
        return self._portal.run(self._resource.holds(address, contract, token_id))


class Transfers:
    """The caller's transfers. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, resource: transfers.Transfers, portal: Portal) -> None:
        self._resource = resource
        self._portal = portal

    def create(
        self, request: TransferRequest, *, idempotency_key: str | None = None
    ) -> TransferOperationView:
        """Ask for a transfer; the same idempotency key is the same transfer."""
        return self._portal.run(self._resource.create(request, idempotency_key=idempotency_key))

    def get(self, transfer_id: str) -> TransferOperationView:
        """Return a transfer."""
        return self._portal.run(self._resource.get(transfer_id))

    def wait(self, transfer: TransferOperationView, *, patience: float = PATIENCE) -> TransferOperationView:
        """Follow a transfer until it is final; raises Rejected if it fails, Unavailable after `patience`."""
        return self._portal.run(self._resource.wait(transfer, patience=patience))

    def cancel(self, transfer_id: str) -> TransferOperationView:
        """End a transfer that is not on chain yet."""
        return self._portal.run(self._resource.cancel(transfer_id))


class Burns:
    """The caller's burns. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, resource: transfers.Burns, portal: Portal) -> None:
        self._resource = resource
        self._portal = portal

    def create(self, request: BurnRequest, *, idempotency_key: str | None = None) -> BurnOperationView:
        """Ask for a burn; the same idempotency key is the same burn."""
        return self._portal.run(self._resource.create(request, idempotency_key=idempotency_key))

    def get(self, burn_id: str) -> BurnOperationView:
        """Return a burn."""
        return self._portal.run(self._resource.get(burn_id))

    def wait(self, burn: BurnOperationView, *, patience: float = PATIENCE) -> BurnOperationView:
        """Follow a burn until it is final; raises Rejected if it fails, Unavailable after `patience`."""
        return self._portal.run(self._resource.wait(burn, patience=patience))

    def cancel(self, burn_id: str) -> BurnOperationView:
        """End a burn that is not on chain yet."""
        return self._portal.run(self._resource.cancel(burn_id))


class Wallets:
    """The user's wallets. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, resource: accounts.Wallets, portal: Portal) -> None:
        self._resource = resource
        self._portal = portal

    def get(self) -> WalletView:
        """Return the wallet in custody, made now if there was none."""
        return self._portal.run(self._resource.get())

    def links(self) -> LinkList:
        """Return the wallets of the user's own that are linked."""
        return self._portal.run(self._resource.links())

    def challenge(self, request: ChallengeRequest) -> ChallengeView:
        """Return the text that a wallet of the user's own has to sign to be linked."""
        return self._portal.run(self._resource.challenge(request))

    def link(self, request: LinkRequest) -> LinkView:
        """Link a wallet of the user's own by the signed text."""
        return self._portal.run(self._resource.link(request))

    def unlink(self, address: str) -> None:
        """Forget a linked wallet."""
        self._portal.run(self._resource.unlink(address))


class Users:
    """Users by e-mail address, as a machine client sees them. Calls raise Refused and Unavailable."""

    def __init__(self, resource: accounts.Users, portal: Portal) -> None:
        self._resource = resource
        self._portal = portal

    def get(self, email: str) -> UserView:
        """Return the user of an e-mail address."""
        return self._portal.run(self._resource.get(email))

    def create(self, email: str) -> UserView:
        """Return the user of an e-mail address with a wallet, both made if they do not exist."""
        return self._portal.run(self._resource.create(email))


class Clients:
    """The deployment's machine clients: `own` for one itself, the rest for administrators."""

    def __init__(self, resource: accounts.Clients, portal: Portal) -> None:
        self._resource = resource
        self._portal = portal

    def own(self) -> ClientUseView:
        """Return the calling client: what it may do and has used."""
        return self._portal.run(self._resource.own())

    def create(self, request: ClientRequest) -> CreatedClientView:
        """Create a client; its secret is in this response only.

        It is tried once: another try could make a second client. Without an answer, look in the list.
        """
        return self._portal.run(self._resource.create(request))

    def list(self) -> ClientList:
        """Return all clients."""
        return self._portal.run(self._resource.list())

    def get(self, client_id: str) -> ClientUseView:
        """Return a client with what it has used."""
        return self._portal.run(self._resource.get(client_id))

    def change(self, client_id: str, change: ClientChange) -> ClientView:
        """Change a client's name, budget or status."""
        return self._portal.run(self._resource.change(client_id, change))

    def delete(self, client_id: str) -> None:
        """Delete a client."""
        self._portal.run(self._resource.delete(client_id))

    def rotate_secret(self, client_id: str) -> SecretView:
        """Give a client another secret, which is in this response only; the previous one stays valid.

        It is tried once: another try could make a third secret, which drops the one in use.
        """
        return self._portal.run(self._resource.rotate_secret(client_id))

    def drop_previous_secret(self, client_id: str) -> None:
        """End the validity of a client's previous secret."""
        self._portal.run(self._resource.drop_previous_secret(client_id))


class Pipeline:
    """The pipeline as a whole, for administrators."""

    def __init__(self, resource: accounts.Pipeline, portal: Portal) -> None:
        self._resource = resource
        self._portal = portal

    def get(self) -> PipelineView:
        """Return queues, dead letters, blocks, what waits longest, and how long the money for gas lasts."""
        return self._portal.run(self._resource.get())

    def redrive(self, request: RedriveRequest) -> RedriveView:
        """Send dead letters back to the queue that they come from; name them by `message_ids`.

        Without ids the first 100 of the queue are sent, and another call sends the next: it is tried once.
        """
        return self._portal.run(self._resource.redrive(request))


class Uploads:
    """The caller's uploaded files. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, resource: uploads.Uploads, portal: Portal) -> None:
        self._resource = resource
        self._portal = portal

    def create(self, data: bytes) -> UploadView:
        """Upload a file, and return it complete: metadata names it as `upload:ID`.

        Raises Rejected for a file that is not of an accepted type.
        """
        return self._portal.run(self._resource.create(data))

    def get(self, upload_id: str) -> UploadView:
        """Return an upload."""
        return self._portal.run(self._resource.get(upload_id))


class Events:
    """The caller's events. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, resource: events.Events, portal: Portal) -> None:
        self._resource = resource
        self._portal = portal

    def read(
        self,
        *,
        after: str | None = None,
        types: Iterable[str] = (),
        limit: int | None = None,
        principal: str | None = None,
    ) -> EventPage:
        """Return the events after a cursor, oldest first; `types` are the wanted ones, all if empty.

        `principal` is whose log it is, for administrators: `operators`, or the id of a user or client.
        """
        return self._portal.run(
            self._resource.read(after=after, types=types, limit=limit, principal=principal)
        )

    def list(
        self, *, after: str | None = None, types: Iterable[str] = (), principal: str | None = None
    ) -> Iterator[Event]:
        """Return each event from a cursor up to now."""
        return self._portal.iterate(self._resource.list(after=after, types=types, principal=principal))

    def stream(
        self, *, after: str | None = None, types: Iterable[str] = (), principal: str | None = None
    ) -> Iterator[tuple[str, Event]]:
        """Return each event with its cursor, and wait for those to come, without end.

        A stream that breaks is continued after the last event, or where it began. Store the cursor with what
        you did for the event: `after=cursor` continues there. Raises Refused for what the API refuses.
        """
        return self._portal.iterate(self._resource.stream(after=after, types=types, principal=principal))


class Webhooks:
    """The caller's webhooks. Calls raise Refused for what the API refuses, and Unavailable."""

    def __init__(self, resource: webhooks.Webhooks, portal: Portal) -> None:
        self._resource = resource
        self._portal = portal

    def create(
        self,
        url: str,
        *,
        types: Iterable[str] = (),
        description: str | None = None,
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """Have events of `types`, all if empty, delivered to a URL; `secret` is in this response only."""
        return self._portal.run(
            self._resource.create(url, types=types, description=description, idempotency_key=idempotency_key)
        )

    def list(self) -> dict[str, Any]:
        """Return the caller's webhooks."""
        return self._portal.run(self._resource.list())

    def get(self, webhook_id: str) -> dict[str, Any]:
        """Return a webhook."""
        return self._portal.run(self._resource.get(webhook_id))

    def change(self, webhook_id: str, **members: Any) -> dict[str, Any]:
        """Change a webhook: `url=…`, `types=…`, `description=…` or `status=…`."""
        return self._portal.run(self._resource.change(webhook_id, **members))

    def delete(self, webhook_id: str) -> None:
        """Delete a webhook."""
        self._portal.run(self._resource.delete(webhook_id))

    def rotate_secret(self, webhook_id: str) -> dict[str, Any]:
        """Give a webhook another secret; for 24 hours deliveries are signed by both."""
        return self._portal.run(self._resource.rotate_secret(webhook_id))

    def test(self, webhook_id: str) -> dict[str, Any]:
        """Have a test event delivered."""
        return self._portal.run(self._resource.test(webhook_id))

    def deliveries(self, webhook_id: str, *, limit: int = 20, cursor: str | None = None) -> dict[str, Any]:
        """Return a page of a webhook's attempts to deliver, newest first (`items`, `next_cursor`)."""
        return self._portal.run(self._resource.deliveries(webhook_id, limit=limit, cursor=cursor))

    def replay(self, webhook_id: str, *, after: str | None = None) -> dict[str, Any]:
        """Have the events after a position delivered again; None: all that are kept."""
        return self._portal.run(self._resource.replay(webhook_id, after=after))
