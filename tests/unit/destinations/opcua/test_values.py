"""The newest value of every signal, and how it is said in OPC UA binary."""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.destinations.opcua.values import OVERFLOW, Sample, Values, samples, ticks
from weft.model import ARRAY, Batch, Flag, ValueType
from weft.model.values import RANGES
from weft.ua.variant import Reader

T = 1_700_000_000_123_456_789


def read(sample, stamps=2):
    return Reader(sample.data_value(stamps)).data_value()


FIXED = {
    **{kind: st.integers(*RANGES[kind]) for kind in RANGES},
    ValueType.FLOAT: st.floats(width=32, allow_nan=False),
    ValueType.DOUBLE: st.floats(allow_nan=False),
    ValueType.STRING: st.none() | st.text(),
    ValueType.BYTESTRING: st.none() | st.binary(),
    ValueType.INT16 | ARRAY: st.none() | st.lists(st.integers(-5, 5)),
}


@given(st.sampled_from(sorted(FIXED)).flatmap(lambda kind: st.tuples(st.just(kind), FIXED[kind])))
def test_every_value_is_said_as_it_is(pair):
    kind, value = pair
    batch = Batch.of([(0, T, value, kind, 0x40000000)])
    found = read(samples(batch, T)[0])
    assert found["value"] == value or (value is None and found["value"] is None)
    assert found["status"] == 0x40000000
    assert (found["source_time"], found["source_picoseconds"]) == (ticks(T), 8900)


def test_nan_keeps_its_bits():
    bits = 0x7FF8000000000123
    batch = Batch.doubles([0], [T], [0.0]).replace(bits=np.array([bits], np.int64))
    assert samples(batch, T)[0].variant == b"\x0b" + bits.to_bytes(8, "little")


def test_the_timestamps_that_are_asked_for():
    sample = samples(Batch.of([(0, T, 1.5, 11)]), T + 100)[0]
    assert "server_time" not in read(sample, 0)
    assert "source_time" not in read(sample, 1)
    assert read(sample, 2)["server_time"] == ticks(T) + 1
    assert set(read(sample, 3)) == {"type", "value"}
    assert Reader(sample.data_value(3, overflow=True)).data_value()["status"] == OVERFLOW


def test_a_batch_is_stored_and_only_watched_rows_come_out():
    values = Values()
    slots = [values.add(handle) for handle in (5, 7, 2000)]
    values.watched[slots[1]] = True
    batch = Batch.of(
        [(5, T, 1.0, 11), (7, T, "a", 12), (9, T, 3.0, 11), (7, T + 1, "b", 12), (2000, T, 4, 6)]
    )
    watched, at = values.store(batch, T)
    assert (watched.values(), at.tolist()) == (["a", "b"], [slots[1]] * 2)
    assert [read(values.sample(slot))["value"] for slot in slots] == [1.0, "b", 4]
    assert values.changes == 4


def test_what_is_read_back_from_history_does_not_replace_what_is_newer():
    values = Values()
    slot = values.add(0)
    values.store(Batch.of([(0, T, 2.0, 11)]), T)
    values.store(Batch.of([(0, T - 1, 1.0, 11, 0, int(Flag.HISTORY))]), T)
    assert read(values.sample(slot))["value"] == 2.0
    values.store(Batch.of([(0, T - 1, 3.0, 11)]), T)  # the source's clock went back: that is news
    assert read(values.sample(slot))["value"] == 3.0


def test_a_slot_is_given_on_empty():
    values = Values()
    slot = values.add(3)
    values.store(Batch.of([(3, T, "secret", 12)]), T)
    values.remove(3)
    assert values.add(4) == slot
    found = read(values.sample(slot))
    assert (found["value"], found["status"]) == (None, 0x80320000)
    assert values.store(Batch.of([(3, T, "old", 12)]), T)[0].values() == []


@pytest.mark.parametrize(("kind", "value"), [(ValueType.NODEID, "no node"), (ValueType.GUID, "x")])
def test_what_cannot_be_said_is_bad_and_hurts_nobody(kind, value):
    found = samples(Batch.of([(0, T, value, kind), (1, T, 1.0, 11)]), T)
    assert read(found[0])["status"] == 0x80060000
    assert read(found[1])["value"] == 1.0


def test_a_million_changes_cost_little():
    """Bounded work, not a stopwatch: rows that nobody watches make no object each."""
    values = Values()
    for handle in range(10_000):
        values.add(handle)
    batch = Batch.doubles(np.arange(10_000), np.full(10_000, T), np.ones(10_000))
    begun = time.process_time()
    for _ in range(100):
        values.store(batch, T)
    assert values.changes == 1_000_000
    assert time.process_time() - begun < 20


def test_numbers_are_for_deadbands():
    found = samples(Batch.of([(0, T, 2**64 - 1, 9), (1, T, "x", 12), (2, T, -3, 4)]), T)
    assert [found[0].number, found[2].number] == [float(2**64 - 1), -3.0]
    assert math.isnan(found[1].number)
    assert isinstance(found[0], Sample)
