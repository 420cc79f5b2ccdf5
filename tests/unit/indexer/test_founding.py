"""Where an index begins: at a block that is final by more than one node's word, if there are several."""

from __future__ import annotations

from typing import Any

import pytest

from mintline.errors import Unavailable
from mintline_indexer.chain_port import Ref
from mintline_testkit.indexer.chain import MemoryChain


class OneOfSeveral(MemoryChain):
    """What one node says, and whether the others have its final block too."""

    seconded = False

    @property
    def several(self) -> bool:
        return True

    async def confirmed(self, block: Ref) -> bool:
        return self.seconded and await super().confirmed(block)


async def test_founding__when_one_node_alone_has_the_final_block__then_the_index_waits(rig: Any) -> None:
    rig.chain = OneOfSeveral(finality=1)
    rig.chain.mine()
    rig.chain.mine()
    indexer = rig.start()
    with pytest.raises(Unavailable, match="begin at block 1"):
        await indexer.poll()
    assert rig.store.progress is None
    rig.chain.seconded = True
    await indexer.poll()
    assert rig.progress.finalized.number == 1
