"""Every AWS resource that Mintline owns, declared once.

The local stack creates them from here, and the infrastructure code synthesizes the same ones.
Names are `{prefix}-{name}`; a FIFO queue adds `.fifo`, its dead-letter queue `-dlq.fifo`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from mintline.resource_types import Bucket, Index, Key, KmsKey, Queue, Table

REDRIVE = "redrive"
"""The role of operators who read dead letters and send them back to their queue."""

BUILD = Queue("build", senders=("api", "broadcaster"), receiver="builder")
SIGN = Queue("sign", senders=("builder", "broadcaster"), receiver="signer")
BROADCAST = Queue("broadcast", senders=("api", "signer", "indexer"), receiver="broadcaster")

WALLETS = Table("wallets", partition=Key("wallet_id"), streamed=True)
"""One item per user and chain: `wallet_id` is `{chain_id}#{sub}`. Written by the api."""

LINKS = Table(
    "links",
    partition=Key("link_id"),
    indexes=(Index("links_of_user", partition=Key("sub")),),
    streamed=True,
)
"""One item per wallet of a user's own: `link_id` is `{chain_id}#{address}`. Written by the api."""

CHALLENGES = Table("challenges", partition=Key("nonce"), ttl="expires")
"""One item per open request to link a wallet, for minutes. Written by the api."""

RATES = Table("rates", partition=Key("rate_id"), ttl="expires")
"""One item per user and minute in which they write much: `rate_id` is `{sub}#{minute}`, `taken` the writes
that the copies of the api have leased. Also one per machine client and hour, `{client_id}#hour#{hour}` with
the mints that the api has accepted, and one per client and day, `{client_id}#day#{day}` with wei. Written by
the api."""

REVOCATIONS = Table("revocations", partition=Key("chain"), sort=Key("sub"), ttl="expires")
"""One item per user and chain whose token the pool refused, for days: `revoked_before` (Unix seconds), and
the `statement` by which the api says so. `chain` is the chain's id in decimal. Written by the api, read by
the signer's host."""

WRAPPED_KEYS = Table("wrapped-keys", partition=Key("key_id"), ttl="expires_at")
"""One item per key in custody, if DynamoDB is where they are kept: `key_id` is `{chain_id}#{address}`.

Created by the api, read by the signer's host. `expires_at` (Unix seconds): the key is to be deleted then."""

MINTS = Table(
    "mints",
    partition=Key("mint_id"),
    indexes=(
        Index("by_user", partition=Key("sub"), sort=Key("created_key"), keys_only=True),
        Index("by_client", partition=Key("client_id"), sort=Key("created_key"), keys_only=True),
        Index("by_token", partition=Key("token_ref"), keys_only=True),
        Index("open", partition=Key("open_shard"), sort=Key("created_key"), keys_only=True),
        Index("in_block", partition=Key("block_shard"), keys_only=True),
    ),
    streamed=True,
)
"""One item per mint; `created_key` is `{created_at}#{mint_id}`. Only one that was mined has `block_shard`,
`{block_number}#{shard}`: one of a few keys of its block, which the mint id picks.

`open_shard` is one of a few numbers that the mint id gives: present from the mint's creation until a
transaction carries it, which is open from then on, or until its end. Only a
self-custody mint has `token_ref`, `{chain_id}#{contract}#{token_id}`, since only its voucher waits for a
transaction that we do not know. Only a machine client's mint has `client_id`. The indexes hold keys alone, so
that a mint's transitions in between do not write them again."""

CLIENTS = Table("clients", partition=Key("client_id"))
"""One item per machine client. Written by the api and by operators."""

EXTERNAL_IDS = Table("external-ids", partition=Key("external_ref"))
"""One item per mint that has an external id, `external_ref` is `{asked_by}#{external_id}`: the mint's id.
Created by the api, by the write that creates the mint, and never changed."""

