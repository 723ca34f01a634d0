"""The parent's side: keeps the server's process up, tells it the plant and its newest values, and carries the
wishes of its clients the way of every command."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, ClassVar, Final

import anyio
import anyio.abc
import msgspec

from weft.destinations.api import Feed
from weft.destinations.opcua import config as settings
from weft.destinations.opcua import pipe
from weft.model import Batch, Command, Signal, encode
from weft.model.wire import MAX_ROWS
from weft.runtime import Denied, Invalid, NeedsHuman, NotFound, Retry, WeftError, get_logger
from weft.runtime.secret import resolve

__all__ = ["OpcUaServer"]

log = get_logger(__name__)

_START: Final = 60.0
_GRACE: Final = 3.0
_SILENT_BEATS: Final = 3
_LAST_WORDS: Final = 2000
_MOST_ERRORS: Final = 4 << 20

_BAD_COMMUNICATION: Final = 0x80050000
_BAD_NODE_ID_UNKNOWN: Final = 0x80340000
_BAD_OUT_OF_RANGE: Final = 0x803C0000
_BAD_USER_ACCESS_DENIED: Final = 0x801F0000
_BAD_INVALID_STATE: Final = 0x80AF0000

_LOST: Final = (anyio.BrokenResourceError, anyio.ClosedResourceError)
_Stream = anyio.abc.ByteStream


class OpcUaServer:
    """``run`` is one life of the server's process: it raises Retry when that ends or no longer answers,
    NeedsHuman when a person must act first. ``port`` is where it listens, 0 while it does not."""

    Config: ClassVar[type[msgspec.Struct]] = settings.Config

    def __init__(self, config: settings.Config) -> None:
        self.config = config
        self.port = 0
        self.pid = 0
        self._feed: Feed
        self._errors: Path
        self._stream: _Stream
        self._sending: anyio.Lock
        self._ready: anyio.Event
        self._heard = 0.0

    async def run(self, feed: Feed) -> None:
        self._feed = feed
        self._sending, self._ready = anyio.Lock(), anyio.Event()
        begin = await anyio.to_thread.run_sync(self._begin, feed)
        self._errors = feed.folder / "server.log"
        async with _process(self.config, self._errors) as (process, self._stream):
            self.pid = process.pid
            try:
                await self._converse(begin)
            except BaseExceptionGroup as group:
                _, rest = group.split(_LOST)  # then it has ended, and what it said last tells more
                told = next(_leaves(rest), None) if rest is not None else None
                if told is not None:
                    raise told from group
            finally:
                self.port = self.pid = 0
            with anyio.move_on_after(_GRACE):
                await process.wait()  # it still writes down why
            raise Retry(f"The OPC UA server's process ended: {_last_words(self._errors)}.")

    async def _converse(self, begin: pipe.Begin) -> None:
        self._heard = time.monotonic()
        async with anyio.create_task_group() as group:
            await self._say(begin)
            group.start_soon(self._pass_on)
            group.start_soon(self._beat)
            async for message in pipe.frames(self._stream, pipe.FromChild):
                self._heard = time.monotonic()
                if isinstance(message, pipe.Wish):
                    group.start_soon(self._carry_out, message)
                else:
                    self._take(message)
            group.cancel_scope.cancel()

    def _take(self, message: Any) -> None:
        if isinstance(message, pipe.Ready):
            self.port = message.port
            where = f"opc.tcp://{message.host}:{message.port}"
            log.info("OPC UA server is up", at=where, pid=self.pid, certificate=message.fingerprint)
            self._feed.up(where)
            self._ready.set()
        elif isinstance(message, pipe.Rejected):
            log.warning("OPC UA client turned away: its certificate is not trusted", certificate=message.what)
        elif isinstance(message, pipe.Failed):
            raise (NeedsHuman if message.human else Retry)(message.message, remedy=message.remedy)

    async def _pass_on(self) -> None:
        """The plant and its newest values first, then what comes."""
        await self._ready.wait()
        seen = await self._describe()
        async with anyio.create_task_group() as group:
            group.start_soon(self._follow, seen)
            while True:
                delivery = await self._feed.take()
                if delivery.live:
                    await self._samples(delivery.batch)
                await self._feed.settle(delivery)

    async def _follow(self, seen: Sequence[Signal]) -> None:
        while True:
            await self._feed.changed(seen)
            seen = await self._describe()

    async def _describe(self) -> Sequence[Signal]:
        signals = self._feed.signals
        places = [pipe.place_of(asset) for asset in self._feed.assets.values()]
        await self._say(pipe.Model(places, [pipe.point_of(signal) for signal in signals]))
        await self._samples(self._feed.snapshot())
        return signals

    async def _samples(self, batch: Batch) -> None:
        for piece in batch.split(MAX_ROWS // 10):
            if len(piece):
                await self._say(pipe.Samples(encode(piece)))

    async def _beat(self) -> None:
        """Asks whether it is alive. Raises Retry when it does not answer: whoever stops it then ends it."""
        for number in range(1 << 62):
            await anyio.sleep(self.config.heartbeat)
            _cut(self._errors)
            silent = time.monotonic() - self._heard
            allowed = self.config.heartbeat * _SILENT_BEATS if self._ready.is_set() else _START
            if silent > allowed:
                raise Retry(
                    f"The OPC UA server's process has not answered for {silent:.0f} s; it is started anew."
                )
            await self._say(pipe.Ping(number))

    async def _carry_out(self, wish: pipe.Wish) -> None:
        command = Command(
            signal=wish.path,
            value=wish.value,
            actor=wish.actor,
            via="opcua",
            reason=wish.reason,
            expires=wish.expires,
        )
        try:
            outcome = await self._feed.command(command)
        except WeftError as error:
            answer = pipe.Answer(wish.id, _status_of(error), error.message)
        else:
            answer = pipe.Answer(wish.id, outcome.status, outcome.reason)
        await self._say(answer)

    async def _say(self, message: msgspec.Struct) -> None:
        async with self._sending:
            await pipe.send(self._stream, message)

    def _begin(self, feed: Feed) -> pipe.Begin:
        """Raises NeedsHuman when a secret or a user's certificate is not there."""
        config = self.config
        folder = Path(config.certificates).expanduser() if config.certificates else feed.folder / "pki"
        said = msgspec.to_builtins(config)
        logins = [
            pipe.Login(name, _digest(user.password, name), _certificate(user.certificate, name), user.write)
            for name, user in config.users.items()
        ]
        said["users"] = {name: {"password": "kept by the parent"} for name in config.users}
        return pipe.Begin(str(folder), said, logins)


