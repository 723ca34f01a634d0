"""A command: somebody wants the field to be otherwise than it is. It goes one way, whoever asks: guard rails,
written intent, connector, read back, written result."""

from __future__ import annotations

from typing import Any

import msgspec

from weft.model.event import new_id

__all__ = ["Call", "Command", "Outcome"]


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Write ``value``, in the signal's unit, to ``signal`` (its path). ``actor`` is who asks and ``via`` through
    which door (``cli``, ``http``, ``opcua``, ``sparkplug``, ``logic`` …). Not sent after ``expires`` (ns UTC, 0 is
    never). The same ``id`` is carried out once."""

    signal: str
    value: Any
    actor: str
    via: str
    reason: str = ""
    expires: int = 0
    id: str = msgspec.field(default_factory=new_id)


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """Call ``method`` of ``target`` (both in the protocol's own notation) over ``connection``."""

    connection: str
    target: str
    method: str
    actor: str
    via: str
    arguments: tuple[Any, ...] = ()
    reason: str = ""
    expires: int = 0
    id: str = msgspec.field(default_factory=new_id)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a command: an OPC UA StatusCode (0 is good), why in words, what was read back or answered."""

    id: str
    status: int = 0
    reason: str = ""
    value: Any = None
