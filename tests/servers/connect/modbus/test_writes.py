"""Writes: each function, what a device lacks, what is never sent twice; mbpoll as the judge of what arrived."""

import re
import shutil
import struct

import anyio
import pytest

from weft.connect import Recorder, Write
from weft.connect.modbus import Address, Modbus
from weft.connect.modbus.frames import encode
from weft.model import quality
from weft.runtime import Retry

pytestmark = pytest.mark.anyio


class Registers:
    """Holding registers and coils that are all there; functions in ``lacks`` are unknown, ``mute`` ones unanswered."""

    def __init__(self, lacks=(), mute=()):
        self.memory, self.coils, self.lacks, self.mute = {}, {}, set(lacks), set(mute)
        self.functions = []

    async def __call__(self, question, stream):
        pdu = question.pdu
        self.functions.append(pdu[0])
        if pdu[0] in self.mute:
            return
        reply = bytes((pdu[0] | 0x80, 1)) if pdu[0] in self.lacks else self.carry_out(pdu)
        await stream.send(encode(question._replace(pdu=reply)))

    def carry_out(self, pdu):
        function, start, value = struct.unpack(">BHH", pdu[:5])
        if function in {3, 4}:
            return bytes((function, value * 2)) + b"".join(
                self.memory.get(i, 0).to_bytes(2, "big") for i in range(start, start + value)
            )
        if function == 5:
            self.coils[start] = value == 0xFF00
        elif function == 6:
            self.memory[start] = value
        elif function == 15:
            self.coils |= {start + i: bool(pdu[6 + i // 8] >> i % 8 & 1) for i in range(value)}
            return pdu[:5]
        elif function == 16:
            self.memory |= {
                start + i: int.from_bytes(pdu[6 + 2 * i : 8 + 2 * i], "big") for i in range(value)
            }
            return pdu[:5]
        elif function == 22:
            keep, new = value, int.from_bytes(pdu[5:7], "big")
            self.memory[start] = self.memory.get(start, 0) & keep | new & ~keep
        return pdu


async def written(scripted, device, orders, points):
    """Statuses of writing (address, value) pairs, on a connection that reads nothing."""
    targets = points(*(address for address, _ in orders))
    async with scripted(device, interval=60.0) as (_, config):
        link, connector = Recorder(()), Modbus(config)
        async with anyio.create_task_group() as group:
            group.start_soon(connector.run, link)
            await link.until(lambda: link.details)
            device.functions.clear()
            statuses = await connector.write(
                [Write(point, value) for point, (_, value) in zip(targets, orders, strict=True)]
            )
            group.cancel_scope.cancel()
    return list(statuses)


async def test_the_function_fits_what_is_written(scripted, points):
    device = Registers()
    device.memory[30] = 0xFFFF
    orders = [
        (Address(table="coil", register=1), True),
        (Address(register=5), 7),
        (Address(table="coil", register=10), True),
        (Address(table="coil", register=11), False),
        (Address(table="coil", register=12), True),
        (Address(register=20, type="float32", order="CDAB"), 1.5),
        (Address(register=30, bits=(4, 4)), 5),
        (Address(table="input", register=3), 1),
    ]
    statuses = await written(scripted, device, orders, points)
    assert statuses == [0] * 7 + [0x803B0000]
    assert device.functions == [5, 6, 15, 16, 22]
    assert device.coils == {1: True, 10: True, 11: False, 12: True}
    assert device.memory == {5: 7, 20: 0, 21: 0x3FC0, 30: 0xFF5F}


async def test_neighbours_go_in_one_request(scripted, points):
    device = Registers()
    assert (
        await written(scripted, device, [(Address(register=i), i) for i in range(200)], points) == [0] * 200
    )
    assert device.functions == [16, 16]
    assert device.memory == {i: i for i in range(200)}


async def test_a_device_without_the_function_for_one_gets_that_for_many(scripted, points):
    device = Registers(lacks={5, 6})
    orders = [(Address(register=5), 7), (Address(table="coil", register=1), True), (Address(register=9), 8)]
    assert await written(scripted, device, orders, points) == [0, 0, 0]
    assert device.functions == [6, 16, 5, 15, 16]  # asked once only


async def test_without_a_mask_write_bits_are_read_changed_and_written(scripted, points):
    device = Registers(lacks={22})
    device.memory[30] = 0xF00F
    assert await written(scripted, device, [(Address(register=30, bit=4), True)], points) == [0]
    assert device.functions == [22, 3, 6]
    assert device.memory[30] == 0xF01F


async def test_what_is_not_answered_is_not_sent_again(scripted, points):
    device = Registers(mute={6})
    assert await written(
        scripted, device, [(Address(register=5), 7), (Address(register=9, type="int32"), 8)], points
    ) == [
        quality.BAD_TIMEOUT,
        0,
    ]
    assert device.functions == [6, 16]


async def test_an_answer_that_says_something_else_is_not_success(scripted, points):
    class Liar(Registers):
        def carry_out(self, pdu):
            return pdu[:3] + b"\0\0"

    assert await written(scripted, Liar(), [(Address(register=5), 7)], points) == [quality.BAD_TIMEOUT]


async def test_nothing_is_written_while_the_line_is_down(standing, points):
    with pytest.raises(Retry, match="nothing was sent"):
        await Modbus(standing.config()).write([Write(points(Address(register=1))[0], 1)])


@pytest.mark.card("modbus", "outside_peer")
@pytest.mark.skipif(not shutil.which("mbpoll"), reason="mbpoll is not installed (apt install mbpoll)")
async def test_mbpoll_reads_what_we_wrote(mortal, points):
    orders = [
        (Address(register=10, type="int16"), -77, ["-t", "4", "-r", "10"]),
        (Address(register=12, type="int32"), -99999, ["-t", "4:int", "-B", "-r", "12"]),
        (Address(register=16, type="float32"), 2.5, ["-t", "4:float", "-B", "-r", "16"]),
        (Address(table="coil", register=3), True, ["-t", "0", "-r", "3"]),
    ]
    wanted = points(*(address for address, _, _ in orders))
    link, connector = Recorder(wanted), Modbus(mortal.config())
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, link)
        await link.until(lambda: link.batches)
        values = [Write(point, value) for point, (_, value, _) in zip(wanted, orders, strict=True)]
        assert list(await connector.write(values)) == [0] * 4
        group.cancel_scope.cancel()
    for _, value, how in orders:
        command = ["mbpoll", "-m", "tcp", "-0", "-1", "-p", str(mortal.port), *how, "127.0.0.1"]
        told = (await anyio.run_process(command)).stdout.decode()
        unsigned, signed = re.search(r"^\[\d+\]:\s+(\S+)(?: \((-?\d+)\))?$", told, re.M).groups()
        assert float(value) in {float(unsigned), float(signed or unsigned)}
