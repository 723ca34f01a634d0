"""What a value can be believed: within what the instrument measures, no faster than it can change, not standing
still for longer than it can. A good value that is not believed keeps its number and becomes uncertain; that it began,
and that it is over, is told once each.

UncertainEngineeringUnitsExceeded is OPC UA's for a value outside of the range defined for it, UncertainLastUsableValue
for one that whatever updated it no longer does (OPC 10000-8, table 20), UncertainSensorNotAccurate for a sensor that
cannot be trusted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weft.edge.rules import Rules
from weft.edge.runs import split
from weft.model import Batch, Event, Flag, Kind
from weft.model.quality import (
    UNCERTAIN,
    UNCERTAIN_ENGINEERING_UNITS_EXCEEDED,
    UNCERTAIN_LAST_USABLE_VALUE,
    UNCERTAIN_SENSOR_NOT_ACCURATE,
)
from weft.runtime import Clock

__all__ = ["Checks"]

INSIDE, BELOW, ABOVE = 0, 1, 2
_NAMES: Final = {BELOW: "minimum", ABOVE: "maximum"}


class Checks:
    """Remembers, by handle, what was told and the last believed value."""

    def __init__(self, rules: Rules, *, clock: Clock, tell: Callable[[Event], None]) -> None:
        n = len(rules)
        self.rules = rules
        self._clock = clock
        self._tell = tell
        self._side = np.zeros(n, dtype=np.uint8)  # INSIDE, BELOW, ABOVE the limits
        self._fast = np.zeros(n, dtype=np.bool_)
        self._stuck = np.zeros(n, dtype=np.bool_)
        self._known = np.zeros(n, dtype=np.bool_)
        self._value, self._time = np.zeros(n), np.zeros(n, dtype=np.int64)  # the last that was believed
        self._last, self._moved = np.zeros(n), np.zeros(n, dtype=np.int64)  # since when it is the same
        self._heard = np.zeros(n, dtype=np.int64)  # when it last moved, by our clock
        self._bits, self._type = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.uint8)

    def follow(self, rules: Rules) -> Checks:
        """Checks by other rules that know what these knew."""
        checks = Checks(rules, clock=self._clock, tell=self._tell)
        n = min(len(self.rules), len(rules))
        for name, column in vars(self).items():
            if isinstance(column, np.ndarray):
                getattr(checks, name)[:n] = column[:n]
        return checks

    def __call__(self, batch: Batch) -> Batch:
        limited = self.rules.where(self.rules.limited, batch)
        believed = self.rules.where(self.rules.believed, batch)
        if not (limited.any() or believed.any()):
            return batch
        numbers = batch.numbers()
        good = (batch.status < UNCERTAIN) & ~np.isnan(numbers)
        status = batch.status.copy()
        self._limits(batch, numbers, np.flatnonzero(limited & good), status)
        rows = np.flatnonzero(believed & good & ((batch.flags & np.uint16(Flag.CLOCK_SUSPECT)) == 0))
        turns, walks = split(batch.signal[rows])
        for turn in turns:
            self._believe_all(batch, numbers, rows[turn], status)
        for walk in walks:
            self._believe(batch, numbers, rows[walk], status)
        return batch.replace(status=status)

    def standing_still(self, now: int) -> Batch:
        """The last value again, uncertain, of each signal whose source says nothing of it for too long."""
        rules = self.rules
        due = (rules.stuck > 0) & self._known & ~self._stuck & (now - self._heard >= rules.stuck)
        handles = np.flatnonzero(due)
        for handle in handles.tolist():
            self._stuck[handle] = True
            self._say(
                handle, "stuck", exceeded=True, value=self._last[handle], limit=rules.stuck[handle] / 1e9
            )
        flags = Flag.REPEATED | Flag.RECEIVE_TIME | Flag.SYNTHETIC
        return Batch(
            handles.astype(np.int32),
            self._moved[handles] + (now - self._heard[handles]),
            self._type[handles],
            self._bits[handles],
            np.full(len(handles), UNCERTAIN_LAST_USABLE_VALUE, dtype=np.uint32),
            np.full(len(handles), flags, dtype=np.uint16),
            received=now,
        )

    # --- limits -----------------------------------------------------------------------------------------------

    def _limits(
        self, batch: Batch, numbers: npt.NDArray[np.float64], at: npt.NDArray[np.intp], status: Any
    ) -> None:
        handles, values = batch.signal[at], numbers[at]
        side = np.where(values > self.rules.maximum[handles], np.uint8(ABOVE), np.uint8(INSIDE))
        side[values < self.rules.minimum[handles]] = BELOW
        status[at[side != INSIDE]] = UNCERTAIN_ENGINEERING_UNITS_EXCEEDED
        crossing = side != self._side[handles]
        if not crossing.any():
            return
        for handle in np.unique(handles[crossing]).tolist():
            mine = handles == handle
            self._cross(handle, side[mine].tolist(), values[mine].tolist())

    def _cross(self, handle: int, sides: list[int], values: list[float]) -> None:
        """One event per side that was entered or left, however often within a batch."""
        before, after = int(self._side[handle]), sides[-1]
        limits = {BELOW: float(self.rules.minimum[handle]), ABOVE: float(self.rules.maximum[handle])}
        for side, limit in limits.items():
            if side in sides and side != before:
                value = values[sides.index(side)]
                self._say(handle, _NAMES[side], exceeded=True, value=value, limit=limit)
            if (side == before or side in sides) and side != after:
                self._say(handle, _NAMES[side], exceeded=False, value=values[-1], limit=limit)
        self._side[handle] = after

    # --- rate and standing still --------------------------------------------------------------------------------

    def _believe(
        self, batch: Batch, numbers: npt.NDArray[np.float64], at: npt.NDArray[np.intp], status: Any
    ) -> None:
        """A run of one signal. A change is measured from the last believed value: one spike is one doubt, and a
        true step is believed once there was time for it."""
        handle = int(batch.signal[at[0]])
        rate, stuck = float(self.rules.rate[handle]), int(self.rules.stuck[handle])
        known, value, time = bool(self._known[handle]), float(self._value[handle]), int(self._time[handle])
        last, moved = float(self._last[handle]), int(self._moved[handle])
        for row, v, t in zip(at.tolist(), numbers[at].tolist(), batch.time[at].tolist(), strict=True):
            if known and t < time:
                continue
            fast = known and t > time and abs(v - value) > rate * (t - time) * (1 + 1e-9)
            if not known or v != last:
                last, moved = v, t
                self._heard[handle] = batch.received or t
                self._bits[handle], self._type[handle] = batch.bits[row], batch.type[row]
            still = stuck > 0 and t - moved >= stuck
            if fast:
                status[row] = UNCERTAIN_SENSOR_NOT_ACCURATE
            else:
                known, value, time = True, v, t
                if still:
                    status[row] = UNCERTAIN_LAST_USABLE_VALUE
            if fast != self._fast[handle]:
                self._fast[handle] = fast
                self._say(handle, "rate", exceeded=fast, value=v, limit=rate * 1e9)
            if still != self._stuck[handle]:
                self._stuck[handle] = still
                self._say(handle, "stuck", exceeded=still, value=v, limit=stuck / 1e9)
        self._known[handle], self._value[handle], self._time[handle] = known, value, time
        self._last[handle], self._moved[handle] = last, moved

    def _believe_all(
        self, batch: Batch, numbers: npt.NDArray[np.float64], at: npt.NDArray[np.intp], status: Any
    ) -> None:
        """The same for rows of different signals, all at once."""
        at = at[~self._known[batch.signal[at]] | (batch.time[at] >= self._time[batch.signal[at]])]
        handles, value, time = batch.signal[at], numbers[at], batch.time[at]
        known, rate, stuck = self._known[handles], self.rules.rate[handles], self.rules.stuck[handles]
        passed = time - self._time[handles]
        with np.errstate(
            invalid="ignore"
        ):  # an infinite rate times no time is no number, and nothing is above it
            fast = known & (passed > 0) & (np.abs(value - self._value[handles]) > rate * passed * (1 + 1e-9))
        moves = ~known | (value != self._last[handles])
        moved = handles[moves]
        self._last[moved], self._moved[moved] = value[moves], time[moves]
        self._heard[moved] = batch.received or time[moves]
        self._bits[moved], self._type[moved] = batch.bits[at[moves]], batch.type[at[moves]]
        still = (stuck > 0) & (time - self._moved[handles] >= stuck)
        status[at[still]] = UNCERTAIN_LAST_USABLE_VALUE
        status[at[fast]] = UNCERTAIN_SENSOR_NOT_ACCURATE
        kept = handles[~fast]
        self._known[kept], self._value[kept], self._time[kept] = True, value[~fast], time[~fast]
        for told, now, name in ((self._fast, fast, "rate"), (self._stuck, still, "stuck")):
            for i in np.flatnonzero(now != told[handles]).tolist():
                limit = rate[i] * 1e9 if name == "rate" else stuck[i] / 1e9
                told[handles[i]] = now[i]
                self._say(int(handles[i]), name, exceeded=bool(now[i]), value=value[i], limit=limit)

    def _say(self, handle: int, check: str, *, exceeded: bool, value: float, limit: float) -> None:
        now = self._clock.now()
        path = self.rules.paths[handle]
        data = {
            "signal": path,
            "check": check,
            "state": "exceeded" if exceeded else "normal",
            "value": float(value),
            "limit": float(limit),
        }
        self._tell(Event(kind=Kind.SIGNAL_CHECK, source=path, time=now, recorded=now, data=data))
