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
from weft.runtime import Service, State

__all__ = [
    "LineView",
    "ServiceView",
    "StreamView",
    "Summary",
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
        samples=f"{line.samples:,}".replace(",", words.THIN),
        refused=tuple(sorted(line.refused.items())),
    )


class Summary(msgspec.Struct, frozen=True):
    """The header's sentence and its mark."""

    mark: Mark
    text: str


def summary(lines: Sequence[LineView], services: Sequence[Service]) -> Summary:
    """The state of the whole in one sentence: what does not work is named."""
    crashed = [service.name for service in services if service.state is State.WAITING]
    down = [line.name for line in lines if line.mark is Mark.BAD]
    rest = [line.name for line in lines if line.mark in {Mark.NONE, Mark.UNCERTAIN}]
    if crashed:
        return Summary(Mark.BAD, f"restarting: {_some(crashed)}")
    if down:
        return Summary(Mark.BAD, f"{len(down)} of {len(lines)} connections down: {_some(down)}")
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
            messages=f"{stream.messages:,}".replace(",", words.THIN),
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
