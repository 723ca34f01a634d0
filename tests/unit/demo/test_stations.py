"""The machines besides the line: one flow of parts, failures that announce themselves, shifts and commands."""

import struct
import zlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.demo.commands import Commands
from weft.demo.factory import MACHINES, Factory
from weft.demo.inspection import FEATURES, FLAWS
from weft.demo.inspection_signals import INSPECTION
from weft.demo.lathe import LEAST_GAP, MOST_POWER, QUALITIES, failure
from weft.demo.lathe_agent import level
from weft.demo.lathe_signals import CONDITIONS, device_file
from weft.demo.layout import STATIONS, station_sensors
from weft.demo.machine import STATES, STEP, Cause, State
from weft.demo.mtconnect_model import Model
from weft.demo.picture import HEIGHT, WIDTH, picture, pixels, png
from weft.demo.shift import Shifts

HOUR = round(3600 / STEP)


@pytest.fixture(scope="module")
def day():
    """A factory after five hours, and what happened."""
    factory = Factory(3)
    factory.run_to(5 * HOUR)
    return factory, factory.happenings()


def shown(factory):
    stations = [name for name in STATIONS if name != "cart"]
    values = [s.raw(getattr(factory, name)) for name in stations for s in station_sensors(name)]
    return values, factory.cart.state_message()


def balances(factory):
    return factory.balance(), factory.shaft_balance(), factory.cover_balance(), factory.pack_balance()


# --- flow -------------------------------------------------------------------------------------------------


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 86_000))
def test_nothing_is_lost_or_made_of_nothing_anywhere(seed, begin):
    factory = Factory(seed, begin=begin)
    for step in range(0, 12_000, 700):
        factory.run_to(step)
        for balance in balances(factory):
            made, *places = balance.values()
            assert made == sum(places), balance
            assert min(places) >= 0
        for buffer in (factory.shafts, factory.covers, factory.assembled, factory.inspected, factory.packs):
            assert len(buffer) <= buffer.capacity


def test_the_same_seed_and_commands_give_the_same_factory(tmp_path):
    told, alone = Commands(tmp_path / "commands"), Commands(tmp_path / "commands")
    one, other = Factory(3, commands=told), Factory(3, commands=alone)
    told.give(200, "robot", "stop", None)
    told.give(500, "robot", "start", None)
    told.give(300, "palletiser", "speed", 0.4)
    for step in range(0, 1500, 50):
        one.run_to(step)
    other.run_to(1450)
    assert shown(one) == shown(other)
    assert one.happenings() == other.happenings()
    plain = Factory(3)
    plain.run_to(1450)
    assert shown(plain) != shown(one)


def test_every_assembly_has_a_shaft_and_a_cover_of_its_own(day):
    _, happenings = day
    made = [h.data for h in happenings if h.kind == "assembled"]
    assert len(made) > 400
    for part in ("serial", "shaft", "cover"):
        assert len({data[part] for data in made}) == len(made)
    turned = {h.data["serial"] for h in happenings if h.machine == "lathe" and h.kind == "part"}
    begun = {f"S{n:06d}" for n in range(1, 20)}
    assert {data["shaft"] for data in made} <= turned | begun


def test_packs_end_in_the_warehouse_in_their_order(day):
    factory, happenings = day
    stored = [code for h in happenings if h.kind == "stored" for code in h.data["packs"]]
    assert stored == sorted(stored)
    assert len(stored) == factory.cart.packs_stored > 40


def test_all_machines_work_and_stand_as_machines_do(day):
    _, happenings = day
    for name in MACHINES:
        states = [h for h in happenings if h.machine == name and h.kind == "state"]
        assert {int(State.EXECUTE)} < {h.data["state"] for h in states} <= set(STATES)
        for before, after in pairwise(states):
            assert before.data != after.data, name
    stops = {h.data["cause"] for h in happenings if h.kind == "state"}
    assert {Cause.MICRO_STOP, Cause.BREAKDOWN, Cause.STARVED, Cause.BLOCKED, Cause.NO_SHIFT} <= stops


