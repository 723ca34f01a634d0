"""How a plant's folder names a broker with Sparkplug edge nodes, and a metric of one of them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from weft.mqtt.broker import Broker
from weft.sparkplug.topic import is_id

__all__ = ["Address", "Config"]


class Config(Broker, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A broker and our name there as a host application. ``groups`` are those that are listened to, none is all.
    ``reorder`` is how long in seconds a message that is missing in between may be late, ``rebirth`` the shortest time
    between two requests for a node's birth. Raises ValueError for what cannot be an id."""

    host_id: Annotated[str, Meta(min_length=1, max_length=200)] = "weft"
    groups: tuple[str, ...] = ()
    reorder: Annotated[float, Meta(ge=0, le=60)] = 2.0
    rebirth: Annotated[float, Meta(ge=0.1, le=3600)] = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in (self.host_id, *self.groups):
            if not is_id(name):
                raise ValueError(f"{name!r} cannot be an id: it must not hold +, # or /")


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One metric: of the node itself, or of one of its devices. Raises ValueError for what cannot be an id."""

    group: str
    node: str
    device: str = ""
    metric: Annotated[str, Meta(min_length=1, max_length=65535)]

    def __post_init__(self) -> None:
        for name in (self.group, self.node, *((self.device,) if self.device else ())):
            if not is_id(name):
                raise ValueError(f"{name!r} cannot be an id: it must not hold +, # or /")
