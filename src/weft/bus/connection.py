"""The connection to a NATS server, kept for ever: each loss is followed by a new login on a new socket.

The library's own reconnecting is not used: it keeps what was being sent and sends it later, when the caller
has long repeated it, and it ends for good on some of the server's errors.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio

from weft.bus.session import Address, Leave, OnMessage, Session
from weft.runtime import Denied, Ready, Retry, describe, get_logger

__all__ = ["Connection"]

log = get_logger(__name__)

REDIAL: Final = (0.05, 0.25)  # seconds between attempts: a restarted server is back within half a second


class _Listening:
    """A subscription that outlives sessions."""

    def __init__(
        self, subject: str, on_message: OnMessage, queue: str, lost: Callable[[], None] | None
    ) -> None:
        self.subject = subject
        self.session: Session | None = None
        self._on_message = on_message
        self._queue = queue
        self._lost = lost
        self._leave: Leave | None = None
        self._over = False

    async def join(self, session: Session) -> None:
        self.session = session
        self._leave = await session.subscribe(self.subject, self._on_message, self._queue, self._lost)
        if self._over:
            await self._leave()

    async def leave(self) -> None:
        self._over = True
        if self._leave:
            await self._leave()


class Connection:
    """Logs in, says so, and logs in again whenever the session ends, until cancelled.

    ``restore`` is awaited on each new session before anybody else gets it.
    """

    def __init__(self, address: Callable[[], Address], restore: Callable[[Session], Awaitable[None]]) -> None:
        self._address = address
        self._restore = restore
        self._listening: list[_Listening] = []
        self._session: Session | None = None
        self._up = anyio.Event()

    @property
    def address(self) -> Address:
        return self._address()

    @property
    def is_up(self) -> bool:
        return self._session is not None

    async def run(self, ready: Ready) -> None:
        """Raises Denied when the first login is refused."""
        known = False
        while True:
            session = await self._dial(patient=known)
            known = True
            try:
                await self._restore(session)
                await self._rejoin(session)
                self._rise(session)
                ready()
                await session.closed.wait()
                log.warning("the bus is away", address=repr(self.address))
            except Retry as error:
                log.warning("the bus is away", address=repr(self.address), reason=describe(error))
            finally:
                self._fall()
                await session.close()

    async def session(self, timeout: float = 5.0) -> Session:
        """The present session, waited for. Raises Retry."""
        with anyio.move_on_after(timeout):
            while self._session is None or self._session.closed.is_set():
                if self._session is not None:
                    self._fall()
                await self._up.wait()
            return self._session
        raise Retry("The bus is away; it is called again several times a second.")

    @asynccontextmanager
    async def listening(
        self,
        subject: str,
        on_message: OnMessage,
        queue: str = "",
        lost: Callable[[], None] | None = None,
        *,
        timeout: float = 5.0,
    ) -> AsyncIterator[None]:
        """Listens through all sessions; entered when the server knows. Raises Retry."""
        session = await self.session(timeout)
        listening = _Listening(subject, on_message, queue, lost)
        await listening.join(session)
        await session.settle()
        self._listening.append(listening)
        if session.closed.is_set() and self._session:
            await self._rejoin(self._session)  # it was lost just after it had answered
        try:
            yield
        finally:
            self._listening.remove(listening)
            await listening.leave()

    async def _rejoin(self, session: Session) -> None:
        while todo := [one for one in self._listening if one.session is not session]:
            for listening in todo:
                await listening.join(session)

    async def _dial(self, *, patient: bool) -> Session:
        told = False
        while True:
            try:
                return await Session.dial(self.address)
            except Denied:
                if not patient:
                    raise
            except Retry as error:
                if not told and not patient:
                    log.info("the bus is not there yet", reason=describe(error))
                told = True
            await anyio.sleep(random.uniform(*REDIAL))  # noqa: S311  # spreads load, keeps no secret

    def _rise(self, session: Session) -> None:
        if session.closed.is_set():
            raise Retry("The connection was lost at once.")
        self._session = session
        self._up.set()

    def _fall(self) -> None:
        self._session = None
        if self._up.is_set():
            self._up = anyio.Event()
