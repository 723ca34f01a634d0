"""A nats-server that outlived the Weft that started it and still holds the store."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import anyio

from weft.runtime import Conflict, get_logger

__all__ = ["end_orphans"]

log = get_logger(__name__)

GRACE: Final = 5.0
LOOK: Final = 0.01


async def end_orphans(config: Path) -> None:
    """Ends every nats-server that runs with this configuration, politely first. The caller must hold the
    folder's lock: then whoever runs there has lost its parent. Two servers on one store destroy it, so no
    file is trusted to name the process. Raises Conflict when one does not end."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for pid in await _servers(config):
            log.warning("a nats-server of an earlier life is ended", pid=pid)
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(pid, sign)
        with anyio.move_on_after(GRACE):
            while await _servers(config):  # noqa: ASYNC110  # they are not our children: nobody tells us
                await anyio.sleep(LOOK)
            return
    raise Conflict(f"A nats-server holds the store of {config} and does not end.", remedy="End it by hand.")


async def _servers(config: Path) -> list[int]:
    """The processes, zombies left out."""
    if sys.platform == "linux":
        found = _from_proc()
    else:
        said = await anyio.run_process(["ps", "-axo", "pid=,args="], check=False)
        lines = (line.split(maxsplit=1) for line in said.stdout.decode(errors="replace").splitlines())
        found = ((int(line[0]), line[1].split()) for line in lines if len(line) == 2)
    return [pid for pid, words in found if "nats-server" in Path(words[0]).name and str(config) in words]


def _from_proc() -> Iterator[tuple[int, list[str]]]:
    for folder in Path("/proc").glob("[1-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        except OSError:
            continue  # it has just ended
        if words:
            yield int(folder.name), words
