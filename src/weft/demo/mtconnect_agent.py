"""An MTConnect agent over HTTP (MTConnect 2.7, part 1): probe, current, sample, streaming, assets, errors.

As a program: ``python -m weft.demo.mtconnect_agent DEVICES.xml [--shdr LOG] [--port 5000] [--buffer 131072]``
prints its port and serves the log of an adapter.
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import parse_qs, unquote, urlsplit

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskStatus
from anyio.streams.buffered import BufferedByteReceiveStream

from weft.demo import mtconnect_document as document
from weft.demo.mtconnect_model import Device, Model
from weft.demo.mtconnect_shdr import ShdrReader
from weft.demo.mtconnect_store import OutOfRange, Store

__all__ = ["Agent"]

LONGEST_HEAD: Final = 16_384
BOUNDARY: Final = "a1b2c3d4e5f6a7b8"
_GONE: Final = (
    anyio.EndOfStream, anyio.IncompleteRead, anyio.DelimiterNotFound, anyio.BrokenResourceError,
    anyio.ClosedResourceError,
)  # fmt: skip

Send: TypeAlias = Callable[[bytes], Awaitable[None]]


class Refused(Exception):
    """A request that is answered with an error document."""

    def __init__(
        self, status: HTTPStatus, code: str, text: str, culprit: tuple[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.culprit = status, code, text, culprit


class Asked(NamedTuple):
    """A request in the protocol's own terms; intervals in seconds, None for a single answer."""

    devices: list[Device]
    ids: set[str]
    start: int
    most: int
    at: int
    interval: float | None
    heartbeat: float


