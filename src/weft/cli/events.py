"""``weft events``: what has happened, and what happens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import anyio
import click
import msgspec

from weft.app import bus_address, bus_server, load, state_of
from weft.bus import Message, NatsBus, since
from weft.cli.output import printable
from weft.cli.remote import call
from weft.cli.stop import unless_stopped
from weft.model import Event, instant
from weft.runtime import Invalid

__all__ = ["beginning", "events"]

PATTERN: Final = "events.v1.>"
STREAM: Final = "events"
QUIET: Final = 1.0  # s without any event of the time that was asked for: there is none
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def events(
    kind: str,
    *,
    source: str,
    since_text: str,
    follow: bool,
    seconds: float | None,
    plant: Path,
    as_json: bool,
) -> None:
    found, state = load(plant), state_of(plant)
    call(state, "GET", "/api/v1/status")  # a bus that nobody writes to would be watched in vain
    address = bus_address(found.settings, bus_server(found.settings, state))
    begin = beginning(since_text, time.time_ns())

    async def read() -> None:
        async with NatsBus.connect(address) as bus, bus.subscribe(PATTERN, start=since(begin)) as stored:
            last = next((stream.last for stream in await bus.streams() if stream.name == STREAM), 0)
            reached = not last
            while follow or not reached:
                messages: list[Message] = []
                with anyio.move_on_after(None if follow else QUIET):
                    messages = await stored.next(200)
                for event in _wanted(messages, kind, source):
                    _print(event, as_json)
                reached = not messages or messages[-1].sequence >= last

    anyio.run(unless_stopped, read, seconds)


def beginning(text: str, now: int) -> int:
    """ns UTC of ``90s``, ``30m``, ``8h``, ``7d`` before now, or of a time (RFC 3339). Raises Invalid."""
    number, unit = text[:-1], text[-1:]
    if unit in _UNITS and number.replace(".", "", 1).isascii() and number.replace(".", "", 1).isdigit():
        return max(now - int(float(number) * _UNITS[unit] * 1e9), 0)
    try:
        return max(instant.parse_instant(text), 0)
    except ValueError as error:
        raise Invalid(f"{text!r} is no time.", remedy="Like 30m, 8h, 7d or 2026-01-31T06:00:00Z.") from error


def _wanted(messages: list[Message], kind: str, source: str) -> Iterator[Event]:
    for message in messages:
        event = message.body
        if not isinstance(event, Event):
            continue
        # "alarm" finds weft.alarm, "weft.command.*" all three of them.
        if (fnmatchcase(event.kind, kind) or fnmatchcase(event.kind, f"weft.{kind}")) and fnmatchcase(
            event.source, source
        ):
            yield event


def _print(event: Event, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(event))
        return
    told = " ".join(
        f"{key}={_short(value)}" for key, value in event.data.items() if value not in (None, "", [], {})
    )
    click.echo(printable(f"{instant.text(event.time)}  {event.kind}  {event.source}  {told}"))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 120 else text[:119] + "…"
