"""The heartbeat: ``* PING`` every period, and the adapter is gone after two periods of silence."""

from __future__ import annotations

import socket
from typing import Final

import anyio
from anyio.abc import SocketAttribute, SocketStream

__all__ = ["Pulse", "keep_alive"]

LONGEST: Final = 3600.0
SHORTEST: Final = 0.05


class Pulse:
    """Until the adapter has answered ``* PONG <ms>`` once it may be silent for as long as it likes: many old
    adapters know no heartbeat. ``asked`` (s) replaces the period that it announces."""

    def __init__(self, asked: float | None) -> None:
        self._asked = asked
        self._period: float | None = None
        self._heard = anyio.current_time()
        self._sent: float | None = None

    @property
    def limit(self) -> float:
        """Seconds of silence after which the adapter counts as gone."""
        return 2 * (self._period or LONGEST)

    def heard(self, announced: float | None) -> None:
        self._heard = anyio.current_time()
        if announced is not None:
            self._period = min(max(self._asked or announced, SHORTEST), LONGEST)

    def due(self) -> bool:
        """Whether to ask now; counts as asked."""
        now = anyio.current_time()
        every = self._period or self._asked or LONGEST
        if self._sent is not None and now < self._sent + every:
            return False
        self._sent = now
        return True

    def dead(self) -> bool:
        return self._period is not None and anyio.current_time() >= self._heard + self.limit

    def wait(self) -> float:
        """Seconds until there is something to do though nothing came."""
        now = anyio.current_time()
        ask = (self._sent or now) + (self._period or self._asked or LONGEST)
        end = self._heard + self.limit if self._period is not None else ask
        return max(min(ask, end) - now, 0.0)


def keep_alive(stream: SocketStream) -> None:
    """Lets the kernel notice a dead peer within about half a minute where there is no heartbeat."""
    raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610  # anyio's, not Django's
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        option = getattr(socket, name, None)  # macOS has other names
        if option is not None:
            raw.setsockopt(socket.IPPROTO_TCP, option, value)
