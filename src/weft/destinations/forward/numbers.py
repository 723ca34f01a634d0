"""Signals have other numbers at the hub: an edge asks for them by path, once each, and renumbers what it sends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np

from weft.bus import Bus, escape
from weft.model import Batch
from weft.runtime import Invalid, NotFound, Retry

__all__ = ["Asked", "Numbers", "Told", "numbers_subject"]

AT_ONCE: Final = 5_000
UNKNOWN: Final = -1


class Asked(msgspec.Struct, frozen=True):
    paths: tuple[str, ...]


class Told(msgspec.Struct, frozen=True):
    """A handle for each path, -1 for one that this edge may not write; ``home`` is where it may publish."""

    handles: tuple[int, ...]
    home: str


def numbers_subject(edge: str) -> str:
    return f"weft.edge.{escape(edge)}.numbers"


class Numbers:
    """``path_of`` gives the path of one of the edge's own handles."""

    def __init__(self, hub: Bus, edge: str, path_of: Callable[[int], str | None]) -> None:
        self.home = ""
        self.refused = 0  # samples of signals that the hub does not take from this edge
        self._hub = hub
        self._edge = edge
        self._path_of = path_of
        self._table = np.zeros(0, dtype=np.int32)
        self._known = np.zeros(0, dtype=np.bool_)

    def forget(self) -> None:
        """The hub may be another one now."""
        self._known[:] = False

    async def greet(self) -> None:
        """Learns where this edge may publish. Raises Retry."""
        self.home = (await self._ask(())).home

    async def renumber(self, batch: Batch) -> Batch:
        """The batch with the hub's numbers, without what it does not take. Raises Retry."""
        handles = np.unique(batch.signal)
        handles = handles[handles >= 0]
        self._grow(int(handles.max(initial=-1)) + 1)
        missing = handles[~self._known[handles]].tolist()
        for start in range(0, len(missing), AT_ONCE):
            await self._learn(missing[start : start + AT_ONCE])
        wanted = batch.signal >= 0
        numbers = np.full(len(batch), UNKNOWN, dtype=np.int32)
        numbers[wanted] = self._table[batch.signal[wanted]]
        taken = numbers != UNKNOWN
        renumbered = batch.replace(signal=numbers)
        if taken.all():
            return renumbered
        self.refused += int((~taken).sum())
        return renumbered.take(taken)

    async def _learn(self, handles: Sequence[int]) -> None:
        paths = [self._path_of(handle) for handle in handles]
        asked = [(handle, path) for handle, path in zip(handles, paths, strict=True) if path is not None]
        told = await self._ask(tuple(path for _, path in asked))
        self._table[list(handles)] = UNKNOWN
        self._table[[handle for handle, _ in asked]] = told.handles
        self._known[list(handles)] = True

    async def _ask(self, paths: tuple[str, ...]) -> Told:
        try:
            answer = await self._hub.request(
                numbers_subject(self._edge), msgspec.msgpack.encode(Asked(paths)), timeout=10.0
            )
        except (NotFound, Invalid) as error:
            raise Retry(f"Weft does not answer at the hub: {error}") from error
        return msgspec.msgpack.decode(answer, type=Told)

    def _grow(self, size: int) -> None:
        more = size - len(self._table)
        if more > 0:
            self._table = np.append(self._table, np.full(more, UNKNOWN, dtype=np.int32))
            self._known = np.append(self._known, np.zeros(more, dtype=np.bool_))
