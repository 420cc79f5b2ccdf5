"""Where an index begins: at a block that is final by more than one node's word, if there are several."""

from __future__ import annotations

import pytest

from mintline.errors import Unavailable
from mintline_indexer.chain_port import Ref
from mintline_testkit.indexer.harness import DoubtfulChain, Harness


class OneOfSeveral(DoubtfulChain):
    """What one node says, and whether the others have its final block too."""

    seconded = False

    @property
    def several(self) -> bool:
        return True

    async def confirmed(self, block: Ref) -> bool:
        return self.seconded and await super().confirmed(block)


async def test_founding__when_one_node_alone_has_the_final_block__then_the_index_waits(
    harness: Harness,
) -> None:
    chain = harness.chain = OneOfSeveral(finality=1)
    chain.mine()
    chain.mine()
    indexer = harness.start()
    with pytest.raises(Unavailable, match="begin at block 1"):
        await indexer.poll()
    assert harness.store.progress is None
    chain.seconded = True
    await indexer.poll()
    assert harness.progress.finalized.number == 1
