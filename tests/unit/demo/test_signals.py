"""The tables of sensors: what they promise is what they give."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.demo.factory import Factory
from weft.demo.layout import MILL_PATH, PACKING_PATH, meter_sensors, washer_sensors
from weft.demo.mill_signals import MILL
from weft.demo.packing_signals import PACKING
from weft.demo.registers import Bank, words
from weft.demo.sensor import Place, Sensor
from weft.model import ValueType
from weft.model.units import parse
from weft.model.values import FLOATS, RANGES


def tables(factory):
    yield factory.mill, [(f"{MILL_PATH}/{s.name}", s) for s in MILL]
    yield factory.packing, [(f"{PACKING_PATH}/{s.name}", s) for s in PACKING]
    yield factory.washer, washer_sensors()
    for meter in range(4):
        yield factory.meters, meter_sensors(meter)


def test_names_are_unique_and_units_are_ucum():
    paths = [path for _, sensors in tables(Factory()) for path, _ in sensors]
    assert len(paths) == len(set(paths))
    for _, sensors in tables(Factory()):
        for path, sensor in sensors:
            assert sensor.description, path
            if sensor.unit:
                parse(sensor.unit)


def test_raw_values_fit_their_types_over_a_day():
    factory = Factory(9)
    for step in range(0, 24 * 18_000, 997):
        factory.run_to(step)
        for machine, sensors in tables(factory):
            for path, sensor in sensors:
                raw = sensor.raw(machine)
                if sensor.type in RANGES:
                    low, high = RANGES[sensor.type]
                    assert low <= raw <= high, (path, raw)
                elif sensor.type is ValueType.FLOAT:
                    assert struct.unpack("<f", struct.pack("<f", raw))[0] == raw
                else:
                    assert isinstance(raw, str if sensor.type is ValueType.STRING else float)
                if sensor.type in FLOATS:
                    assert isinstance(raw, float)


def test_codes_stay_text():
    factory = Factory()
    factory.run_to(3000)
    codes = {s.name: s.raw(factory.packing) for s in PACKING}
    assert isinstance(codes["pack-code"], str)
    assert codes["pack-code"].startswith("000")


def test_a_scaled_value_is_what_double_arithmetic_says():
    sensor = Sensor("t", ValueType.UINT16, lambda m: m, scale=0.05, offset=-40.0)
    raw = sensor.raw(58.63)
    assert raw == 1973
    assert sensor.true(raw) == 1973 * 0.05 + -40.0
    assert sensor.true_type is ValueType.DOUBLE


@pytest.mark.parametrize("order", ["ABCD", "BADC", "CDAB", "DCBA"])
def test_word_orders(order):
    # 0x0A0B0C0D: A is 0A
    letters = {"A": "0a", "B": "0b", "C": "0c", "D": "0d"}
    found = words(Place(0, "uint32", order), 0x0A0B0C0D)
    assert "".join(f"{word:04x}" for word in found) == "".join(letters[letter] for letter in order)


@given(st.floats(allow_nan=False), st.sampled_from(["ABCD", "BADC", "CDAB", "DCBA"]))
def test_no_word_order_loses_a_bit(value, order):
    found = words(Place(0, "float64", order), value)
    data = b"".join(word.to_bytes(2, "big" if order in {"ABCD", "CDAB"} else "little") for word in found)
    if order in {"CDAB", "DCBA"}:
        data = b"".join(reversed([data[i : i + 2] for i in range(0, 8, 2)]))
    assert struct.unpack(">d", data)[0] == value


def test_text_keeps_its_words_in_reading_order():
    assert words(Place(0, "string", "CDAB", length=3), "0001") == [0x3030, 0x3031, 0]
    assert words(Place(0, "string", "BADC", length=2), "AB") == [0x4241, 0]


def test_registers_do_not_overlap_but_for_the_packed_bits():
    for _, sensors in tables(Factory()):
        taken = {}
        for path, sensor in sensors:
            place = sensor.place
            if place is None:
                continue
            if place.bit is not None or place.bits is not None:
                first, width = place.bits or (place.bit, 1)
                spots = [(place.register, bit) for bit in range(first, first + width)]
            else:
                spots = [
                    (place.register + i, None) for i in range(len(words(place, "" if place.length else 0)))
                ]
            for spot in spots:
                whole = (spot[0], None)
                assert spot not in taken, (path, taken.get(spot))
                assert whole not in taken, (path, taken.get(whole))
                taken[spot] = path


def test_a_bank_changes_all_at_once_and_knows_when_it_was_read():
    factory = Factory()
    bank = Bank(1, 3, 100, washer_sensors())
    bank.load(factory.washer, 1_700_000_000_123_000_000)
    clock = struct.unpack(">Q", bank.read(100, 4))[0]
    assert clock == 1_700_000_000_123
    assert bank.touched
    assert not bank.complete
    bank.sent(100, 51)
    assert bank.complete
    assert bank.holds(100, 51)
    assert not bank.holds(99, 1)
    assert not bank.holds(150, 2)
    bank.load(factory.washer, 1_700_000_000_523_000_000)
    assert not bank.complete
    assert {row.time for row in bank.rows} == {1_700_000_000_523_000_000}
