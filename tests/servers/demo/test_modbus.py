"""Washer and meters over Modbus, read by a bare socket and by mbpoll."""

import shutil
import struct

import anyio
import pytest
from anyio.streams.buffered import BufferedByteStream

from weft.demo.factory import Factory
from weft.demo.layout import METER_PATHS, WASHER_PATH, meter_sensors, washer_sensors
from weft.demo.modbus_server import ModbusServer
from weft.demo.registers import Bank
from weft.demo.timeline import Timeline
from weft.demo.truth import Truth, read
from weft.model import ValueType

pytestmark = pytest.mark.anyio


async def ask(stream, request, unit=1, transaction=7):
    """The answer's function code and data."""
    await stream.send(struct.pack(">HHHB", transaction, 0, len(request) + 1, unit) + request)
    same, protocol, length, back = struct.unpack(">HHHB", await stream.receive_exactly(7))
    assert (same, protocol, back) == (transaction, 0, unit)
    answer = await stream.receive_exactly(length - 1)
    return answer[0], answer[1:]


async def registers(stream, function, start, count, unit=1):
    code, data = await ask(stream, struct.pack(">BHH", function, start, count), unit)
    assert code == function
    assert data[0] == count * 2 == len(data) - 1
    return data[1:]


async def dial(port):
    return BufferedByteStream(await anyio.connect_tcp("127.0.0.1", port))


def washer_of(data):
    """What the washer's registers 100 to 150 say, written down from its map once more, by hand."""
    word = struct.unpack(">51H", data)
    swapped = struct.pack(">HH", word[9], word[8])
    return {
        "state": word[4],
        "pump": bool(word[5] & 1),
        "fault": bool(word[5] >> 15),
        "phase": word[5] >> 4 & 7,
        "cause": word[5] >> 8 & 15,
        "bath-temperature": word[6] * 0.05 + -40.0,
        "setpoint": struct.unpack(">h", data[14:16])[0] * 0.1 + 0.0,
        "pressure": struct.unpack(">f", swapped)[0],
        "flow": struct.unpack("<h", data[20:22])[0] * 0.1 + 0.0,
        "ambient-temperature": struct.unpack(">h", data[22:24])[0] * 0.1 + 0.0,
        "conductivity": (word[13] << 16 | word[12]) * 0.01 + 0.0,
        "level": struct.unpack("<d", data[28:36])[0],
        "cycle-count": struct.unpack("<I", data[40:44])[0],
        "washed-count": word[25] << 48 | word[24] << 32 | word[23] << 16 | word[22],
        "balance": struct.unpack(">i", struct.pack(">HH", word[27], word[26]))[0],
        "batch": data[56:64].rstrip(b"\0").decode(),
    }


async def test_in_lock_step_a_reader_sees_every_state(field, tmp_path, replay):
    seen = {}
    with anyio.fail_after(90):
        async with (
            field(pace="read", until=40.0, processes=["washer"]) as f,
            await dial(f.ports.washer) as stream,
        ):
            end = f.start // 1_000_000 + 40_000
            clock = 0
            while clock < end:
                data = await registers(stream, 3, 100, 51)
                (clock,) = struct.unpack(">Q", data[:8])
                for name, value in washer_of(data).items():
                    seen[f"{WASHER_PATH}/{name}", clock * 1_000_000] = value
    shown = {(row.signal, row.time): row.value for row in read(tmp_path / "truth")}
    # 40 s in steps of 0.4 s, and the first, unless the factory was beyond it when the reader came.
    assert len({time for _, time in seen}) in (100, 101)
    assert {key: value for key, value in shown.items() if key in seen} == seen
    read_too = {signal for signal, _ in seen}
    assert not [key for key in shown if key[0] in read_too and key not in seen]
    assert not replay(4, f.start).differing(row for row in read(tmp_path / "truth"))


