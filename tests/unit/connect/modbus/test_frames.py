"""The frames of Modbus TCP, byte for byte and as laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.connect.modbus.frames import (
    BadFrame,
    DeviceError,
    Frame,
    Splitter,
    encode,
    identification,
    identify,
    payload,
    read,
)

frames = st.builds(Frame, st.integers(0, 0xFFFF), st.integers(0, 0xFF), st.binary(min_size=1, max_size=253))


def test_a_read_request_as_the_standard_prints_it():
    # V1.1b3, 6.3: read holding registers 108 to 110, behind the header of the TCP guide
    assert encode(Frame(0x1501, 0x11, read(3, 107, 3))).hex() == "1501000000061103006b0003"


def test_a_read_answer_as_the_standard_prints_it():
    assert payload(bytes.fromhex("0306022b00000064"), 3, 3) == bytes.fromhex("022b00000064")
    assert payload(bytes.fromhex("0103cd6b05"), 1, 19) == bytes.fromhex("cd6b05")


@given(st.lists(frames, max_size=8), st.data())
def test_frames_come_out_however_the_stream_is_cut(sent, data):
    stream = b"".join(encode(frame) for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    splitter, got = Splitter(), []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += splitter.feed(stream[begin:end])
    assert got == sent


@pytest.mark.card("modbus", "bad_input")
@given(st.binary(max_size=600))
def test_no_bytes_make_the_splitter_do_anything_but_frames_or_bad_frame(junk):
    splitter = Splitter()
    try:
        got = splitter.feed(junk)
    except BadFrame:
        return
    assert b"".join(encode(frame) for frame in got) == junk[: sum(len(f.pdu) + 7 for f in got)]
    assert all(1 <= len(frame.pdu) <= 253 for frame in got)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("00010001000601", "protocol id 1"),
        ("00010000000101", "length 1"),
        ("0001000000ff01", "length 255"),
        ("485454502f312e", "protocol id"),  # HTTP/1.
    ],
)
def test_a_header_that_cannot_be_modbus_is_refused_at_once(header, why):
    with pytest.raises(BadFrame, match=why):
        Splitter().feed(bytes.fromhex(header))


@pytest.mark.parametrize(
    ("pdu", "why"),
    [
        ("0402022b", "function 4 answers function 3"),
        ("0304022b", "4 bytes stated and 2 sent"),
        ("0302022b", "2 bytes stated and 2 sent where 4"),
        ("03", "0 bytes stated"),
        ("83", "an exception without its code"),
    ],
)
def test_an_answer_to_something_else_is_refused(pdu, why):
    with pytest.raises(BadFrame, match=why):
        payload(bytes.fromhex(pdu), 3, 2)


@given(st.sampled_from([1, 2, 3, 4]), st.integers(1, 125), st.binary(min_size=1, max_size=253))
def test_no_answer_does_anything_but_data_or_a_named_error(function, count, pdu):
    try:
        data = payload(pdu, function, count)
    except (BadFrame, DeviceError):
        return
    assert len(data) == ((count + 7) // 8 if function < 3 else count * 2)


def test_exceptions_carry_their_code_and_name():
    with pytest.raises(DeviceError, match="illegal data address") as caught:
        payload(b"\x83\x02", 3, 1)
    assert caught.value.code == 2
    with pytest.raises(DeviceError, match="not in the standard"):
        payload(b"\x83\x63", 3, 1)


def test_an_exception_with_a_byte_too_many_is_one_all_the_same():
    with pytest.raises(DeviceError, match="busy"):
        payload(b"\x81\x06\x00", 1, 1)


def test_device_identification_as_the_standard_prints_it():
    # V1.1b3, 6.21: "Company identification", "Product code XX", "V2.11"
    assert identify() == bytes.fromhex("2b0e0100")
    texts = (b"Company identification", b"Product code XX", b"V2.11")
    body = b"".join(bytes((i, len(text))) + text for i, text in enumerate(texts))
    assert identification(b"\x2b\x0e\x01\x01\x00\x00\x03" + body) == (
        {0: "Company identification", 1: "Product code XX", 2: "V2.11"},
        None,
    )
    assert identification(b"\x2b\x0e\x01\x01\xff\x02\x01\x00\x01A") == ({0: "A"}, 2)


@given(st.binary(max_size=60))
def test_a_broken_identification_is_a_bad_frame(rest):
    try:
        objects, _ = identification(b"\x2b" + rest)
    except BadFrame:
        return
    assert sum(map(len, objects.values())) <= len(rest) * 3
