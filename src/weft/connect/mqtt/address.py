"""How a plant's folder says where a broker is and what of a message one signal reads."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from weft.connect.payload import TimeUnit
from weft.mqtt.broker import Broker

__all__ = ["Address", "Config"]


class Config(Broker, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A broker, and the longest payload in bytes that is read."""

    max_payload: Annotated[int, Meta(ge=1, le=16 << 20)] = 1 << 20


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one signal reads: messages of ``topic`` (a filter, ``+`` and ``#`` allowed) whose JSON has the values
    of ``where``, and of them the value at ``path``; ``time`` is the path of the source's time. A write is published to ``write_topic``, which has no wildcards."""

    topic: Annotated[str, Meta(min_length=1, max_length=65535)]
    path: str = ""
    time: str = ""
    time_unit: TimeUnit = "ms"
    where: dict[str, str] = {}
    optional: bool = False
    write_topic: Annotated[str, Meta(pattern=r"^[^+#\0]*$", max_length=65535)] = ""
    write_template: Annotated[str, Meta(max_length=65535)] = ""
    write_retain: bool = False

    def __hash__(self) -> int:
        return hash((self.topic, self.path, self.time, self.time_unit, self.optional))
