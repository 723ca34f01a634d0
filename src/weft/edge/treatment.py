"""What happens to a batch between its connector and the queue, each step by direct call: times checked, numbers in
their unit, believed or not, remembered, others derived from it, and then thinned. No input makes it raise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from weft.edge.checks import Checks
from weft.edge.derived import Derived, inputs_of
from weft.edge.door import Door
from weft.edge.latest import Latest
from weft.edge.order import Order
from weft.edge.rules import Rules
from weft.edge.sieve import Sieve
from weft.edge.steps import check_times, enumerate_states, scale, to_type
from weft.model import Batch, Event, Flag, Signal, concat
from weft.model.expression import BadExpression, parse
from weft.model.sources import SILENCE
from weft.runtime import Clock

__all__ = ["Treatment"]

Notice = Callable[[Sequence[int]], None]
# Samples of another time than now say nothing about the present.
PAST: Final = Flag.HISTORY | Flag.REPLAYED


class Treatment:
    """The steps and what they remember. ``latest`` has the newest samples; ``notice`` is told, before anything is
    published, which watched signals have a new one."""

    def __init__(self, *, clock: Clock, tell: Callable[[Event], None]) -> None:
        self._clock = clock
        rules = Rules()
        self._order = Order(rules)
        self._checks = Checks(rules, clock=clock, tell=tell)
        self._derived = Derived()
        self._sieve = Sieve(rules)
        self._door = Door(rules)
        self.latest = Latest()
        self.notice: Notice = lambda handles: None

    def apply(self, signals: Sequence[Signal], watched: Iterable[int] = ()) -> Iterator[Batch]:
        """Other rules from the next batch on; what the steps remember stays. ``watched`` are handles that somebody
        asks about beside guard rails and derived signals. Gives what the door lets go of."""
        rules = Rules(signals)
        self._order = self._order.follow(rules)
        self._checks = self._checks.follow(rules)
        self._derived = self._derived.follow(signals)
        self._sieve = self._sieve.follow(rules)
        self.latest.watch({*watched, *inputs_of(signals), *_guarded(signals)})
        before = self._door
        self._door, held = before.follow(rules)
        return before.by_source(held, self._clock.now())

    @property
    def rules(self) -> Rules:
        return self._sieve.rules

    def take(self, batch: Batch) -> list[Batch]:
        """What is to be published of a connector's batch, and what follows from it."""
        batch = self._order(self.normalise(batch))
        derived = self._know(batch)
        found = [self._thin(batch)]
        if derived is not None:
            found.append(self._thin(derived))
        return found

    def look(self, batch: Batch) -> None:
        """The same for what was only read to know it: nothing is published."""
        self._know(self.normalise(batch))

    def unknown(self) -> list[int]:
        """Handles of which somebody needs to know the newest sample, and nothing has been heard."""
        return sorted({*self.latest.unknown(), *self._derived.unknown()})

    def seed(self, batch: Batch) -> Batch | None:
        """What history knows of these; it is as old as it says. Gives what follows from it that is not kept yet."""
        heard = [row for handle in batch.signal.tolist() if (row := self.latest.row(handle)) is not None]
        known = {row.signal for row in heard}
        kept = batch.take(np.array([handle not in known for handle in batch.signal.tolist()], dtype=np.bool_))
        self.latest.take(kept.replace(flags=kept.flags | Flag.HISTORY))
        derived = self._derived.seed(concat([Batch.of(heard), kept]))  # what was heard is the newer one
        if derived is None:
            return None
        derived = self._checks(to_type(derived.replace(received=self._clock.now()), self.rules))
        self.notice(self.latest.take(derived))
        return self._thin(derived)

    def normalise(self, batch: Batch) -> Batch:
        """The steps that remember nothing, in their order, and whether it can be believed."""
        rules = self.rules
        batch = check_times(batch)
        batch = enumerate_states(batch, rules)
        batch = scale(batch, rules)
        batch = to_type(batch, rules)
        return self._checks(batch)

    def quiet(self, now: int) -> Iterator[Batch]:
        """What is to be published because nothing came: what the door has held for too long, signals that stand
        still, and the last value of those that have been silent."""
        yield from self._door.by_source(self._door.overdue(now), now)
        still = self._checks.standing_still(now)
        if len(still):
            self.notice(self.latest.take(still))
        # What is only repeated is no news: nobody may take it for a value that was just heard.
        for number, batch in enumerate((still, self._sieve.silent(now))):
            if len(batch):
                yield self._door(batch).replace(source=SILENCE, sequence=now + number)

    def release(self, now: int) -> Iterator[Batch]:
        """What is still held, at the end."""
        return self._door.by_source(self._door.release(), now)

    def _know(self, batch: Batch) -> Batch | None:
        """Remembers the batch and what is derived from it, which is returned; tells who waits for news."""
        derived = self._derived(batch)
        news = self.latest.take(batch)
        if derived is not None:
            derived = self._checks(to_type(derived, self.rules))
            news += self.latest.take(derived)
        if news:
            self.notice(news)
        return derived

    def _thin(self, batch: Batch) -> Batch:
        return self._door(self._sieve(batch))


def _guarded(signals: Iterable[Signal]) -> Iterator[int]:
    """Signals that may be written, and those that an interlock asks for."""
    listed = list(signals)
    rails = [signal for signal in listed if signal.write is not None]
    if not rails:
        return
    by_path = {signal.path: signal.handle for signal in listed}
    for signal in rails:
        yield signal.handle
        if signal.write is not None and signal.write.interlock:
            try:
                wanted = parse(signal.write.interlock).signals
            except BadExpression:
                continue  # refused at every write
            yield from (by_path[path] for path in wanted if path in by_path)
