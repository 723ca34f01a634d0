"""The composition root. What a command needs of a plant's folder is here at once; the house, with everybody in
it, is imported when one is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from weft.app.folder import bus_address, bus_server, history_folder, load, state_of

if TYPE_CHECKING:
    from weft.app.house import EVENTS, SAMPLES, House

__all__ = ["EVENTS", "SAMPLES", "House", "bus_address", "bus_server", "history_folder", "load", "state_of"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from weft.app import house

        return getattr(house, name)
    raise AttributeError(name)
