"""The cycle over a device in memory: refusals, absent units, device clocks, pace."""

import anyio
import pytest
from clocks import HandClock
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.connect import Point, Recorder
from weft.connect.modbus import Address, Config, DeviceClock
from weft.connect.modbus.client import Silence
from weft.connect.modbus.frames import DeviceError
from weft.connect.modbus.poll import Poll
from weft.model import Flag, ValueType, quality
from weft.runtime import Retry

pytestmark = pytest.mark.anyio


class Device:
    """Answers like a client. Registers hold their own number unless ``memory`` says otherwise."""

    def __init__(self):
        self.peer = "device:502"
        self.asked = []
        self.memory = {}
        self.absent = {}  # register -> exception code
        self.most = 125
        self.dead = set()
        self.lost = 0
        self.before = lambda start: None

    async def read(self, unit, function, start, count, patience=None):
        self.asked.append((unit, function, start, count))
        self.before(start)
        await anyio.sleep(0)
        if unit in self.dead:
            raise Silence
        if self.lost:
            self.lost -= 1
            raise Silence
        if count > self.most:
            raise DeviceError(3)
        for register in range(start, start + count):
            if register in self.absent:
                raise DeviceError(self.absent[register])
        if function < 3:
            return bytes([0xFF] * ((count + 7) // 8))
        return b"".join(self.memory.get(i, i).to_bytes(2, "big") for i in range(start, start + count))


class Bench:
    """A poll on a device, turned by hand."""

    def __init__(self, *addresses, **config):
        self.clock = HandClock()
        self.device = Device()
        self.link = Recorder(points(*addresses), clock=self.clock)
        self.poll = Poll(Config(host="device", **config), self.link, self.device)

    async def cycles(self, count=1, seconds=1.0):
        for _ in range(count):
            self.device.asked.clear()
            self.link.batches.clear()
            await self.poll._cycle()
            await self.clock.advance(seconds)

    @property
    def values(self):
        return {row.signal: row.value for row in self.link.rows}

    @property
    def statuses(self):
        return {row.signal: row.status for row in self.link.rows}


def points(*addresses):
    return [Point(handle=i, path=f"s{i}", address=address) for i, address in enumerate(addresses)]


def registers(*numbers, **more):
    return [Address(register=i, **more) for i in numbers]


async def test_a_cycle_is_one_batch_of_all_tables_in_few_requests():
    bench = Bench(*registers(*range(100)), *registers(0, 5, table="coil"), *registers(7, table="input"))
    await bench.cycles()
    assert bench.device.asked == [(1, 1, 0, 6), (1, 3, 0, 100), (1, 4, 7, 1)]
    assert len(bench.link.batches) == 1
    assert bench.values == {**{i: i for i in range(100)}, 100: True, 101: True, 102: 7}
    assert bench.link.details == ["103 signals in 3 requests every 1 s"]


async def test_times_are_of_receipt_and_say_so_and_the_first_batch_says_first():
    bench = Bench(*registers(3))
    await bench.cycles()
    [row] = bench.link.rows
    assert row.time == bench.clock.now() - 10**9
    assert row.flags == Flag.RECEIVE_TIME | Flag.FIRST
    await bench.cycles()
    assert bench.link.rows[0].flags == Flag.RECEIVE_TIME


@pytest.mark.card("modbus", "bad_signal")
@pytest.mark.parametrize(
    ("code", "status"),
    [(2, quality.BAD_NODE_ID_UNKNOWN), (3, quality.BAD_OUT_OF_RANGE)],
)
@pytest.mark.parametrize("culprit", [0, 1, 33, 63])
async def test_one_bad_register_is_refused_and_its_neighbours_are_read_in_the_same_cycle(
    culprit, code, status
):
    bench = Bench(*registers(*range(64)))
    bench.device.absent = {culprit: code}
    await bench.cycles()
    assert bench.values == {i: i for i in range(64) if i != culprit}
    assert list(bench.link.refused) == [f"s{culprit}"]
    assert bench.link.refused[f"s{culprit}"][0] == status
    assert f"holding {culprit}: exception {code}" in bench.link.refused[f"s{culprit}"][1]
    await bench.cycles()
    assert len(bench.device.asked) <= 2  # on both sides of the hole, never across
    assert bench.values == {i: i for i in range(64) if i != culprit}


async def test_a_gap_that_cannot_be_read_is_learnt_and_nobody_is_refused():
    bench = Bench(*registers(0, 1, 4, 5))
    bench.device.absent = {2: 2}
    await bench.cycles()
    assert bench.values == {0: 0, 1: 1, 2: 4, 3: 5}
    assert not bench.link.refused
    await bench.cycles()
    assert bench.device.asked == [(1, 3, 0, 2), (1, 3, 4, 2)]


async def test_a_device_that_allows_few_registers_is_read_in_smaller_blocks():
    bench = Bench(*registers(*range(100)))
    bench.device.most = 30
    await bench.cycles()
    assert len(bench.values) == 100
    await bench.cycles()
    assert [count for *_, count in bench.device.asked] == [25, 25, 25, 25]
    assert not bench.link.refused


async def test_a_refused_register_is_asked_again_after_a_minute_and_comes_back():
    bench = Bench(*registers(0, 1, 2))
    bench.device.absent = {1: 2}
    await bench.cycles(55)
    assert bench.device.asked == [(1, 3, 0, 1), (1, 3, 2, 1)]
    await bench.cycles(20)
    assert bench.values.keys() == {0, 2}
    bench.device.absent = {}
    await bench.cycles(65)
    assert bench.device.asked == [(1, 3, 0, 3)]
    assert bench.values == {0: 0, 1: 1, 2: 2}


@pytest.mark.card("modbus", "bad_signal")
@settings(max_examples=100, deadline=None)
@given(
    wanted=st.lists(
        st.tuples(st.integers(0, 150), st.sampled_from(["uint16", "uint32", "uint64"])), max_size=40
    ),
    absent=st.sets(st.integers(0, 154), max_size=60),
    most=st.integers(4, 125),
    gap=st.integers(0, 10),
    clock=st.sampled_from([None, DeviceClock(register=0, type="uint32", unit="s")]),
)
def test_whatever_is_absent_the_rest_is_read_and_soon_without_a_refusal(wanted, absent, most, gap, clock):
    """For any device: in every cycle each point is read or refused, rightly; in the third nothing is asked
    for any more that the device refuses."""

    async def three_cycles():
        bench = Bench(*(Address(register=r, type=t) for r, t in wanted), gap=gap, clock=clock)
        bench.device.absent, bench.device.most = dict.fromkeys(absent, 2), most
        for cycle in range(3):
            bench.device.memory[1] = cycle  # the clock goes on, so that nothing is withheld as said before
            await bench.cycles(seconds=0)
            there = [i for i, (r, t) in enumerate(wanted) if not absent & set(range(r, r + WIDTH[t]))]
            assert sorted(bench.values) == there
            assert set(bench.link.refused) == {f"s{i}" for i in range(len(wanted))} - {f"s{i}" for i in there}
        for _, _, start, count in bench.device.asked:
            assert count <= most
            assert not absent & set(range(start, start + count))

    anyio.run(three_cycles)


WIDTH = {"uint16": 1, "uint32": 2, "uint64": 4}


async def test_a_table_the_device_does_not_have_is_refused_whole():
    bench = Bench(*registers(0, 1), *registers(500, 501, table="input"))
    bench.device.absent = {500: 1, 501: 1}
    await bench.cycles()
    assert {path: status for path, (status, _) in bench.link.refused.items()} == {
        "s2": quality.BAD_NOT_SUPPORTED,
        "s3": quality.BAD_NOT_SUPPORTED,
    }
    assert bench.values == {0: 0, 1: 1}


@pytest.mark.parametrize("code", [4, 5, 6, 99])
async def test_a_device_that_fails_makes_the_block_bad_and_is_asked_again(code):
    bench = Bench(*registers(0, 1), *registers(500))
    bench.device.absent = {1: code}
    await bench.cycles()
    assert bench.statuses == {0: quality.BAD_DEVICE_FAILURE, 1: quality.BAD_DEVICE_FAILURE, 2: 0}
    assert {row.type for row in bench.link.rows if row.status} == {ValueType.NULL}
    bench.device.absent = {}
    await bench.cycles()
    assert bench.values == {0: 0, 1: 1, 2: 500}


@pytest.mark.card("modbus", "bad_signal")
async def test_a_unit_behind_a_gateway_that_is_away_does_not_hold_up_the_others():
    bench = Bench(*registers(0, 1, unit=1), *registers(0, 1, unit=2), *registers(0, unit=3))
    bench.device.dead = {2, 3}
    await bench.cycles()
    assert bench.statuses == {0: 0, 1: 0, **dict.fromkeys((2, 3, 4), quality.BAD_NO_COMMUNICATION)}
    asked = []
    for _ in range(64):
        await bench.cycles()
        asked += [unit for unit, *_ in bench.device.asked]
        assert bench.statuses.items() >= {0: 0, 1: 0}.items()
    assert asked.count(1) == 64
    assert 5 <= asked.count(2) <= 8
    bench.device.dead = set()
    await bench.cycles(31)
    assert bench.statuses == dict.fromkeys(range(5), 0)


async def test_a_gateway_that_cannot_reach_a_unit_says_so_and_the_connection_stays():
    bench = Bench(*registers(0, unit=1), *registers(300, unit=2))
    bench.device.absent = {300: 11}
    for _ in range(10):
        await bench.cycles()
        assert bench.statuses[0] == 0
    assert bench.link.refused == {}


async def test_one_lost_answer_is_asked_for_again_and_nobody_notices():
    bench = Bench(*registers(0, 1))
    bench.device.lost = 1
    await bench.cycles()
    assert bench.values == {0: 0, 1: 1}


async def test_a_device_that_falls_silent_is_bad_at_once_and_soon_given_up():
    bench = Bench(*registers(0, 1))
    await bench.cycles()
    bench.device.dead = {1}
    await bench.cycles()
    assert bench.statuses == dict.fromkeys((0, 1), quality.BAD_NO_COMMUNICATION)
    with pytest.raises(Retry, match="left 3 questions in a row unanswered"):
        await bench.cycles()


async def test_a_value_wider_than_a_request_is_refused_and_the_rest_is_read():
    bench = Bench(*registers(0), Address(register=10, type="float64"), max_registers=2)
    await bench.cycles()
    assert bench.values == {0: 0}
    assert bench.link.refused["s1"][0] == quality.BAD_CONFIGURATION_ERROR


# --- device clocks ----------------------------------------------------------------------------------------

T0 = 1_600_000_000


def set_clock(device, seconds, register=0):
    device.memory[register], device.memory[register + 1] = seconds >> 16, seconds & 0xFFFF


def clocked(*addresses, **config):
    bench = Bench(*addresses, clock=DeviceClock(register=0, type="uint32", unit="s"), **config)
    set_clock(bench.device, T0)
    return bench


@pytest.mark.card("modbus", "source_time")
async def test_values_of_one_request_have_the_device_s_time_and_no_doubt():
    bench = clocked(*registers(*range(100, 120)))
    await bench.cycles()
    assert bench.device.asked == [(1, 3, 0, 120)]  # one request, though the gap is wide
    assert {row.time for row in bench.link.rows} == {T0 * 10**9}
    assert {row.flags for row in bench.link.rows} == {Flag.FIRST}


async def test_the_same_reading_at_the_same_device_time_is_not_sent_twice():
    bench = clocked(*registers(10, 11))
    await bench.cycles()
    await bench.cycles()
    assert bench.link.batches == []
    bench.device.memory[10] = 77
    await bench.cycles()
    assert bench.values == {0: 77, 1: 11}
    set_clock(bench.device, T0 + 1)
    await bench.cycles()
    assert [row.time for row in bench.link.rows] == [(T0 + 1) * 10**9] * 2


@pytest.mark.card("modbus", "source_time")
async def test_over_several_requests_the_clock_is_read_first_and_last():
    bench = clocked(*registers(300), *registers(5, table="input"))
    await bench.cycles()
    assert bench.device.asked == [(1, 3, 0, 2), (1, 3, 300, 1), (1, 4, 5, 1), (1, 3, 0, 2)]
    assert {(row.time, row.flags) for row in bench.link.rows} == {(T0 * 10**9, Flag.FIRST)}


async def test_a_clock_that_changed_meanwhile_makes_the_cycle_repeat():
    bench = clocked(*registers(300))
    changes = iter([T0 + 1])
    bench.device.before = lambda start: (
        set_clock(bench.device, next(changes, T0 + 1)) if start == 300 else None
    )
    await bench.cycles()
    assert len(bench.device.asked) == 6
    assert [(row.time, row.flags) for row in bench.link.rows] == [((T0 + 1) * 10**9, Flag.FIRST)]


async def test_a_clock_that_never_stands_still_gives_suspect_times_and_is_soon_read_once_only():
    bench = clocked(*registers(300), *registers(2))
    now = [T0]

    def tick(start):
        now[0] += 1
        set_clock(bench.device, now[0])

    bench.device.before = tick
    await bench.cycles()
    assert len(bench.device.asked) == 9
    assert {row.signal: row.flags & ~Flag.FIRST for row in bench.link.rows} == {0: Flag.CLOCK_SUSPECT, 1: 0}
    assert {row.time for row in bench.link.rows} == {(T0 + 7) * 10**9}
    await bench.cycles()
    assert len(bench.device.asked) == 3
    bench.device.before = lambda start: None
    await bench.cycles()
    assert {row.flags for row in bench.link.rows} == {0}


@pytest.mark.card("modbus", "bad_input")
async def test_an_impossible_device_time_is_suspect_and_the_values_are_kept():
    bench = Bench(*registers(10), clock=DeviceClock(register=0, type="uint64", unit="s"))
    bench.device.memory |= dict.fromkeys(range(4), 0xFFFF)
    await bench.cycles()
    [row] = bench.link.rows
    assert (row.value, row.status) == (10, 0)
    assert row.flags == Flag.CLOCK_SUSPECT | Flag.RECEIVE_TIME | Flag.FIRST


async def test_a_unit_without_a_clock_keeps_the_receive_time():
    bench = clocked(*registers(10))
    bench.device.absent = {0: 2, 1: 2}
    for _ in range(2):
        await bench.cycles()
        [row] = bench.link.rows
        assert row.value == 10
        assert row.flags & Flag.RECEIVE_TIME
    assert bench.device.asked == [(1, 3, 10, 1)]
    assert bench.link.refused == {}


async def test_what_was_read_before_a_unit_fell_silent_is_not_given_a_wrong_time():
    bench = clocked(*registers(300), *registers(2))

    def fall_silent(start):
        if start == 300:
            bench.device.dead = {1}

    bench.device.before = fall_silent
    await bench.cycles()
    assert bench.statuses == dict.fromkeys((0, 1), quality.BAD_NO_COMMUNICATION)


async def test_after_an_absence_the_same_reading_is_sent_again():
    bench = clocked(*registers(10))
    await bench.cycles()
    bench.device.dead = {1}
    await bench.cycles()
    assert bench.statuses == {0: quality.BAD_NO_COMMUNICATION}
    bench.device.dead = set()
    await bench.cycles()
    assert bench.values == {0: 10}


# --- pace and changes -------------------------------------------------------------------------------------


async def running(bench, group):
    group.start_soon(bench.poll.run)
    await anyio.wait_all_tasks_blocked()


async def test_cycles_keep_their_beat_and_make_up_for_nothing():
    bench = Bench(*registers(0), interval=0.5)
    async with anyio.create_task_group() as group:
        await running(bench, group)
        for _ in range(8):
            await bench.clock.advance(0.5)
        assert len(bench.device.asked) == 9
        # A stall of 10 s in which nothing ran: one cycle, not twenty.
        bench.clock._now += 10_200_000_000
        await bench.clock.advance(0)
        assert len(bench.device.asked) == 10
        await bench.clock.advance(0.29)
        assert len(bench.device.asked) == 10
        await bench.clock.advance(0.02)
        assert len(bench.device.asked) == 11
        group.cancel_scope.cancel()


async def test_other_points_between_two_beats_leave_the_beat_as_it_is():
    bench = Bench(*registers(0))
    async with anyio.create_task_group() as group:
        await running(bench, group)
        await bench.clock.advance(1.6)
        bench.link.update(points(*registers(1)))
        await anyio.wait_all_tasks_blocked()
        assert len(bench.device.asked) == 3
        await bench.clock.advance(0.39)
        assert len(bench.device.asked) == 3
        await bench.clock.advance(0.02)
        assert len(bench.device.asked) == 4
        group.cancel_scope.cancel()


async def test_pressure_slows_the_cycles_and_its_end_quickens_them():
    bench = Bench(*registers(0))
    async with anyio.create_task_group() as group:
        await running(bench, group)
        bench.link.pressure = 0.9
        await bench.clock.advance(24)
        slowed = len(bench.device.asked)
        assert slowed == 6  # at 0, 1, 3, 7, 15, 23 s
        bench.link.pressure = 0.1
        await bench.clock.advance(24)
        assert len(bench.device.asked) - slowed == 14  # at 31, 35, 37, then every second
        group.cancel_scope.cancel()


@pytest.mark.card("modbus", "update_without_reconnect")
async def test_other_points_are_read_at_once_on_the_same_connection():
    bench = Bench(*registers(0), interval=3600.0)
    async with anyio.create_task_group() as group:
        await running(bench, group)
        bench.link.update(points(*registers(7, 8, 9)))
        await anyio.wait_all_tasks_blocked()
        assert bench.device.asked == [(1, 3, 0, 1), (1, 3, 7, 3)]
        assert bench.link.batches[-1].values() == [7, 8, 9]
        bench.link.update([])
        await anyio.wait_all_tasks_blocked()
        assert len(bench.device.asked) == 2
        group.cancel_scope.cancel()


async def test_a_connection_without_points_is_up():
    bench = Bench()
    await bench.cycles()
    assert bench.link.details == ["0 signals in 0 requests every 1 s"]
    assert bench.link.batches == []