AUTHORIZATIONS = Table("authorizations", partition=Key("mint_id"), sort=Key("digest", "B"), ttl="expires")
"""One item per accepted mint, kept for days: the sealed `envelope` and the `metadata` that it was sealed for.

`digest` is that of what the user asked for (`mintline.authorizations`). Written by the api, once, before the
mint's record; one whose mint came to nothing, or was another request's, has no reader. A request for many
mints has one item for each of its chunks (`mintline.lines`): `mint_id` is the request's id, `digest` the
chunk's number after the word `chunk`."""

REQUESTS = Table("requests", partition=Key("request_id"))
"""One item per request for many mints: who sent it, and how many lines it has. Created by the api, once all
its mints are on record, and never changed."""

PACKS = Table("packs", partition=Key("collection_id"), sort=Key("first_token"))
"""One item per pack (`mintline.packs`), `collection_id` is `{chain_id}#{address}`, `first_token` the id of
its first token in 78 digits: which object has the metadata of these tokens, and where. Created by the api."""

METADATA_VERSIONS = Table(
    "metadata-versions", partition=Key("token_ref"), sort=Key("version", "N"), streamed=True
)
"""One item per version of a token's metadata after the one it was minted with, and of an item of ERC-1155 for
that one too (`mintline.metadata_versions`). `token_ref` is `{chain_id}#{contract}#{token_id}`. Created by the
api."""

ACCOUNTS = Table("accounts", partition=Key("account_id"))
"""One item per wallet that was topped up, `account_id` is `{chain_id}#{address}`: which transaction of the
treasury's was its latest top-up, and what it got that day. Written by the builder."""

TRANSACTIONS = Table(
    "transactions",
    partition=Key("sender_id"),
    sort=Key("nonce", "N"),
    indexes=(
        Index("open", partition=Key("open_shard"), sort=Key("open_key"), keys_only=True),
        Index("in_block", partition=Key("block_shard"), keys_only=True),
    ),
    streamed=True,
)
"""One item per nonce of a sender, `sender_id` is `{chain_id}#{address}`: what it is for, every attempt at it,
and what became of it. Created by the builder, with what it carries: that is the lock of the nonce. Moved on
by the broadcaster and the indexer, and by the api, which stops mints.

`open_shard` is one of a few numbers that the sender gives, `open_key` `{reserved_at}#{sender_id}#{nonce}`:
present until the nonce is used for good. `block_shard` is as that of mints."""

COLLECTIONS = Table(
    "collections",
    partition=Key("collection_id"),
    indexes=(Index("by_creator", partition=Key("created_by"), sort=Key("created_key"), keys_only=True),),
)
"""One item per contract, `collection_id` is `{chain_id}#{address}`: its token id counter.

Registered by an operator, or by the api for a machine client; counted by the api. Only a client's has
`created_by`, `{chain_id}#{client_id}`, and `created_key`, `{created_at}#{collection_id}`."""

ATTEMPTS = Table("attempts", partition=Key("tx_hash"))
"""One item per signed transaction, with its bytes, written before it is sent. Written by the broadcaster."""

TOKENS = Table(
    "tokens",
    partition=Key("token_ref"),
    indexes=(
        Index("by_owner", partition=Key("owner_id"), sort=Key("owned_key")),
        Index(
            "by_holder",
            partition=Key("holder_shard"),
            sort=Key("holder_key"),
            keys_only=True,
            optional=True,
        ),
    ),
    generation=2,
)
"""One item per token ever minted. `token_ref` is `{chain_id}#{contract}#{token_id}`, so that no collection is
one partition; `owner_id` is `{chain_id}#{address}`, absent once burned; `owned_key` is the contract and the
token id in 78 digits, `{contract}#{token_key}`. `holder_shard` and `holder_key` are those of
`mintline.query_keys`. Written by the indexer."""

BALANCES = Table(
    "balances",
    partition=Key("balance_ref"),
    indexes=(
        Index("by_owner", partition=Key("owner_id"), sort=Key("owned_key")),
        Index("by_item", partition=Key("item_shard"), sort=Key("holder"), optional=True),
        Index(
            "by_holder",
            partition=Key("holder_shard"),
            sort=Key("holder_key"),
            keys_only=True,
            optional=True,
        ),
    ),
)
"""One item per holder of an item of ERC-1155, and one for the item's supply: `balance_ref` is
`{chain_id}#{contract}#{token_id}#{holder}`, of the supply with `supply` for the holder. `owner_id` and
`owned_key` are as those of tokens, absent at a balance of zero; a supply always has them, with the partition
that lists its collection's items. The other keys are those of `mintline.query_keys`. Written by the
indexer."""

