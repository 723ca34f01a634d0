"""The field as a whole: its processes as children, restarted when they crash, gone when their parent is."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Collection
from contextlib import AsyncExitStack
from pathlib import Path
from subprocess import DEVNULL
from types import TracebackType
from typing import Final, Literal, Self

import anyio
import msgspec
from anyio.abc import Process

from weft.demo.broker import PUBLISHER, STATION, SUBSCRIBER, password_file, prepare
from weft.demo.layout import STATIONS
from weft.demo.truth import forget

__all__ = ["HOST_ID", "LINE", "PROCESSES", "Field", "FieldFailed", "Ports"]

FIRST: Final = ("mill", "washer", "meters", "broker")  # these accept connections before the stations start
SERVERS: Final = (*FIRST, "lathe", "press", "robot", "palletiser")
LINE: Final = (*FIRST, "packing")
PROCESSES: Final = (*LINE, *STATIONS)
LISTENING: Final = ("inspection", "cart")  # at the broker
HOST_ID: Final = "weft"  # the Sparkplug host application that the inspection station waits for
PATIENCE: Final = 60.0  # s for all to accept connections
RESTART: Final = 0.2  # s before a crashed process is started again
HASTE: Final = 3  # crashes in a row, each soon after the start, that mean it cannot run
SHORT: Final = 10.0  # s
LOOK: Final = 0.02


class FieldFailed(Exception):
    """A process of the field does not run; the message has its last words."""


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Where the field listens, all on 127.0.0.1, and how to log on to its broker. ``password`` is a reference
    as a plant's folder has it (``file:…``). ``stations`` are those of the plant besides mill, washer, meters and
    packing."""

    mill: int
    washer: int
    meters: int
    broker: int
    lathe: int = 0
    press: int = 0
    robot: int = 0
    palletiser: int = 0
    stations: tuple[str, ...] = ()
    user: str = SUBSCRIBER
    password: str = ""


