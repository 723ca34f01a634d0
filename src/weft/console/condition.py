"""The condition of Weft itself in plain words: connections, streams, services, and the sentence on top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from weft.bus.api import StreamState
from weft.catalog.api import Plant
from weft.connect import LineState, Status
from weft.console import words
from weft.console.words import Mark
from weft.destinations import Status as DestinationStatus
from weft.runtime import Service, State

__all__ = [
    "DestinationView",
    "LineView",
    "ServiceView",
    "StreamView",
    "Summary",
    "destination_views",
    "line_views",
    "service_views",
    "stream_views",
    "summary",
]


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    protocol: str
    mark: Mark
    state: str
    reason: str
    since: int
    last_data: int
    next_retry: int
    samples: str
    refused: tuple[tuple[str, str], ...]


_LINE_WORDS: Final = {
    LineState.UP: ("connected", Mark.OK),
    LineState.CONNECTING: ("connecting", Mark.NONE),
    LineState.DOWN: ("down, retrying", Mark.BAD),
    LineState.NEEDS_HUMAN: ("needs a person", Mark.BAD),
    LineState.STOPPED: ("stopped", Mark.UNCERTAIN),
}


BEHIND: Final = 10.0  # s a destination may lag before a person should look
_WORSE: Final = (Mark.NONE, Mark.OK, Mark.UNCERTAIN, Mark.BAD)


def line_views(plant: Plant, lines: Sequence[Status]) -> list[LineView]:
    return [_line_view(plant, line) for line in lines]


def _line_view(plant: Plant, line: Status) -> LineView:
    state, mark = _LINE_WORDS[line.state]
    if mark is Mark.OK and line.refused:
        mark, state = Mark.UNCERTAIN, f"connected, {len(line.refused)} refused"
    connection = plant.connections.get(line.name)
    return LineView(
        name=line.name,
        protocol=connection.protocol if connection else "",
        mark=mark,
        state=state,
        reason=line.reason or line.detail,
        since=line.since,
        last_data=line.last_data,
        next_retry=line.next_retry,
        samples=words.count_text(line.samples),
        refused=tuple(sorted(line.refused.items())),
    )


class DestinationView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    protocol: str
    mark: Mark
    state: str
    reason: str
    last_sent: int
    next_retry: int
    waiting: str
    samples: str


def destination_views(plant: Plant, statuses: Sequence[DestinationStatus]) -> list[DestinationView]:
    return [_destination_view(plant, status) for status in statuses]


def _destination_view(plant: Plant, status: DestinationStatus) -> DestinationView:
    state, mark = _LINE_WORDS[status.state]
    found = plant.destinations.get(status.name)
    waiting = words.count_text(status.waiting_samples) if status.waiting_samples else ""
    if waiting and status.behind >= BEHIND:
        mark = max(mark, Mark.UNCERTAIN, key=_WORSE.index)
        waiting = f"about {waiting}, the oldest {words.age_text(int(status.behind * 1e9))} old"
    return DestinationView(
        name=status.name,
        protocol=found.protocol if found else "",
        mark=mark,
        state=state,
        reason=status.reason
        or (f"{words.count_text(status.lost)} messages lost" if status.lost else status.detail),
        last_sent=status.last_sent,
        next_retry=status.next_retry,
        waiting=waiting,
        samples=words.count_text(status.samples),
    )


class Summary(msgspec.Struct, frozen=True):
    """The header's sentence and its mark."""

    mark: Mark
    text: str


def summary(
    lines: Sequence[LineView], services: Sequence[Service], destinations: Sequence[DestinationView] = ()
) -> Summary:
    """The state of the whole in one sentence: what does not work is named."""
    crashed = [service.name for service in services if service.state is State.WAITING]
    down = [line.name for line in lines if line.mark is Mark.BAD]
    rest = [line.name for line in lines if line.mark in {Mark.NONE, Mark.UNCERTAIN}]
    if crashed:
        return Summary(Mark.BAD, f"restarting: {_some(crashed)}")
    if down:
        return Summary(Mark.BAD, f"{len(down)} of {len(lines)} connections down: {_some(down)}")
    unsent = [destination.name for destination in destinations if destination.mark is Mark.BAD]
    if unsent:
        return Summary(Mark.UNCERTAIN, f"nothing is sent on to {_some(unsent)}")
    if rest:
        return Summary(
            Mark.UNCERTAIN, f"{len(lines) - len(rest)} of {len(lines)} connections up; look at {_some(rest)}"
        )
    if not lines:
        return Summary(Mark.NONE, "no connections")
    return Summary(Mark.OK, "1 connection up" if len(lines) == 1 else f"all {len(lines)} connections up")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


# --- streams and services ---------------------------------------------------------------------------------


class StreamView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    promise: str
    messages: str
    size: str


def stream_views(streams: Sequence[StreamState]) -> list[StreamView]:
    return [
        StreamView(
            name=stream.name,
            promise=str(stream.promise),
            messages=words.count_text(stream.messages),
            size=words.size_text(stream.bytes),
        )
        for stream in streams
    ]


class ServiceView(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    mark: Mark
    state: str
    restarts: int
    failure: str


_SERVICE_WORDS: Final = {
    State.RUNNING: ("running", Mark.OK),
    State.STARTING: ("starting", Mark.NONE),
    State.WAITING: ("crashed, restarts shortly", Mark.BAD),
    State.STOPPED: ("stopped", Mark.UNCERTAIN),
}


def service_views(services: Sequence[Service]) -> list[ServiceView]:
    return [
        ServiceView(
            name=service.name,
            state=_SERVICE_WORDS[service.state][0],
            mark=_SERVICE_WORDS[service.state][1],
            restarts=service.restarts,
            failure=service.failure,
        )
        for service in services
    ]
