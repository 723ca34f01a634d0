"""Decoding, against struct and by hand."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.connect.modbus import Address, Config, DeviceClock
from weft.connect.modbus.frames import READ
from weft.connect.modbus.layout import Layout, clock_time
from weft.connect.modbus.plan import Span, plan
from weft.model import Batch, ValueType
from weft.model.quality import BAD_SENSOR_FAILURE

CODES = {
    "int16": ("h", st.integers(-(2**15), 2**15 - 1)),
    "uint16": ("H", st.integers(0, 2**16 - 1)),
    "int32": ("i", st.integers(-(2**31), 2**31 - 1)),
    "uint32": ("I", st.integers(0, 2**32 - 1)),
    "int64": ("q", st.integers(-(2**63), 2**63 - 1)),
    "uint64": ("Q", st.integers(0, 2**64 - 1)),
    "float32": ("f", st.floats(width=32, allow_nan=False)),
    "float64": ("d", st.floats(allow_nan=False)),
}
ORDERS = ("ABCD", "BADC", "CDAB", "DCBA")


def on_wire(data: bytes, order: str) -> bytes:
    """Big-endian bytes as a device with ``order`` sends them."""
    words = [data[i : i + 2] for i in range(0, len(data), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    return b"".join(words)


def decode(memory: bytes, *addresses: Address) -> Batch:
    """What the addresses read out of holding registers with this content."""
    spans = [Span(1, a.table, a.register, a.register + a.count, point) for point, a in enumerate(addresses)]
    blocks = plan(spans, Config(host="device"))
    layout = Layout(blocks, [a.place(1) for a in addresses])
    for block in blocks:
        layout.store(block, block, memory[block.start * 2 : (block.start + block.count) * 2])
    columns = layout.decode()
    n = len(layout)
    whole = Batch(
        np.array(layout.points, dtype=np.int32),
        np.zeros(n, dtype=np.int64),
        columns.type,
        columns.bits,
        columns.status,
        np.zeros(n, dtype=np.uint16),
        columns.heap,
    )
    return whole.sort()


@pytest.mark.card("modbus", "types")
@given(st.lists(st.tuples(st.sampled_from(sorted(CODES)), st.sampled_from(ORDERS), st.data()), max_size=30))
def test_every_type_in_every_order_reads_as_struct_packed_it(cases):
    memory, addresses, values = b"", [], []
    for kind, order, data in cases:
        code, strategy = CODES[kind]
        values.append(data.draw(strategy))
        addresses.append(Address(register=len(memory) // 2, type=kind, order=order))
        memory += on_wire(struct.pack(f">{code}", values[-1]), order)
    got = decode(memory, *addresses)
    assert got.values() == values
    assert got.type.tolist() == [a.value_type for a in addresses]
    assert not got.status.any()


def test_the_four_orders_by_hand():
    # 12.5 is 41480000 as float32: A=41 B=48 C=00 D=00; 0x0102 shows each byte
    for order, sent in {"ABCD": "0102030", "BADC": "0201040", "CDAB": "0304010", "DCBA": "0403020"}.items():
        memory = bytes.fromhex(sent + {"ABCD": "4", "BADC": "3", "CDAB": "2", "DCBA": "1"}[order])
        assert decode(memory, Address(register=0, type="uint32", order=order)).values() == [0x01020304]


def test_floats_keep_infinities_and_nan():
    memory = struct.pack(">fff", float("inf"), float("-inf"), float("nan"))
    got = decode(memory, *(Address(register=2 * i, type="float32") for i in range(3)))
    assert got.values()[:2] == [float("inf"), float("-inf")]
    assert np.isnan(got.value(2))


@given(
    st.integers(0, 2**64 - 1), st.sampled_from(["uint16", "uint32", "uint64", "int16", "int64"]), st.data()
)
def test_bits_and_bit_fields(number, kind, data):
    size = int(kind.lstrip("uint"))
    number &= 2**size - 1
    first = data.draw(st.integers(0, size - 1))
    wide = data.draw(st.integers(1, size - first))
    memory = number.to_bytes(size // 8, "big")
    field = number >> first & (2**wide - 1)
    if kind.startswith("i") and field >> (wide - 1):
        field -= 2**wide
    got = decode(
        memory,
        Address(register=0, type=kind, bit=first),
        Address(register=0, type=kind, bits=(first, wide)),
    )
    assert got.values() == [bool(number >> first & 1), field]
    assert got.type.tolist() == [ValueType.BOOLEAN, Address(register=0, type=kind).value_type]


def test_a_bool_register_is_true_when_it_is_not_zero():
    got = decode(bytes.fromhex("000001008000"), *(Address(register=i, type="bool") for i in range(3)))
    assert got.values() == [False, True, True]


@pytest.mark.parametrize(
    ("raw", "order", "text"),
    [
        (b"000123\0\0", "ABCD", "000123"),
        (b"AB  \0\0\0\0", "ABCD", "AB"),
        (b"no end!!", "ABCD", "no end!!"),
        (b"OL-T7\0\0\0"[:8], "ABCD", "OL-T7"),
        (b"oLaNe\0\0\0", "BADC", "LoNa"),
        (b"OL-T7\0\0\0", "CDAB", "OL-T7"),
        ("Öl".encode() + b"\0\0\0\0\0", "ABCD", "Öl"),
        (b"\xd6l\0\0\0\0\0\0", "ABCD", "Öl"),
        (b"\0" * 8, "ABCD", ""),
    ],
)
def test_strings(raw, order, text):
    got = decode(raw, Address(register=0, type="string", length=4, order=order))
    assert got.values() == [text]
    assert got.type.tolist() == [ValueType.STRING]


@pytest.mark.parametrize(
    ("kind", "null", "raw"),
    [
        ("int16", -32768, "8000"),
        ("int16", 0x8000, "8000"),
        ("uint16", 0xFFFF, "ffff"),
        ("uint32", 0xFFFFFFFF, "ffffffff"),
        ("int64", -(2**63), "8000000000000000"),
        ("float32", 0x7FC00000, "7fc00000"),
    ],
)
def test_what_the_device_does_not_have_is_bad_and_null(kind, null, raw):
    sent = bytes.fromhex(raw)
    got = decode(
        sent * 2, *(Address(register=i * len(sent) // 2, type=kind, null=n) for i, n in ((0, null), (1, 7)))
    )
    assert got.status.tolist() == [BAD_SENSOR_FAILURE, 0]
    assert got.value(0) is None
    assert got.value(1) is not None


@given(st.lists(st.booleans(), min_size=1, max_size=300), st.data())
def test_coils(states, data):
    wanted = sorted(data.draw(st.sets(st.integers(0, len(states) - 1), min_size=1)))
    addresses = [Address(table="coil", register=i) for i in wanted]
    spans = [Span(1, "coil", i, i + 1, point) for point, i in enumerate(wanted)]
    layout = Layout(
        blocks := plan(spans, Config(host="d", max_bits=2000, gap=20)), [a.place(1) for a in addresses]
    )
    for block in blocks:
        assert READ[block.table] == 1
        mine = np.packbits(np.array(states)[block.start : block.start + block.count], bitorder="little")
        layout.store(block, block, mine.tobytes())
    assert layout.decode().bits.astype(bool).tolist() == [states[i] for i in wanted]


@given(st.integers(0, 2**63 // 10**9 - 1), st.sampled_from(ORDERS))
def test_a_clock_in_seconds_of_any_order(seconds, order):
    clock = DeviceClock(register=0, type="uint64", unit="s", order=order)
    assert clock_time(on_wire(seconds.to_bytes(8, "big"), order), clock) == seconds * 10**9


@pytest.mark.parametrize(
    ("kind", "unit", "raw", "ns"),
    [
        ("uint32", "s", "6553f100", 1_700_000_000_000_000_000),
        ("uint64", "ms", struct.pack(">Q", 1_700_000_000_123).hex(), 1_700_000_000_123_000_000),
        ("uint64", "us", struct.pack(">Q", 1_700_000_000_123_456).hex(), 1_700_000_000_123_456_000),
        ("int64", "ns", struct.pack(">q", 1_700_000_000_123_456_789).hex(), 1_700_000_000_123_456_789),
        ("float64", "s", struct.pack(">d", 1_700_000_000.5).hex(), 1_700_000_000_500_000_000),
        ("uint64", "s", "ffffffffffffffff", None),
        ("float64", "s", struct.pack(">d", float("nan")).hex(), None),
    ],
)
def test_clock_units(kind, unit, raw, ns):
    assert clock_time(bytes.fromhex(raw), DeviceClock(register=0, type=kind, unit=unit)) == ns
