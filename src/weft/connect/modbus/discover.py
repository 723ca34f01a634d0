"""Whether a Modbus device answers: its identification (FC 43/14, Modbus Application Protocol V1.1b3, 6.21), else any
reply that only Modbus gives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from anyio.abc import SocketStream

from weft.connect.api import Place, Scope
from weft.connect.modbus.frames import BadFrame, identification, identify, read
from weft.connect.probing import dial, everywhere, exactly

__all__ = ["discover"]

PORTS: Final = (502,)
UNITS: Final = (1, 255, 0)
HEADER: Final = 7
MARKERS: Final = (40000, 0, 50000)  # where SunSpec's marker may stand
SUNSPEC: Final = b"SunS"
HOLDING: Final = 3


async def discover(scope: Scope) -> AsyncIterator[Place]:
    for place in await everywhere(scope.hosts, scope.ports or PORTS, _ask, seconds=scope.seconds):
        yield place


async def _ask(host: str, port: int) -> list[Place]:
    async with dial(host, port) as stream:
        unit, pdu = await _first(stream)
        if pdu is None:
            return []
        title = _title(pdu)
        sunspec = await _sunspec(stream, unit)
    config = {"host": host, "port": port, "unit": unit}
    how = "device identification" if title else "a Modbus reply"
    return [
        Place(
            protocol="modbus",
            address=f"modbus://{host}:{port}",
            config=config,
            title=" ".join(filter(None, [title, "(SunSpec)" if sunspec else ""])),
            how=how,
        )
    ]


async def _first(stream: SocketStream) -> tuple[int, bytes | None]:
    """The unit that identifies itself, or understands the question and does not offer it; else unit 1."""
    pdu: bytes | None = None
    for unit in UNITS:
        pdu = await _exchange(stream, unit, identify())
        if pdu is None or not pdu[0] & 0x80 or pdu[1] in {1, 2, 3}:
            return unit, pdu
    return UNITS[0], pdu


async def _exchange(stream: SocketStream, unit: int, pdu: bytes) -> bytes | None:
    """The reply's PDU; None when what comes is no Modbus."""
    await stream.send(b"\x57\x01\x00\x00" + (len(pdu) + 1).to_bytes(2, "big") + bytes([unit]) + pdu)
    header = await exactly(stream, HEADER)
    size = int.from_bytes(header[4:6], "big") - 1
    if header[:4] != b"\x57\x01\x00\x00" or not 2 <= size <= 253:
        return None
    reply = await exactly(stream, size)
    return reply if reply[0] & 0x7F == pdu[0] else None


def _title(pdu: bytes) -> str:
    if pdu[0] & 0x80:
        return ""
    try:
        objects, _ = identification(pdu)
    except BadFrame:
        return ""
    return " ".join(text for number, text in sorted(objects.items()) if number < 3 and text)


async def _sunspec(stream: SocketStream, unit: int) -> bool:
    for register in MARKERS:
        reply = await _exchange(stream, unit, read(HOLDING, register, 2))
        if reply is None:
            return False
        if not reply[0] & 0x80 and reply[2:6] == SUNSPEC:
            return True
    return False
