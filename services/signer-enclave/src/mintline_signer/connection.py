"""One framed connection, as either end sees it: frames in, frames out, and no peer waited for without end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from mintline_signer.errors import BrokenFrame
from mintline_signer.frames import FrameDecoder


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a peer may keep us waiting, in seconds."""

    frame: float = 10.0
    """From a frame's first byte to its last."""
    drain: float = 10.0
    """Until it reads what we wrote."""
    idle: float | None = None
    """Between two pieces of what it sends; None where silence is no fault."""
    tick: float = 1.0
    """Between two looks at the above."""


def is_foreign(peer: object, parent_cid: int) -> bool:
    """Tell whether a peer's address is that of another machine than the host; only vsock has one."""
    return isinstance(peer, tuple) and peer[0] != parent_cid


class FramedConnection(asyncio.Protocol):
    """Cuts what arrives into bodies for `receive`, and writes frames together that are sent together.

    `flushing` gives the frames that go before those, whenever some are written.

    Invariant: while `held`, or while the peer does not read, nothing more is read from the peer either.
    """

    def __init__(
        self,
        *,
        receive: Callable[[bytes], None],
        closed: Callable[[], None],
        limits: Limits,
        opened: Callable[[], None] = lambda: None,
        flushing: Callable[[], list[bytes]] = list,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._receive = receive
        self._opened = opened
        self._flushing = flushing
        self._closed = closed
        self._limits = limits
        self._clock = clock
        self._decoder = FrameDecoder()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[bytes] = []
        self._backlog: list[bytes] = []
        self._held = False
        self._heard = self._frame_began = self._clock()
        self._blocked_since: float | None = None
        self._watch: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        """Tell whether frames can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def peer(self) -> object:
        """Return the peer's address: (CID, port) over vsock, a string over a Unix socket."""
        return None if self._transport is None else self._transport.get_extra_info("peername")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin (asyncio.Protocol)."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=1 << 20)
        self._watch = self._loop.call_later(self._limits.tick, self._check)
        self._opened()

    def connection_lost(self, _exc: Exception | None) -> None:
        """End (asyncio.Protocol)."""
        self._transport = None
        self._backlog.clear()
        if self._watch is not None:
            self._watch.cancel()
        self._closed()

    def data_received(self, data: bytes) -> None:
        """Take a piece of the stream (asyncio.Protocol); one that breaks the framing ends the connection."""
        self._heard = self._clock()
        began = not self._decoder.partial
        try:
            bodies = self._decoder.feed(data)
        except BrokenFrame:
            self.abort()
            return
        if began or bodies:
            self._frame_began = self._heard
        self._backlog += bodies
        self._deliver()

    def _deliver(self) -> None:
        delivered = 0
        for body in self._backlog:
            if self._held or not self.open:
                break
            delivered += 1
            try:
                self._receive(body)
            except BrokenFrame:
                self.abort()
                return
        del self._backlog[:delivered]

    def send(self, frame: bytes) -> None:
        """Write one frame, together with all others of this turn of the loop; without effect once closed."""
        if not self.open:
            return
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(frame)

    def _flush(self) -> None:
        frames, self._outgoing = self._outgoing, []
        if self._transport is not None and self.open:
            self._transport.write(b"".join([*self._flushing(), *frames]))

    def hold(self) -> None:
        """Read nothing more until `release`."""
        self._held = True
        self._steer()

    def release(self) -> None:
        """Undo `hold`, and deliver what had arrived already."""
        self._held = False
        self._heard = self._frame_began = self._clock()
        self._deliver()
        self._steer()

    def pause_writing(self) -> None:
        """Note that the peer does not read (asyncio.Protocol)."""
        self._blocked_since = self._clock()
        self._steer()

    def resume_writing(self) -> None:
        """Note that the peer reads again (asyncio.Protocol)."""
        self._blocked_since = None
        self._heard = self._frame_began = self._clock()
        self._steer()

    @property
    def _listening(self) -> bool:
        return not self._held and self._blocked_since is None

    def _steer(self) -> None:
        if self._transport is None or not self.open:
            return
        if self._listening:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _check(self) -> None:
        now, limits = self._clock(), self._limits
        blocked = self._blocked_since is not None and now - self._blocked_since > limits.drain
        slow = self._listening and self._decoder.partial and now - self._frame_began > limits.frame
        silent = self._listening and limits.idle is not None and now - self._heard > limits.idle
        if blocked or slow or silent:
            self.abort()
        else:
            self._watch = self._loop.call_later(limits.tick, self._check)

    def abort(self) -> None:
        """Close at once, whatever is unsent."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close once what was sent is written."""
        self._flush()
        if self._transport is not None:
            self._transport.close()
