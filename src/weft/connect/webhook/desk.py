"""Where messages become samples: which signals read a source, and when their samples are stored."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from weft.connect.api import Link, Point
from weft.connect.payload import Payload, Reading, Target, target_of
from weft.connect.tally import Tally
from weft.model import Batch, BatchBuilder, Flag, ValueType
from weft.model.quality import BAD_CONFIGURATION_ERROR
from weft.runtime import Invalid

__all__ = ["Desk"]


class Desk:
    """Reads messages of all sources for ``link``. ``polls`` are the names that are asked for; a source is one of
    them or a path."""

    def __init__(self, link: Link, polls: frozenset[str], *, listens: bool) -> None:
        self.link = link
        self.points: Sequence[Point] = ()
        self._polls = polls
        self._listens = listens
        self._tally = Tally(link.name)
        self._reading = Reading(self._tally.add)
        self._targets: dict[str, list[Target]] = {}
        self._now = 0
        self.follow(link.points)

    def follow(self, points: Sequence[Point]) -> None:
        """Reads for other points from now on."""
        self.points = points
        self._targets = {}
        for point in points:
            source = point.address.source
            try:
                self._check(source)
                self._targets.setdefault(source, []).append(target_of(point))
            except Invalid as error:
                self.link.refuse(point, BAD_CONFIGURATION_ERROR, str(error))

    def knows(self, source: str) -> bool:
        """Whether any signal reads it."""
        return source in self._targets

    def take(self, source: str, payloads: Sequence[Payload]) -> tuple[int, anyio.Event]:
        """Emits the samples of a message; how many, and what is set once they are stored."""
        batch = BatchBuilder()
        targets = self._targets.get(source, [])
        for payload in payloads:
            # A nanosecond after the one before: of two samples of one time only the later would be kept.
            self._now = max(self.link.clock.now(), self._now + 1)
            self._reading.read(payload, targets, self._now, batch)
        stored = anyio.Event()
        if not len(batch):
            self._tally.add("no signal", len(payloads))
        self.link.emit(batch.build(), stored.set)
        return len(batch), stored

    def lose(self, source: str, status: int) -> None:
        """Gives the signals of a source a bad sample: it cannot be had."""
        now = self.link.clock.now()
        rows = [
            (target.handle, now, None, ValueType.NULL, status, Flag.SYNTHETIC)
            for target in self._targets.get(source, ())
        ]
        self.link.emit(Batch.of(rows))

    def _check(self, source: str) -> None:
        if source in self._polls:
            return
        if not source.startswith("/"):
            raise Invalid(
                f"There is no poll {source!r}.", remedy="A path that is posted to begins with a slash."
            )
        if not self._listens:
            raise Invalid(f"Nobody can post to {source!r}: the connection has no port.", remedy="Set port.")
