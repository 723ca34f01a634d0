"""Long requests in portions: who asks for much waits for it, and everybody else is served meanwhile. One Browse of
10,000 descriptions of a cell with 10,000 signals was 40 s of work in which the server answered nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import anyio
import anyio.lowlevel

from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.request import Request

__all__ = ["Pile", "Portions"]

_AT_ONCE: Final = 0.005  # s
_MOST_BYTES: Final = 32 << 20
_NO_DIAGNOSTICS: Final = b"\xff\xff\xff\xff"
_LONG_ONES: Final = 4  # at work at once, of all clients


class Pile:
    """The results of a request, encoded."""

    def __init__(self) -> None:
        self._results: list[bytes] = []
        self._size = 0

    def add(self, result: bytes) -> None:
        """Raises Refused when they become too many bytes."""
        self._results.append(result)
        self._size += len(result)
        if self._size > _MOST_BYTES:
            raise Refused(code.BadResponseTooLarge)

    def array(self) -> bytes:
        """All of them, and no diagnostics."""
        return len(self._results).to_bytes(4, "little") + b"".join(self._results) + _NO_DIAGNOSTICS


class Portions:
    def __init__(self) -> None:
        self._room = anyio.Semaphore(_LONG_ONES)

    def take(
        self, request: Request, wanted: Iterable[Any], act: Callable[[Any], None], finish: Callable[[], None]
    ) -> None:
        """Acts on each in order and finishes: at once when that is quick, else beside. Raises Refused, and so may
        both of them."""
        rest = iter(wanted)
        if _some(rest, act):
            finish()
            return

        async def work(_: Request) -> None:
            async with self._room:
                while not _some(rest, act):
                    await anyio.lowlevel.checkpoint()
            finish()

        request.connection.beside(work, request)


def _some(rest: Iterator[Any], act: Callable[[Any], None]) -> bool:
    """Whether that were all."""
    until = time.monotonic() + _AT_ONCE
    for one in rest:
        act(one)
        if time.monotonic() > until:
            return False
    return True
