"""The factory's CIP controller: whatever comes, there is an answer, and it fits."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from weft.demo.cip_server import sample
from weft.demo.cip_tags import Tags

CONTROLLER = sample()
SERVICES = st.sampled_from([0x01, 0x03, 0x0A, 0x0E, 0x10, 0x4C, 0x4D, 0x4E, 0x52, 0x53, 0x55, 0x77])
PATHS = st.one_of(
    st.sampled_from(
        [
            b"\x20\x6b\x25\x00\x01\x00",
            b"\x20\x02\x24\x01",
            b"\x20\x6c\x25\x00\xce\x0f",
            b"\x91\x06Counts\x28\x03",
        ]
    ),
    st.binary(max_size=20).map(lambda data: data[: len(data) // 2 * 2]),
)


@given(SERVICES, PATHS, st.binary(max_size=60), st.integers(32, 4000))
def test_any_request_has_an_answer_that_fits(service, path, data, room):
    answer = CONTROLLER.answer(bytes((service, len(path) // 2)) + path + data, room)
    assert answer[0] == service | 0x80
    assert len(answer) <= room or answer[2] != 0


@given(st.binary(max_size=80))
def test_no_bytes_break_it(data):
    assert len(CONTROLLER.answer(data, 500)) >= 4


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=300), st.integers(40, 500))
def test_a_long_array_comes_in_pieces(values, room):
    tags = Tags()
    tags.add("Long", "DINT", values, dims=(len(values),))
    from weft.demo.cip_services import Controller

    controller, data = Controller(tags), b""
    while True:
        request = b"\x52\x03\x91\x04Long" + struct.pack("<HI", len(values), len(data))
        answer = controller.answer(request, room)
        assert len(answer) <= room
        data += answer[6:]
        if answer[2] == 0:
            break
        assert answer[2] == 6
    assert list(struct.unpack(f"<{len(values)}i", data)) == values
