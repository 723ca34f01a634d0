"""S7 and CIP controllers, PROFINET stations."""

from __future__ import annotations

import contextlib
import logging
import struct

import pycomm3
from fuzz.target import Target

from weft.connect.ethernetip import Config
from weft.connect.ethernetip.driver import Driver
from weft.connect.ethernetip.types import ELEMENTARY, BadValue, decode, kind_of
from weft.connect.s7 import Address
from weft.connect.s7 import pdu as s7pdu
from weft.connect.s7.kinds import KINDS
from weft.connect.s7.kinds import BadValue as BadS7
from weft.connect.s7.pdu import BadPdu, Item, RequestError
from weft.demo.cip_server import HEADER, _Peer, sample
from weft.model import BatchBuilder
from weft.model import decode as from_wire
from weft.model import encode as to_wire
from weft.onboard.dcp import request, response

PLACES = [
    *(
        Address(db=1, offset=0, type=name).place
        for name in KINDS
        if name not in ("BOOL", "STRING", "WSTRING")
    ),
    Address(at="DB1.DBX0.3").place,
    Address(db=1, offset=0, bit=1, type="BOOL", count=5).place,
    Address(db=1, offset=0, type="STRING", length=8).place,
    Address(db=1, offset=0, type="WSTRING", length=4).place,
    Address(db=1, offset=0, type="DATE_AND_TIME", count=2).place,
    Address(db=1, offset=0, type="STRING", length=3, count=2).place,
]


def _size(number: int) -> int:
    place = PLACES[number]
    return place.end - place.offset


def _answer(number: int, content: bytes) -> bytes:
    data = struct.pack(">BBH", 0xFF, 4, len(content) * 8) + content
    return struct.pack(">BBHHHHBB", 0x32, 3, 0, 1, 2, len(data), 0, 0) + b"\4\1" + data


def _s7_seeds() -> list[bytes]:
    made = [
        bytes((number,)) + _answer(number, bytes(range(1, _size(number) + 1)))
        for number in range(len(PLACES))
    ]
    full = bytes((8, 5)) + b"hallo" + bytes(3)
    made.append(bytes((len(PLACES) - 4,)) + _answer(0, full))
    made.append(bytes((1,)) + struct.pack(">BBHHHHBB", 0x32, 3, 0, 1, 2, 4, 0, 0) + b"\4\1\x0a\0\0\0")
    made.append(bytes((1,)) + struct.pack(">BBHHHHBB", 0x32, 3, 0, 1, 2, 1, 0, 0) + b"\5\1\xff")
    return [
        *made,
        b"\0"
        + struct.pack(">BBHHHHBB", 0x32, 3, 0, 1, 8, 0, 0, 0)
        + struct.pack(">BBHHH", 0xF0, 0, 1, 1, 480),
    ]


def _s7_run(data: bytes) -> None:
    """The rest of the input as the answer, and as the bytes of one value of each kind."""
    if not data:
        return
    number, answer = data[0] % len(PLACES), data[1:]
    found = answer[: _size(number)].ljust(_size(number), b"\0")
    with contextlib.suppress(BadPdu, RequestError):
        s7pdu.sequence_of(answer)
    with contextlib.suppress(BadPdu, RequestError):
        s7pdu.pdu_size(answer, 1)
    with contextlib.suppress(BadPdu, RequestError):
        s7pdu.writes(answer, 1, 1)
    with contextlib.suppress(BadPdu, RequestError):
        [content] = s7pdu.reads(answer, 1, [Item(0x84, 1, 0, _size(number))])
        if isinstance(content, bytes):
            assert len(content) == _size(number)
            found = content
    _value(number, found)


def _value(number: int, content: bytes) -> None:
    place = PLACES[number]
    try:
        value = place.decode(content)
    except BadS7:
        return
    batch = BatchBuilder()
    batch.add(1, 0, value, place.type, 0, 0)
    built = batch.build()
    assert repr(list(from_wire(to_wire(built)))) == repr(list(built))  # type: ignore[arg-type]


NAMES = (*ELEMENTARY, "STRING", "SHORT_STRING", "")


