"""How a plant's folder says where an S7 controller is and where one value lies in it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from weft.connect.s7.kinds import KINDS, BadValue, Kind
from weft.model import ARRAY

__all__ = ["AREAS", "Address", "Config", "Place"]

AREAS: Final = {"I": 0x81, "Q": 0x82, "M": 0x83, "DB": 0x84}
_GERMAN: Final = {"E": "I", "A": "Q"}
_SIZES: Final = {"X": ("BOOL", 1), "B": ("BYTE", 0), "W": ("WORD", 2), "D": ("DWORD", 4), "L": ("LWORD", 8)}
_DB: Final = re.compile(r"DB(\d{1,5})[.,](?:DB)?([XBWDL])(\d{1,7})(?:\.(\d))?")
_PLAIN: Final = re.compile(r"([IQMEA])([XBWDL]?)(\d{1,7})(?:\.(\d))?")

S7Type: TypeAlias = Literal[
    "BOOL", "BYTE", "USINT", "SINT", "CHAR", "WCHAR", "INT", "UINT", "WORD", "DINT", "UDINT", "DWORD", "LINT",
    "ULINT", "LWORD", "REAL", "LREAL", "STRING", "WSTRING", "TIME", "LTIME", "S5TIME", "TIME_OF_DAY", "DATE",
    "DATE_AND_TIME", "LDT", "DTL",
]  # fmt: skip
Tsap: TypeAlias = Annotated[int, Meta(ge=0, le=0xFFFF)]


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A controller. ``rack`` and ``slot`` are of its CPU (1200 and 1500: slot 1, 300: slot 2); TSAPs take their place
    for controllers that are configured so (LOGO!)."""

    host: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 102
    rack: Annotated[int, Meta(ge=0, le=7)] = 0
    slot: Annotated[int, Meta(ge=0, le=31)] = 1
    local_tsap: Tsap | None = None
    remote_tsap: Tsap | None = None
    connection_type: Literal["pg", "op", "basic"] = "op"
    interval: Annotated[float, Meta(gt=0)] = 1.0
    timeout: Annotated[float, Meta(gt=0)] = 3.0
    pdu: Annotated[int, Meta(ge=112, le=960)] = 480
    gap: Annotated[int, Meta(ge=0, le=200)] = 16

    def __post_init__(self) -> None:
        if (self.local_tsap is None) != (self.remote_tsap is None):
            raise ValueError("local_tsap and remote_tsap go together")


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one value lies: ``at`` as in STEP 7 (``DB1.DBD4``, ``M10.0``), or ``db``, ``offset`` and ``type``."""

    at: str = ""
    db: Annotated[int, Meta(ge=1, le=65535)] | None = None
    offset: Annotated[int, Meta(ge=0, le=65535)] | None = None
    bit: Annotated[int, Meta(ge=0, le=7)] | None = None
    type: S7Type | None = None
    length: Annotated[int, Meta(ge=1, le=16382)] | None = None
    count: Annotated[int, Meta(ge=1, le=8192)] | None = None

    def __post_init__(self) -> None:
        if bool(self.at) == (self.db is not None):
            raise ValueError("give either at, or db and offset")
        if not self.at and (self.offset is None or self.type is None):
            raise ValueError("db goes with offset and type")
        if self.at and (self.offset is not None or self.bit is not None):
            raise ValueError("offset and bit go with db; at says them itself")
        place = self.place
        if place.end > 65536:
            raise ValueError("the value reaches beyond byte 65535")

    @property
    def place(self) -> Place:
        """Raises ValueError when ``at`` is not an address of S7."""
        area, db, letter, offset, bit = self._parts()
        usual, width = _SIZES[letter]
        name = self.type or usual
        kind = KINDS[name]
        if (name == "BOOL") != (letter == "X"):
            raise ValueError("a BOOL is one bit: write it like DB1.DBX0.3 or M10.0")
        if letter != "X" and width and kind.size != width:
            raise ValueError(f"{name} takes {kind.size} bytes, not {width}: write the address with B")
        if self.length is not None and name not in {"STRING", "WSTRING"}:
            raise ValueError("length is of a STRING or WSTRING")
        return Place(area, db, offset, bit, name, self.length or 254, self.count)

    def _parts(self) -> tuple[int, int, str, int, int]:
        """Area, number of the data block, letter of the size, byte and bit."""
        if not self.at:
            letter = "X" if self.type == "BOOL" else "B"
            if (self.bit is not None) != (letter == "X"):
                raise ValueError("bit goes with BOOL, and BOOL with bit")
            return AREAS["DB"], self.db or 0, letter, self.offset or 0, self.bit or 0
        text = self.at.replace(" ", "").upper().lstrip("%")
        if found := _DB.fullmatch(text):
            number, letter, offset, bit = found.groups()
            area, db = AREAS["DB"], int(number)
        elif found := _PLAIN.fullmatch(text):
            name, letter, offset, bit = found.groups()
            letter = letter or "X"
            area, db = AREAS[_GERMAN.get(name, name)], 0
        else:
            raise ValueError(f"{self.at!r} is not like DB1.DBD4, DB1.DBX0.3, M10.0, IW2 or QB0")
        if (letter == "X") != (bit is not None) or int(bit or 0) > 7:
            raise ValueError(f"{self.at!r}: a bit is written with its number 0 to 7, and nothing else is")
        return area, db, letter, int(offset), int(bit or 0)


class Place(Struct, frozen=True):
    """An address taken apart; ``count`` None is no array."""

    area: int
    db: int
    offset: int
    bit: int
    name: str
    length: int
    count: int | None

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    @property
    def size(self) -> int:
        """Bytes of one element."""
        per = {"STRING": 1, "WSTRING": 2}.get(self.name, 0)
        size = self.kind.size + per * self.length
        return size + size % 2 if per else size

    @property
    def end(self) -> int:
        """The byte after the last one."""
        if self.name == "BOOL":
            return self.offset + (self.bit + (self.count or 1) + 7) // 8
        return self.offset + self.size * (self.count or 1)

    @property
    def type(self) -> int:
        return self.kind.type | (ARRAY if self.count is not None else 0)

    def decode(self, data: bytes) -> Any:
        """The value of these bytes. Raises BadValue."""
        if self.name == "BOOL":
            whole = int.from_bytes(data, "little") >> self.bit
            bits = [bool(whole >> i & 1) for i in range(self.count or 1)]
            return bits if self.count is not None else bits[0]
        if self.count is None:
            return self.kind.decode(data)
        size = self.size
        return [self.kind.decode(data[i : i + size]) for i in range(0, size * self.count, size)]

    def encode(self, value: Any) -> bytes:
        """The bytes of a value; of a text the length that there is and the characters, without the room they have.
        Raises BadValue."""
        try:
            return self._encode(value)
        except (ArithmeticError, TypeError, ValueError) as error:
            raise (
                error if isinstance(error, BadValue) else BadValue(f"{value!r:.80} is no {self.name}")
            ) from None

    def _encode(self, value: Any) -> bytes:
        if self.count is None:
            return self._element(value)
        if not isinstance(value, (list, tuple)) or len(value) != self.count:
            raise BadValue(f"an array of {self.count} is needed")
        if self.name in {"BOOL", "STRING", "WSTRING"}:
            raise BadValue(f"an array of {self.name} is written element by element")
        return b"".join(self._element(element) for element in value)

    def _element(self, value: Any) -> bytes:
        data = self.kind.encode(value)
        if len(data) - self.kind.size // 2 > self.size - self.kind.size and self.name in {
            "STRING",
            "WSTRING",
        }:
            raise BadValue(f"a {self.name} of at most {self.length} characters is there")
        return data
