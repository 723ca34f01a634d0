"""Addresses as STEP 7 writes them, types and the plan of requests."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.connect.s7 import Address, Config
from weft.connect.s7.address import Place
from weft.connect.s7.kinds import KINDS, BadValue
from weft.connect.s7.pdu import BadPdu, Item, RequestError, read, reads
from weft.connect.s7.plan import blocks, requests


@pytest.mark.parametrize(
    ("at", "type", "where"),
    [
        ("DB1.DBX0.3", None, (0x84, 1, 0, 3, "BOOL")),
        ("db12.dbw20", "INT", (0x84, 12, 20, 0, "INT")),
        ("DB1,X4.7", None, (0x84, 1, 4, 7, "BOOL")),
        ("%DB1.DBD4", "REAL", (0x84, 1, 4, 0, "REAL")),
        ("M10.0", None, (0x83, 0, 10, 0, "BOOL")),
        ("EW4", None, (0x81, 0, 4, 0, "WORD")),
        ("AB3", "SINT", (0x82, 0, 3, 0, "SINT")),
        ("Q0.1", None, (0x82, 0, 0, 1, "BOOL")),
    ],
)
def test_an_address_is_taken_apart(at, type, where):
    place = Address(at=at, type=type).place
    assert (place.area, place.db, place.offset, place.bit, place.name) == where


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({}, "either at, or db"),
        ({"at": "DB1.DBX0"}, "a bit is written with its number"),
        ({"at": "DB1.DBW0.1"}, "a bit is written"),
        ({"at": "DB1.DBX0.8"}, "a bit is written"),
        ({"at": "X7"}, "not like DB1"),
        ({"at": "DB1.DBW0", "type": "REAL"}, "REAL takes 4 bytes"),
        ({"at": "DB1.DBB0", "type": "BOOL"}, "a BOOL is one bit"),
        ({"at": "MW1", "db": 1}, "either at, or db"),
        ({"db": 1, "offset": 2}, "db goes with offset and type"),
        ({"db": 1, "offset": 2, "type": "BOOL"}, "bit goes with BOOL"),
        ({"db": 1, "offset": 65535, "type": "INT"}, "beyond byte 65535"),
        ({"at": "DB1.DBB0", "length": 5}, "length is of a STRING"),
        ({"at": "DB1.DBB0", "len": 5}, "unknown field"),
    ],
)
def test_a_wrong_address_is_refused_with_the_reason(written, why):
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(written, Address)


def test_tsaps_go_together():
    with pytest.raises(ValueError, match="go together"):
        Config(host="plc", local_tsap=1)


WHOLE = {
    "BYTE": 8,
    "INT": 16,
    "UINT": 16,
    "DINT": 32,
    "UDINT": 32,
    "LINT": 64,
    "ULINT": 64,
    "SINT": 8,
    "TIME": 32,
}


@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_whole_numbers_come_back(name, data):
    wide, signed = WHOLE[name], name in {"INT", "DINT", "LINT", "SINT", "TIME"}
    low, high = (-(2 ** (wide - 1)), 2 ** (wide - 1) - 1) if signed else (0, 2**wide - 1)
    value = data.draw(st.integers(low, high))
    assert KINDS[name].decode(KINDS[name].encode(value)) == value
    with pytest.raises(BadValue):
        KINDS[name].encode(high + 1)


@given(st.sampled_from(["DATE_AND_TIME", "DTL", "LDT"]), st.integers(0, 3_000_000_000_000))
def test_dates_come_back(name, millis):
    ticks = 123_000_000_000_000_000 + millis * 10_000  # from October 1990 on
    assert KINDS[name].decode(KINDS[name].encode(ticks)) == ticks


@given(st.sampled_from(sorted(KINDS)), st.binary(min_size=12, max_size=300))
def test_whatever_bytes_there_are_they_are_a_value_or_refused(name, data):
    kind = KINDS[name]
    with contextlib.suppress(BadValue):
        kind.decode(data if name.endswith("STRING") else data[: kind.size])


@given(
    st.lists(
        st.tuples(st.integers(0, 2000), st.sampled_from(["BYTE", "INT", "REAL", "LREAL", "STRING"])),
        min_size=1,
        max_size=80,
    ),
    st.integers(0, 60),
    st.sampled_from([112, 240, 480, 960]),
)
def test_every_place_is_in_a_block_and_every_request_fits(wanted, gap, pdu):
    places = [Place(0x84, 1, offset, 0, name, 20, None) for offset, name in wanted]
    most = pdu - 18 & ~1
    planned = blocks(places, range(len(places)), gap, most)
    assert sorted(i for block in planned for i in block.points) == list(range(len(places)))
    for block in planned:
        assert all(block.start <= places[i].offset and places[i].end <= block.end for i in block.points)
        assert block.end - block.start <= most or len(block.points) == 1
    items = [item for block in planned for item in block.items(most)]
    packed = requests(items, pdu)
    assert [item for request in packed for item in request] == items
    for request in packed:
        assert len(read(1, request)) <= pdu
        assert 14 + sum(4 + item.size + item.size % 2 for item in request) <= pdu + 1
        assert len(request) <= 20


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_an_answer_or_a_refusal(data):
    for answer in (data, b"\x32\x03\0\0\0\x01" + data):
        with contextlib.suppress(BadPdu, RequestError):
            reads(answer, 1, [Item(0x84, 1, 0, 4)])


@pytest.mark.parametrize("name", sorted(KINDS))
@pytest.mark.parametrize(
    "value", [[1], ["a"], [], {}, None, b"x", float("nan"), float("inf"), 2**70, 10**400, "\0" * 300, -1, "x"]
)
def test_whatever_is_written_is_bytes_or_refused(name, value):
    where = "DB1.DBX0.0" if name == "BOOL" else "DB1.DBB0"
    with contextlib.suppress(BadValue):
        assert isinstance(Address(at=where, type=name, **_room(name)).place.encode(value), bytes)


def _room(name):
    return {"length": 10} if name in {"STRING", "WSTRING"} else {}
