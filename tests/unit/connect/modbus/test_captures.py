"""Recorded traffic of real devices through our frames and decoder, value by value against tshark."""

import csv
import struct
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from weft.connect.modbus import Address, Config
from weft.connect.modbus.frames import BadFrame, DeviceError, Splitter, payload
from weft.connect.modbus.layout import Layout
from weft.connect.modbus.plan import Span, plan

TABLE = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
# Of each capture: values compared, and messages of streams that left the standard and were given up.
FILES = {
    "modbus_test.pcap": (1052, 0),
    "modbusSmall.pcap": (8, 0),
    "modbus_test_data_part1.pcap": (3, 0),
    "fuzz-72.pcap": (0, 14),
    "modicon_test.pcap": (0, 166),
}


class Segment(NamedTuple):
    """One TCP segment: ``number`` counts the capture's packets from 1, as tshark does."""

    number: int
    source: tuple[str, int]
    target: tuple[str, int]
    sequence: int
    data: bytes


def segments(capture: bytes) -> Iterator[Segment]:
    """Segments with data, IPv4 over Ethernet, padding cut off."""
    end = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}[capture[:4]]
    at, number = 24, 0
    while at + 16 <= len(capture):
        size = struct.unpack_from(f"{end}I", capture, at + 8)[0]
        packet, at, number = capture[at + 16 : at + 16 + size], at + 16 + size, number + 1
        if packet[12:14] != b"\x08\x00" or packet[23] != 6:
            continue
        ip = packet[14 : 14 + struct.unpack_from(">H", packet, 16)[0]]
        tcp = ip[(ip[0] & 15) * 4 :]
        source, target, sequence = struct.unpack_from(">HHI", tcp)
        if data := tcp[(tcp[12] >> 4) * 4 :]:
            yield Segment(number, (_ip(ip[12:16]), source), (_ip(ip[16:20]), target), sequence, data)


def _ip(four: bytes) -> str:
    return ".".join(map(str, four))


class Stream:
    """One direction of a TCP connection, in the order of the capture."""

    def __init__(self):
        self.splitter = Splitter()
        self.ended = False
        self._next = None
        self._seen = set()

    def take(self, segment):
        """Frames of a segment. A repeated segment is read once; after a hole in the capture a frame begins."""
        key = (segment.sequence, len(segment.data))
        if key in self._seen or self.ended:
            return []
        self._seen.add(key)
        if segment.sequence != self._next:
            self.splitter = Splitter()
        self._next = segment.sequence + len(segment.data)
        try:
            return self.splitter.feed(segment.data)
        except BadFrame:
            self.ended = True
            return []


def messages(capture):
    """Our frames by packet number: (from the device?, connection, frame); and the packets after an end."""
    streams, found, left = defaultdict(Stream), defaultdict(list), set()
    for segment in segments(capture):
        if 502 not in (segment.source[1], segment.target[1]):
            continue
        way = (segment.source, segment.target)
        from_device = segment.source[1] == 502
        connection = way if from_device else way[::-1]
        for frame in streams[way].take(segment):
            found[segment.number].append((from_device, connection, frame))
        if streams[way].ended:
            left.add(segment.number)
    return found, left


def numbers(cell):
    return [int(part) for part in cell.split(",")] if cell else []


def decoded(function, start, count, data):
    """Through planner and layout, as a connection would read them."""
    table = TABLE[function]
    addresses = [Address(table=table, register=start + i) for i in range(count)]
    spans = [Span(1, table, start + i, start + i + 1, i) for i in range(count)]
    [block] = plan(spans, Config(host="device"))
    layout = Layout([block], [a.place(1) for a in addresses])
    layout.store(block, block, data)
    return layout.decode().bits.tolist()


@pytest.mark.card("modbus", "reads")
@pytest.mark.parametrize("name", FILES)
def test_a_capture_reads_as_tshark_reads_it(reference, name):
    folder = reference / "machines" / "pcaps"
    ours, left = messages((folder / "modbus" / name).read_bytes())
    asked, read, given_up = {}, 0, 0
    with (folder / "expected" / f"{name}.tsv").open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            number = int(row["frame.number"])
            if number in left:
                given_up += 1
                continue
            frames = [frame for _, _, frame in ours[number]]
            assert [frame.transaction for frame in frames] == numbers(row["mbtcp.trans_id"]), row
            assert [frame.unit for frame in frames] == numbers(row["mbtcp.unit_id"]), row
            assert [frame.pdu[0] & 0x7F for frame in frames] == numbers(row["modbus.func_code"]), row
            read += sum(follow(*message, asked, row) for message in ours[number])
    assert (read, given_up) == FILES[name]


def follow(from_device, connection, frame, asked, row):
    """Remembers a question, or compares an answer with what tshark says of it. 1 for values compared."""
    function = frame.pdu[0] & 0x7F
    key = (connection, frame.transaction)
    if not from_device:
        if function in TABLE and len(frame.pdu) == 5:
            start, count = (int.from_bytes(frame.pdu[i : i + 2], "big") for i in (1, 3))
            assert start == int(row["modbus.reference_num"])
            assert count == int(row["modbus.word_cnt"] or row["modbus.bit_cnt"])
            asked[key] = (function, start, count)
        return 0
    if frame.pdu[0] & 0x80:
        with pytest.raises(DeviceError) as caught:
            payload(frame.pdu, function, 1)
        assert caught.value.code == int(row["modbus.exception_code"])
        return 0
    if asked.get(key, (0,))[0] != function:
        return 0
    function, start, count = asked.pop(key)
    values = decoded(function, start, count, payload(frame.pdu, function, count))
    assert values == numbers(row["modbus.regval_uint16"] or row["modbus.bitval"])[:count]
    return 1
