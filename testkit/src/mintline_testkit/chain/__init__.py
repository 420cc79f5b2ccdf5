"""A chain in memory that serves the ports of every service."""

from mintline_testkit.chain.blocks import Mined, Move, Sent
from mintline_testkit.chain.fake import FakeChain
from mintline_testkit.chain.pool import Decoded

__all__ = ["Decoded", "FakeChain", "Mined", "Move", "Sent"]
