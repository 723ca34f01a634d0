"""Many devices in one connection: each has a line and a pace of its own, so that a dead one costs the others nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import uniform
from typing import Final

import anyio

from weft.connect.api import Link
from weft.connect.modbus.asked import bad
from weft.connect.modbus.station import Station
from weft.model import Batch, concat, quality
from weft.runtime import NeedsHuman, Retry, describe, get_logger

__all__ = ["Fleet"]

log = get_logger(__name__)

GATHER: Final = 0.01  # seconds: what devices say within them goes on together
TELL: Final = 2.0  # seconds between two words about how many devices answer
PAUSES: Final = (0.5, 5.0)
MOST_NAMED: Final = 5


class Fleet:
    """Runs ``stations`` side by side. Their readings are spread over the interval, so that neither we nor the
    network have to do all at the same moment."""

    def __init__(self, stations: Sequence[Station], link: Link) -> None:
        self._stations = stations
        self._link = link
        self._pending: list[Batch] = []
        self._arrived = anyio.Event()
        self._down: dict[int, str] = {}
        self._up: set[int] = set()
        self._news = anyio.Event()

    async def run(self) -> None:
        """Until cancelled. Raises Retry when no device answers any more."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._hand_over)
            for number, station in enumerate(self._stations):
                group.start_soon(self._keep, number, station)
            await self._watch()
            group.cancel_scope.cancel()
        self._flush()
        raise Retry(
            f"None of {len(self._stations)} devices answers: {next(iter(self._down.values()), 'no reason')}"
        )

    async def _watch(self) -> None:
        """Says how many answer, until none does."""
        detail = ""
        while len(self._down) < len(self._stations):
            news = self._news
            if self._up and detail != self._detail:
                detail = self._detail
                self._link.up(detail)
                log.info("modbus devices", connection=self._link.name, detail=detail)
                await self._link.clock.sleep(TELL)
            await news.wait()

    @property
    def _detail(self) -> str:
        silent = [self._name(number) for number in sorted(self._down)]
        text = f"{len(self._up)} of {len(self._stations)} devices answer"
        if silent:
            more = "" if len(silent) <= MOST_NAMED else f" and {len(silent) - MOST_NAMED} more"
            text += f"; silent: {', '.join(silent[:MOST_NAMED])}{more}"
        return text

    def _name(self, number: int) -> str:
        station = self._stations[number]
        return (
            next((name for name in station.units if name), "")
            or f"{station.config.host}:{station.config.port}"
        )

    async def _keep(self, number: int, station: Station) -> None:
        """One device's line, made anew whenever it is lost, at first soon and then every few seconds."""
        clock, interval = self._link.clock, station.config.interval
        station.phase = number / len(self._stations)
        await clock.sleep(interval * station.phase)
        failures = 0
        while True:
            try:
                await station.run(self._link, lambda detail: self._is_up(number), self._take)
            except (Retry, NeedsHuman) as error:
                failures = 1 if number in self._up else failures + 1
                self._is_down(number, station, describe(error))
            pause = min(PAUSES[0] * 2.0 ** min(failures - 1, 8), PAUSES[1])
            await clock.sleep(pause * uniform(0.5, 1.0))  # noqa: S311  # spreads load, keeps no secret

    def _is_up(self, number: int) -> None:
        self._down.pop(number, None)
        self._up.add(number)
        self._tell()

    def _is_down(self, number: int, station: Station, reason: str) -> None:
        first = number not in self._down
        status = quality.BAD_NO_COMMUNICATION if number in self._up else quality.BAD_NOT_CONNECTED
        self._up.discard(number)
        self._down[number] = reason
        if first:
            points = station.of(self._link.points)
            log.warning(
                "modbus device lost", connection=self._link.name, device=self._name(number), reason=reason
            )
            if points:
                self._take(bad(points, status, self._link.clock))
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()

    def _take(self, batch: Batch, stored: Callable[[], None] | None = None) -> None:
        self._pending.append(batch)
        self._arrived.set()

    async def _hand_over(self) -> None:
        while True:
            await self._arrived.wait()
            await self._link.clock.sleep(GATHER)
            self._flush()

    def _flush(self) -> None:
        self._arrived = anyio.Event()
        pending, self._pending = self._pending, []
        if pending:
            self._link.emit(concat(pending))
