"""How a plant's folder names the broker and our edge node there."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from weft.mqtt.broker import Broker
from weft.sparkplug.topic import is_id

__all__ = ["Config"]


class Config(Broker, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A broker and our ids there. ``devices`` names the device of an asset's path; another's device is its path with
    dots. ``primary_host`` is the host application without which nothing is sent but kept. ``data_qos`` 0 is what
    Sparkplug demands: whether the broker has it, a ping behind the data tells. ``hold`` is how long in seconds data
    that the broker has is kept back from being forgotten, as the primary host may be gone unseen. ``most`` metrics
    go into one message. ``exact_time`` adds the nanoseconds that a millisecond lacks; ``datatypes`` names them in data, too, for
    hosts that do not remember births. Raises ValueError for what
    cannot be an id."""

    group: str
    node: str
    devices: dict[str, str] = field(default_factory=dict)
    primary_host: str = ""
    data_qos: Literal[0, 1] = 0
    hold: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    most: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    exact_time: bool = True
    datatypes: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        named = [self.group, self.node, *self.devices.values()]
        for name in named + ([self.primary_host] if self.primary_host else []):
            if not is_id(name):
                raise ValueError(f"{name!r} cannot be an id: it must not be empty or hold +, # or /")
        if len(set(self.devices.values())) < len(self.devices):
            raise ValueError("two assets have one device")
