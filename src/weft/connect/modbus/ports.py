"""Byte streams to a device: a TCP connection, or a serial port whose descriptor never blocks."""

from __future__ import annotations

import asyncio
import os
from typing import Final, Protocol

import anyio
import anyio.to_thread

from weft.connect.modbus.address import SerialPort
from weft.runtime import NeedsHuman, Retry

__all__ = ["Bytes", "Serial", "Tcp"]

CHUNK: Final = 4096
MOST_UNREAD: Final = 65536


class Bytes(Protocol):
    """What a wire needs of a line. ``silence`` are the seconds that must pass between two frames, ``flight`` those
    that one byte takes, ``echo`` whether one hears oneself."""

    peer: str
    silence: float
    flight: float
    echo: bool

    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes:
        """At least one byte. Raises Retry when the line is lost."""
        ...

    async def restart(self) -> None:
        """Makes sure that no answer to an earlier question is still to come, as well as the line can."""
        ...

    async def close(self) -> None: ...


class _Inbox(asyncio.Protocol):
    """What has come and was not yet taken. Reading is never paused between two answers: stopping and starting it
    costs two system calls for each, a third of all that a question costs."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.data = b""
        self.lost = False
        self.news = anyio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        if len(self.data) > MOST_UNREAD and self.transport is not None:
            self.transport.abort()  # nobody asked for so much
        self.news.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self.news.set()


class Tcp:
    """A TCP connection, made anew by :meth:`restart`."""

    silence = 0.0
    flight = 0.0
    echo = False

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self.peer = f"{host}:{port}"
        self._host, self._port, self._timeout = host, port, timeout
        self._inbox: _Inbox | None = None

    async def open(self) -> _Inbox:
        """Raises Retry when there is no connection to be had."""
        loop = asyncio.get_running_loop()
        try:
            with anyio.fail_after(self._timeout):
                _, self._inbox = await loop.create_connection(
                    _Inbox, self._host, self._port, happy_eyeballs_delay=0.25
                )
        except TimeoutError:
            raise Retry(f"{self.peer} did not accept a connection within {self._timeout:g} s.") from None
        except (OSError, UnicodeError) as error:  # the latter: a name that cannot be one
            raise Retry(
                f"No connection to {self.peer}: {_reason(error)}.",
                remedy="Is the device on, and is Modbus enabled on it?",
            ) from error
        return self._inbox

    async def send(self, data: bytes) -> None:
        inbox = self._inbox or await self.open()
        if inbox.lost or inbox.transport is None:
            raise self._closed()
        inbox.transport.write(data)  # a question is a few hundred bytes, and there is one at a time

    async def receive(self) -> bytes:
        inbox = self._inbox or await self.open()
        while not inbox.data:
            if inbox.lost:
                raise self._closed()
            inbox.news = anyio.Event()
            await inbox.news.wait()
        data, inbox.data = inbox.data, b""
        return data

    async def restart(self) -> None:
        await self.close()

    async def close(self) -> None:
        inbox, self._inbox = self._inbox, None
        if inbox is not None and inbox.transport is not None:
            inbox.transport.abort()

    def _closed(self) -> Retry:
        return Retry(f"{self.peer} closed the connection.")


class Serial:
    """A serial port. pyserial opens and sets it up; bytes then move when the kernel says that they can."""

    def __init__(self, config: SerialPort) -> None:
        self.peer = config.device
        self.silence = config.silence
        self.flight = config.character
        self.echo = config.echo
        self._config = config
        self._port: object = None
        self._fd = -1

    async def open(self) -> None:
        """Raises Retry when the port is not there or in use, NeedsHuman when it may not be opened."""
        await anyio.to_thread.run_sync(self._open)

    async def send(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                await anyio.wait_writable(self._fd)
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            raise self._lost(error) from error

    async def receive(self) -> bytes:
        try:
            while True:
                await anyio.wait_readable(self._fd)
                try:
                    data = os.read(self._fd, CHUNK)
                except BlockingIOError:
                    continue
                if not data:
                    raise Retry(f"The serial port {self.peer} is gone.", remedy="Is the adapter plugged in?")
                return data
        except OSError as error:
            raise self._lost(error) from error

    async def restart(self) -> None:
        import termios  # there is none on every system that only uses TCP

        try:
            termios.tcflush(self._fd, termios.TCIFLUSH)
        except termios.error as error:
            raise Retry(f"The serial port {self.peer} is lost: {error.args[-1]}.") from error

    async def close(self) -> None:
        port, self._port, self._fd = self._port, None, -1
        if port is not None:
            port.close()  # type: ignore[attr-defined]  # pyserial has no types

    def _open(self) -> None:
        import termios

        import serial  # only who has a serial line pays for it

        parity = {"even": "E", "odd": "O", "none": "N"}[self._config.parity]
        try:
            self._port = port = serial.Serial(
                self._config.device,
                self._config.baudrate,
                parity=parity,
                stopbits=self._config.stops,
                timeout=0,
                write_timeout=0,
                exclusive=True,
            )
        except PermissionError as error:
            raise self._denied() from error
        except (serial.SerialException, OSError, ValueError, termios.error) as error:
            if getattr(error, "errno", None) == 13:
                raise self._denied() from error
            raise Retry(
                f"The serial port {self.peer} cannot be opened: {error}.",
                remedy="Is the adapter plugged in, does nobody else use it, and can it do these settings?",
            ) from error
        self._fd = port.fileno()
        os.set_blocking(self._fd, False)

    def _denied(self) -> NeedsHuman:
        return NeedsHuman(
            f"The serial port {self.peer} may not be opened.",
            remedy="Put the user that runs Weft into the port's group, most often dialout.",
        )

    def _lost(self, error: OSError) -> Retry:
        return Retry(f"The serial port {self.peer} is lost: {error.strerror}.")


def _reason(error: BaseException) -> str:
    """The system's own words for it."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, BaseExceptionGroup):
        return _reason(error.exceptions[0])
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error)
