"""Which methods of the clients are which operations: the reference's samples are made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Body: TypeAlias = Literal["whole", "members", "first"]
"""How a client takes a request's body: as one value, its members by name, or the first one's value."""
Result: TypeAlias = Literal["value", "list", "nothing", "bytes"]


@dataclass(frozen=True, slots=True)
class Call:
    """A method of both clients, such as `mints.create`; TypeScript has its name in camel case."""

    method: str
    python: Body = "whole"
    typescript: Body = "whole"
    result: Result = "value"
    typescript_method: str = ""
    """If it has another name there."""
    python_result: Result | None = None
    """If it is another one there."""

    def in_typescript(self) -> str:
        """Return the method as TypeScript has it."""
        name = self.typescript_method or self.method
        return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


CALLS: Mapping[str, Call] = {
    "create_mint": Call("mints.create"),
    "read_mint": Call("mints.get"),
    "stop_mint": Call("mints.cancel"),
    "read_mints": Call("mints.list", result="list"),
    "create_bulk": Call("mints.create_many", python="members"),
    "post_drop": Call("drops.create"),
    "read_drops": Call("drops.list", result="list"),
    "read_one_drop": Call("drops.get"),
    "read_refused": Call("drops.refused", result="bytes"),
    "try_drop": Call("drops.dry_run"),
    "prepare_drop": Call("drops.prepare"),
    "start_drop": Call("drops.start"),
    "resume_drop": Call("drops.resume"),
    "pause_drop": Call("drops.pause"),
    "cancel_drop": Call("drops.cancel"),
    "read_drop_mints": Call("drops.mints", result="list"),
    "create_transfer": Call("transfers.create"),
    "read_transfer": Call("transfers.get"),
    "stop_transfer": Call("transfers.cancel"),
    "create_burn": Call("burns.create"),
    "read_burn": Call("burns.get"),
    "stop_burn": Call("burns.cancel"),
    "create_collection": Call("collections.create"),
    "create_import": Call("collections.import_contract", python="members"),
    "read_collections": Call("collections.list", result="list"),
    "read_collection": Call("collections.get"),
    "patch_collection": Call("collections.change", python="members"),
    "freeze": Call("collections.freeze"),
    "post_documents": Call("collections.keep_documents"),
    "post_reveal": Call("collections.reveal", python="members"),
    "read_wallet": Call("wallets.get"),
    "read_links": Call("wallets.links"),
    "delete_link": Call("wallets.unlink", result="nothing"),
    "read_own_client": Call("clients.own"),
    "make_user": Call("users.create", python="first", typescript="first"),
    "read_token": Call("tokens.get"),
    "read_transfers": Call("tokens.transfers", result="list"),
    "read_proof": Call("tokens.proof"),
    "read_owned": Call("tokens.owned_by", result="list"),
    "read_wallet_transfers": Call("tokens.moved_by", typescript_method="tokens.transfersOf", result="list"),
    "read_token_holders": Call("tokens.holders", result="list"),
    "read_collection_tokens": Call("collections.tokens", result="list"),
    "read_collection_holders": Call("collections.holders", result="list"),
    "read_collection_transfers": Call("collections.transfers", result="list"),
    "patch_token": Call("tokens.change", python="first", typescript="first"),
    "read_versions": Call("tokens.versions"),
    "list_events": Call("events.list", result="list"),
    "read_upload": Call("uploads.get"),
    "post_webhook": Call("webhooks.create", python="members"),
    "read_webhooks": Call("webhooks.list"),
    "read_webhook": Call("webhooks.get"),
    "patch_webhook": Call("webhooks.change", python="members"),
    "remove_webhook": Call("webhooks.delete", result="nothing"),
    "post_webhook_secret": Call("webhooks.rotate_secret"),
    "post_webhook_test": Call("webhooks.test"),
    "read_webhook_deliveries": Call("webhooks.deliveries", result="list", python_result="value"),
    "post_webhook_replay": Call("webhooks.replay", python="members", typescript="first"),
    "post_client": Call("clients.create"),
    "read_clients": Call("clients.list"),
    "read_client": Call("clients.get"),
    "patch_client": Call("clients.change"),
    "remove_client": Call("clients.delete", result="nothing"),
    "post_secret": Call("clients.rotate_secret"),
    "drop_secret": Call("clients.drop_previous_secret", result="nothing"),
    "read_pipeline": Call("pipeline.get"),
    "post_redrive": Call("pipeline.redrive"),
}
"""By the operations' names. What is missing has no method in both clients, or one that does more."""