# --- failures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cut", "cause"),
    [
        ({}, Cause.NONE),
        ({"gap": 8.5, "rpm": 1300.0}, Cause.HEAT_DISSIPATION),
        ({"gap": 8.5, "rpm": 1400.0}, Cause.NONE),
        ({"gap": 8.6, "rpm": 1300.0}, Cause.NONE),
        ({"torque": 22.0}, Cause.POWER),  # 3,456 W
        ({"torque": 58.0}, Cause.POWER),  # 9,111 W
        ({"wear": 276.0, "strain": 11_000.0}, Cause.OVERSTRAIN),
        ({"wear": 275.0, "strain": 11_000.0}, Cause.NONE),
        ({"wear": 276.0, "strain": 12_000.0}, Cause.NONE),
    ],
)
def test_the_rules_of_failure(cut, cause):
    usual = {"gap": 10.0, "rpm": 1500.0, "torque": 40.0, "wear": 100.0, "strain": 11_000.0}
    assert failure(**usual | cut) is cause


def test_a_lathe_fails_for_all_reasons_and_each_can_be_seen_coming():
    lathe_only = Factory(5)
    lathe = lathe_only.lathe
    met, warned = set(), set()
    for step in range(40 * HOUR):
        lathe.step()
        if lathe_only.shafts.room_for(1) is False:
            lathe_only.shafts.take()
        if step % 5 == 0:
            levels = {condition.id: level(condition, lathe)[0] for condition in CONDITIONS}
            warned |= {id for id, now in levels.items() if now == "WARNING"}
        for happening in lathe.happenings:
            if happening.kind == "failure":
                met.add(Cause(happening.data["cause"]))
                if happening.data["cause"] == Cause.HEAT_DISSIPATION:
                    assert "spindle_heat" in warned
        lathe.happenings.clear()
    assert met == {Cause.TOOL_WEAR, Cause.HEAT_DISSIPATION, Cause.POWER, Cause.OVERSTRAIN, Cause.RANDOM}
    assert warned == {"tool", "spindle_heat", "spindle_load_condition"}


def test_a_clogged_nozzle_shows_in_the_signals_before_it_stops_the_lathe():
    factory = Factory(2)
    gaps, found = [], False
    while not found and factory.clock < 60 * HOUR:
        factory.lathe.step()
        if not factory.shafts.room_for(1):
            factory.shafts.take()
        gaps.append(factory.lathe.process - factory.lathe.air)
        found = factory.lathe.cause is Cause.HEAT_DISSIPATION
    assert found
    minute = round(60 / STEP)
    assert gaps[-2] < LEAST_GAP
    assert gaps[-1 - 4 * minute] > gaps[-2] + 0.5, "it came on over minutes"


def test_hot_oil_stops_the_press_and_its_cooler_is_cleaned():
    factory = Factory(1)
    press, hottest = factory.press, 0.0
    while press.cause is not Cause.HEAT_DISSIPATION and press.clock < 30 * HOUR:
        press.step()
        if not factory.covers.room_for(1):
            factory.covers.take()
        hottest = max(hottest, press.oil)
    assert press.cause is Cause.HEAT_DISSIPATION
    assert hottest > 62.0
    assert press.clogged < 0.1


def test_more_force_wears_the_die_and_splits_covers():
    def worn(force):
        factory = Factory(1)
        factory.press.command("force", force)
        for _ in range(HOUR):
            factory.press.step()
            if not factory.covers.room_for(1):
                factory.covers.take()
        return factory.press.die, factory.press.scrap

    (gentle, few), (hard, many) = worn(650.0), worn(880.0)
    assert hard > gentle
    assert many > few


# --- shifts -----------------------------------------------------------------------------------------------


