"""Mosquitto as the broker of a test, and a publisher that shares no code with the connector."""

from __future__ import annotations

import pathlib
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

PROGRAM = shutil.which(
    "mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/sbin"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """One broker process on a loopback port, with its memory in ``folder``; killed and started at will."""

    def __init__(
        self, folder: pathlib.Path, settings: str = "allow_anonymous true", listener: str = ""
    ) -> None:
        if PROGRAM is None:
            pytest.skip("mosquitto is not installed (Debian package mosquitto)")
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._log = folder / "mosquitto.log"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\n{listener}\n{settings}\npersistence true\n"
            f"persistence_location {folder}/\nmax_queued_messages 100000\nlog_dest stderr\nuser root\n"
        )
        self._process: subprocess.Popen | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = self._spawn(log)
        with anyio.fail_after(10):
            while True:
                try:
                    stream = await anyio.connect_tcp("127.0.0.1", self.port)
                except OSError:
                    assert self._process.poll() is None, self._log.read_text()
                    await anyio.sleep(0.02)
                else:
                    await stream.aclose()
                    return

    def _spawn(self, log) -> subprocess.Popen:
        return subprocess.Popen([PROGRAM, "-c", str(self._config)], stdout=log, stderr=log)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(10)

    def text(self) -> str:
        return self._log.read_text()


@asynccontextmanager
async def running(folder, settings="allow_anonymous true", listener="") -> AsyncIterator[Mosquitto]:
    broker = Mosquitto(folder, settings, listener)
    await broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def _text(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def packet(head: int, body: bytes) -> bytes:
    """An MQTT control packet (MQTT 3.1.1, 2.1)."""
    length, size = b"", len(body)
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (0x80 if size else 0)])
        if not size:
            return bytes([head]) + length + body


class Publisher:
    """Publishes over a bare socket (MQTT 3.1.1) and waits for every acknowledgement."""

    def __init__(self, port: int, user: str = "", password: str = "") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        flags = 0x02 | (0xC0 if user else 0)
        sign_in = _text(user) + _text(password) if user else b""
        body = _text("MQTT") + bytes([4, flags, 0, 60]) + _text(f"publisher{port}") + sign_in
        self._socket.sendall(packet(0x10, body))
        assert self._read(4) == b"\x20\x02\x00\x00"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._socket.sendall(b"\xe0\x00")
        self._socket.close()

    def publish(self, topic: str, *payloads: bytes | str, retain: bool = False) -> None:
        """QoS 1, several at once; returns when the broker has all."""
        for start in range(0, len(payloads), 100):
            some = payloads[start : start + 100]
            for i, payload in enumerate(some, 1):
                data = payload.encode() if isinstance(payload, str) else payload
                self._socket.sendall(packet(0x32 | retain, _text(topic) + i.to_bytes(2, "big") + data))
            for _ in some:
                assert self._read(4)[:2] == b"\x40\x02"

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            assert more, "the broker closed the publisher's connection"
            data += more
        return data
