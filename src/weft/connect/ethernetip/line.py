"""A socket for pycomm3 that gives up: its own waits without end for the rest of an answer whose sender has gone."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Final

__all__ = ["Line"]

HEADER: Final = 24
CHUNK: Final = 65536


class Line:
    """What pycomm3 needs of a socket. All methods but :meth:`abort` are called from a worker thread; errors are
    OSErrors, which pycomm3 makes its own."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._aborted = False

    def connect(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), self._timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, message: bytes, timeout: float = 0) -> int:
        self._open().sendall(message)
        return len(message)

    def receive(self, timeout: float = 0) -> bytes:
        """One whole frame, within the time limit."""
        end = time.monotonic() + self._timeout
        data = b""
        size = HEADER
        while len(data) < size:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no answer within {self._timeout:g} s")
            line = self._open()
            line.settimeout(left)
            chunk = line.recv(CHUNK)
            if not chunk:
                raise ConnectionResetError("the other side closed the connection")
            data += chunk
            if len(data) >= HEADER:
                size = HEADER + int.from_bytes(data[2:4], "little")
        return data[:size]

    def close(self) -> None:
        line, self._socket = self._socket, None
        if line is not None:
            line.close()

    def abort(self) -> None:
        """Ends whatever the worker thread waits for; from any thread."""
        self._aborted = True
        line = self._socket
        if line is not None:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def _open(self) -> socket.socket:
        if self._socket is None or self._aborted:
            raise ConnectionAbortedError("the connection is closed")
        return self._socket