def test_shifts_and_breaks():
    shifts = Shifts(begin=11 * 3600.0 + 55 * 60)
    open_at = {
        minute: shifts.look(round(minute * 60 / STEP)) for minute in (0, 4, 6, 24, 26, 600, 606, 1085, 1087)
    }
    assert open_at == {
        0: True,
        4: True,
        6: False,
        24: False,
        26: True,
        600: True,
        606: False,
        1085: True,
        1087: True,
    }
    assert shifts.number == 1


def test_at_night_machines_stand_and_the_cart_charges():
    factory = Factory(1, begin=21.9 * 3600.0)
    factory.run_to(HOUR)
    parts = factory.mill.parts
    for name in MACHINES:
        machine = getattr(factory, name)
        assert (machine.state is State.IDLE) == (name != "cart")
    assert factory.cart.cart.charging
    factory.run_to(2 * HOUR)
    assert factory.mill.parts == parts
    factory.run_to(9 * HOUR)
    assert factory.mill.parts > parts


def test_a_day_has_24_hours():
    with pytest.raises(ValueError, match="86400"):
        Shifts(86_400.0)


# --- commands ---------------------------------------------------------------------------------------------


def test_a_stopped_robot_stands_until_it_is_started():
    factory = Factory(1)
    factory.run_to(100)
    factory.commands.give(101, "robot", "stop", None)
    factory.run_to(400)
    made, joints = factory.robot.made, factory.robot.joints
    assert factory.robot.state is State.STOPPED
    assert factory.robot.mode == 1
    factory.run_to(900)
    assert (factory.robot.made, factory.robot.joints) == (made, joints)
    factory.commands.give(901, "robot", "start", None)
    factory.run_to(1500)
    assert factory.robot.made > made


def test_half_the_speed_takes_twice_as_long():
    def cycle(override):
        factory = Factory(1)
        factory.robot.command("override", override)
        while factory.robot.cycles < 1:
            factory.step()
        return factory.robot.cycle_time

    assert cycle(50.0) == pytest.approx(2 * cycle(100.0), rel=0.05)


@pytest.mark.parametrize("value", [None, "fast", float("nan"), True, [1.0], 1e9, -5.0])
def test_what_makes_no_sense_is_not_obeyed_or_kept_within_limits(value):
    factory = Factory(1)
    for name, command in (
        ("robot", "override"),
        ("palletiser", "speed"),
        ("press", "force"),
        ("mill", "anything"),
    ):
        getattr(factory, name).command(command, value)
    factory.run_to(200)
    assert 10.0 <= factory.robot.override <= 100.0
    assert 0.05 <= factory.palletiser.setpoint <= 0.6
    assert 400.0 <= factory.press.setpoint <= 900.0


def test_an_idle_cart_takes_an_order_and_a_busy_one_says_why_not():
    factory = Factory(1)
    factory.run_to(50)
    nodes = [
        {
            "nodeId": "dock",
            "sequenceId": 0,
            "released": True,
            "nodePosition": {"x": 0.0, "y": 0.0},
            "actions": [],
        },
        {
            "nodeId": "gate",
            "sequenceId": 2,
            "released": True,
            "nodePosition": {"x": 6.0, "y": 0.0},
            "actions": [],
        },
    ]
    edges = [{"edgeId": "e", "sequenceId": 1, "released": True, "actions": []}]
    order = {"orderId": "mine", "orderUpdateId": 0, "nodes": nodes, "edges": edges}
    factory.cart.command("order", order)
    assert factory.cart.state_message()["orderId"] == "mine"
    factory.cart.command("order", order | {"orderId": "another"})
    assert [error["errorType"] for error in factory.cart.cart.errors] == ["orderError"]
    factory.run_to(300)
    assert factory.cart.cart.last_node == "gate" or factory.cart.trips
    factory.cart.command("order", {"nonsense": True})
    assert any(error["errorType"] == "validationError" for error in factory.cart.cart.errors)


