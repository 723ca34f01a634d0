"""A nats-server of one's own: a child on loopback that nobody else can log in to, with a store that survives
a power cut. Or, when a URL is given, somebody else's."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import Process

from weft.bus import binary
from weft.bus.folder import Login, ServerFolder
from weft.bus.gate import Gate
from weft.bus.orphan import end_orphans
from weft.bus.session import Address, Session
from weft.runtime import Backoff, Denied, Ready, Retry, Service, get_logger

__all__ = ["NatsServer"]

log = get_logger(__name__)

READY_WITHIN: Final = 60.0  # a store of many gigabytes is checked before the port opens
GRACE: Final = 5.0  # seconds between the request to end and the end by force
LOOK: Final = 0.02
MEMORY: Final = "1GiB"  # above it Go's collector works harder; not a hard limit

_LEASH: Final = Path(__file__).with_name("_leash.py")


class NatsServer:
    """Supervised by ``run``, or up inside ``async with`` (then a crash is not mended).

    ``folder`` keeps its configuration, credentials and store, readable for this user only. ``url`` names a
    server that others run; then there is no child. ``mqtt_port`` opens an MQTT 3.1.1 listener for devices, on
    loopback too (0: any free port). ``max_store`` bounds all streams together, in bytes. ``gate`` opens it for
    edges on other machines.
    """

    def __init__(
        self,
        folder: Path,
        *,
        url: str = "",
        port: int = 0,
        mqtt_port: int | None = None,
        max_store: int = 16 << 30,
        gate: Gate | None = None,
    ) -> None:
        self._external = Address(url=url) if url else None
        self._folder = ServerFolder(folder, port=port, mqtt_port=mqtt_port, max_store=max_store, gate=gate)
        self._process: Process | None = None
        self._stack = AsyncExitStack()

    @property
    def address(self) -> Address:
        """Where and how to log in; the same after each restart. Another process on this machine and of this
        user may ask for it too. Raises NotFound before the first start in this folder."""
        return self._external or self._folder.address

    @property
    def login(self) -> Login:
        """Ports and credentials, those of MQTT devices among them. Raises NotFound before the first start."""
        return self._folder.login

    @property
    def pid(self) -> int:
        """The child's; 0 without one."""
        return self._process.pid if self._process and self._process.returncode is None else 0

    def service(self) -> Service:
        """``run`` under a supervisor, with short pauses only: everything waits for the bus."""
        return Service("nats-server", self.run, Backoff(first=0.05, most=0.5))

    async def run(self, ready: Ready) -> None:
        """The server as a service: ready when it accepts a login. Raises Retry when the child ends, Conflict
        when another Weft uses the folder, NeedsHuman without a binary of sufficient version."""
        async with self._running():
            ready()
            if self._process is None:
                await anyio.sleep_forever()
            else:
                code = await self._process.wait()
                raise Retry(f"nats-server ended with code {code}: {self._folder.last_words()}.")

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._running())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        if self._external is not None:
            yield  # whether it is there and lets us in, the bus finds out with its own credentials
            return
        program = await binary.find()
        with self._folder.locked():
            await end_orphans(self._folder.config)
            self._folder.prepare()
            try:
                self._process = await self._start(program)
                await self._accepts()
                log.info("nats-server is up", address=repr(self.address), pid=self.pid, program=str(program))
                yield
            finally:
                await self._stop()

    async def _start(self, program: Path) -> Process:
        leash = [sys.executable, "-I", "-S", str(_LEASH), str(os.getpid())]
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with self._folder.errors.open("wb") as errors:
            self._folder.errors.chmod(0o600)
            return await anyio.open_process(
                [*leash, str(program), "-c", str(self._folder.config)],
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=errors,
                env={**environment, "GOMEMLIMIT": MEMORY},
                start_new_session=True,  # Ctrl-C is for Weft, which stops it last
            )

    async def _accepts(self) -> None:
        """Returns when a login works. Raises Retry when the child ends before."""
        with anyio.move_on_after(READY_WITHIN):
            while self.pid:
                with contextlib.suppress(Retry, Denied):  # denied: another server has the port, and ours ends
                    await _log_in(self.address)
                    return
                await anyio.sleep(LOOK)
        raise Retry(f"nats-server did not start: {self._folder.last_words()}.")

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.terminate()
                with anyio.move_on_after(GRACE):
                    await process.wait()
            if process.returncode is None:
                process.kill()
            await process.aclose()


async def _log_in(address: Address) -> None:
    session = await Session.dial(address)
    await session.close()
