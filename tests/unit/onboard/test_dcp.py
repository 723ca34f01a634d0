"""Frames of PROFINET's discovery, against what the standard draws and against junk."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.onboard.dcp import Station, request, response
from weft.onboard.look import MOST_HOSTS, addresses
from weft.runtime import Invalid

MAC = bytes.fromhex("001b1b123456")


def block(option, suboption, data, info=0):
    body = struct.pack("!H", info) + data
    return struct.pack("!BBH", option, suboption, len(body)) + body + b"\0" * (len(body) & 1)


def answer(xid, *blocks, kind=0xFEFF):
    data = b"".join(blocks)
    head = bytes.fromhex("0a0b0c0d0e0f") + MAC + b"\x88\x92"
    return (head + struct.pack("!HBBIHH", kind, 5, 1, xid, 0, len(data)) + data).ljust(60, b"\0")


def test_the_question_goes_to_all():
    frame = request(MAC, 0x01020304)
    assert frame[:6].hex() == "010ecf000000"
    assert frame[6:12] == MAC
    assert frame[12:16].hex() == "8892fefe"
    assert frame[16:].hex().startswith("050001020304" + "0001" + "0004" + "ffff0000")
    assert len(frame) >= 60


def test_an_answer_is_a_station():
    frame = answer(
        7,
        block(2, 1, b"S7-1500"),
        block(2, 2, b"plc.line-1"),
        block(2, 3, bytes.fromhex("002a010e")),
        block(2, 4, b"\x02\x00"),
        block(1, 2, bytes([192, 168, 0, 10, 255, 255, 255, 0, 192, 168, 0, 1]), info=1),
    )
    assert response(frame, 7) == Station(
        mac="00:1b:1b:12:34:56",
        name="plc.line-1",
        vendor="S7-1500",
        vendor_id=0x2A,
        device_id=0x10E,
        role="IO controller",
        address="192.168.0.10",
    )


def test_answers_to_others_and_questions_are_none():
    assert response(answer(8), 7) is None
    assert response(answer(7, kind=0xFEFE), 7) is None
    assert response(request(MAC, 7), 7) is None


@given(st.binary(max_size=120))
def test_junk_is_no_station_or_one_that_is_cut(junk):
    response(junk, 7)
    response(answer(7)[:14] + junk, 7)


@given(st.integers(0, 60), st.binary(max_size=40))
def test_a_cut_answer_is_read_as_far_as_it_goes(cut, junk):
    frame = answer(7, block(2, 2, b"plc"), block(2, 1, b"maker"))
    found = response(frame[:cut] + junk, 7)
    assert found is None or isinstance(found, Station)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        (["plc.local"], ("plc.local",)),
        (["10.0.0.4/30"], ("10.0.0.5", "10.0.0.6")),
        (["10.0.0.4/31"], ("10.0.0.4", "10.0.0.5")),
        (["10.0.0.4/32"], ("10.0.0.4",)),
        (["10.0.0.5-7", "10.0.0.6"], ("10.0.0.5", "10.0.0.6", "10.0.0.7")),
        (["10.0.0.254-10.0.1.1"], ("10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1")),
        (["line-1"], ("line-1",)),
    ],
)
def test_ranges(given_, expected):
    assert addresses(given_) == expected


@pytest.mark.parametrize("text", ["10.0.0.0/99", "10.0.0.9-3", "10.0.0.9-999", "10.0.0.0/8", "::/64"])
def test_ranges_that_are_none_or_too_many(text):
    with pytest.raises(Invalid):
        addresses([text])


def test_the_largest_range():
    assert len(addresses(["10.0.0.0/20"])) == MOST_HOSTS - 2
