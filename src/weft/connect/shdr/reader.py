"""From the bytes of one connection to batches: one batch for what one read of the socket brought."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from weft.connect.api import Point
from weft.connect.shdr.address import CONDITION, MESSAGE
from weft.connect.shdr.index import ASSET, REMOVED, Entry, Index, Refuse
from weft.connect.shdr.tokens import LONGEST, Lines, Stamp, Stamps, fields_of
from weft.connect.shdr.values import MISSING
from weft.connect.tally import NO_SIGNAL, NO_SIGNAL_FOR_ASSET, Tally
from weft.model import Batch, BatchBuilder, Flag

__all__ = ["LEVELS", "Last", "Reader"]

LEVELS: Final = frozenset({"NORMAL", "WARNING", "FAULT", "UNAVAILABLE"})
MULTILINE: Final = "--multiline--"
MOST_KEPT: Final = 20_000  # keys and assets whose last observation is kept


class Last(NamedTuple):
    """The newest observation of a key, for signals that are added later and for browsing."""

    stamp: Stamp
    flags: int
    fields: list[str]


class Multiline(NamedTuple):
    head: list[str]
    end: str
    body: list[str]


class Reader:
    """Reads what an adapter sends. ``tally`` counts what is passed over, ``last`` has the newest observation of
    every key, ``about`` what the adapter said of itself, ``pong`` its heartbeat in seconds once announced."""

    def __init__(self, points: Sequence[Point], device: str, refuse: Refuse, tally: Tally) -> None:
        self.points = points
        self.tally = tally
        self.last: dict[str, Last] = {}
        self.about: dict[str, str] = {}
        self.pong: float | None = None
        self._device = device
        self._refuse = refuse
        self._index = Index(points, device, refuse)
        self._lines = Lines()
        self._stamps = Stamps()
        self._multiline: Multiline | None = None
        self._body_size = 0
        self._seen: set[int] = set()
        self._batch = BatchBuilder()
        self._now = 0

    def feed(self, data: bytes, now: int) -> Batch:
        """The observations that ``data`` completes; ``now`` (ns UTC) is their time where they have none, each
        line a nanosecond after the one before: of two samples of one time only the later would be kept."""
        self._batch = BatchBuilder()
        for line in self._lines.feed(data):
            self._now = max(now, self._now + 1)
            if self._multiline is not None:
                self._body_line(self._multiline, line)
            elif line:
                self._line(line)
        if self._lines.oversize:
            self.tally.add("too long", self._lines.oversize)
            self._lines.oversize = 0
        if self._lines.undecodable:
            self.tally.add("not UTF-8, read as Latin-1", self._lines.undecodable)
            self._lines.undecodable = 0
        return self._batch.build()

    def follow(self, points: Sequence[Point]) -> Batch:
        """Reads other points from now on. Returns the last known observations of those that are new: the
        adapter sends a value again only when it changes."""
        added = {point.handle for point in set(points) - set(self.points)}
        self.points = points
        self._index = Index(points, self._device, self._refuse)
        self._batch = BatchBuilder()
        for wire, last in self.last.items():
            entry = self._index.get(wire)
            if entry is None or not (entry.width == 1 or entry.width == len(last.fields)):
                continue
            new = [target for target in entry.targets if target.handle in added]
            self._deliver(Entry(entry.width, new), last.stamp, last.flags, last.fields)
        return self._batch.build()

    # --- lines --------------------------------------------------------------------------------------------

    def _line(self, line: str) -> None:
        if line[0] == "*":
            self._command(line)
            return
        fields = fields_of(line)
        if fields[-1].startswith(MULTILINE):
            self._multiline = Multiline(fields, fields[-1], [])
            self._body_size = 0
            return
        self._data(fields)

    def _body_line(self, multiline: Multiline, line: str) -> None:
        if line != multiline.end:
            self._body_size += len(line) + 1
            if self._body_size <= LONGEST:
                multiline.body.append(line)
            return
        self._multiline = None
        if self._body_size > LONGEST:
            self.tally.add("too long")
            return
        self._data([*multiline.head[:-1], "\n".join(multiline.body)])

    def _command(self, line: str) -> None:
        """``* PONG 10000`` and ``* name: value``."""
        text = line[1:].strip()
        if text.startswith("PONG"):
            period = text[4:].strip()
            if period.isdecimal() and int(period[:9]) > 0:
                self.pong = int(period[:9]) / 1000
            return
        name, _, value = text.partition(":")
        if len(self.about) < 100:
            self.about[name.strip()[:100]] = value.strip()[:500]

    def _data(self, fields: list[str]) -> None:
        stamp, flags, at = self._stamp(fields)
        if at < len(fields) and fields[at].startswith("@") and fields[at].endswith("@"):
            self._asset(fields[at:], stamp, flags)
            return
        count = len(fields)
        while at < count:
            key = fields[at]
            entry = self._index.get(key)
            if entry is None:
                at += self._unknown(fields, at, stamp, flags)
                continue
            at += 1 + entry.width
            values = fields[at - entry.width : at]
            if len(values) < entry.width:
                values += [""] * (entry.width - len(values)) if values else []
            self._deliver(entry, stamp, flags, values)
            self._keep(key, Last(stamp, flags, values))

    def _stamp(self, fields: list[str]) -> tuple[Stamp, int, int]:
        """Time, flags, and where the keys begin. A line may come without a time: the agent's is taken."""
        stamp = self._stamps.read(fields[0])
        if stamp is not None:
            return stamp, 0, 1
        now = Stamp(self._now, None)
        if not fields[0]:
            return now, Flag.RECEIVE_TIME, 1
        if len(fields) % 2 == 0 and self._index.get(fields[0]) is not None:
            return now, Flag.RECEIVE_TIME, 0
        self.tally.add("time not readable")
        return now, Flag.RECEIVE_TIME, 1

    def _unknown(self, fields: list[str], at: int, stamp: Stamp, flags: int) -> int:
        """How many fields a key that no signal reads takes: two, or the rest of the
        line when it looks like a condition or a message: those stand alone."""
        key, rest = fields[at], fields[at + 1 :]
        if not rest:
            self.tally.add("key without value")
            return 1
        self.tally.add(NO_SIGNAL)
        condition = len(rest) == len(CONDITION) and rest[0].upper() in LEVELS
        alone = at == 1 and (condition or len(rest) == len(MESSAGE))
        self._keep(key, Last(stamp, flags, rest if alone else rest[:1]))
        return 1 + len(rest) if alone else 2

    # --- assets -------------------------------------------------------------------------------------------

    def _asset(self, fields: list[str], stamp: Stamp, flags: int) -> None:
        """``@ASSET@|id|type|body``, ``@UPDATE_ASSET@|id|…``, ``@REMOVE_ASSET@|id``, ``@REMOVE_ALL_ASSETS@``.
        A removal is a signal of its own: it carries the time of the body that it removes."""
        command, id = fields[0], (fields[1:2] or [""])[0]
        if command == "@ASSET@" and len(fields) == 4:
            kind, text = ASSET, fields[3]
        elif command == "@UPDATE_ASSET@" and len(fields) > 2:
            kind, text = ASSET, "|".join(fields)
        elif command in ("@REMOVE_ASSET@", "@REMOVE_ALL_ASSETS@"):
            kind, text = REMOVED, "|".join(fields)
        else:
            self.tally.add("asset not readable")
            return
        entry = self._index.asset(kind, "*" if command == "@REMOVE_ALL_ASSETS@" else id)
        if entry is None:
            self.tally.add(NO_SIGNAL_FOR_ASSET)
        else:
            self._deliver(entry, stamp, flags, [text])
        self._keep(kind + id, Last(stamp, flags, [text]))

    # --- samples ------------------------------------------------------------------------------------------

    def _deliver(self, entry: Entry, stamp: Stamp, flags: int, fields: list[str]) -> None:
        for handle, read in entry.targets:
            value, type_, status = read(fields, stamp.duration) if fields else MISSING
            mark = flags
            if handle not in self._seen:
                self._seen.add(handle)
                mark |= Flag.FIRST
            self._batch.add(handle, stamp.time, value, type_, status, mark)

    def _keep(self, key: str, last: Last) -> None:
        if last.fields and (key in self.last or len(self.last) < MOST_KEPT):
            self.last[key] = last
