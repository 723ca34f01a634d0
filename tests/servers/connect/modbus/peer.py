"""A Modbus device made of pymodbus, as a process of its own: ``python peer.py PORT``.

Unit 1: holding 0-3 a clock (uint64, ms), 4-5 a counter (uint32) that goes up with the clock, 10... values of
every type in every order, input 0-9 and coils 0-19; registers 40 and 41 do not exist. Unit 2: holding 0-9.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import time

from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.server import StartAsyncTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

# 10-33, as they lie on the wire: what MAP in conftest.py says of them
WIRE = (
    struct.pack(">hH", -12, 65535)  # 10, 11
    + struct.pack(">i", -123456)  # 12 ABCD
    + struct.pack(">I", 0xDEADBEEF)[2:]
    + struct.pack(">I", 0xDEADBEEF)[:2]  # 14 CDAB
    + struct.pack(">f", 21.5)  # 16 ABCD
    + struct.pack("<f", -0.125)  # 18 DCBA
    + struct.pack(">d", 3.141592653589793)  # 20 ABCD
    + struct.pack("<q", -(2**53) - 1)  # 24 DCBA
    + b"000123\0\0"  # 28 string
    + struct.pack(">H", 0b1010_0000_0000_1000)  # 32 bits
    + struct.pack(">H", 0x8000)  # 33 not available
)


def registers(data: bytes) -> list[int]:
    return list(struct.unpack(f">{len(data) // 2}H", data))


async def tick(function, start, address, count, current, values):
    """Puts the time and the counter into the registers that are about to be read."""
    if function == 3 and start == 0 and len(current) >= 6:
        now = time.time_ns() // 1_000_000
        current[0:4] = registers(struct.pack(">Q", now))
        current[4:6] = registers(struct.pack(">I", now & 0xFFFFFFFF))


def device() -> SimDevice:
    memory = [*[0] * 10, *registers(WIRE)]
    return SimDevice(
        id=1,
        simdata=(
            [SimData(0, values=[i % 3 == 0 for i in range(20)], datatype=DataType.BITS)],
            [SimData(0, values=[i % 5 == 0 for i in range(20)], datatype=DataType.BITS)],
            [
                SimData(0, values=memory, datatype=DataType.REGISTERS),
                SimData(42, values=[42, 43], datatype=DataType.REGISTERS),
            ],
            [SimData(0, values=list(range(1000, 1010)), datatype=DataType.REGISTERS)],
        ),
        action=tick,
    )


def second() -> SimDevice:
    return SimDevice(id=2, simdata=[SimData(0, values=list(range(2000, 2010)), datatype=DataType.REGISTERS)])


NAME = ModbusDeviceIdentification(
    info_name={"VendorName": "Wash AG", "ProductCode": "W7", "MajorMinorRevision": "2.11"}
)

if __name__ == "__main__":
    where = ("127.0.0.1", int(sys.argv[1]))
    asyncio.run(StartAsyncTcpServer([device(), second()], identity=NAME, address=where))
