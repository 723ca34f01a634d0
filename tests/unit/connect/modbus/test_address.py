"""Addresses and connections as a plant's folder writes them."""

import importlib.resources
import re
import tomllib

import msgspec
import pytest

from weft.connect.modbus import Address, Config
from weft.model import ValueType


@pytest.mark.parametrize(
    ("written", "kind", "count", "type"),
    [
        ({"register": 4}, "uint16", 1, ValueType.UINT16),
        ({"register": 4, "type": "float32"}, "float32", 2, ValueType.FLOAT),
        ({"register": 4, "type": "int64", "order": "DCBA"}, "int64", 4, ValueType.INT64),
        ({"register": 4, "type": "string", "length": 8}, "string", 8, ValueType.STRING),
        ({"register": 4, "bit": 15}, "uint16", 1, ValueType.BOOLEAN),
        ({"register": 4, "bits": [4, 3]}, "uint16", 1, ValueType.UINT16),
        ({"table": "coil", "register": 65535}, "bool", 1, ValueType.BOOLEAN),
    ],
)
def test_what_an_address_means(written, kind, count, type):
    address = msgspec.convert(written, Address)
    assert (address.kind, address.count, address.value_type) == (kind, count, type)


@pytest.mark.card("modbus", "bad_input")
@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({}, "give one of register, name and sunspec"),
        ({"register": -1}, ">= 0"),
        ({"register": 65536}, "<= 65535"),
        ({"register": 65535, "type": "uint32"}, "beyond the last register"),
        ({"register": 0, "type": "uint24"}, "uint24"),
        ({"register": 0, "order": "ACBD"}, "ACBD"),
        ({"register": 0, "table": "coils"}, "coils"),
        ({"register": 0, "tabel": "coil"}, "tabel"),
        ({"register": 0, "type": "string"}, "length"),
        ({"register": 0, "length": 3}, "length"),
        ({"register": 0, "bit": 16}, "bits 0 to 15"),
        ({"register": 0, "bits": [12, 5]}, "bits 0 to 15"),
        ({"register": 0, "bit": 1, "bits": [0, 2]}, "give one of them"),
        ({"register": 0, "type": "float32", "bit": 1}, "integer"),
        ({"register": 0, "type": "float32", "bit": 1, "null": 1}, "integer"),
        ({"register": 0, "type": "string", "length": 2, "null": 0}, "null"),
        ({"register": 0, "table": "coil", "type": "int16"}, "bool"),
        ({"register": 0, "table": "discrete", "bit": 1}, "do not go"),
    ],
)
def test_a_wrong_address_is_refused_with_the_reason(written, why):
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(written, Address)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({}, "host"),
        ({"host": "a", "interval": 0}, "> 0"),
        ({"host": "a", "max_registers": 126}, "<= 125"),
        ({"host": "a", "clock": {"register": 0, "unit": "min"}}, "min"),
        ({"host": "a", "unit": 256}, "<= 255"),
    ],
)
def test_a_wrong_connection_is_refused_with_the_reason(written, why):
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert(written, Config)


def test_cells_of_a_signal_list_are_texts():
    cells = {"register": "20", "type": "int16", "null": "-32768", "unit": "2"}
    assert msgspec.convert(cells, Address, strict=False) == Address(
        register=20, type="int16", null=-32768, unit=2
    )


def test_the_addresses_that_the_sample_shows_are_addresses():
    sample = importlib.resources.files("weft.connect.modbus").joinpath("sample.toml").read_text("utf-8")
    shown = re.findall(r"^#\s+(address = \{.*?\})", sample, re.M)
    assert len(shown) == 8
    for line in shown:
        msgspec.convert(tomllib.loads(line)["address"], Address)