class Field:
    """``async with Field(seed=1) as field:`` runs the model factory's field on free ports.

    ``start`` (ns UTC, default now) is the simulated time of the first step. At speed 1 simulated time is the
    clock's, and a factory that started in the past has been running since. At any other speed the first step
    is present when the field is up, and time runs ``speed`` times as fast from there. With ``hold`` time stands
    at the first step until :meth:`release`, and goes on from there when ``start`` was given. It ends after ``until`` simulated seconds; the last state stays.
    ``pace="read"`` makes the Modbus devices wait for their reader instead. ``truth`` is the folder for what was
    really shown (that of an earlier run is deleted), ``folder`` a private one for broker and logs (default: a temporary one). Without ``wait`` the
    servers are still starting when the block is entered. ``processes`` are those that run at all: PROCESSES are all
    of them, the default is the line of mill, washer and packing with its meters and broker.

    A crashed process is started again; one that crashes at every start is given up and told in ``failed``, and
    the others go on. Raises FieldFailed when a server does not come up.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        seed: int = 1,
        speed: float = 1.0,
        start: int | None = None,
        until: float | None = None,
        truth: Path | None = None,
        pace: Literal["time", "read"] = "time",
        hold: bool = False,
        wait: bool = True,
        processes: Collection[str] = LINE,
    ) -> None:
        self.seed = seed
        self.start = time.time_ns() if start is None else start
        self.truth = truth
        self.failed: dict[str, str] = {}
        self.restarts = dict.fromkeys(processes, 0)
        self._wanted = folder
        self._hold = hold
        self._wait = wait
        self._options = [f"--seed={seed}", f"--start={self.start}", f"--speed={speed}", f"--pace={pace}"]
        self._options += [] if until is None else [f"--until={until}"]
        self._options += [] if truth is None else [f"--truth={truth}"]
        past = start is not None and start <= time.time_ns()
        self._real_time = speed == 1.0 and (start is None or (past and not hold))
        self._processes: dict[str, Process] = {}
        self._stack = AsyncExitStack()

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of what runs now; the broker's is that of ``nats-server`` itself."""
        return {name: process.pid for name, process in self._processes.items() if process.returncode is None}

    async def __aenter__(self) -> Self:
        up = False
        try:
            self.folder = self._private_folder()
            prepare(self.folder / "broker")
            self._gate = self.folder / "gate"
            self._gate.unlink(missing_ok=True)
            self._commands = self.folder / "commands"
            self._commands.unlink(missing_ok=True)
            if self.truth is not None:
                forget(self.truth)
            self.ports = self._choose_ports()
            tasks = await self._stack.enter_async_context(anyio.create_task_group())
            self._stack.callback(tasks.cancel_scope.cancel)
            for name in self.restarts:
                tasks.start_soon(self._keep, name)
            if self._wait:
                await self.up(*(name for name in SERVERS if name in self.restarts))
            up = True
        finally:
            if not up:
                await self._stack.aclose()
        if not self._hold:
            self.release()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()  # whatever was raised inside goes on as it is, not in a group

    def release(self) -> None:
        """Lets simulated time run from now on."""
        if not self._gate.exists():
            origin = self.start if self._real_time else time.time_ns()
            draft = self._gate.with_suffix(".draft")
            draft.write_text(str(origin), encoding="ascii")
            draft.rename(self._gate)  # who sees the gate sees all of it

    def kill(self, name: str) -> int:
        """SIGKILL to a process, which is restarted; returns the id it had. Raises ProcessLookupError."""
        pid = self._processes[name].pid
        os.kill(pid, signal.SIGKILL)
        return pid

    async def up(self, *names: str) -> None:
        """Waits until these accept connections, those of them that do. Raises FieldFailed."""
        for name in (name for name in names if name in SERVERS):
            with anyio.move_on_after(PATIENCE) as patience:
                await self._accepts(name)
            if patience.cancelled_caught:
                raise FieldFailed(self._last_words(name, "does not accept connections"))

    async def _accepts(self, name: str) -> None:
        port = getattr(self.ports, name)
        while True:
            if name in self.failed:
                raise FieldFailed(self.failed[name])
            try:
                stream = await anyio.connect_tcp("127.0.0.1", port)
            except OSError:
                await anyio.sleep(LOOK)
            else:
                await stream.aclose()
                return

    async def _their_turn(self) -> None:
        """The line is up first: on a small computer eleven interpreters that start at once start slowly."""
        for name in FIRST:
            if name in self.restarts:
                try:
                    await self._accepts(name)
                except FieldFailed:
                    continue

    async def _keep(self, name: str) -> None:
        """Runs a process for as long as the field lives. One that cannot run does not stop the others."""
        if name in STATIONS:
            await self._their_turn()
        hasty = 0
        while hasty < HASTE:
            began = time.monotonic()
            with (self.folder / f"{name}.log").open("ab") as log:
                process = await anyio.open_process(self._command(name), stdin=DEVNULL, stdout=log, stderr=log)
            async with process:
                self._processes[name] = process
                await process.wait()
            killed = process.returncode == -signal.SIGKILL
            hasty = hasty + 1 if time.monotonic() - began < SHORT and not killed else 0
            self.restarts[name] += 1
            await anyio.sleep(RESTART)
        self.failed[name] = self._last_words(name, f"crashed {HASTE} times in a row")

    def _command(self, name: str) -> list[str]:
        command = [sys.executable, "-m", "weft.demo", name, f"--parent={os.getpid()}"]
        private = self.folder / "broker"
        if name == "broker":
            return [*command, f"--folder={private}", f"--port={self.ports.broker}"]
        command += [*self._options, f"--gate={self._gate}", f"--commands={self._commands}"]
        if name == "packing":
            password = password_file(private, PUBLISHER)
            url = f"mqtt://{PUBLISHER}@127.0.0.1:{self.ports.broker}"
            return [*command, f"--broker={url}", f"--password-file={password}"]
        if name in LISTENING:
            password = password_file(private, STATION)
            url = f"mqtt://{STATION}@127.0.0.1:{self.ports.broker}"
            return [*command, f"--broker={url}", f"--password-file={password}", f"--host={HOST_ID}"]
        return [*command, f"--port={getattr(self.ports, name)}"]

    def _choose_ports(self) -> Ports:
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in SERVERS]
        ports = {name: s.getsockname()[1] for name, s in zip(SERVERS, sockets, strict=True)}
        for s in sockets:
            s.close()
        password = password_file(self.folder / "broker", SUBSCRIBER)
        stations = tuple(name for name in STATIONS if name in self.restarts)
        return Ports(**ports, stations=stations, password=f"file:{password.absolute()}")

    def _private_folder(self) -> Path:
        if self._wanted is not None:
            self._wanted.mkdir(parents=True, exist_ok=True)
            return self._wanted.absolute()
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="model-factory-")))

    def _last_words(self, name: str, what: str) -> str:
        log = self.folder / f"{name}.log"
        words = log.read_text(encoding="utf-8", errors="replace")[-600:].strip() if log.exists() else ""
        return f"The field's process {name} {what}. {words}"
