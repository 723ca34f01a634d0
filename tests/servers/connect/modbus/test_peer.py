"""The connector on a pymodbus server: values, clock, refusals, SIGKILL, and mbpoll as the outside judge."""

import re
import shutil
import signal

import anyio
import pytest

from weft.connect import LineState, Recorder
from weft.connect.modbus import Address, DeviceClock, Modbus
from weft.model import Flag, quality
from weft.runtime import Retry

pytestmark = pytest.mark.anyio

CLOCK = DeviceClock(register=0, type="uint64", unit="ms")
COUNTER = Address(register=4, type="uint32")
MS = 1_000_000


async def recorded(config, points, condition):
    """Runs the connector until the condition on the recorder holds."""
    link = Recorder(points)
    async with anyio.create_task_group() as group:
        group.start_soon(Modbus(config).run, link)
        await link.until(lambda: condition(link))
        group.cancel_scope.cancel()
    return link


@pytest.mark.card("modbus", "reads")
@pytest.mark.card("modbus", "types")
@pytest.mark.card("modbus", "outside_peer")
async def test_every_type_and_order_and_table_is_read_from_pymodbus(standing, points, known):
    wanted = points(*(address for address, _ in known.values()))
    link = await recorded(standing.config(), wanted, lambda link: link.batches)
    batch = link.batches[0]
    got = {name: next(row for row in batch if row.signal == i) for i, name in enumerate(known)}
    assert {name: row.value for name, row in got.items()} == {
        name: value for name, (_, value) in known.items()
    }
    assert got["null"].status == quality.BAD_SENSOR_FAILURE
    for name, (address, value) in known.items():
        if value is not None:
            assert (got[name].type, got[name].status) == (address.value_type, 0), name


@pytest.mark.card("modbus", "source_time")
async def test_the_device_clock_is_the_time_of_what_was_read_with_it(standing, points):
    link = await recorded(
        standing.config(clock=CLOCK, interval=0.01), points(COUNTER), lambda link: len(link.rows) >= 30
    )
    assert all(row.value == row.time // MS & 0xFFFFFFFF for row in link.rows)
    assert not any(row.flags & (Flag.RECEIVE_TIME | Flag.CLOCK_SUSPECT) for row in link.rows)
    times = [row.time for row in link.rows]
    assert times == sorted(set(times))


@pytest.mark.card("modbus", "bad_signal")
async def test_registers_that_are_not_there_are_refused_and_the_others_read(standing, points):
    wanted = points(
        *(Address(register=i) for i in (11, 39, 40, 42, 43)),
        Address(table="input", register=5),
        Address(table="input", register=10),
        Address(register=0, unit=77),
    )
    link = await recorded(standing.config(), wanted, lambda link: len(link.batches) >= 3)
    assert {row.signal: row.value for row in link.batches[-1] if not row.status} == {
        0: 65535,
        3: 42,
        4: 43,
        5: 1005,
    }
    assert {path for path in link.refused if path != "s7"} == {"s1", "s2", "s6"}
    assert link.refused["s1"][0] == quality.BAD_NODE_ID_UNKNOWN


async def test_who_is_there(standing):
    text = await Modbus(standing.config()).probe()
    assert text == f"Wash AG W7 2.11 at 127.0.0.1:{standing.port}, unit 1"


@pytest.mark.card("modbus", "outside_peer")
@pytest.mark.skipif(not shutil.which("mbpoll"), reason="mbpoll is not installed (apt install mbpoll)")
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("int16", ["-t", "4", "-r", "10"]),
        ("int32", ["-t", "4:int", "-B", "-r", "12"]),
        ("uint32 CDAB", ["-t", "4:int", "-r", "14"]),
        ("float32", ["-t", "4:float", "-B", "-r", "16"]),
        ("coil", ["-t", "0", "-r", "18"]),
        ("discrete", ["-t", "1", "-r", "16"]),
        ("input", ["-t", "3", "-r", "9"]),
        ("other unit", ["-t", "4", "-r", "9", "-a", "2"]),
    ],
)
async def test_mbpoll_reads_the_same(standing, points, known, name, how):
    address, _ = known[name]
    link = await recorded(standing.config(), points(address), lambda link: link.batches)
    command = ["mbpoll", "-m", "tcp", "-0", "-1", "-p", str(standing.port), *how, "127.0.0.1"]
    told = await anyio.run_process(command)
    unsigned, signed = re.search(r"^\[\d+\]:\s+(\S+)(?: \((-?\d+)\))?$", told.stdout.decode(), re.M).groups()
    value = link.rows[0].value
    assert float(value) in {float(unsigned), float(signed or unsigned), float(unsigned) % 2**32}


@pytest.mark.card("modbus", "reconnect")
@pytest.mark.card("modbus", "line_quality")
async def test_a_killed_server_means_bad_values_and_its_return_good_ones(mortal, points, watched):
    config = mortal.config(clock=CLOCK)
    async with watched(config, points(COUNTER, Address(register=28, type="string", length=4))) as line:
        await line.until(lambda: sum(not row.status for row in line.rows) >= 6)
        for _ in range(2):
            await anyio.to_thread.run_sync(mortal.kill)
            await line.until(lambda: line.rows[-1].status == quality.BAD_NO_COMMUNICATION)
            assert line.line.status.state is LineState.DOWN
            assert "127.0.0.1" in line.line.status.reason
            seen = len(line.rows)
            await anyio.to_thread.run_sync(mortal.start)
            await line.until(lambda seen=seen: sum(not row.status for row in line.rows[seen:]) >= 6)
            assert line.line.status.state is LineState.UP
    counted = [row for row in line.rows if row.signal == 0 and not row.status]
    assert all(row.value == row.time // MS & 0xFFFFFFFF for row in counted)
    times = [row.time for row in counted]
    assert times == sorted(set(times))
    assert {row.value for row in line.rows if row.signal == 1 and not row.status} == {"000123"}
    assert sum(bool(row.flags & Flag.FIRST) for row in counted) == 3


@pytest.mark.card("modbus", "line_quality")
async def test_a_server_that_freezes_and_thaws_never_answers_an_old_question(mortal, points, watched):
    config = mortal.config(clock=CLOCK, timeout=0.2)
    async with watched(config, points(COUNTER)) as line:
        await line.until(lambda: sum(not row.status for row in line.rows) >= 3)
        mortal.send(signal.SIGSTOP)
        await line.until(lambda: bool(line.rows[-1].status))
        assert line.rows[-1].status == quality.BAD_NO_COMMUNICATION
        mortal.send(signal.SIGCONT)
        seen = len(line.rows)
        await line.until(lambda: sum(not row.status for row in line.rows[seen:]) >= 10)
    good = [row for row in line.rows if not row.status]
    assert all(row.value == row.time // MS & 0xFFFFFFFF for row in good)
    assert [row.time for row in good] == sorted({row.time for row in good})


async def test_where_nothing_listens_the_reason_is_plain(mortal):
    mortal.kill()
    with pytest.raises(Retry, match="No connection to 127.0.0.1:.*refused.*Modbus enabled"):
        await Modbus(mortal.config()).probe()
    with pytest.raises(Retry, match="No connection to xxx"):
        await Modbus(mortal.config(host="x" * 70)).probe()
