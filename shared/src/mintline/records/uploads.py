"""The record of an upload: a file that somebody wants to name in metadata."""

from __future__ import annotations

from mintline.fields import Bytes32
from mintline.frozen import Frozen


class Upload(Frozen):
    """A file on its way, or one that is served. Times are Unix milliseconds, except `expires`."""

    upload_id: str
    asked_by: str
    """`sub` of the user, or id of the machine client, who alone may use it."""
    content_type: str
    size: int
    """Bytes."""
    sha256: Bytes32
    """Of the bytes: what the caller has promised, and once complete what they are."""
    created_at: int
    expires: int | None = None
    """Unix seconds after which it is forgotten, unless it is complete."""
    completed_at: int | None = None
    cid: str | None = None
    """The IPFS content id of the bytes (`mintline.cids`), once complete."""