def test_a_command_too_long_is_refused_and_a_torn_line_waits(tmp_path):
    commands = Commands(tmp_path / "commands")
    commands.look()
    with pytest.raises(ValueError, match="longer than"):
        commands.give(1, "cart", "order", "x" * 70_000)
    commands.give(1, "robot", "stop", None)
    with (tmp_path / "commands").open("a") as file:
        file.write('[2,"robot","st')
    commands.look()
    assert [command.name for command in commands.due(5)] == ["stop"]
    with (tmp_path / "commands").open("a") as file:
        file.write('art",null]\n')
    commands.look()
    assert [command.name for command in commands.due(5)] == ["start"]


# --- what they show ---------------------------------------------------------------------------------------


def test_sensors_have_names_of_their_own_and_values_of_their_type(day):
    factory, _ = day
    for name in STATIONS:
        sensors = station_sensors(name)
        assert len({s.name for s in sensors}) == len(sensors)
        machine = factory.cart.state_message() if name == "cart" else getattr(factory, name)
        for sensor in sensors:
            value = sensor.raw(machine)
            assert isinstance(value, tuple) == sensor.array, (name, sensor.name)
            if sensor.states:
                assert value in sensor.states, (name, sensor.name, value)
            low, high = sensor.limits.get("minimum", -1e12), sensor.limits.get("maximum", 1e12)
            if isinstance(value, float):
                assert low <= value <= high, (name, sensor.name, value)


def test_there_is_no_station_of_another_name():
    with pytest.raises(ValueError, match="no station 'mill'"):
        station_sensors("mill")


def test_the_agents_device_file_knows_every_sensor():
    model = Model(device_file())
    ids = (
        {sensor.address["id"] for sensor in station_sensors("lathe")} | {c.id for c in CONDITIONS} | {"avail"}
    )
    assert ids <= model.items.keys()
    assert model.items["xpos"].component.name == "X"
    assert model.items["rpm"].component.kind == "Rotary"


def test_a_bad_assembly_is_found_by_its_measure_or_its_picture(day):
    _, happenings = day
    measured = [h.data for h in happenings if h.kind == "measured"]
    for data in measured:
        wide, narrow = (
            all(
                f.nominal - f.below / 1000 - slack <= size <= f.nominal + f.above / 1000 + slack
                for f, size in zip(FEATURES, data["sizes"], strict=True)
            )
            for slack in (1e-4, -1e-4)  # sizes are told to a tenth of a micrometre
        )
        assert wide or not data["good"]
        assert data["good"] or data["flaw"] != "none" or not narrow
    rejected = [data for data in measured if not data["good"]]
    assert 0 < len(rejected) < len(measured) / 10
    assert {data["flaw"] for data in rejected} == set(FLAWS)


def test_pictures_are_png_of_what_was_drawn_and_differ_by_part_and_flaw():
    data = picture("000123", "dent")
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, rows = 8, b""
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack_from(">I", data, at + 8 + size)[0]
        if kind == b"IHDR":
            assert struct.unpack(">2I5B", body) == (WIDTH, HEIGHT, 8, 0, 0, 0, 0)
        rows += body if kind == b"IDAT" else b""
        at += 12 + size
    image = np.frombuffer(zlib.decompress(rows), np.uint8).reshape(HEIGHT, WIDTH + 1)
    assert (image[:, 1:] == pixels("000123", "dent")).all()
    assert len({picture(serial, flaw) for serial in ("000123", "000124") for flaw in FLAWS}) == 2 * len(FLAWS)
    assert png(np.zeros((2, 3), np.uint8)) != png(np.ones((2, 3), np.uint8))
    assert any(sensor.name == "picture" for sensor in INSPECTION)


def test_qualities_are_those_of_the_rules():
    assert [(q.name, q.wear, q.strain) for q in QUALITIES] == [
        ("L", 2, 11_000),
        ("M", 3, 12_000),
        ("H", 5, 13_000),
    ]
    assert sum(q.share for q in QUALITIES) == pytest.approx(1.0)
    assert MOST_POWER == 9000.0