TRANSFERS = Table(
    "transfers",
    partition=Key("token_ref"),
    sort=Key("position"),
    indexes=(
        Index("by_contract", partition=Key("contract_shard"), sort=Key("moment"), optional=True),
        Index("by_sender", partition=Key("sender_id"), sort=Key("moment"), optional=True),
        Index("by_recipient", partition=Key("recipient_id"), sort=Key("moment"), optional=True),
    ),
    streamed=True,
)
"""One item per Transfer event, and per item that an event of ERC-1155 moves. `token_ref` is
`{chain_id}#{contract}#{token_id}`; `position` is `{block:012}#{log_index:06}`. The indexes' keys are those of
`mintline.query_keys`. Written by the indexer."""

BLOCKS = Table("blocks", partition=Key("chain"), sort=Key("position"))
"""One item per indexed block (or part of one) with its undo records. Written by the indexer.

`chain` is `{chain_id}#{shard}`, the shard one of a few that the position gives; what was set aside of the
chain is in `{chain_id}#set-aside`."""

CHECKPOINTS = Table("checkpoints", partition=Key("chain"))
"""One item per chain: the indexer's cursor, head and finalized block. Written by the indexer.

One more, `migrations`, has the steps that brought the tables to their present form."""

FOLLOWED = Table("followed", partition=Key("chain"), sort=Key("contract"))
"""One item per chain and contract that the indexer follows. One with `next_block` is not there yet: it is
read from that block on. Written by the indexer, with the checkpoint."""

UPLOADS = Table("uploads", partition=Key("upload_id"), ttl="expires")
"""One item per upload of a file that metadata is to name. It has `expires` (Unix seconds) until it is
complete: once the bytes are in the media bucket. Written by the api."""

DROPS = Table(
    "drops",
    partition=Key("drop_id"),
    indexes=(
        Index("by_client", partition=Key("client_id"), sort=Key("created_key"), keys_only=True),
        Index("open", partition=Key("open_shard"), keys_only=True),
    ),
    streamed=True,
)
"""One item per drop, `created_key` is `{created_at}#{drop_id}`. `open_shard` is one of a few numbers that the
drop id gives: present while a runner has something to do. Written by the api."""

DROP_PARTS = Table("drop-parts", partition=Key("drop_id"), sort=Key("part"))
"""One item per part of a drop, `part` is `part#{number:06}`: how many lines it has and where they lie. One
more, `marks#{number:06}`, has the hashes by which repeated lines are known. One item `reservations` of
`{chain_id}#{address}` says how many tokens of a collection with a supply cap each of its drops may mint.
Written by the api."""

EVENTS = Table("events", partition=Key("principal"), sort=Key("batch", "N"), ttl="expires")
"""One item per batch of events in the log of a principal, numbered in order: so the item is the lock of its
number. `events` has them as compressed JSON. Written by the notifier, read by the api."""

EVENT_CURSORS = Table("event-cursors", partition=Key("cursor_id"))
"""One item per shard of a change stream, `{table}#{shard}`: how far its events are in the logs. One more,
`leader`, is the lease of the process that reads them. Written by the notifier."""

NOTICES = Table("notices", partition=Key("notice_id"), ttl="expires", streamed=True)
"""One item per notice (`mintline.notices`), whose key is what it says with its period. Created by the builder
and by the api."""

WEBHOOKS = Table(
    "webhooks",
    partition=Key("webhook_id"),
    indexes=(
        Index("by_principal", partition=Key("principal"), sort=Key("created_key"), keys_only=True),
        Index("open", partition=Key("open_shard")),
    ),
)
"""One item per webhook, `created_key` is `{created_at}#{webhook_id}`. `open_shard` is one of a few numbers
that the webhook's id gives: present while the notifier has something to do for it. Written by the api, and by
the notifier when it disables one."""

