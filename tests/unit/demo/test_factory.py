"""The simulation: a function of its seed, losing no part, wearing as Taylor says."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.demo.factory import Factory
from weft.demo.flow import Buffer, Part
from weft.demo.layout import meter_sensors, washer_sensors
from weft.demo.machine import STATES, STEP, Cause, State
from weft.demo.mill import CHANGE_AT, tool_life, wear_land
from weft.demo.mill_signals import MILL
from weft.demo.packing_signals import PACKING

SHIFT = round(8 * 3600 / STEP)


def picture(factory):
    """Everything that anybody could see."""
    return (
        [s.raw(factory.mill) for s in MILL],
        [s.raw(factory.washer) for _, s in washer_sensors()],
        [s.raw(factory.packing) for s in PACKING],
        [s.raw(factory.meters) for m in range(4) for _, s in meter_sensors(m)],
    )


@pytest.fixture(scope="module")
def shift():
    """Eight hours of the factory: its happenings."""
    factory = Factory(7)
    factory.run_to(SHIFT)
    return factory, factory.happenings()


def stops(happenings, machine):
    """(state, cause, seconds) of each state a machine was in."""
    states = [h for h in happenings if h.kind == "state" and h.machine == machine]
    return [
        (State(a.data["state"]), Cause(a.data["cause"]), (b.step - a.step) * STEP)
        for a, b in pairwise(states)
    ]


def test_the_same_seed_gives_the_same_factory():
    one, other = Factory(3), Factory(3)
    for _ in range(3000):
        one.step()
        other.step()
        assert picture(one) == picture(other)
    assert one.happenings() == other.happenings()


def test_another_seed_gives_another():
    one, other = Factory(3), Factory(4)
    one.run_to(3000)
    other.run_to(3000)
    assert picture(one) != picture(other)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 4000), min_size=1, max_size=6))
def test_however_often_it_is_looked_at_it_ends_the_same(looks):
    watched, alone = Factory(5), Factory(5)
    for step in sorted(looks):
        watched.run_to(step)
        picture(watched)
        watched.happenings()
    alone.run_to(max(looks))
    assert picture(watched) == picture(alone)


def test_the_past_is_not_to_be_had():
    factory = Factory()
    factory.run_to(10)
    with pytest.raises(ValueError, match="cannot go back to 9"):
        factory.run_to(9)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_no_part_is_lost_or_made_of_nothing(seed):
    factory = Factory(seed)
    for step in range(0, 30_000, 1_000):
        factory.run_to(step)
        balance = factory.balance()
        assert balance["blanks"] == sum(n for where, n in balance.items() if where != "blanks"), balance
        assert len(factory.milled) <= factory.milled.capacity
        assert len(factory.washed) <= factory.washed.capacity


def test_every_part_is_met_once_at_each_machine(shift):
    _, happenings = shift
    milled = [h.data["serial"] for h in happenings if h.machine == "mill" and h.kind == "part"]
    washed = [serial for h in happenings if h.kind == "basket" for serial in h.data["parts"]]
    seen = [h.data["serial"] for h in happenings if h.kind in {"inspected", "reject"}]
    packed = [serial for h in happenings if h.kind == "pack" for serial in h.data["parts"]]
    for serials in (milled, washed, seen, packed):
        assert len(serials) == len(set(serials))
        assert serials == sorted(serials)
    before = {"000001", "000002", "000003"}  # in the open pack when the shift began
    assert before <= set(packed) <= before | set(seen)
    assert len(packed) > 500


def test_taylors_law():
    # V T^n = C: twice the cutting speed leaves (1/2)^(1/0.25) = 1/16 of the life
    assert tool_life(2000.0) / tool_life(4000.0) == pytest.approx(16.0)


def test_wear_grows_until_the_tool_is_changed():
    factory = Factory(2)
    used, tools, changes = factory.mill.used, factory.mill.tools, 0
    for _ in range(40_000):
        factory.step()
        if factory.mill.tools != tools:
            tools, used, changes = factory.mill.tools, 0.0, changes + 1
        assert used <= factory.mill.used < CHANGE_AT + 0.05
        used = factory.mill.used
    assert changes >= 4
    lands = [wear_land(u / 100) for u in range(101)]
    assert lands == sorted(lands)
    assert 290 < lands[-1] < 310


def test_tools_are_changed_worn_or_break(shift):
    happenings = [h for h in shift[1] if h.machine == "mill"]
    used = {h.step: h.data["used"] for h in happenings if h.kind == "tool"}
    broken = {h.step for h in happenings if h.kind == "scrap"}
    assert len(used) > 15
    assert broken < used.keys()
    assert 0 < len(broken) < len(used) / 2
    assert all(u >= CHANGE_AT for step, u in used.items() if step not in broken)


def test_machines_stop_for_plausible_times(shift):
    _, happenings = shift
    limits = {Cause.MICRO_STOP: (5, 51), Cause.BREAKDOWN: (89, 701), Cause.TOOL_CHANGE: (17, 19)}
    met = set()
    for machine in ("mill", "washer", "packing"):
        for state, cause, seconds in stops(happenings, machine):
            met.add(cause)
            low, high = limits.get(cause, (0.1, SHIFT))
            assert low <= seconds <= high, (machine, cause, seconds)
            assert (state is State.EXECUTE) == (cause is Cause.NONE)
            assert (state is State.SUSPENDED) == (cause in {Cause.STARVED, Cause.BLOCKED})
    assert met >= {
        Cause.NONE,
        Cause.STARVED,
        Cause.BLOCKED,
        Cause.MICRO_STOP,
        Cause.BREAKDOWN,
        Cause.TOOL_CHANGE,
        Cause.MATERIAL,
    }


def test_the_mill_is_busy_most_of_the_shift(shift):
    _, happenings = shift
    busy = sum(s for state, _, s in stops(happenings, "mill") if state is State.EXECUTE)
    assert 0.6 < busy / (8 * 3600) < 0.95


@pytest.mark.parametrize("seed", range(25))
def test_something_stops_in_the_first_minute(seed):
    factory = Factory(seed)
    factory.run_to(round(60 / STEP))
    held = [h for h in factory.happenings() if h.kind == "state" and h.data["state"] == State.HELD]
    assert any(h.data["alarm"] for h in held)


def test_physics_stay_within_reason():
    factory = Factory(11)
    last = list(factory.meters.energy)
    for step in range(0, SHIFT, 50):
        factory.run_to(step)
        mill, washer, packing, meters = factory.mill, factory.washer, factory.packing, factory.meters
        assert 20 < mill.spindle_temperature < 60
        assert 20 < mill.coolant_temperature < 33
        assert 0 <= mill.load < 120
        assert 20 < mill.coolant <= 100
        assert 50 < washer.temperature < 61.5
        assert 0 <= washer.pressure < 6
        assert 700 < washer.conductivity < 1550
        assert 60 < washer.level <= 95
        assert 20 < packing.motor < 80
        assert 140 < packing.jaw < 152
        assert packing.film > -0.01
        assert all(now >= before for now, before in zip(meters.energy, last, strict=True))
        assert step == 0 or meters.power[3] > sum(meters.power[:3]) > 1000
        last = list(meters.energy)
        assert int(mill.state) in STATES


def test_a_buffer_is_first_in_first_out_and_holds_no_more_than_it_can():
    buffer = Buffer(2)
    for serial in ("000001", "000002"):
        buffer.put(Part(serial, "HOUSING-A", 0.0))
    assert not buffer.room_for(1)
    with pytest.raises(ValueError, match="full"):
        buffer.put(Part("000003", "HOUSING-A", 0.0))
    assert buffer.take().serial == "000001"


def test_a_restarted_process_catches_up_quickly():
    factory = Factory(1)
    began = time.perf_counter()
    factory.run_to(round(1800 / STEP))
    assert 1800 / (time.perf_counter() - began) > 2000  # some 50,000 on an idle machine
