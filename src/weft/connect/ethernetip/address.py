"""How a plant's folder says where a CIP device is and where one value lies in it."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

__all__ = ["Address", "Config"]

_TAG: Final = re.compile(
    r"(?:Program:\w+\.)?[A-Za-z_][\w:]*(?:\[\d+(?:,\d+){0,2}\])?(?:\.[\w:]+(?:\[\d+(?:,\d+){0,2}\])?)*"
)
Number = Annotated[int, Meta(ge=0, le=65535)]


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A controller or device. ``slot`` is the CPU's in the rack; ``path`` is a whole route instead (``1,0``,
    ``1,4,2,192.0.2.9,1,0``). A ``generic`` device has no tags, only objects."""

    host: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 44818
    controller: Literal["logix", "micro800", "generic"] = "logix"
    slot: Annotated[int, Meta(ge=0, le=255)] = 0
    path: str = ""
    interval: Annotated[float, Meta(gt=0)] = 1.0
    timeout: Annotated[float, Meta(gt=0)] = 3.0

    def __post_init__(self) -> None:
        if ":" in self.host or "/" in self.host or "," in self.host:
            raise ValueError("host is a name or an IPv4 address")
        if len(self.path.replace("/", ",").split(",")) % 2 and self.path:
            raise ValueError("path is made of pairs: a port and a link, such as 1,0")

    @property
    def route(self) -> str:
        """As pycomm3 writes it."""
        where = f"{self.host}:{self.port}"
        if self.path:
            return f"{where}/{self.path.replace(',', '/')}"
        return f"{where}/bp/{self.slot}" if self.controller == "logix" else where


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one value lies: a ``tag`` (``Program:Main.Speed``, ``Counts[3]``, ``Drive.Amps``), or an attribute of an
    object."""

    tag: str = ""
    class_id: Number | None = None
    instance: Number | None = None
    attribute: Number | None = None
    offset: Annotated[int, Meta(ge=0, le=65535)] = 0
    type: (
        Literal[
            "BOOL", "SINT", "INT", "DINT", "LINT", "USINT", "UINT", "UDINT", "ULINT", "REAL", "LREAL", "BYTE", "WORD",
            "DWORD", "LWORD", "STRING", "SHORT_STRING",
        ]
        | None
    ) = None  # fmt: skip
    count: Annotated[int, Meta(ge=1, le=65535)] | None = None

    def __post_init__(self) -> None:
        numbers = (self.class_id, self.instance, self.attribute)
        if bool(self.tag) == any(number is not None for number in numbers):
            raise ValueError("give either tag, or class_id, instance and attribute")
        if not self.tag and None in numbers:
            raise ValueError("class_id, instance and attribute go together")
        if self.tag and not _TAG.fullmatch(self.tag):
            raise ValueError(f"{self.tag!r} is not like Speed, Program:Main.Speed, Counts[3] or Drive.Amps")
        if self.tag and (self.offset or self.type):
            raise ValueError("offset and type go with an attribute; a tag's type the controller says")
        if self.count is not None and not self.tag and self.type in {None, "STRING", "SHORT_STRING"}:
            raise ValueError("count is of numbers")

    @property
    def request(self) -> str:
        """The tag as pycomm3 asks for it."""
        return f"{self.tag}{{{self.count}}}" if self.count is not None else self.tag

    @property
    def place(self) -> tuple[int, int, int]:
        """Class, instance and attribute."""
        return self.class_id or 0, self.instance or 0, self.attribute or 0