async def test_the_meters_wait_until_all_of_them_were_read(tmp_path):
    factory = Factory()
    banks = [Bank(meter + 1, 4, 0, meter_sensors(meter)) for meter in range(4)]
    with anyio.fail_after(30), Truth(tmp_path, "meters") as truth:
        server = ModbusServer(
            banks,
            factory,
            Timeline(1_700_000_000_000_000_000, 0),
            truth,
            period=5,
            load=lambda bank, time: bank.load(factory.meters, time),
            lockstep=True,
        )
        async with anyio.create_task_group() as tasks:
            async with await dial(await tasks.start(server.run, 0)) as stream:
                first = {unit: await registers(stream, 4, 0, 17, unit) for unit in (1, 2, 3)}
                for _ in range(3):
                    assert {unit: await registers(stream, 4, 0, 17, unit) for unit in (1, 2, 3)} == first
                first[4] = await registers(stream, 4, 0, 10, 4)
                assert await registers(stream, 4, 0, 17, 1) == first[1], "half of the last meter is unread"
                first[4] += await registers(stream, 4, 10, 7, 4)
                later = first[1]
                while later == first[1]:
                    later = await registers(stream, 4, 0, 17, 1)
            tasks.cancel_scope.cancel()
    assert struct.unpack(">Q", later[:8])[0] - struct.unpack(">Q", first[1][:8])[0] == 1000
    shown = {(row.signal, row.time): row for row in read(tmp_path)}
    assert len(shown) == 8 * (4 + 1), "the later reading of the others was shown to nobody"
    _energies_are_true(first, shown)


def _energies_are_true(data, shown):
    time = struct.unpack(">Q", data[4][:8])[0] * 1_000_000
    incoming = shown[f"{METER_PATHS[3]}/energy", time]
    words = struct.unpack(">4H", data[4][12:20])
    assert sum(word << 16 * i for i, word in enumerate(words)) * 0.5 + 0.0 == incoming.value > 2**32
    mill = shown[f"{METER_PATHS[0]}/energy", time]
    assert (mill.type, mill.value) == (ValueType.UINT64, struct.unpack(">Q", data[1][12:20])[0])
    factor = shown[f"{METER_PATHS[2]}/power-factor", time]
    assert struct.unpack(">h", data[3][30:32])[0] * -0.001 + 0.0 == factor.value > 0


@pytest.mark.parametrize(
    ("request_bytes", "unit", "code"),
    [
        (struct.pack(">BHH", 1, 100, 1), 1, 1),  # coils
        (struct.pack(">BHH", 6, 100, 1), 1, 1),  # writing
        (b"\x2b\x0e\x01\x00", 1, 1),  # device identification
        (struct.pack(">BHH", 4, 100, 1), 1, 2),  # the other table
        (struct.pack(">BHH", 3, 99, 2), 1, 2),
        (struct.pack(">BHH", 3, 150, 2), 1, 2),
        (struct.pack(">BHH", 3, 65535, 125), 1, 2),
        (struct.pack(">BHH", 3, 100, 0), 1, 3),
        (struct.pack(">BHH", 3, 100, 126), 1, 3),
        (b"\x03\x00", 1, 3),
        (struct.pack(">BHH", 3, 100, 1), 9, 11),
    ],
)
async def test_refused_requests_name_the_reason(washer_port, request_bytes, unit, code):
    with anyio.fail_after(20):
        async with await dial(washer_port) as stream:
            function, data = await ask(stream, request_bytes, unit)
            assert (function, data) == (request_bytes[0] | 0x80, bytes([code]))
            await registers(stream, 3, 100, 51)  # and it goes on


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\0\1\0\0\xff\xff\1\3", b"\0\1\0\0\0\1\1"])
async def test_no_modbus_is_hung_up_on_and_others_go_on(washer_port, garbage):
    with anyio.fail_after(20):
        async with await anyio.connect_tcp("127.0.0.1", washer_port) as stream:
            await stream.send(garbage)
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await stream.receive()
        async with await dial(washer_port) as stream:
            await registers(stream, 3, 100, 51)


@pytest.fixture
async def washer_port(tmp_path):
    """A washer inside this process: the refusals need no field."""
    factory = Factory()
    bank = Bank(1, 3, 100, washer_sensors())
    with Truth(None, "washer") as truth:
        server = ModbusServer(
            [bank],
            factory,
            Timeline(0, 0, last=0),
            truth,
            period=2,
            load=lambda bank, time: bank.load(factory.washer, time),
        )
        async with anyio.create_task_group() as tasks:
            yield await tasks.start(server.run, 0)
            tasks.cancel_scope.cancel()


@pytest.mark.skipif(shutil.which("mbpoll") is None, reason="mbpoll is not installed (Debian package mbpoll)")
async def test_mbpoll_reads_the_washer(washer_port):
    with anyio.fail_after(30):
        command = ["mbpoll", "-m", "tcp", "-p", str(washer_port), "-a", "1", "-0", "-1", "-t", "4:hex"]
        found = await anyio.run_process([*command, "-r", "128", "-c", "4", "127.0.0.1"])
    words = [line.split()[-1] for line in found.stdout.decode().splitlines() if line.startswith("[")]
    text = b"".join(bytes.fromhex(word.removeprefix("0x")) for word in words)
    assert text == b"000117\0\0"
