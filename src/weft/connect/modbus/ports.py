"""Byte streams to a device: a TCP connection, or a serial port whose descriptor never blocks."""

from __future__ import annotations

import os
from typing import Final, Protocol

import anyio
import anyio.to_thread
from anyio.abc import SocketStream

from weft.connect.modbus.address import SerialPort
from weft.runtime import NeedsHuman, Retry

__all__ = ["Bytes", "Serial", "Tcp"]

CHUNK: Final = 4096


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


class Tcp:
    """A TCP connection, made anew by :meth:`restart`."""

    silence = 0.0
    flight = 0.0
    echo = False

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self.peer = f"{host}:{port}"
        self._host, self._port, self._timeout = host, port, timeout
        self._stream: SocketStream | None = None

    async def open(self) -> SocketStream:
        """Raises Retry when there is no connection to be had."""
        try:
            with anyio.fail_after(self._timeout):
                self._stream = await anyio.connect_tcp(self._host, self._port)
        except TimeoutError:
            raise Retry(f"{self.peer} did not accept a connection within {self._timeout:g} s.") from None
        except (OSError, UnicodeError) as error:  # the latter: a name that cannot be one
            raise Retry(
                f"No connection to {self.peer}: {_reason(error)}.",
                remedy="Is the device on, and is Modbus enabled on it?",
            ) from error
        return self._stream

    async def send(self, data: bytes) -> None:
        stream = self._stream or await self.open()
        try:
            await stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise self._closed() from error

    async def receive(self) -> bytes:
        stream = self._stream or await self.open()
        try:
            return await stream.receive(CHUNK)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise self._closed() from error

    async def restart(self) -> None:
        await self.close()

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(stream)

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
        except (serial.SerialException, OSError, ValueError) as error:
            if getattr(error, "errno", None) == 13:
                raise self._denied() from error
            raise Retry(
                f"The serial port {self.peer} cannot be opened: {error}.",
                remedy="Is the adapter plugged in, and does nobody else use the port?",
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
