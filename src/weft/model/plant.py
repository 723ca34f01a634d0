"""What a plant is made of: assets in the equipment hierarchy and the signals on them.

The hierarchy is ISA-95's (IEC 62264-1, 5.3.2): enterprise / site / area / work centre (here: line) / work
unit (cell) / unit. A path joins the names with ``/``; it is unique in the plant and stable.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from weft.model.values import ValueType

__all__ = ["Asset", "AssetType", "Level", "Limits", "Signal", "Writable"]


class Level(StrEnum):
    ENTERPRISE = "enterprise"
    SITE = "site"
    AREA = "area"
    LINE = "line"
    CELL = "cell"
    UNIT = "unit"


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In the signal's unit. ``low``/``high``: outside of them a person should look (ISA-18.2 alarm
    limits come later); ``minimum``/``maximum``: what the instrument can measure at all."""

    minimum: float | None = None
    low: float | None = None
    high: float | None = None
    maximum: float | None = None


class Writable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a signal may be written at all, and within which guard rails; numbers are in the signal's unit.

    ``minimum``/``maximum``: range of the value. ``step``: largest change from the newest good value. ``interval``:
    shortest time in seconds between two writes. ``interlock``: an expression over signals that must be true, from
    fresh good values. ``readback``: read the value after writing and compare. ``critical``: a second person must
    approve. ``logic``: local logic may write it, too."""

    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    interval: float = 0.0
    interlock: str = ""
    readback: bool = True
    critical: bool = False
    logic: bool = False


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the hierarchy."""

    path: str
    level: Level
    type: str = ""
    description: str = ""
    owner: str = ""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> str:
        """The parent's path; empty for the enterprise."""
        return self.path.rpartition("/")[0]


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One measured or commanded variable of an asset.

    ``type`` None keeps the type that the source sends. ``scale`` and ``offset`` turn the raw number into
    ``unit`` (UCUM code): value = raw * scale + offset. ``deadband`` is in ``unit``; ``silence`` is the longest
    time in seconds without a stored sample. ``retention`` is in days, None keeps for ever. ``states`` names
    the numbers of an enumeration. ``step``: the value holds until the next one (else it is a line).

    ``deviation`` is the swinging door's, in ``unit``. ``rate`` is the largest believable change in unit per
    second, ``stuck`` the longest believable time in seconds without any change. ``derive`` is the expression of
    a signal that is computed from others; it has no connection. ``write`` None: the signal cannot be written.
    """

    handle: int
    path: str
    connection: str
    address: Any
    description: str = ""
    type: ValueType | None = None
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    limits: Limits = Limits()
    states: dict[int, str] = {}
    step: bool = False
    deadband: float = 0.0
    silence: float | None = None
    deviation: float = 0.0
    rate: float | None = None
    stuck: float | None = None
    derive: str = ""
    write: Writable | None = None
    semantic: str = ""
    owner: str = ""
    retention: float | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def asset(self) -> str:
        return self.path.rpartition("/")[0]


class AssetType(msgspec.Struct, frozen=True, kw_only=True):
    """A reusable template: the signals that each asset of this type has."""

    name: str
    description: str = ""
    semantic: str = ""
    signals: tuple[str, ...] = ()
