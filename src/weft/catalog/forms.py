"""The tables of a plant's files as a person writes them. None means: not said here, so what stands further
up decides (signal, then type, then asset and its parents, then plant)."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import msgspec

from weft.model import Level, Limits, Writable

__all__ = [
    "LIMITS",
    "AssetForm",
    "ConnectionForm",
    "DestinationForm",
    "Parameter",
    "PlantForm",
    "RuleForm",
    "SignalForm",
    "TypeForm",
    "WriteForm",
]

LIMITS: Final = ("minimum", "low", "high", "maximum")  # in the order that must hold

Parameter: TypeAlias = "str | int | float | bool"


class PlantForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[plant]`` of plant.toml."""

    name: str
    enterprise: str
    site: str
    timezone: str = "UTC"
    description: str = ""
    owner: str = ""
    retention: float | None = None


class WriteForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``write`` of a signal: that it may be written, and the guard rails."""

    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    interval: float | None = None
    interlock: str | None = None
    readback: bool | None = None
    critical: bool | None = None
    logic: bool | None = None

    def model(self) -> Writable:
        said = {key: getattr(self, key) for key in self.__struct_fields__ if getattr(self, key) is not None}
        return Writable(**said)


class SignalForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signal in a type, on an asset or in a row of a CSV file."""

    description: str | None = None
    connection: str | None = None
    address: dict[str, Any] | None = None
    type: str | None = None
    unit: str | None = None
    scale: float | None = None
    offset: float | None = None
    limits: Limits | None = None
    states: dict[int, str] | None = None
    step: bool | None = None
    deadband: float | None = None
    silence: float | None = None
    deviation: float | None = None
    rate: float | None = None
    stuck: float | None = None
    derive: str | None = None
    write: WriteForm | None = None
    semantic: str | None = None
    owner: str | None = None
    retention: float | None = None
    was: str | None = None


class TypeForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file in types/. ``parameters`` are defaults for the placeholders of its signals."""

    description: str = ""
    semantic: str = ""
    owner: str | None = None
    retention: float | None = None
    parameters: dict[str, Parameter] = {}
    signals: dict[str, SignalForm] = {}


class AssetForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table in a file of assets/; its key is the path below the site."""

    description: str = ""
    type: str = ""
    level: Level | None = None
    connection: str | None = None
    owner: str | None = None
    retention: float | None = None
    parameters: dict[str, Parameter] = {}
    signals: dict[str, SignalForm] = {}
    was: str | None = None


class ConnectionForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file in connections/, without the one table that is named after the protocol."""

    description: str = ""
    owner: str | None = None
    methods: tuple[str, ...] = ()
    edge: str = ""


class DestinationForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file in destinations/, without the one table that is named after the protocol. ``signals`` and ``without``
    are patterns of paths."""

    description: str = ""
    owner: str | None = None
    signals: tuple[str, ...] = ("**",)
    without: tuple[str, ...] = ()
    edge: str = ""
    backlog_rate: float = 50_000.0
    batch_rows: int = 5_000
    batch_seconds: float = 0.05
    begin: Literal["now", "oldest"] = "now"


class RuleForm(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    rename={"hold": "for", "otherwise": "else"},
):
    """A file in logic/. Targets are paths, values expressions."""

    when: str
    until: str = ""
    hold: float = 0.0
    set: dict[str, Parameter] = {}
    otherwise: dict[str, Parameter] = {}
    every: float = 0.0
    watchdog: float = 0.0
    safe: dict[str, Parameter] = {}
    per_minute: int = 30
    description: str = ""
    enabled: bool = True
