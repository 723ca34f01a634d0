"""Conditions as alarms: an event when one becomes active, changes or goes (MTConnect part 2, Condition)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from weft.connect.mtconnect.document import Observation
from weft.connect.mtconnect.model import Model
from weft.model import Kind
from weft.model.quality import BAD_NO_COMMUNICATION, status_name

__all__ = ["Alarms"]

Tell = Callable[[str, dict[str, Any], int], None]

_SEVERITY: Final = {"WARNING": 500, "FAULT": 800}  # on OPC UA's scale of 1 to 1000 (OPC 10000-9, 5.5.2)
MOST: Final = 2000  # active ones that are followed


class Alarms:
    """The active conditions by data item and native code. Only what changes is told."""

    def __init__(self, model: Model, tell: Tell, remembered: Any) -> None:
        self._model = model
        self._tell = tell
        self._active: dict[tuple[str, str], str] = {}
        if isinstance(remembered, list):
            self._active = {
                (row[0], row[1]): row[2]
                for row in remembered
                if isinstance(row, list) and len(row) == 3 and all(isinstance(part, str) for part in row)
            }

    def memory(self) -> list[list[str]]:
        return [[id, code, level] for (id, code), level in self._active.items()]

    def take(self, seen: Observation, time: int) -> None:
        """One condition observed; others are passed over. Normal without a native code is all clear."""
        if not seen.level:
            return
        key = _key(seen)
        if seen.level in _SEVERITY:
            told = f"{seen.level}|{seen.text}"[:500]
            if self._active.get(key) != told and (key in self._active or len(self._active) < MOST):
                self._active[key] = told
                self._say(key, "active", seen, time)
            return
        gone = [held for held in self._active if held == key or (held[0] == seen.id and not key[1])]
        state = "unknown" if seen.level == "UNAVAILABLE" else "cleared"
        for held in gone:
            del self._active[held]
            self._say(held, state, seen, time)

    def compare(
        self, current: Iterable[Observation], time: int, time_of: Callable[[Observation], int]
    ) -> None:
        """With the agent's present state: what is not active there any more was cleared while we were away."""
        conditions = [seen for seen in current if seen.level]
        there = {_key(seen) for seen in conditions if seen.level in _SEVERITY}
        for seen in conditions:
            self.take(seen, time_of(seen))
        for key in [key for key in self._active if key not in there]:
            del self._active[key]
            self._say(key, "cleared", None, time)

    def _say(self, key: tuple[str, str], state: str, seen: Observation | None, time: int) -> None:
        id, code = key
        item = self._model.items.get(id)
        about = {} if seen is None else seen.attributes
        data: dict[str, Any] = {
            "condition": f"{id}/{code}" if code else id,
            "name": item.type if item is not None else id,
            "source": "/".join((item.device, *item.place)) if item is not None else "",
            "active": state == "active",
            "severity": _SEVERITY.get(seen.level, 0) if seen is not None else 0,
            "level": seen.level.lower() if seen is not None else "normal",
            "code": about.get("nativeCode", code),
            "message": (seen.text.strip() if seen is not None else "")[:1000],
            "native_severity": about.get("nativeSeverity", ""),
            "qualifier": about.get("qualifier", "").lower(),
        }
        if state == "unknown":
            data["quality"] = status_name(BAD_NO_COMMUNICATION)
        self._tell(Kind.ALARM, data, time)


def _key(seen: Observation) -> tuple[str, str]:
    """Which condition of a data item it is: several can be active at once. Empty is all of them."""
    return seen.id, seen.attributes.get("conditionId") or seen.attributes.get("nativeCode", "")
