"""Notices in memory."""

from __future__ import annotations

from mintline.errors import MintlineError
from mintline.notices import Notice


class MemoryNotices:
    """Notices by their ids; `failure` is raised instead of writing while it is set."""

    def __init__(self) -> None:
        self.by_id: dict[str, Notice] = {}
        self.requested = 0
        """How often one was to be written."""
        self.failure: MintlineError | None = None

    async def add(self, notice: Notice) -> bool:
        self.requested += 1
        if self.failure is not None:
            raise self.failure
        if notice.notice_id in self.by_id:
            return False
        self.by_id[notice.notice_id] = notice
        return True
