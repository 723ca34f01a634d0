"""One login at a NATS server: where it is, and what can be sent and asked while it lasts."""

from __future__ import annotations

import contextlib
import secrets
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Final, TypeAlias

import anyio
import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from weft.runtime import Denied, Invalid, NeedsHuman, NotFound, Retry, describe, get_logger

__all__ = ["Address", "Leave", "OnMessage", "Session", "Waiter"]

log = get_logger(__name__)

OnMessage: TypeAlias = Callable[[Msg], Awaitable[None]]
Leave: TypeAlias = Callable[[], Awaitable[None]]

PING: Final = 10
PENDING: Final = 8 << 20

_NO_RESPONDERS: Final = "503"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a bus is and how to log in: user and password, or a file of credentials (JWT and key).
    ``synced`` says that its server fsyncs before it acknowledges (``sync_interval: always``): a server does
    not tell its clients. ``ca`` is the file of the authority that signed the certificate of a ``tls://`` server.
    ``inbox`` is where answers come, for a login that may listen to its own only. ``handshake_first`` encrypts before
    anything is said: else the client would go on in the clear with a server that only offers encryption."""

    url: str
    user: str = ""
    password: str = ""
    credentials: str = ""
    ca: str = ""
    synced: bool = False
    inbox: str = "_INBOX"
    handshake_first: bool = False

    def __repr__(self) -> str:
        return f"<Address {self.url.rpartition('@')[2]}>"

    def options(self) -> dict[str, Any]:
        """For the NATS client."""
        options: dict[str, Any] = {"servers": self.url.split(",")}
        if self.user:
            options |= {"user": self.user, "password": self.password}
        if self.credentials:
            if find_spec("nkeys") is None:
                raise NeedsHuman(
                    "A login by a file of credentials needs the Python package nkeys.",
                    remedy="Install it: pip install nkeys.",
                )
            options["user_credentials"] = self.credentials
        if self.handshake_first:
            options["tls_handshake_first"] = True
        if self.ca or self.url.startswith("tls://") or self.handshake_first:
            try:
                options["tls"] = ssl.create_default_context(cafile=self.ca or None)
            except (OSError, ssl.SSLError) as error:
                raise NeedsHuman(
                    f"The file {self.ca} with the authority of the bus cannot be read: {error}."
                ) from error
        return options


class Waiter:
    """One reply that is expected in ``inbox``."""

    __slots__ = ("arrived", "inbox", "message")

    def __init__(self, inbox: str) -> None:
        self.inbox = inbox
        self.arrived = anyio.Event()
        self.message: Msg | None = None


class Session:
    """One login. Its calls raise Retry when the connection is lost or the time is over."""

    def __init__(self, inbox: str = "_INBOX") -> None:
        self.closed = anyio.Event()
        self.lost: dict[int, Callable[[], None]] = {}
        self._client = Client()
        self._scopes: set[anyio.CancelScope] = set()
        self._inbox = f"{inbox}.{secrets.token_hex(11)}"
        self._waiters: dict[str, Waiter] = {}

    @classmethod
    async def dial(cls, address: Address) -> Session:
        """Logs in. Raises Retry when nobody is there, Denied when the server refuses the login."""
        session = cls(address.inbox)
        joined = False
        try:
            await session._join(address)
            joined = True
        except (nats.errors.Error, OSError) as error:
            if "authorization" in str(error).lower() or "authentication" in str(error).lower():
                raise Denied(
                    f"The bus at {address!r} refuses the login.", remedy="Check its user and password."
                ) from error
            raise Retry(f"The bus at {address!r} is not there: {describe(error)}.") from error
        finally:
            if not joined:
                await session.close()
        return session

    @property
    def max_payload(self) -> int:
        return int(self._client.max_payload)

    def check_payload(self, payload: bytes) -> None:
        """Raises Invalid for what the server would answer by closing the connection."""
        # The server counts headers too; ids and batch headers stay far below this.
        most = self.max_payload - 1_024
        if len(payload) > most:
            raise Invalid(
                f"A message of {len(payload)} bytes; the bus takes {most}.", remedy="Split the batch."
            )

    async def publish(
        self, subject: str, payload: bytes, headers: dict[str, str] | None = None, reply: str = ""
    ) -> None:
        """Hands the message to the socket."""
        with self.limit(f"sending to {subject!r}", 10.0):
            await self._client.publish(subject, payload, reply, headers)

    async def ask(
        self, subject: str, payload: bytes, headers: dict[str, str] | None = None, *, timeout: float = 5.0
    ) -> Msg:
        """One reply. Raises NotFound when nobody listens there."""
        with self.waiting() as waiter, self.limit(f"an answer of {subject!r}", timeout):
            await self._client.publish(subject, payload, waiter.inbox, headers)
            return await self.reply(waiter, subject)

    async def reply(self, waiter: Waiter, subject: str) -> Msg:
        """What came to a waiter's inbox."""
        await waiter.arrived.wait()
        message = waiter.message
        if message is None:
            raise Retry(f"The bus gave no answer of {subject!r}.")
        if message.headers and message.headers.get("Status") == _NO_RESPONDERS:
            raise NotFound(f"Nobody serves {subject!r}.")
        return message

    @contextmanager
    def waiting(self) -> Iterator[Waiter]:
        """An inbox for one reply."""
        token = secrets.token_hex(8)
        waiter = self._waiters[token] = Waiter(f"{self._inbox}.{token}")
        try:
            yield waiter
        finally:
            self._waiters.pop(token, None)

    async def subscribe(
        self, subject: str, on_message: OnMessage, queue: str = "", lost: Callable[[], None] | None = None
    ) -> Leave:
        """Listens until the returned function is awaited or the session ends. ``lost`` is called for every
        message that could not be taken."""
        with self.limit(f"listening to {subject!r}", 5.0):
            subscription = await self._client.subscribe(subject, queue, cb=on_message)
        number = id(subscription)
        if lost:
            self.lost[number] = lost

        async def leave() -> None:
            self.lost.pop(number, None)
            if not self._client.is_closed:
                with anyio.move_on_after(1, shield=True):
                    await subscription.unsubscribe()

        return leave

    @contextmanager
    def limit(self, what: str, seconds: float) -> Iterator[None]:
        """Ends what waits in it when the time is over or the connection lost."""
        if self.closed.is_set():
            raise Retry(f"The connection to the bus was lost: {what} did not come.")
        with anyio.move_on_after(seconds) as scope:
            self._scopes.add(scope)
            try:
                yield
            except (nats.errors.Error, OSError) as error:
                raise Retry(f"The bus took no message: {describe(error)}.") from error
            finally:
                self._scopes.discard(scope)
        if scope.cancelled_caught:
            why = "the connection was lost" if self.closed.is_set() else f"{seconds:g} s are over"
            raise Retry(f"The bus did not do it: {why}, waiting for {what}.")

    async def close(self) -> None:
        with anyio.move_on_after(2, shield=True):
            await self._client.close()
        await self._on_closed()

    async def settle(self) -> None:
        """Returns when the server has done everything sent so far."""
        # The client's own flush is no barrier: its ping overtakes commands that wait in its buffer.
        with contextlib.suppress(NotFound):
            await self.ask("weft.nobody", b"")

    async def _join(self, address: Address) -> None:
        await self._client.connect(
            **address.options(),
            name="weft",
            no_echo=True,  # the publisher's process delivers to itself, and the very object
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=2,
            ping_interval=PING,
            pending_size=PENDING,
            error_cb=self._on_error,
            closed_cb=self._on_closed,
        )
        await self.subscribe(f"{self._inbox}.*", self._on_reply)

    async def _on_closed(self) -> None:
        self.closed.set()
        for scope in list(self._scopes):
            scope.cancel()

    async def _on_reply(self, message: Msg) -> None:
        waiter = self._waiters.get(message.subject.rpartition(".")[2])
        if waiter:
            waiter.message = message
            waiter.arrived.set()

    async def _on_error(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            lost = self.lost.get(id(error.sub))
            if lost:
                lost()
        log.debug("bus connection", error=describe(error))
