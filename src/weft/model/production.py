"""Made things and abilities: the words that production, skills and genealogy will share."""

from __future__ import annotations

from enum import StrEnum

import msgspec

__all__ = ["Item", "ItemKind", "Parameter", "Skill", "SkillState"]


class ItemKind(StrEnum):
    SERIAL = "serial"
    LOT = "lot"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A made or consumed thing: a serial or a lot (ISA-95 MaterialLot, GS1 EPCIS). Its id is text and stays
    text: "000123" is not 123. ``quantity`` is in ``unit`` (UCUM; "1" counts pieces)."""

    id: str
    kind: ItemKind
    material: str
    quantity: float = 1.0
    unit: str = "1"


class SkillState(StrEnum):
    """The states of PackML (ANSI/ISA-TR88.00.02, figure 3) that a skill can be in."""

    STOPPED = "Stopped"
    STARTING = "Starting"
    IDLE = "Idle"
    SUSPENDED = "Suspended"
    EXECUTE = "Execute"
    STOPPING = "Stopping"
    ABORTING = "Aborting"
    ABORTED = "Aborted"
    HOLDING = "Holding"
    HELD = "Held"
    UNHOLDING = "Unholding"
    SUSPENDING = "Suspending"
    UNSUSPENDING = "Unsuspending"
    RESETTING = "Resetting"
    COMPLETING = "Completing"
    COMPLETE = "Complete"
    CLEARING = "Clearing"


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """An input or output of a skill, in ``unit`` (UCUM) and between its bounds."""

    name: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None


class Skill(msgspec.Struct, frozen=True, kw_only=True):
    """Something an asset can do: ``capability`` says what (a semantic id), the skill is how to call it."""

    asset: str
    name: str
    capability: str = ""
    parameters: tuple[Parameter, ...] = ()
    state: SkillState = SkillState.IDLE
