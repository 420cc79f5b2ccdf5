"""Notices in DynamoDB."""

from __future__ import annotations

from pydantic import ValidationError

from mintline.aws.dynamo import ConditionFailed, Dynamo, Item, Put
from mintline.aws.records import to_item
from mintline.errors import Unreadable
from mintline.events import RETENTION_SECONDS
from mintline.frozen import faults_of
from mintline.notices import NOTICE, Notice
from mintline.resources import NOTICES


class DynamoNotices:
    """Notices as items of the table `notices`."""

    def __init__(self, dynamo: Dynamo) -> None:
        self._dynamo = dynamo

    async def add(self, notice: Notice) -> bool:
        try:
            await self._dynamo.insert(Put(NOTICES, notice_item(notice)))
        except ConditionFailed:
            return False
        return True


def notice_item(notice: Notice) -> Item:
    """Return the item of a notice, which is kept for as long as its event."""
    return {
        **to_item(notice),
        "notice_id": notice.notice_id,
        "expires": notice.at // 1000 + RETENTION_SECONDS,
    }


def notice_of(item: Item) -> Notice:
    """Return the notice of an item; raises Unreadable."""
    members = {name: value for name, value in item.items() if name not in ("notice_id", "expires")}
    try:
        return NOTICE.validate_python(members, extra="ignore")
    except ValidationError as error:
        raise Unreadable(f"Notice: {faults_of(error)}") from None
