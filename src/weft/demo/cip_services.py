"""What a Logix-like controller does with a CIP request: one message in, one answer out (CIP volume 1; 1756-PM020)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from weft.demo.cip_tags import CODES, NotThere, Spot, Tags

__all__ = ["Controller", "Fault", "Identity"]

IDENTITY, ROUTER, SYMBOL, TEMPLATE, PROGRAM_NAME = 0x01, 0x02, 0x6B, 0x6C, 0x64
GET_ALL, GET_LIST, MULTIPLE, GET_SINGLE, SET_SINGLE = 0x01, 0x03, 0x0A, 0x0E, 0x10
READ, WRITE, CHANGE, READ_PART, WRITE_PART, LIST_SYMBOLS = 0x4C, 0x4D, 0x4E, 0x52, 0x53, 0x55
PATH_ERROR, UNKNOWN_PATH, PARTIAL, NOT_SUPPORTED, BAD_ATTRIBUTE = 0x04, 0x05, 0x06, 0x08, 0x14
TOO_LITTLE, TOO_MUCH, GENERAL = 0x13, 0x15, 0xFF
OUT_OF_RANGE, WRONG_TYPE = 0x2105, 0x2107
MOST_REQUESTS: Final = 200


class Fault(Exception):
    """A general status, and an extended one where there is more to say."""

    def __init__(self, status: int, extended: int | None = None) -> None:
        super().__init__(status, extended)
        self.status, self.extended = status, extended


class Identity(NamedTuple):
    """Who answers."""

    vendor: int = 1
    device: int = 14
    product: int = 166
    major: int = 32
    minor: int = 11
    status: int = 0x3060
    serial: int = 0x00C0FFEE
    name: str = "1756-L83E/B"

    def encode(self) -> bytes:
        head = struct.pack("<HHHBBHI", *self[:7])
        return head + bytes((len(self.name),)) + self.name.encode("ascii")


class _Path(NamedTuple):
    """A padded EPATH taken apart: logical numbers by their kind, and the names and indices in their order."""

    logical: dict[str, int]
    symbols: list[str | int]


class Controller:
    """Answers for ``tags`` and for ``objects``: values of any (class, instance, attribute). ``written`` hears of each
    write to a tag."""

    def __init__(self, tags: Tags, identity: Identity | None = None, program: str = "Weft") -> None:
        self.tags = tags
        self.identity = identity or Identity()
        self.objects: dict[tuple[int, int, int], bytes] = {}
        self.written: Callable[[Spot], None] = lambda spot: None
        self._program = program
        self._services: dict[int, Callable[[_Path, bytes, int], tuple[int, bytes]]] = {
            READ: self._read,
            READ_PART: self._read_part,
            WRITE: self._write,
            WRITE_PART: self._write_part,
            CHANGE: self._change,
            LIST_SYMBOLS: self._list,
            GET_ALL: self._get_all,
            GET_LIST: self._get_list,
            GET_SINGLE: self._get_single,
            SET_SINGLE: self._set_single,
        }

    def answer(self, message: bytes, room: int) -> bytes:
        """The reply to a request, of at most ``room`` bytes."""
        service = message[0] if message else 0
        try:
            path, data = _split(message)
            if service == MULTIPLE and path.logical.get("class") == ROUTER:
                return _reply(service, 0, self._multiple(data, room))
            handler = self._services.get(service)
            if handler is None:
                raise Fault(NOT_SUPPORTED)
            return _reply(service, *handler(path, data, room - 4))
        except Fault as fault:
            return _reply(service, fault.status, b"", fault.extended)
        except NotThere:
            return _reply(service, UNKNOWN_PATH)
        except (struct.error, IndexError):
            return _reply(service, TOO_LITTLE)

    def _multiple(self, data: bytes, room: int) -> bytes:
        (count,) = struct.unpack_from("<H", data)
        if count > MOST_REQUESTS:
            raise Fault(TOO_MUCH)
        starts = [*struct.unpack_from(f"<{count}H", data, 2), len(data)]
        head = 2 + 2 * count
        replies: list[bytes] = []
        left = room - 4 - head
        for i in range(count):
            replies.append(self.answer(data[starts[i] : starts[i + 1]], left - 4 * (count - i - 1)))
            left -= len(replies[-1])
        offsets = [head + sum(len(reply) for reply in replies[:i]) for i in range(count)]
        return struct.pack(f"<H{count}H", count, *offsets) + b"".join(replies)

    # --- tags -----------------------------------------------------------------------------------------------

    def _spot(self, path: _Path) -> Spot:
        if path.logical.get("class") == SYMBOL:
            return self.tags.within(self.tags.symbol("", path.logical.get("instance", 0)), path.symbols)
        if not path.symbols:
            raise Fault(PATH_ERROR)
        return self.tags.find(path.symbols)

    def _read(self, path: _Path, data: bytes, room: int) -> tuple[int, bytes]:
        if path.logical.get("class") == TEMPLATE:
            return self._read_template(path, data, room)
        (elements,) = struct.unpack_from("<H", data)
        return self._part(self._spot(path), elements, 0, room)

    def _read_part(self, path: _Path, data: bytes, room: int) -> tuple[int, bytes]:
        elements, offset = struct.unpack_from("<HI", data)
        return self._part(self._spot(path), elements, offset, room)

    def _part(self, spot: Spot, elements: int, offset: int, room: int) -> tuple[int, bytes]:
        size = spot.size * elements
        if not 0 < elements <= spot.left or offset >= size:
            raise Fault(GENERAL, OUT_OF_RANGE)
        fits = (
            (room - len(spot.head)) // spot.size * spot.size
            if spot.template is None
            else room - len(spot.head)
        )
        content = bytes(spot.tag.data[spot.offset + offset : spot.offset + min(size, offset + max(fits, 0))])
        return (0 if offset + len(content) == size else PARTIAL), spot.head + content

    def _write(self, path: _Path, data: bytes, room: int) -> tuple[int, bytes]:
        spot = self._spot(path)
        elements, content = _typed(spot, data)
        if len(content) != elements * spot.size:
            raise Fault(TOO_LITTLE if len(content) < elements * spot.size else TOO_MUCH)
        return self._store(spot, 0, content)

    def _write_part(self, path: _Path, data: bytes, room: int) -> tuple[int, bytes]:
        spot = self._spot(path)
        elements, rest = _typed(spot, data)
        (offset,) = struct.unpack_from("<I", rest)
        if offset + len(rest) - 4 > elements * spot.size:
            raise Fault(GENERAL, OUT_OF_RANGE)
        return self._store(spot, offset, rest[4:])

    def _store(self, spot: Spot, offset: int, content: bytes) -> tuple[int, bytes]:
        begin = spot.offset + offset
        spot.tag.data[begin : begin + len(content)] = content
        self.written(spot)
        return 0, b""

    def _change(self, path: _Path, data: bytes, room: int) -> tuple[int, bytes]:
        """Sets and clears bits: (value OR or-mask) AND and-mask."""
        spot = self._spot(path)
        (size,) = struct.unpack_from("<H", data)
        if spot.template is not None or size != spot.size:
            raise Fault(GENERAL, WRONG_TYPE)
        on, keep = data[2 : 2 + size], data[2 + size : 2 + 2 * size]
        old = spot.tag.data[spot.offset : spot.offset + size]
        return self._store(spot, 0, bytes((a | b) & c for a, b, c in zip(old, on, keep, strict=True)))

    def _list(self, path: _Path, data: bytes, room: int) -> tuple[int, bytes]:
        """Symbols from an instance on, as many as fit."""
        (count,) = struct.unpack_from("<H", data)
        wanted = struct.unpack_from(f"<{count}H", data, 2)
        scope = str(path.symbols[0]) if path.symbols else ""
        symbols = next(
            (tags for name, tags in self.tags.scopes.items() if name.lower() == scope.lower()), None
        )
        if symbols is None:
            raise NotThere(scope)
        found = b""
        for number in sorted(n for n in symbols if n >= path.logical.get("instance", 0)):
            parts = [symbols[number].attribute(attribute) for attribute in wanted]
            if None in parts:
                raise Fault(BAD_ATTRIBUTE)
            entry = struct.pack("<I", number) + b"".join(part for part in parts if part is not None)
            if len(found) + len(entry) > room:
                return PARTIAL, found
            found += entry
        return 0, found

    def _read_template(self, path: _Path, data: bytes, room: int) -> tuple[int, bytes]:
        offset, size = struct.unpack_from("<IH", data)
        template = self.tags.templates.get(path.logical.get("instance", 0))
        if template is None:
            raise NotThere("template")
        whole = template.definition()[offset : offset + size]
        return (0 if len(whole) <= room else PARTIAL), whole[:room]

    # --- attributes -----------------------------------------------------------------------------------------

    def _get_all(self, path: _Path, data: bytes, room: int) -> tuple[int, bytes]:
        kind = path.logical.get("class")
        if kind == IDENTITY:
            return 0, self.identity.encode()
        if kind == PROGRAM_NAME:
            return 0, struct.pack("<H", len(self._program)) + self._program.encode("ascii")
        raise Fault(UNKNOWN_PATH)

    def _get_list(self, path: _Path, data: bytes, room: int) -> tuple[int, bytes]:
        (count,) = struct.unpack_from("<H", data)
        found = struct.pack("<H", count)
        for number in struct.unpack_from(f"<{count}H", data, 2):
            value = self._attribute(path, number)
            found += struct.pack("<HH", number, BAD_ATTRIBUTE if value is None else 0) + (value or b"")
        return 0, found

    def _get_single(self, path: _Path, data: bytes, room: int) -> tuple[int, bytes]:
        value = self._attribute(path, path.logical.get("attribute", 0))
        if value is None:
            raise Fault(BAD_ATTRIBUTE)
        return 0, value

    def _set_single(self, path: _Path, data: bytes, room: int) -> tuple[int, bytes]:
        place = (
            path.logical.get("class", 0),
            path.logical.get("instance", 0),
            path.logical.get("attribute", 0),
        )
        if place not in self.objects:
            raise Fault(BAD_ATTRIBUTE)
        self.objects[place] = data
        return 0, b""

    def _attribute(self, path: _Path, number: int) -> bytes | None:
        kind, instance = path.logical.get("class", 0), path.logical.get("instance", 0)
        if kind == TEMPLATE and instance in self.tags.templates:
            return self.tags.templates[instance].attribute(number)
        if kind == SYMBOL:
            return self.tags.symbol("", instance).attribute(number)
        if kind == IDENTITY and number in range(1, 8):
            who = self.identity
            values = (
                struct.pack("<H", who.vendor),
                struct.pack("<H", who.device),
                struct.pack("<H", who.product),
                bytes((who.major, who.minor)),
                struct.pack("<H", who.status),
                struct.pack("<I", who.serial),
                bytes((len(who.name),)) + who.name.encode("ascii"),
            )
            return values[number - 1]
        return self.objects.get((kind, instance, number))


def _typed(spot: Spot, data: bytes) -> tuple[int, bytes]:
    """Elements and the bytes after them of a write. Raises Fault for another type than the tag's."""
    at = len(spot.head)
    if data[:at] != spot.head and not (
        spot.type == "BOOL" and data[:2] == struct.pack("<H", CODES["BOOL"][0])
    ):
        raise Fault(GENERAL, WRONG_TYPE)
    (elements,) = struct.unpack_from("<H", data, at)
    if not 0 < elements <= spot.left:
        raise Fault(GENERAL, OUT_OF_RANGE)
    return elements, data[at + 2 :]