def _cip_run(data: bytes) -> None:
    if len(data) < 3:
        return
    name, offset, count = NAMES[data[0] % len(NAMES)], data[1] % 16, data[2] % 9 or None
    count = count if name in ELEMENTARY else None
    try:
        value, kind = decode(data[3:], name, offset, count)
    except BadValue:
        return
    finally:
        kind_of(data[3:].decode("latin-1"))
    batch = BatchBuilder()
    batch.add(1, 0, value, kind, 0, 0)
    built = batch.build()
    assert repr(list(from_wire(to_wire(built)))) == repr(list(built))  # type: ignore[arg-type]


class _Line:
    """A controller of our own whose answers are bent: (which answer, where in it, with what) by threes."""

    def __init__(self, bends: bytes) -> None:
        self._peer = _Peer(sample(), 1, ("127.0.0.1", 44818))
        self._bends = [bends[i : i + 4] for i in range(0, len(bends) - 3, 4)]
        self._answers = 0
        self._next = b""

    def connect(self, host: str, port: int) -> None: ...

    def close(self) -> None: ...

    def send(self, message: bytes, timeout: float = 0) -> int:
        head = HEADER.unpack_from(message)
        answer = bytearray(self._peer.answer(head, message[HEADER.size :]) or b"")
        for which, high, low, byte in self._bends:
            place = high << 8 | low
            if which == self._answers % 64 and place < len(answer):
                answer[place] ^= byte
            elif which == self._answers % 64 + 128 and HEADER.size <= place < len(answer):
                del answer[place:]
        self._answers += 1
        if self._answers > 400:
            raise pycomm3.CommError("enough")  # as the driver's time limit ends it
        self._next = bytes(answer)
        return len(message)

    def receive(self, timeout: float = 0) -> bytes:
        if len(self._next) < HEADER.size:
            raise pycomm3.CommError("gone")
        return self._next


DECLARED = (pycomm3.PycommError, OSError, struct.error, LookupError, ValueError, TypeError, AttributeError)
TAGS = (
    "Running",
    "Level",
    "Temperature",
    "Recipe",
    "Drive",
    "Counts{20}",
    "Flags",
    "Program:Main.Step",
    "None",
)
logging.getLogger("pycomm3").setLevel(logging.CRITICAL + 1)


def _session_run(data: bytes) -> None:
    """A whole session: list of tags, definitions, a reading. Declared is what the driver takes as a lost line."""
    config = Config(host="127.0.0.1")
    driver = pycomm3.LogixDriver(config.route, init_tags=True, init_program_tags=True)
    driver._sock = _Line(data)
    try:
        driver.open()
        driver._cfg["use_instance_ids"] = False
        driver.read(*TAGS)
        dict(driver.tags)
    except DECLARED:
        return


def _session_seeds() -> list[bytes]:
    return [
        b"",
        *(bytes((answer, 0, place, 1)) for answer in range(12) for place in (2, 8, 24, 40, 44, 48, 56)),
    ]


def _dcp_seeds() -> list[bytes]:
    blocks = b"".join(
        struct.pack("!BBHH", option, sub, len(body) + 2, 0) + body + b"\0" * (len(body) & 1)
        for option, sub, body in (
            (2, 2, b"press-7"),
            (2, 1, b"maker"),
            (1, 2, bytes(range(12))),
            (2, 3, b"\0\x2a\1\2"),
            (2, 4, b"\1\0"),
        )
    )
    head = (
        bytes(6) + b"\0\x1b\x1b\1\2\3" + b"\x88\x92" + struct.pack("!HBBIHH", 0xFEFF, 5, 1, 7, 0, len(blocks))
    )
    return [head + blocks, request(b"\0\x1b\x1b\1\2\3", 7)]


assert Driver  # the connector's own part of a session: _call() takes DECLARED as the line's end
s7 = Target(_s7_run, _s7_seeds)
cip = Target(
    _cip_run, lambda: [bytes((n, 0, c)) + bytes(range(40)) for n in range(len(NAMES)) for c in (0, 3)]
)
session = Target(_session_run, _session_seeds)
dcp = Target(lambda data: (response(data, 7), None)[1], _dcp_seeds)
