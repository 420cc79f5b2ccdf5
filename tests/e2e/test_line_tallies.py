"""After everything that the other tests did to the line: records, chain and index still agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mintline_cli.index import EVERY_BLOCK
from mintline_ops import reconcile
from mintline_ops.deployments import target_of_local_stack
from mintline_ops.index.check import check

if TYPE_CHECKING:
    from tests.e2e.conftest import Harness, User

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]


async def test_reconcile__when_the_line_has_been_through_it__finds_no_difference(
    harness: Harness, user: User
) -> None:
    minted = await user.mint("Tallied")
    await user.until(minted["mint_id"], "finalized")
    _, reconciliation = await reconcile.settled(target_of_local_stack(harness.info), patience=900)
    assert reconciliation.differences == []
    assert reconciliation.counts["minted"] == reconciliation.counts["indexed"] >= 1


async def test_rebuild__when_the_line_has_been_through_it__gives_the_index_that_is_kept(
    harness: Harness, user: User
) -> None:
    moving = await user.mint("Meanwhile")
    target = target_of_local_stack(harness.info)
    built = await check(target, whole=EVERY_BLOCK, compare=True, repair=False)
    assert built.differences == []
    await user.until(moving["mint_id"], "finalized")
