"""A nats-server that outlived the Weft that started it and still holds the store."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Final

import anyio

from weft.bus.folder import ServerFolder
from weft.runtime import Conflict, get_logger

__all__ = ["end_orphan"]

log = get_logger(__name__)

GRACE: Final = 5.0
LOOK: Final = 0.01


async def end_orphan(folder: ServerFolder) -> None:
    """Ends it, politely first. The folder must be locked: then whoever runs there has lost its parent."""
    pid = await _pid(folder)
    if not pid:
        return
    log.warning("a nats-server of an earlier life is ended", pid=pid)
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, sign)
        except ProcessLookupError:
            return
        with anyio.move_on_after(GRACE):
            while await _pid(folder) == pid:  # noqa: ASYNC110  # it is not our child: nobody tells us
                await anyio.sleep(LOOK)
            return
    raise Conflict(f"The nats-server {pid} holds the store and does not end.", remedy="End it by hand.")


async def _pid(folder: ServerFolder) -> int:
    """The running server's, 0 for none. A number alone is not enough: numbers are used again."""
    try:
        pid = int(folder.pid_file.read_text())
    except (OSError, ValueError):
        return 0
    arguments = await _arguments(pid)
    is_server = bool(arguments) and "nats-server" in Path(arguments[0]).name
    return pid if is_server and str(folder.config) in arguments else 0


async def _arguments(pid: int) -> list[str]:
    """What a process was started with; empty when it is gone (or a zombie)."""
    if sys.platform == "linux":
        return _command_line(pid)
    said = await anyio.run_process(["ps", "-p", str(pid), "-o", "args="], check=False)
    return said.stdout.decode(errors="replace").split()


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []
