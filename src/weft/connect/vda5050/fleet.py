"""What is known of the carts: connection, last messages, what was lost in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import anyio

from weft.connect.vda5050.heard import Heard

__all__ = ["Cart", "Fleet"]

MOST: Final = 2000  # carts


class Cart:
    """One cart. ``state`` is its newest, ``news`` is set and replaced with each."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.connection = ""
        self.version = ""
        self.state: dict[str, Any] = {}
        self.news = anyio.Event()
        self._last: dict[str, tuple[int, int]] = {}  # by topic: header number and time of the newest message

    @property
    def online(self) -> bool:
        """Not known to be away: a cart that sends is there even when its connection message was missed."""
        return self.connection == "ONLINE" or (not self.connection and bool(self.state))

    def take(self, heard: Heard, now: int) -> tuple[int, int] | None:
        """Keeps what the message says; where messages of its topic are missing before it, their first and last
        time (ns UTC). Raises ValueError for one that came already."""
        before = self._last.get(heard.topic)
        time = heard.time or now
        if before is not None and before == (heard.header, time) and heard.header >= 0:
            raise ValueError(f"message {heard.header} came twice")
        self._last[heard.topic] = heard.header, time
        self.version = heard.version or self.version
        if heard.topic == "connection":
            self.connection = str(heard.document.get("connectionState", ""))
        elif heard.topic == "state":
            self.state = heard.document
        news, self.news = self.news, anyio.Event()
        news.set()
        # A lower number is a cart that was restarted: it counts anew.
        if before is not None and 0 <= before[0] < heard.header - 1 and before[1] < time:
            return before[1], time
        return None


class Fleet:
    """The carts by ``manufacturer/serial number``."""

    def __init__(self) -> None:
        self.carts: dict[str, Cart] = {}

    def of(self, id: str) -> Cart | None:
        """The cart, known from now on; None when there are too many."""
        cart = self.carts.get(id)
        if cart is None and len(self.carts) < MOST:
            cart = self.carts[id] = Cart(id)
        return cart

    async def until(self, cart: Cart, done: Callable[[], bool], seconds: float) -> bool:
        """Whether ``done`` became true in time; it is asked after each message of the cart."""
        with anyio.move_on_after(seconds):
            while not done():
                await cart.news.wait()
            return True
        return done()
