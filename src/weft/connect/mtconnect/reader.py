"""One stay with an agent: find out where we were, fetch what we missed, then follow its stream."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, Final

import anyio

from weft.connect.api import Link, Point
from weft.connect.mtconnect.address import Config
from weft.connect.mtconnect.alarms import Alarms
from weft.connect.mtconnect.client import Client
from weft.connect.mtconnect.document import Observation, Refusal, Streams, header_of, streams_of
from weft.connect.mtconnect.library import Library
from weft.connect.mtconnect.model import model_of
from weft.connect.mtconnect.place import Place
from weft.connect.mtconnect.router import Router
from weft.connect.tally import Tally
from weft.runtime import NeedsHuman, Retry, WeftError

__all__ = ["Reader"]

REMEMBER: Final = 5.0  # s between two writings of where we are
HIGH_PRESSURE: Final = 0.9
ATTEMPTS: Final = 5  # to catch an agent's moving end


class Resync(Exception):
    """The agent restarted or its devices changed: begin anew with a probe."""


class Reader:
    """Reads one agent for ``link`` until it raises."""

    def __init__(self, config: Config, link: Link, client: Client, place: Place) -> None:
        self._config = config
        self._link = link
        self._client = client
        self._place = place
        self._memory = link.recall()
        self._remembered = anyio.current_time()
        self._router: Router
        self._alarms: Alarms
        self._library: Library
        self._model_changed = ""

    async def run(self) -> None:
        """Raises Retry when the agent is lost, NeedsHuman when a person must act."""
        try:
            for _ in range(ATTEMPTS):
                try:
                    await self._stay()
                except Resync:
                    self._memory = self._all_memory()
            raise Retry(f"The agent at {self._config.url} began anew {ATTEMPTS} times.")
        except Refusal as refusal:
            if refusal.code in ("NO_DEVICE", "UNAUTHORIZED"):
                raise NeedsHuman(
                    f"The agent at {self._config.url} refuses: {refusal}.", remedy="Check url and device."
                ) from refusal
            raise Retry(f"The agent at {self._config.url} refuses: {refusal}.") from refusal
        finally:
            self._link.remember(self._all_memory())

    async def follow(self) -> None:
        """Keeps up with changes of the points; a new one begins with its item's present value."""
        while True:
            await self._link.changed(self._points())
            if not hasattr(self, "_router"):
                continue
            added = self._router.follow(self._link.points)
            try:
                current = streams_of(await self._client.get("current")).observations if added else []
            except (WeftError, Refusal):
                return  # the reader finds it out, too
            self._link.emit(self._router.read(current, self._link.clock.now(), added))

    def _points(self) -> Sequence[Point]:
        return self._router.points if hasattr(self, "_router") else self._link.points

    # --- a stay -------------------------------------------------------------------------------------------

    async def _stay(self) -> None:
        link = self._link
        probe = await self._client.get("probe")
        header, model = header_of(probe), model_of(probe)
        kept = link.newest() if self._place.resumed else {}
        self._place.resumed = False
        self._router = Router(model, link.points, link.refuse, Tally(link.name), kept)
        self._alarms = Alarms(model, self._tell, self._memory.get("alarms"))
        self._library = Library(model, self._tell, self._memory.get("assets"))
        current = streams_of(await self._client.get("current"))
        self._model_changed = current.header.model_changed
        await self._catch_up(current)
        self._begin(current)
        link.up(f"MTConnect {header.version}, {len(model.devices)} devices, {len(model.items)} data items")
        if self._config.assets:
            await self._library.open(self._client)
        link.remember(self._all_memory())
        await self._live()

    async def _catch_up(self, current: Streams) -> None:
        """Everything between what is stored and the agent's present."""
        header, place = current.header, self._place
        if not place.known:
            self._emit(current.observations, header.instance, header.next)
            return
        if place.instance != header.instance or place.next > header.next:
            await self._gap(current, "the agent was restarted: its sequence numbers began anew")
        for _ in range(ATTEMPTS):
            try:
                while self._place.next < header.next:
                    await self._relieved()
                    query = {"from": place.next, "count": self._config.count}
                    page = await self._client.get("sample", query)
                    await self._take(streams_of(page))
            except Refusal as refusal:
                if refusal.code != "OUT_OF_RANGE":
                    raise
                await self._gap(
                    current, "the agent's buffer has gone on: it no longer holds the observations"
                )
            else:
                return
        raise Retry("The agent's buffer moves on faster than it can be read.", remedy="Give it a larger one.")

    async def _gap(self, current: Streams, cause: str) -> None:
        """Goes on with the oldest observation that the agent still has, and says what lies before it."""
        oldest, state = await self._oldest()
        header, place = oldest.header, self._place
        if header.instance != current.header.instance:
            raise Resync
        now = self._link.clock.now()
        begin = min((self._router.time(seen, now)[0] for seen in oldest.observations), default=now)
        if 0 < place.time < begin:
            self._link.gap(place.time, begin, cause)
        known = place.next if header.instance == place.instance else 0
        before = [seen for seen in state.observations if known <= seen.sequence < header.first]
        self._emit(before, header.instance, header.first)

    async def _oldest(self) -> tuple[Streams, Streams]:
        """The agent's oldest observation and the state that it belongs to; the buffer moves on meanwhile."""
        for _ in range(ATTEMPTS):
            first = streams_of(await self._client.get("current")).header.first
            try:
                oldest = streams_of(await self._client.get("sample", {"from": first, "count": 1}))
                state = streams_of(await self._client.get("current", {"at": first}))
            except Refusal as refusal:
                if refusal.code != "OUT_OF_RANGE":
                    raise
                continue
            return oldest._replace(header=oldest.header._replace(first=first)), state
        raise Retry("The agent's buffer moves on faster than it can be read.", remedy="Give it a larger one.")

    def _begin(self, current: Streams) -> None:
        now = self._link.clock.now()
        self._link.emit(self._router.again(current.observations, now))
        self._alarms.compare(current.observations, now, lambda seen: self._router.time(seen, now)[0])

    async def _live(self) -> None:
        config, place = self._config, self._place
        while True:
            query: dict[str, Any] = {"from": place.next, "count": config.count}
            query |= {"interval": round(config.interval * 1000), "heartbeat": round(config.heartbeat * 1000)}
            try:
                await self._follow_stream(query)
            except Refusal as refusal:
                if refusal.code != "OUT_OF_RANGE":
                    raise
                raise Resync from refusal

    async def _follow_stream(self, query: dict[str, Any]) -> None:
        """Until the stream ends; an agent that cannot stream is asked again and again."""
        async with aclosing(self._client.stream("sample", query)) as documents:
            async for root, endless in documents:
                document = streams_of(root)
                await self._take(document)
                await self._relieved()
                if not endless and document.header.last < self._place.next:
                    await self._link.clock.sleep(self._config.interval)

    # --- documents ----------------------------------------------------------------------------------------

    async def _take(self, document: Streams) -> None:
        """What of a document is new. Raises Resync when the agent is another than before."""
        header, place = document.header, self._place
        if header.instance != place.instance or header.model_changed != self._model_changed:
            raise Resync
        if header.first > place.next:
            raise Resync  # lost in between: the next stay writes the gap down
        fresh = [seen for seen in document.observations if seen.sequence >= place.next]
        now = self._link.clock.now()
        times = {seen.sequence: self._router.time(seen, now)[0] for seen in fresh}
        self._emit(fresh, header.instance, max(header.next, place.next))
        for seen in fresh:
            self._alarms.take(seen, times[seen.sequence])
        if self._config.assets:
            await self._library.take(self._client, fresh, times)
        self._remember_now_and_then()

    def _emit(self, observations: list[Observation], instance: int, following: int) -> None:
        batch = self._router.read(observations, self._link.clock.now())
        newest = int(batch.time.max()) if len(batch) else 0
        self._link.emit(batch, self._place.advance(instance, following, newest))

    async def _relieved(self) -> None:
        while self._link.pressure > HIGH_PRESSURE:
            # Unread, the stream waits in the socket and then in the agent's buffer.
            await self._link.clock.sleep(0.05)

    def _tell(self, kind: str, data: dict[str, Any], time: int) -> None:
        self._link.tell(kind, data, time=time)

    def _remember_now_and_then(self) -> None:
        now = anyio.current_time()
        if now - self._remembered >= REMEMBER:
            self._remembered = now
            self._link.remember(self._all_memory())

    def _all_memory(self) -> dict[str, Any]:
        memory = dict(self._memory) | self._place.memory()
        if hasattr(self, "_alarms"):
            memory |= {"alarms": self._alarms.memory(), "assets": self._library.memory()}
        return memory