_LOGICAL: Final = {0x20: "class", 0x24: "instance", 0x28: "element", 0x30: "attribute"}


def _split(message: bytes) -> tuple[_Path, bytes]:
    """The request's path and its data. Raises Fault, IndexError."""
    end = 2 + message[1] * 2
    path = message[2:end]
    if len(path) != message[1] * 2:
        raise Fault(PATH_ERROR)
    logical: dict[str, int] = {}
    symbols: list[str | int] = []
    at = 0
    while at < len(path):
        kind = path[at]
        if kind == 0x91:
            size = path[at + 1]
            symbols.append(path[at + 2 : at + 2 + size].decode("ascii", "replace"))
            at += 2 + size + size % 2
            continue
        name = _LOGICAL.get(kind & 0xFC)
        if name is None or kind & 3 == 3:
            raise Fault(PATH_ERROR)
        width = (1, 2, 4)[kind & 3]
        at += 1 if width == 1 else 2
        number = int.from_bytes(path[at : at + width], "little")
        at += width
        if name == "element":
            symbols.append(number)
        else:
            logical[name] = number
    return _Path(logical, symbols), message[end:]


def _reply(service: int, status: int, data: bytes = b"", extended: int | None = None) -> bytes:
    more = b"" if extended is None else struct.pack("<H", extended)
    return bytes((service | 0x80, 0, status, len(more) // 2)) + more + data
