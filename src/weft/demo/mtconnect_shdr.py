"""An adapter's lines (SHDR) as observations of an agent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from weft.demo.mtconnect_model import DataItem
from weft.demo.mtconnect_store import UNAVAILABLE, Asset, Entries, Store

__all__ = ["ShdrReader"]

_WIDTH: Final = {"CONDITION": 5, "MESSAGE": 2, "TIME_SERIES": 3}
_PAIR: Final = re.compile(r"""([^\s=]+)(?:=(?:\{([^{}]*)\}|"([^"]*)"|'([^']*)'|(\S*)))?""")


class ShdrReader:
    """Feeds ``store`` with the lines of one device's adapter. Keys that the device does not know are counted in
    ``unknown`` and left out, as an agent does."""

    def __init__(self, store: Store, device: str) -> None:
        self.unknown = 0
        self._store = store
        self._device = device
        self._asset: tuple[list[str], list[str]] | None = None

    def feed(self, lines: Iterable[str]) -> None:
        for line in lines:
            if self._asset is not None:
                head, body = self._asset
                if line == head[4]:
                    self._asset = None
                    self._put(head, "\n".join(body))
                else:
                    body.append(line)
            elif line and not line.startswith("*"):
                self._line(line.split("|"))

    def _line(self, fields: list[str]) -> None:
        moment, key = fields[0], fields[1]
        if key == "@ASSET@":
            if fields[4].startswith("--multiline--"):
                self._asset = (fields, [])
            else:
                self._put(fields, fields[4])
        elif key == "@REMOVE_ASSET@":
            self._store.remove_asset(fields[2], moment)
        elif key == "@REMOVE_ALL_ASSETS@":
            for asset in [a for a in self._store.assets.values() if not a.removed and a.type == fields[2]]:
                self._store.remove_asset(asset.id, moment)
        else:
            self._pairs(moment, fields[1:])

    def _put(self, head: list[str], text: str) -> None:
        self._store.put_asset(Asset(head[2], head[3], self._device, head[0], text))

    def _pairs(self, moment: str, fields: list[str]) -> None:
        stamp, _, duration = moment.partition("@")
        at = 0
        while at + 1 < len(fields):
            item = self._store.model.find(fields[at])
            width = 1 if item is None else _width(item)
            values = fields[at + 1 : at + 1 + width]
            at += 1 + width
            if item is None:
                self.unknown += 1
            else:
                self._observe(item, stamp, values, {"duration": duration} if duration else {})

    def _observe(self, item: DataItem, moment: str, values: list[str], about: dict[str, str]) -> None:
        add = self._store.add
        if item.category == "CONDITION":
            level, code, severity, qualifier, text = (values + [""] * 5)[:5]
            about |= {"nativeCode": code, "nativeSeverity": severity, "qualifier": qualifier}
            add(item, moment, text, {k: v for k, v in about.items() if v}, level=level.upper())
        elif values[-1] == UNAVAILABLE:
            self._store.lose(item, moment)
        elif item.type == "MESSAGE":
            add(item, moment, values[1], about | {"nativeCode": values[0]})
        elif item.representation == "TIME_SERIES":
            count, rate, series = values
            about |= {"sampleCount": count} | ({"sampleRate": rate} if rate else {})
            add(item, moment, series, about)
        elif item.representation in ("DATA_SET", "TABLE"):
            entries, trigger = _entries(values[0], table=item.representation == "TABLE")
            add(item, moment, "", about | ({"resetTriggered": trigger} if trigger else {}), entries=entries)
        else:
            text, _, trigger = values[0].partition(":") if item.category == "SAMPLE" else (values[0], "", "")
            about |= {"resetTriggered": trigger} if trigger else {}
            add(item, moment, _converted(text, item.factor), about)


def _width(item: DataItem) -> int:
    return _WIDTH.get(item.category) or _WIDTH.get(item.type) or _WIDTH.get(item.representation, 1)


def _converted(text: str, factor: float) -> str:
    """In the item's units; untouched where they are the machine's."""
    if factor == 1.0:
        return text
    try:
        return " ".join(repr(float(number) * factor) for number in text.split())
    except ValueError:
        return text


def _entries(text: str, *, table: bool) -> tuple[Entries, str]:
    trigger = ""
    if text.startswith(":"):
        trigger, _, text = text[1:].partition(" ")
    entries: Entries = {}
    for match in _PAIR.finditer(text):
        key, braced, *others = match.groups()
        plain = next((value for value in others if value is not None), None)
        if braced is not None and table:
            cells = _entries(braced, table=False)[0]
            entries[key] = {cell: value for cell, value in cells.items() if isinstance(value, str)}
        else:
            entries[key] = braced if braced is not None else plain
    return entries, trigger
