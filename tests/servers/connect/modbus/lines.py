"""pymodbus servers of other kinds, as a process of their own: ``python lines.py rtu_tcp PORT`` or ``serial DEVICE``.

Units 1 and 2: holding 0-99 hold their own number plus 1000 times the unit, coils 0-19 are off. Registers can be
written.
"""

from __future__ import annotations

import asyncio
import sys

from pymodbus import FramerType
from pymodbus.server import StartAsyncSerialServer, StartAsyncTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


def device(unit: int) -> SimDevice:
    return SimDevice(
        id=unit,
        simdata=(
            [SimData(0, values=[False] * 32, datatype=DataType.BITS)],
            [SimData(0, values=[False] * 32, datatype=DataType.BITS)],
            [SimData(0, values=[unit * 1000 + i for i in range(100)], datatype=DataType.REGISTERS)],
            [SimData(0, values=list(range(10)), datatype=DataType.REGISTERS)],
        ),
    )


async def main(kind: str, where: str) -> None:
    units = [device(1), device(2)]
    if kind == "serial":
        await StartAsyncSerialServer(units, framer=FramerType.RTU, port=where, baudrate=38400)
    else:
        framer = FramerType.RTU if kind == "rtu_tcp" else FramerType.SOCKET
        await StartAsyncTcpServer(units, framer=framer, address=("127.0.0.1", int(where)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
