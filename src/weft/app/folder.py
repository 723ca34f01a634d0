"""A plant's folder and what belongs to it: its plant, its state, its bus, its history."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from weft import catalog
from weft.bus import Address, Gate, NatsServer
from weft.runtime import Invalid, NotFound
from weft.runtime.settings import state_dir

__all__ = ["bus_address", "bus_server", "history_folder", "load", "state_of"]


def state_of(folder: Path) -> Path:
    """Where Weft keeps what it writes for the plant of a folder. Raises NotFound where there is no plant:
    a mistyped name must not leave a folder behind."""
    if not (folder / "plant.toml").exists():
        raise NotFound(
            f"{folder.resolve()} is not a plant's folder: it has no plant.toml.",
            remedy="Go to the plant's folder or name it with --plant; `weft init` makes a new one.",
        )
    return state_dir(folder)


def load(folder: Path) -> catalog.Plant:
    """The plant of a folder, with Weft's own signals. Raises NotFound where there is none, Invalid, naming the first mistake, when it
    has any."""
    handles = catalog.Handles(state_of(folder))
    loaded = catalog.load(folder, handles=handles)
    if loaded.plant is None:
        raise Invalid(
            f"{folder} describes no plant that can run. {len(loaded.findings)} finding(s), the first: "
            f"{loaded.findings[0]}",
            remedy="`weft check` names them all.",
        )
    return catalog.with_health(loaded.plant, handles)


def history_folder(settings: Mapping[str, Any], state: Path) -> Path:
    """Where the segments lie."""
    folder = settings["history"].folder
    return Path(folder) if folder else state / "history"


def bus_server(settings: Mapping[str, Any], state: Path, gate: Gate | None = None) -> NatsServer:
    """The plant's own nats-server, or the one that it names. ``gate`` opens it for edges."""
    bus = settings["bus"]
    return NatsServer(Path(bus.store) if bus.store else state / "bus", url=bus.url, gate=gate)


def bus_address(settings: Mapping[str, Any], server: NatsServer) -> Address:
    """Where the server is and how to log in. Raises NotFound before its first start."""
    credentials = settings["bus"].credentials
    return msgspec.structs.replace(server.address, credentials=credentials) if credentials else server.address
