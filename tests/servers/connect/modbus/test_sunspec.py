"""A SunSpec inverter and a device with a map of its own: addressed by names, listed with units, written in units."""

import struct

import anyio
import pytest

from weft.connect import Recorder, Write
from weft.connect.modbus import Address, Config, Modbus
from weft.connect.modbus.frames import encode
from weft.model import ValueType, quality
from weft.runtime import Invalid

pytestmark = pytest.mark.anyio


def inverter(base=40000):
    """Models 1, 103 and 123 from ``base`` on: register -> value."""
    memory = {}

    def put(at, data):
        for i in range(0, len(data), 2):
            memory[at + i // 2] = int.from_bytes(data[i : i + 2], "big")

    put(base, b"SunS" + struct.pack(">HH", 1, 66))
    put(base + 4, b"Sun AG".ljust(32, b"\0") + b"Inv 5".ljust(32, b"\0") + bytes(66 * 2 - 64))
    at = base + 4 + 66
    body = bytearray(b"\xff\xff" * 50)
    for offset, value in {
        0: 123,
        4: 65534,
        14: 5000,
        15: 0,
        22: 0,
        36: 4,
        12: 4321,
        13: 65535,
        6: 2301,
        11: 65535,
    }.items():
        body[offset * 2 : offset * 2 + 2] = value.to_bytes(2, "big")
    body[22 * 2 : 24 * 2] = struct.pack(">I", 987654)  # WH
    body[24 * 2 : 25 * 2] = struct.pack(">h", 2)
    body[38 * 2 : 40 * 2] = struct.pack(">I", 0b1)  # Evt1: GROUND_FAULT
    put(at, struct.pack(">HH", 103, 50) + bytes(body))
    at += 52
    put(at, struct.pack(">HH", 123, 24) + bytes(23 * 2) + b"\x00\x00")
    for offset in (22, 23, 24, 25):
        memory[at + offset] = (-1 if offset == 23 else 0) & 0xFFFF
    put(at + 26, struct.pack(">HH", 0xFFFF, 0))
    return memory


def answering(memory):
    async def answer(question, stream):
        pdu = question.pdu
        function, start, count = pdu[0], *(int.from_bytes(pdu[i : i + 2], "big") for i in (1, 3))
        if function == 3 and all(i in memory for i in range(start, start + count)):
            data = b"".join(memory[i].to_bytes(2, "big") for i in range(start, start + count))
            reply = bytes((3, len(data))) + data
        elif function == 6 and start in memory:
            memory[start] = count
            reply = pdu
        else:
            reply = bytes((function | 0x80, 2))
        await stream.send(encode(question._replace(pdu=reply)))

    return answer


@pytest.fixture
def models(reference):
    return str(reference / "machines" / "sunspec")


@pytest.mark.card("modbus", "browse")
@pytest.mark.parametrize("base", [40000, 50000, 0])
async def test_a_device_s_points_are_listed_with_units_states_and_scaled_values(scripted, models, base):
    async with scripted(answering(inverter(base)), sunspec_models=models) as (_, config):
        found = {item.address["sunspec"]: item async for item in Modbus(config).browse()}
    assert found["1.Mn"].value == "Sun AG"
    power = found["103.W"]
    assert (power.unit, power.value, power.type, power.folder) == ("W", 432.1, ValueType.DOUBLE, "103")
    assert found["103.A"].value == 1.23
    assert (found["103.St"].value, found["103.St"].states[4]) == (4, "MPPT")
    assert (found["103.WH"].unit, found["103.WH"].value) == ("W.h", 98765400.0)
    assert found["103.DCA"].status == quality.BAD_SENSOR_FAILURE  # not implemented
    assert found["123.WMaxLimPct"].writable
    assert not power.writable


@pytest.mark.card("modbus", "reads")
async def test_points_are_read_and_written_by_their_names(scripted, models, points):
    memory = inverter()
    wanted = points(
        Address(sunspec="103.W"),
        Address(sunspec="103.Evt1.GROUND_FAULT"),
        Address(sunspec="1.Md"),
        Address(sunspec="123.WMaxLimPct"),
        Address(sunspec="103.Nope"),
        Address(sunspec="160.module[1].DCA"),
    )
    async with scripted(answering(memory), sunspec_models=models) as (_device, config):
        link, connector = Recorder(wanted), Modbus(config)
        async with anyio.create_task_group() as group:
            group.start_soon(connector.run, link)
            await link.until(lambda: len(link.batches) >= 2)
            statuses = await connector.write([Write(wanted[3], 55.5), Write(wanted[0], 1)])
            [row] = await connector.read(wanted[3:4])
            group.cancel_scope.cancel()
    rows = {row.signal: row.value for row in link.batches[1]}
    assert (rows[0], rows[1], rows[2]) == (432.1, True, "Inv 5")
    assert set(link.refused) == {"s4", "s5"}
    assert "has no point 'Nope'" in link.refused["s4"][1]
    assert "it has 1, 103, 123" in link.refused["s5"][1]
    assert statuses[0] == 0
    assert statuses[1] == 0x803B0000  # BadNotWritable
    assert row.value == 55.5
    assert 555 in memory.values()


async def test_a_map_of_one_s_own_names_registers(scripted, points, tmp_path):
    (tmp_path / "map.csv").write_text(
        "name,register,layout,unit,scale,description,writable\n"
        "power,10,int16,kW,0.1,Active power,\nlimit,11,uint16,%,,Limit,yes\n"
    )
    memory = {10: 215, 11: 80}
    async with scripted(answering(memory), map=str(tmp_path / "map.csv")) as (_, config):
        found = {item.name: item async for item in Modbus(config).browse()}
        wanted = points(Address(name="power"), Address(name="limit"), Address(name="none"))
        link, connector = Recorder(wanted), Modbus(config)
        async with anyio.create_task_group() as group:
            group.start_soon(connector.run, link)
            await link.until(lambda: link.batches and link.refused)
            assert await connector.write([Write(wanted[1], 70), Write(wanted[0], 1.0)]) == [0, 0x803B0000]
            group.cancel_scope.cancel()
    assert (found["power"].value, found["power"].unit, found["power"].address) == (
        21.5,
        "kW",
        {"name": "power"},
    )
    assert next(row.value for row in link.rows if row.signal == 0) == 21.5
    assert memory == {10: 215, 11: 70}
    assert set(link.refused) == {"s2"}


async def test_without_a_map_there_is_nothing_to_list():
    with pytest.raises(Invalid, match="sunspec_models"):
        [_ async for _ in Modbus(Config(host="127.0.0.1")).browse()]
