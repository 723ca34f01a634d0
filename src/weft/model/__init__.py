"""The vocabulary of the house: no I/O, only msgspec and numpy."""

from weft.model import instant, quality
from weft.model.batch import Batch, BatchBuilder, Row, concat
from weft.model.command import Call, Command, Outcome
from weft.model.event import Event, Kind
from weft.model.logic import Rule
from weft.model.plant import Asset, AssetType, Level, Limits, Signal, Writable
from weft.model.production import Item, ItemKind, Parameter, Skill, SkillState
from weft.model.quality import Flag
from weft.model.values import ARRAY, ValueType
from weft.model.wire import BadWire, Body, decode, encode

__all__ = [
    "ARRAY",
    "Asset",
    "AssetType",
    "BadWire",
    "Batch",
    "BatchBuilder",
    "Body",
    "Call",
    "Command",
    "Event",
    "Flag",
    "Item",
    "ItemKind",
    "Kind",
    "Level",
    "Limits",
    "Outcome",
    "Parameter",
    "Row",
    "Rule",
    "Signal",
    "Skill",
    "SkillState",
    "ValueType",
    "Writable",
    "concat",
    "decode",
    "encode",
    "instant",
    "quality",
]
