"""Addresses, types and faults."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.connect.ethernetip import Address, Config
from weft.connect.ethernetip.poll import status_of
from weft.connect.ethernetip.types import BadValue, decode, encode, kind_of
from weft.model import ARRAY, ValueType, quality


@pytest.mark.parametrize(
    "tag",
    ["Speed", "Program:Main.Speed", "Counts[3]", "T[1,2,3].A.B[0]", "Status.3", "Local:1:I.Data", "_x9"],
)
def test_a_tag_is_taken(tag):
    assert Address(tag=tag).request == tag
    assert Address(tag=tag, count=4).request == f"{tag}{{4}}"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({}, "either tag, or class_id"),
        ({"tag": "A", "class_id": 1, "instance": 1, "attribute": 1}, "either tag"),
        ({"class_id": 1}, "go together"),
        ({"tag": "A{3}"}, "not like Speed"),
        ({"tag": "A B"}, "not like Speed"),
        ({"tag": "A", "type": "INT"}, "offset and type go with an attribute"),
        ({"class_id": 1, "instance": 1, "attribute": 1, "count": 3}, "count is of numbers"),
        ({"tags": "A"}, "unknown field"),
    ],
)
def test_a_wrong_address_is_refused_with_the_reason(written, why):
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(written, Address)


def test_a_route_is_the_slot_or_the_whole_path():
    assert Config(host="plc", slot=3).route == "plc:44818/bp/3"
    assert Config(host="plc", path="1,4,2,192.0.2.9").route == "plc:44818/1/4/2/192.0.2.9"
    assert Config(host="plc", controller="micro800").route == "plc:44818"
    with pytest.raises(ValueError, match="pairs"):
        Config(host="plc", path="1")


def test_types_keep_their_names():
    assert kind_of("DINT") == ValueType.INT32
    assert kind_of("REAL[5]") == ValueType.FLOAT | ARRAY
    assert kind_of("STRING") == ValueType.STRING
    assert kind_of("Motor") is None


@given(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=20))
def test_numbers_of_an_attribute_come_back(values):
    data = encode(values, "INT", len(values))
    assert decode(data, "INT", 0, len(values)) == (values, ValueType.INT16 | ARRAY)
    assert decode(data, "INT", 2 * len(values) - 2, None) == (values[-1], ValueType.INT16)
    with pytest.raises(BadValue):
        decode(data, "INT", 2 * len(values) - 1, None)


@given(
    st.binary(max_size=40),
    st.sampled_from(["", "STRING", "SHORT_STRING", "LREAL", "BOOL"]),
    st.integers(0, 50),
)
def test_whatever_bytes_there_are_they_are_a_value_or_refused(data, name, offset):
    with contextlib.suppress(BadValue):
        decode(data, name, offset, None)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("Tag doesn't exist - Nope", quality.BAD_NODE_ID_UNKNOWN),
        ("Path destination unknown", quality.BAD_NODE_ID_UNKNOWN),
        ("Privilege violation", 0x801F0000),
        ("Device state conflict", quality.BAD_DEVICE_FAILURE),
    ],
)
def test_faults_have_a_status(fault, status):
    assert status_of(fault) == status


@pytest.mark.parametrize("name", ["STRING", "SHORT_STRING"])
@pytest.mark.parametrize("value", [1, 10**400, None, ["a"], b"a", "a" * 70_000])
def test_only_a_text_that_fits_is_written_as_one(name, value):
    with pytest.raises(BadValue):
        encode(value, name, None)