class Agent:
    """Serves ``store``. ``streams`` False answers every request once: some agents cannot stream. ``requests``
    are the targets asked for, in order."""

    def __init__(self, store: Store, *, streams: bool = True) -> None:
        self.store = store
        self.streams = streams
        self.requests: list[str] = []

    async def run(self, port: int, *, task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; reports its port when it listens."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
        async with listener:
            task_status.started(listener.extra(SocketAttribute.local_port))  # noqa: S610  # no Django here
            await listener.serve(self._serve)

    async def _serve(self, stream: SocketStream) -> None:
        async with stream:
            source = BufferedByteReceiveStream(stream)
            try:
                while True:
                    head = await source.receive_until(b"\r\n\r\n", LONGEST_HEAD)
                    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
                    self.requests.append(target)
                    await self._answer(method, target, stream.send)
            except (*_GONE, ValueError):
                return

    async def _answer(self, method: str, target: str, send: Send) -> None:
        try:
            if method != "GET":
                raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "UNSUPPORTED", f"{method} is not served")
            body = await self._body(target, send)
        except Refused as refused:
            body = self._error(refused, target)
            await send(_head(refused.status, f"Content-Length: {len(body)}") + body)
            return
        if body is not None:
            await send(_head(HTTPStatus.OK, f"Content-Length: {len(body)}") + body)

    def _error(self, refused: Refused, target: str) -> bytes:
        return document.error(self.store, refused.code, refused.text, target, culprit=refused.culprit)

    async def _body(self, target: str, send: Send) -> bytes | None:
        """The whole answer; None when it was streamed."""
        parts = urlsplit(target)
        names = [unquote(name) for name in parts.path.split("/") if name]
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        devices = self._devices(names, query)
        verb = names[0] if names else "probe"
        if verb == "probe":
            return document.devices(self.store, devices)
        if verb in ("asset", "assets"):
            return self._assets(names[1:], query)
        if verb not in ("current", "sample"):
            raise Refused(HTTPStatus.NOT_FOUND, "INVALID_REQUEST", f"there is no request {verb!r}")
        asked = self._asked(devices, query)
        if asked.interval is None or not self.streams:
            return self._streams(verb, asked)[0]
        await self._stream(verb, asked, send)
        return None

    def _devices(self, names: list[str], query: dict[str, str]) -> list[Device]:
        """The devices asked for; a device's name is taken off ``names``."""
        model = self.store.model
        name = query.get("device", "")
        if not name and names and names[0] not in ("probe", "current", "sample", "asset", "assets"):
            name = names.pop(0)
        if not name:
            return model.devices
        device = model.device(name)
        if device is None:
            raise Refused(HTTPStatus.NOT_FOUND, "NO_DEVICE", f"Could not find the device '{name}'")
        return [device]

    def _asked(self, devices: list[Device], query: dict[str, str]) -> Asked:
        def number(name: str, otherwise: int, low: int) -> int:
            text = query.get(name, str(otherwise))
            if not text.lstrip("-").isdecimal() or int(text) < low:
                code = "OUT_OF_RANGE" if text.lstrip("-").isdecimal() else "INVALID_PARAMETER_VALUE"
                raise Refused(HTTPStatus.BAD_REQUEST, code, f"'{name}' cannot be {text}", (name, text))
            return int(text)

        ids = self.store.ids(device.name for device in devices)
        if "path" in query:
            try:
                ids &= self.store.model.select(devices, query["path"])
            except ValueError as error:
                raise Refused(HTTPStatus.BAD_REQUEST, "INVALID_XPATH", str(error)) from error
        interval = number("interval", 0, 0) / 1000 if "interval" in query else None
        return Asked(
            devices, ids, number("from", self.store.first, 0), number("count", 100, 1), number("at", 0, 0),
            interval, number("heartbeat", 10_000, 1) / 1000,
        )  # fmt: skip

    def _streams(self, verb: str, asked: Asked) -> tuple[bytes, int, bool]:
        """A document, the next sequence number, and whether something is in it."""
        try:
            if verb == "current":
                seen, following = self.store.current(asked.ids, asked.at), self.store.next
            else:
                seen, following = self.store.since(asked.start, asked.most, asked.ids)
        except OutOfRange as error:
            culprit = ("at", str(asked.at)) if verb == "current" else ("from", str(asked.start))
            raise Refused(HTTPStatus.NOT_FOUND, "OUT_OF_RANGE", str(error), culprit) from error
        return document.streams(self.store, asked.devices, seen, following), following, bool(seen)

    async def _stream(self, verb: str, asked: Asked, send: Send) -> None:
        """Parts of a multipart answer until the reader is gone or falls behind: one with observations at most
        every ``interval``, an empty one after ``heartbeat`` without any."""
        body, following, any_seen = self._streams(verb, asked)
        await send(
            _head(
                HTTPStatus.OK,
                "Transfer-Encoding: chunked",
                type=f"multipart/x-mixed-replace;boundary={BOUNDARY}",
            )
        )
        told = anyio.current_time()
        while True:
            if any_seen or verb == "current" or anyio.current_time() - told >= asked.heartbeat:
                await send(_part(body))
                told = anyio.current_time()
            await anyio.sleep(asked.interval or 0)
            asked = asked._replace(start=following)
            with anyio.move_on_after(max(0.0, told + asked.heartbeat - anyio.current_time())):
                while verb == "sample" and self.store.next <= following:
                    await self.store.news.wait()
            try:
                body, following, any_seen = self._streams(verb, asked)
            except Refused as refused:
                await send(_part(self._error(refused, "/sample")) + b"0\r\n\r\n")
                raise anyio.EndOfStream from refused

    def _assets(self, ids: list[str], query: dict[str, str]) -> bytes:
        held = self.store.assets
        if ids:
            wanted = [id for part in ids for id in part.split(";")]
            missing = [id for id in wanted if id not in held]
            if missing:
                text = f"Cannot find asset: {missing[0]}"
                raise Refused(HTTPStatus.NOT_FOUND, "ASSET_NOT_FOUND", text, ("assetId", missing[0]))
            return document.assets(self.store, [held[id] for id in wanted])
        newest = [asset for asset in reversed(held.values()) if not asset.removed]
        if "type" in query:
            newest = [asset for asset in newest if asset.type == query["type"]]
        return document.assets(self.store, newest[: int(query.get("count", "100"))])


def _head(status: HTTPStatus, more: str, type: str = "text/xml") -> bytes:
    return f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {type}\r\n{more}\r\n\r\n".encode()


def _part(body: bytes) -> bytes:
    """One part of a multipart answer, as a chunk of the HTTP body."""
    head = f"--{BOUNDARY}\r\nContent-type: text/xml\r\nContent-length: {len(body)}\r\n\r\n".encode()
    part = head + body + b"\r\n"
    return f"{len(part):x}\r\n".encode() + part + b"\r\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("devices", type=pathlib.Path)
    parser.add_argument("--shdr", type=pathlib.Path, help="log of an adapter of the first device")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--buffer", type=int, default=131_072)
    asked = parser.parse_args()
    store = Store(Model(asked.devices.read_text(encoding="utf-8")), size=asked.buffer)
    if asked.shdr:
        reader = ShdrReader(store, store.model.devices[0].name)
        reader.feed(asked.shdr.read_text(encoding="utf-8").split("\n"))
    anyio.run(_main, Agent(store), asked.port)


async def _main(agent: Agent, port: int) -> None:
    async with anyio.create_task_group() as tasks:
        print(await tasks.start(agent.run, port), flush=True)  # noqa: T201  # whoever started it waits for this


if __name__ == "__main__":
    main()
