"""Values had by cyclic reads in batches, at times that never drift: for servers whose subscriptions are slow, few or
not there at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import anyio
import anyio.to_thread
import numpy as np
import numpy.typing as npt

from weft.connect.api import Link, Point
from weft.connect.opcua import services
from weft.connect.opcua.calling import line_lost
from weft.connect.opcua.config import Config
from weft.connect.opcua.decode import Decoder
from weft.connect.opcua.faults import status_text
from weft.connect.opcua.handles import Handles
from weft.connect.opcua.memory import Facts
from weft.connect.opcua.places import Missing
from weft.connect.opcua.polled import Group
from weft.connect.opcua.present import Present
from weft.connect.opcua.profile import Profile
from weft.connect.opcua.seen import NEVER, Seen
from weft.connect.opcua.services import READ, encoded
from weft.connect.opcua.session import Session
from weft.model import Batch, quality
from weft.runtime import get_logger
from weft.ua import nodes
from weft.ua.guard import FAULTS

__all__ = ["Polling", "Schedule"]

log = get_logger(__name__)

RETRY_REFUSED: Final = 30.0
SETTLED: Final = 20.0
SHORTEST: Final = 0.01  # s
MAX_TIMEOUTS: Final = 3  # in a row
HIGH_PRESSURE: Final = 0.9
_VALUE: Final = 13
_BOTH: Final = 2
_REFUSALS: Final = frozenset(
    {
        0x80330000,  # BadNodeIdInvalid
        quality.BAD_NODE_ID_UNKNOWN,
        0x80350000,  # BadAttributeIdInvalid
        0x803A0000,  # BadNotReadable
        0x801F0000,  # BadUserAccessDenied
    }
)


class Schedule:
    """Due times at whole multiples of an interval from its begin; those that are missed are left out and counted."""

    def __init__(self, interval: float, now: float) -> None:
        self._interval = max(interval, SHORTEST)
        self._begun = now
        self._turn = 0
        self.missed = 0

    def next(self, now: float) -> float:
        """Seconds from now to the next one; 0 when it is due."""
        self._turn += 1
        passed = int((now - self._begun) / self._interval)
        if passed > self._turn:
            self.missed += passed - self._turn
            self._turn = passed
        return max(0.0, self._begun + self._turn * self._interval - now)


class Polling:
    """Of one session. How much a call is good for is measured, and kept in ``facts`` for the next one."""

    def __init__(
        self,
        config: Config,
        link: Link,
        session: Session,
        profile: Profile,
        seen: Seen,
        facts: Facts,
    ) -> None:
        self._config = config
        self._link = link
        self._session = session
        self._seen = seen
        self._facts = facts
        self._pace = profile.read_pace(facts.read_size)
        self._handles = Handles()
        self._decoder = Decoder(self._handles)
        self._given: dict[Point, int] = {}
        self._refused: dict[Point, int] = {}
        self._stood: set[Point] = set()  # what has been confirmed since the line came up, or is new
        self._timeouts = 0

    async def run(self, present: Present) -> None:
        """Until the line is lost. Raises Retry or NeedsHuman."""
        with self._session.explained():
            product = await self._session.product()
            while True:
                seen = self._link.points
                groups = self._grouped(seen)
                count = sum(len(group.points) for group in groups)
                self._link.up(f"{product or 'OPC UA server'}: {count} of {len(seen)} signals read in batches")
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._learn)
                    for group in groups:
                        tasks.start_soon(self._cycle, group, present)
                    with anyio.move_on_after(RETRY_REFUSED if self._refused else None):
                        await self._link.changed(seen)
                    tasks.cancel_scope.cancel()
                self._refused.clear()

    async def _learn(self) -> None:
        """Keeps the size of calls beyond a restart, once it has settled."""
        while True:
            await anyio.sleep(SETTLED)
            if self._facts.read_size != self._pace.size:
                self._facts.read_size = self._pace.size
                await anyio.to_thread.run_sync(self._link.remember, self._facts.document())

    def _grouped(self, points: Sequence[Point]) -> list[Group]:
        """By interval. A signal keeps its handle, so that only its first sample ever is marked as such."""
        for gone in self._given.keys() - set(points):
            self._handles.drop(self._given.pop(gone))
        by_interval: dict[float, list[Point]] = {}
        for point in points:
            if point not in self._given:
                self._given[point] = self._handles.give(point.handle)
            by_interval.setdefault(self._interval(point), []).append(point)
        return [
            Group(
                interval, some, [self._given[point] for point in some], only_changes=self._config.only_changes
            )
            for interval, some in by_interval.items()
        ]

    def _interval(self, point: Point) -> float:
        wish = point.address.sampling_interval
        if wish is None:
            wish = self._config.sampling_interval
        return max(SHORTEST, self._config.publishing_interval if wish is None else wish)

    async def _cycle(self, group: Group, present: Present) -> None:
        with self._session.explained():
            await self._find(group)
            before = [p for p in group.served() if p not in self._stood and self._seen.at(p.handle) != NEVER]
            self._stood.update(group.points)
            schedule = Schedule(group.interval, anyio.current_time())
            await self._read(group)
            await present.confirm(self._session, before)
            told = 0
            while True:
                await anyio.sleep(schedule.next(anyio.current_time()))
                if self._link.pressure <= HIGH_PRESSURE:
                    await self._read(group)
                if schedule.missed > 10 * (told + 1):
                    told = schedule.missed
                    self._complain(group, told)

    def _complain(self, group: Group, missed: int) -> None:
        log.warning(
            "reading takes longer than its interval",
            connection=self._link.name,
            interval=group.interval,
            signals=len(group.points),
            missed=missed,
        )

    async def _find(self, group: Group) -> None:
        places = await self._session.places.find([point.address for point in group.points])
        for row, place in enumerate(places):
            if isinstance(place, Missing):
                self._refuse(group, row, place.status, place.reason)
            else:
                node = encoded(nodes.parse(place.to_string()), self._session.namespaces)
                group.place(row, node)

    async def _read(self, group: Group) -> None:
        for rows in group.batches(self._pace.size):
            await self._part(group, rows)

    async def _part(self, group: Group, rows: npt.NDArray[np.intp]) -> None:
        """One call, or where it fails as a whole its halves; the one that spoils them all is refused."""
        body = services.read_body(
            [(group.nodes[row], _VALUE) for row in rows.tolist()], timestamps=_BOTH, max_age=group.interval
        )
        begun = anyio.current_time()
        try:
            columns = group.readings.columns(await services.ask(self._session, READ, body))
            if len(columns.handle) != len(rows):
                raise ValueError(f"{len(columns.handle)} results for {len(rows)} reads")
        except (*FAULTS, TimeoutError) as error:
            self._give_up_on(error, len(rows))
            if len(rows) == 1:
                self._refuse(group, int(rows[0]), quality.BAD_DECODING_ERROR, f"cannot be read: {error}")
                return
            half = len(rows) // 2
            await self._part(group, rows[:half])
            await self._part(group, rows[half:])
            return
        self._timeouts = 0
        self._pace.took(len(rows), anyio.current_time() - begun)
        for row, status in zip(rows.tolist(), columns.status.tolist(), strict=True):
            if status >= quality.BAD and status & 0xFFFF0000 in _REFUSALS:
                self._refuse(group, row, status, f"{group.points[row].address.text}: {status_text(status)}")
        batch = self._decoder.batch(columns._replace(handle=group.handles[rows]), self._link.clock.now())
        self._emit(group.news(batch, rows, self._seen))

    def _give_up_on(self, error: BaseException, count: int) -> None:
        """Raises again what is the line's fault."""
        if line_lost(error):
            raise error
        if isinstance(error, TimeoutError):
            self._timeouts += 1
            if self._timeouts >= MAX_TIMEOUTS or count == 1:
                raise error
            self._pace.failed(count)

    def _emit(self, batch: Batch) -> None:
        if len(batch):
            self._seen.note(batch)
            self._link.emit(batch)

    def _refuse(self, group: Group, row: int, status: int, reason: str) -> None:
        group.nodes[row] = b""
        self._refused[group.points[row]] = status
        self._link.refuse(group.points[row], status, reason)
