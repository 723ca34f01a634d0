"""How a plant's folder says where an adapter is and which of its keys one signal reads."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

__all__ = ["ALL_ASSETS", "AXES", "CONDITION", "MESSAGE", "PARTS", "WIDTH", "Address", "Category", "Config"]

ALL_ASSETS: Final = "*"


class Category(StrEnum):
    """What a key carries (MTConnect part 3); it decides how many fields follow the key on the line."""

    SAMPLE = "sample"
    EVENT = "event"
    CONDITION = "condition"
    MESSAGE = "message"
    TIMESERIES = "timeseries"
    DATASET = "dataset"
    TABLE = "table"
    ASSET = "asset"


CONDITION: Final = ("level", "native_code", "native_severity", "qualifier", "message")
AXES: Final = ("x", "y", "z")
MESSAGE: Final = ("native_code", "text")

WIDTH: Final = {
    Category.SAMPLE: 1,
    Category.EVENT: 1,
    Category.CONDITION: len(CONDITION),
    Category.MESSAGE: len(MESSAGE),
    Category.TIMESERIES: 3,
    Category.DATASET: 1,
    Category.TABLE: 1,
    Category.ASSET: 1,
}

PARTS: Final[dict[Category, tuple[str, ...]]] = {
    Category.SAMPLE: (*AXES, "duration", "reset"),
    Category.EVENT: ("duration",),
    Category.CONDITION: CONDITION,
    Category.MESSAGE: MESSAGE,
    Category.TIMESERIES: ("count", "rate", "duration"),
    Category.DATASET: ("duration",),
    Category.TABLE: ("duration",),
    Category.ASSET: ("removed",),
}


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the adapter listens. ``heartbeat`` (s) replaces the period that the adapter announces; ``timeout``
    (s) limits connecting."""

    host: Annotated[str, Meta(min_length=1)]
    port: Annotated[int, Meta(ge=1, le=65535)] = 7878
    device: str = ""
    heartbeat: Annotated[float, Meta(gt=0, le=3600)] | None = None
    timeout: Annotated[float, Meta(gt=0, le=300)] = 5.0


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key of the adapter, ``key`` or ``device:key``. ``part`` picks one field of an observation that has
    several; empty is the whole. For an asset ``key`` is its id, or ``*`` for those that no signal names."""

    key: Annotated[str, Meta(min_length=1)]
    category: Category = Category.EVENT
    part: str = ""
