"""How a plant's folder says where the carts' broker is and what of a cart one signal reads."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from weft.mqtt.broker import Broker

__all__ = ["READ", "Address", "Config", "Topic"]

Topic: TypeAlias = Literal["state", "visualization", "connection", "factsheet"]
READ: tuple[Topic, ...] = ("state", "visualization", "connection", "factsheet")


class Config(Broker, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A broker, the first two levels of the carts' topics (``interface``, ``major``), and how many seconds a cart
    may take to confirm what it is told (``answer``)."""

    interface: Annotated[str, Meta(min_length=1, pattern=r"^[^/#+]+$")] = "uagv"
    major: Annotated[str, Meta(pattern=r"^v\d+$")] = "v2"
    answer: Annotated[float, Meta(gt=0, le=300)] = 10.0


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of ``cart`` (``manufacturer/serial number``) one signal reads: the value at ``path`` of a message of
    ``topic``. ``length`` behind a list is how many it has."""

    cart: Annotated[str, Meta(pattern=r"^[^/#+]+/[^/#+]+$")]
    path: str = ""
    topic: Topic = "state"