@asynccontextmanager
async def _process(config: settings.Config, errors: Path) -> AsyncIterator[tuple[anyio.abc.Process, _Stream]]:
    """The child and the pair of sockets to it; however this is left, it is gone afterwards."""
    mine, theirs = socket.socketpair()
    command = [sys.executable, "-m", "weft.destinations.opcua"]
    limits = [str(os.getpid()), str(config.max_memory_mb), str(config.nice)]
    environment = {
        name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH", "LANG") if name in os.environ
    }
    with theirs, await anyio.to_thread.run_sync(_fresh, errors) as log_file:
        process = await anyio.open_process(
            [*command, *limits],
            stdin=theirs.fileno(),
            stdout=log_file,
            stderr=subprocess.STDOUT,
            env={**environment, "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for Weft, which ends it
        )
    try:
        async with await anyio.abc.UNIXSocketStream.from_socket(mine) as stream:
            yield process, stream
    finally:
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(_GRACE):
                await process.wait()  # it ends when its parent hangs up
            if process.returncode is None:
                process.kill()
            await process.aclose()


def _fresh(path: Path) -> IO[bytes]:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def _cut(path: Path) -> None:
    """Whoever is turned away again and again must not fill the disk."""
    with contextlib.suppress(OSError):
        if path.stat().st_size > _MOST_ERRORS:
            os.truncate(path, 0)


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _digest(reference: str, name: str) -> bytes:
    if not reference:
        return b""
    return hashlib.sha256(resolve(reference, f"password of {name}").encode()).digest()


def _certificate(path: str, name: str) -> bytes:
    if not path:
        return b""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        raw = Path(path).expanduser().read_bytes()
        pem = raw.lstrip().startswith(b"-----")
        found = x509.load_pem_x509_certificate(raw) if pem else x509.load_der_x509_certificate(raw)
    except (OSError, ValueError) as error:
        raise NeedsHuman(
            f"The certificate {path} of the user {name} cannot be read: {error}.",
            remedy="It must be a DER or PEM file.",
        ) from error
    return hashlib.sha256(found.public_bytes(Encoding.DER)).digest()


def _status_of(error: WeftError) -> int:
    for kind, status in (
        (Denied, _BAD_USER_ACCESS_DENIED),
        (NotFound, _BAD_NODE_ID_UNKNOWN),
        (Invalid, _BAD_OUT_OF_RANGE),
        (Retry, _BAD_COMMUNICATION),
    ):
        if isinstance(error, kind):
            return status
    return _BAD_INVALID_STATE


def _last_words(errors: Path) -> str:
    try:
        with errors.open("rb") as file:
            file.seek(max(errors.stat().st_size - _LAST_WORDS, 0))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return "without a word"
    return lines[-1][:300].rstrip(".") if lines else "without a word"
