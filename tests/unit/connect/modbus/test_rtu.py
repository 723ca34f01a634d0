"""RTU frames, however the bytes arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.connect.modbus import rtu
from weft.connect.modbus.frames import mask_register, read, write_coils, write_register, write_registers


def test_the_checksum_is_that_of_the_specification():
    assert rtu.encode(2, b"\x07") == bytes.fromhex("02 07 41 12")  # MODBUS over Serial Line V1.02, appendix B
    assert rtu.encode(1, read(3, 0, 10)) == bytes.fromhex("01 03 00 00 00 0a c5 cd")


answers = st.one_of(
    st.binary(min_size=2, max_size=250).map(lambda data: bytes((3, len(data))) + data),
    st.integers(0x81, 0xFF).map(lambda function: bytes((function, 2))),
    st.integers(0, 65535).map(lambda start: write_register(start, b"\x12\x34")),
    st.integers(0, 65535).map(lambda start: mask_register(start, 0xF2, 0x25)),
)


@given(st.integers(0, 255), answers, st.lists(st.integers(1, 40), max_size=20))
def test_a_frame_comes_out_whole_in_whatever_pieces_it_came(unit, pdu, cuts):
    frame, collector, at, found = rtu.encode(unit, pdu), rtu.Collector(), 0, None
    for cut in [*cuts, len(frame)]:
        piece, at = frame[at : at + cut], at + cut
        if piece:
            assert found is None
            found = collector.feed(piece)
    assert found == (unit, pdu)
    assert collector.bytes == b""


@given(st.binary(max_size=600), st.integers(1, 64))
def test_no_bytes_do_anything_but_frames_or_an_error(data, step):
    collector = rtu.Collector()
    for at in range(0, len(data), step):
        try:
            collector.feed(data[at : at + step])
        except ValueError:
            return
        assert len(collector.bytes) <= 256


@pytest.mark.parametrize(
    ("request_", "answer", "fits"),
    [
        (read(3, 0, 2), b"\x03\x04abcd", True),
        (read(3, 0, 3), b"\x03\x04abcd", False),  # a late one, of another question
        (read(3, 0, 2), b"\x83\x02", True),
        (read(3, 0, 2), b"\x04\x04abcd", False),
        (write_registers(5, b"abcd"), b"\x10\x00\x05\x00\x02", True),
        (write_registers(6, b"abcd"), b"\x10\x00\x05\x00\x02", False),
        (write_coils(0, [True] * 9), b"\x0f\x00\x00\x00\x09", True),
    ],
)
def test_an_answer_to_another_question_is_seen(request_, answer, fits):
    assert rtu.answers(request_, answer) is fits
