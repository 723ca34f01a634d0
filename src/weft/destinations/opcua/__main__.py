"""``python -m weft.destinations.opcua <parent's pid> <MB of memory> <nice>``: the server's process. Limits are
set before anything of it is loaded; it ends when its parent does."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys

_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def _limit(parent: int, megabytes: int, nice: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent ended before its child began")
    os.umask(0o077)
    with contextlib.suppress(OSError, ValueError):  # some systems have no limit of this kind
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no keys in a core file
    with contextlib.suppress(OSError):
        os.nice(nice)


async def _run(channel: socket.socket) -> None:
    import anyio
    import anyio.abc

    from weft.destinations.opcua.process import serve
    from weft.runtime import log

    log.configure(json=True)
    stream = await anyio.abc.UNIXSocketStream.from_socket(channel)
    async with stream:
        await serve(stream, stream)


if __name__ == "__main__":
    _limit(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    import anyio

    anyio.run(_run, socket.socket(fileno=0))
