"""The independent counter: what the field said against what Weft kept and what came at the far side."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import NamedTuple

import anyio
from soak import plant

from weft.bus import NatsBus, NatsServer, after
from weft.history import Store
from weft.history.columns import from_table
from weft.model import Batch, Event, Flag, Kind, quality

__all__ = ["Count", "Gap", "Kept", "judge", "read_kept"]

FOR_EVER = 2**62
MADE_UP = Flag.SYNTHETIC | Flag.REPEATED
LABELLED = Flag.REPLAYED | Flag.HISTORY | Flag.LATE


class Gap(NamedTuple):
    source: str
    first: int
    last: int
    signals: frozenset
    cause: str

    def covers(self, connection, name, time):
        mine = self.source in (connection, "") and (not self.signals or name in self.signals)
        return mine and self.first <= time <= self.last


class Row(NamedTuple):
    """``at``: when the bus took it."""

    value: int
    time: int
    flags: int
    at: int


class Kept(NamedTuple):
    """``stream`` and ``history``: ``{signal: [Row, …]}``; ``bad``: ``{signal: [time, …]}`` of lines that were down."""

    stream: dict
    history: dict
    gaps: list
    bad: dict


class Count(NamedTuple):
    """Of one signal or of all. ``told``: missing, and a gap record says so; ``again``: the same sample twice in
    the stream, which history keeps once; ``disorder``: values behind later ones without a label that says so."""

    said: int
    missing: int
    told: int
    doubled: int
    wrong: int
    disorder: int
    again: int

    def __add__(self, other):
        return Count(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def ok(self):
        return self.said > 0 and not (self.missing or self.doubled or self.wrong or self.disorder)


CONNECTION = {
    **dict.fromkeys(plant.OPCUA, "mill"),
    **dict.fromkeys(plant.MODBUS, "meter"),
    **dict.fromkeys(plant.MQTT, "press"),
}


async def read_kept(state):
    """What a Weft, which must be down, has kept in its state's folder."""
    from weft.catalog import Handles

    names = {handle: path.rpartition("/")[2] for path, handle in _handles(Handles(state)).items()}
    kept = Kept({}, {}, [], {})
    async with NatsServer(state / "bus") as server, NatsBus.connect(server.address) as bus:
        async for message in _messages(bus, "uns.v1.>", "samples"):
            if isinstance(message.body, Batch):
                _sort(message, names, kept)
        async for message in _messages(bus, "events.v1.>", "events"):
            if isinstance(message.body, Event) and message.body.kind == Kind.DATA_GAP:
                kept.gaps.append(_gap(message.body))
    with Store(state / "history", read_only=True) as store:
        rows = from_table(await store.raw(sorted(names), -FOR_EVER, FOR_EVER))
        for row in rows:
            if _counts(row):
                kept.history.setdefault(names[row.signal], []).append(Row(row.value, row.time, row.flags, 0))
    return kept


def _handles(handles):
    return {path: h for h in range(1, len(handles) + 1) if (path := handles.path(h)) and "/hall/" in path}


def _counts(row):
    good = row.status < quality.UNCERTAIN and not row.flags & MADE_UP
    return good and isinstance(row.value, int)


def _sort(message, names, kept):
    for row in message.body:
        name = names.get(row.signal)
        if name is None:
            continue
        if _counts(row):
            kept.stream.setdefault(name, []).append(Row(row.value, row.time, row.flags, message.time))
        elif row.status >= quality.BAD:
            kept.bad.setdefault(name, []).append(row.time)


def _gap(event):
    signals = frozenset(path.rpartition("/")[2] for path in event.data.get("signals", ()))
    return Gap(event.source, event.data["first"], event.data["last"], signals, event.data.get("cause", ""))


async def _messages(bus, pattern, stream):
    last = next((state.last for state in await bus.streams() if state.name == stream), 0)
    async with bus.subscribe(pattern, start=after(0)) as subscription:
        at = 0
        while at < last:
            with anyio.move_on_after(5) as scope:
                for message in await subscription.next(500):
                    at = message.sequence
                    yield message
            if scope.cancelled_caught:
                return


def judge(said, kept):
    """``{signal: Count}`` of what Weft itself kept."""
    return {name: _judge(name, said[name], kept) for name in said}


def _judge(name, said, kept):
    truth, begun = {one.value: one.time for one in said}, said[0].time
    history = [row for row in kept.history.get(name, ()) if row.time >= begun]
    stream = [row for row in kept.stream.get(name, ()) if row.time >= begun]
    values = Counter(row.value for row in history)
    missing = [(value, time) for value, time in truth.items() if value not in values]
    told = [one for one in missing if any(g.covers(CONNECTION[name], name, one[1]) for g in kept.gaps)]
    again = Counter((row.value, row.time) for row in stream)
    return Count(
        said=len(truth),
        missing=len(missing) - len(told),
        told=len(told),
        doubled=sum(count - 1 for count in values.values()),
        wrong=sum(truth.get(row.value) != row.time for row in history),
        disorder=_inversions(row for row in stream if not row.flags & LABELLED),
        again=sum(count - 1 for count in again.values()),
    )


def judge_far(said, heard, kept, *, unit=1):
    """``{signal: Count}`` at a destination. What Weft itself does not have it cannot have sent; times have ``unit``
    ns. Live values and backlog are in order each for itself: live goes first."""
    found = {}
    for name in said:
        mine, truth = heard.get(name, []), {one.value: one.time for one in said[name]}
        have = {row.value for row in kept.history.get(name, ()) if row.value in truth}
        fresh = [one for one in mine if truth.get(one.value, -1) // unit == one.time // unit]
        values = Counter(one.value for one in fresh)
        parts = [[one for one in fresh if one.live is live] for live in (True, False)]
        found[name] = Count(
            said=len(have),
            missing=len(have - set(values)),
            told=0,
            doubled=0,
            wrong=sum(one.value > said[name][-1].value for one in mine),
            disorder=sum(_inversions(part) for part in parts),
            again=sum(count - 1 for count in values.values()),
        )
    return found


def _inversions(rows):
    """Values behind later ones; one that comes a second time counts as again, not as disorder."""
    seen, values = set(), []
    for row in rows:
        if row.value not in seen:
            seen.add(row.value)
            values.append(row.value)
    return sum(later < earlier for earlier, later in itertools.pairwise(values))


def caught_up(said, arrivals, whole):
    """Seconds from ``whole`` (ns) until everything had come that was said until then and came at all."""
    worst = whole
    for name, ones in said.items():
        first = {}
        for value, at in arrivals.get(name, ()):
            first[value] = min(at, first.get(value, at))
        for one in ones:
            if one.time <= whole and one.value in first:
                worst = max(worst, first[one.value])
    return (worst - whole) / 1e9