WEBHOOK_PROGRESS = Table("webhook-progress", partition=Key("webhook_id"))
"""One item per webhook: up to where in its principal's log its receiver has the events, and what is failing.
Created by the api with the webhook, written by the notifier. One more for each shard of webhooks,
`shard#{number}`, says which of the notifier's processes delivers for it."""

WEBHOOK_ATTEMPTS = Table(
    "webhook-attempts", partition=Key("webhook_id"), sort=Key("attempt_key"), ttl="expires"
)
"""One item per attempt to deliver an event, kept for a week; `attempt_key` is `{at}#{event_id}`. Written by
the notifier."""

METADATA = Bucket("metadata", serves="json")
"""`{chain_id}/{contract}/{token_id}.json`: the exact bytes whose SHA-256 is the voucher's metadataDigest.

`{chain_id}/{contract}/packs/{sha256}` has those of many tokens, one after another (`mintline.packs`)."""

UPLOAD_BUCKET = Bucket("uploads", expires_days=2, takes_uploads=True)
"""`{upload_id}`: what a caller has put by a presigned URL, until the api has checked it."""

DROP_LINES = Bucket("drops", expires_days=30)
"""`{drop_id}/…`: the lines of drops, with the e-mail addresses in them. Written and read by the api."""

MEDIA = Bucket("media", serves="media")
"""`media/{sha256}`, in hex: an image, a video or a model, checked by the api and never changed."""

WALLET_KEY = KmsKey("wallets")
"""Wraps every key in custody; only the enclave may use it to decrypt."""

INTAKE_KEY = KmsKey("intake", signs=True)
"""Certifies the session keys of the api's processes; only the api may have it sign."""

WEBHOOK_KEY = KmsKey("webhooks")
"""Encrypts webhooks' secrets; the api may encrypt by it, and the notifier decrypt."""

QUEUES = (BUILD, SIGN, BROADCAST)
TABLES = (
    WALLETS,
    LINKS,
    CHALLENGES,
    RATES,
    REVOCATIONS,
    WRAPPED_KEYS,
    MINTS,
    CLIENTS,
    EXTERNAL_IDS,
    AUTHORIZATIONS,
    REQUESTS,
    PACKS,
    METADATA_VERSIONS,
    ACCOUNTS,
    COLLECTIONS,
    TRANSACTIONS,
    ATTEMPTS,
    TOKENS,
    BALANCES,
    TRANSFERS,
    BLOCKS,
    CHECKPOINTS,
    FOLLOWED,
    UPLOADS,
    DROPS,
    DROP_PARTS,
    EVENTS,
    EVENT_CURSORS,
    NOTICES,
    WEBHOOKS,
    WEBHOOK_PROGRESS,
    WEBHOOK_ATTEMPTS,
)
OptionalIndex: TypeAlias = Literal["by_holder", "by_contract", "by_sender", "by_recipient", "by_item"]
OPTIONAL_INDEXES: tuple[OptionalIndex, ...] = (
    "by_holder",
    "by_contract",
    "by_sender",
    "by_recipient",
    "by_item",
)
"""Names of the indexes that a deployment may do without."""
REPLACED_INDEXES: dict[Table, tuple[Index, ...]] = {
    MINTS: (Index("by_block", partition=Key("block_number", "N"), keys_only=True),)
}
"""Indexes of the release before that nothing reads any more. DynamoDB adds or deletes one index of a table at
a time, so an upgrade keeps these at first."""
TOKENS_BY_COLLECTION = Table("tokens", partition=Key("collection_id"), sort=Key("token_key"))
"""The first generation of the tokens' table, which `mintline_ops.migrations` reads; nothing makes it."""
BUCKETS = (METADATA, UPLOAD_BUCKET, DROP_LINES, MEDIA)
KMS_KEYS = (WALLET_KEY, INTAKE_KEY, WEBHOOK_KEY)
