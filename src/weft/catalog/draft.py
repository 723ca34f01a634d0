"""A signal before it is made: what several places say about it, one on top of the other."""

from __future__ import annotations

from typing import Any

import msgspec

from weft.catalog.folder import Place
from weft.catalog.forms import LIMITS, SignalForm, WriteForm
from weft.catalog.hierarchy import Described
from weft.model import Limits

__all__ = ["Draft", "Layer"]


class Layer(msgspec.Struct, frozen=True):
    """One place that says something about a signal."""

    form: SignalForm
    source: Any
    above: tuple[str, ...] = ()
    text: bool = False

    def place(self, *path: str | int) -> Place:
        if self.text:
            place: Place = self.source.place
            return place
        found: Place = self.source.place(*self.above, *path)
        return found


class Draft:
    """The layers of one signal, the first on top."""

    def __init__(self, layers: list[Layer], asset: str, described: Described | None) -> None:
        self._layers = layers
        self._asset = asset
        self._described = described

    @property
    def text(self) -> bool:
        return any(layer.text for layer in self._layers)

    def place(self, *path: str | int) -> Place:
        """Where the topmost layer that says it says it."""
        for layer in self._layers:
            if path and _says(layer.form, path):
                return layer.place(*path)
        return self._layers[0].place()

    def merged(self) -> SignalForm:
        """Field by field; limits, states, address and write key by key."""
        if len(self._layers) == 1:
            return self._layers[0].form
        fields: dict[str, Any] = {}
        for layer in reversed(self._layers):
            for key in SignalForm.__struct_fields__:
                value = getattr(layer.form, key)
                if value is not None:
                    fields[key] = _joined(fields.get(key), value)
        return SignalForm(**fields)

    def connection(self, form: SignalForm) -> str:
        return form.connection or (self._described.form.connection if self._described else None) or ""

    def asset_place(self) -> Place:
        """The asset's table for a signal that only its type describes, else the signal's."""
        of_type = self._layers[0].source is not self._described and not self._layers[0].text
        return self._described.place() if of_type and self._described else self.place()

    def connection_place(self) -> Place:
        said_here = any(layer.form.connection for layer in self._layers)
        if said_here or self._described is None:
            return self.place("connection")
        return self._described.place("connection")


def _says(form: SignalForm, path: tuple[str | int, ...]) -> bool:
    value = getattr(form, str(path[0]), None)
    if value is None or len(path) == 1 or not isinstance(value, dict):
        return value is not None
    return path[1] in value


def _joined(below: Any, above: Any) -> Any:
    if isinstance(above, Limits) and isinstance(below, Limits):
        said = {key: getattr(above, key) for key in LIMITS if getattr(above, key) is not None}
        return msgspec.structs.replace(below, **said)
    if isinstance(above, WriteForm) and isinstance(below, WriteForm):
        said = {
            key: getattr(above, key) for key in above.__struct_fields__ if getattr(above, key) is not None
        }
        return msgspec.structs.replace(below, **said)
    if isinstance(above, dict) and isinstance(below, dict):
        return {**below, **above}
    return above
