"""PROFINET devices of the local segment: Identify-All of the Discovery and Configuration Protocol (IEC 61158-6-10,
4.3). Frames only; nothing is ever set."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from typing import Final

import anyio
import anyio.to_thread
import msgspec

from weft.runtime import Denied

__all__ = ["Station", "identify_all", "request", "response"]

ETHERTYPE: Final = 0x8892
MULTICAST: Final = bytes.fromhex("010ecf000000")
IDENTIFY_REQUEST: Final = 0xFEFE
IDENTIFY_RESPONSE: Final = 0xFEFF
_ETHERNET: Final = struct.Struct("!6s6sH")
_DCP: Final = struct.Struct("!HBBIHH")  # frame, service, type, xid, delay or reserved, length
_BLOCK: Final = struct.Struct("!BBH")
_ROLES: Final = {1: "IO device", 2: "IO controller", 4: "multi-device", 8: "supervisor"}


class Station(msgspec.Struct, frozen=True, kw_only=True):
    """A device that answered."""

    mac: str
    name: str = ""
    vendor: str = ""
    vendor_id: int = 0
    device_id: int = 0
    role: str = ""
    address: str = ""


def request(source: bytes, xid: int) -> bytes:
    """The frame to all: who are you? ``source`` is our MAC address (6 bytes)."""
    block = _BLOCK.pack(0xFF, 0xFF, 0)  # all selector
    dcp = _DCP.pack(IDENTIFY_REQUEST, 5, 0, xid, 1, len(block)) + block
    return (_ETHERNET.pack(MULTICAST, source, ETHERTYPE) + dcp).ljust(60, b"\0")


def response(frame: bytes, xid: int) -> Station | None:
    """The station of an answer to ``xid``; None for any other frame, and for one that is cut."""
    if len(frame) < _ETHERNET.size + _DCP.size:
        return None
    _, source, kind = _ETHERNET.unpack_from(frame)
    number, service, type_, theirs, _, length = _DCP.unpack_from(frame, _ETHERNET.size)
    if (kind, number, service, type_, theirs) != (ETHERTYPE, IDENTIFY_RESPONSE, 5, 1, xid):
        return None
    start = _ETHERNET.size + _DCP.size
    told: dict[str, object] = {}
    for option, suboption, data in _blocks(frame[start : start + length]):
        told |= _meaning(option, suboption, data)
    return msgspec.convert({"mac": source.hex(":"), **told}, Station)


def _blocks(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(option, suboption, data after the block's info)."""
    at = 0
    while at + _BLOCK.size + 2 <= len(data):
        option, suboption, size = _BLOCK.unpack_from(data, at)
        body = data[at + _BLOCK.size : at + _BLOCK.size + size]
        if len(body) < size or size < 2:
            return
        yield option, suboption, body[2:]
        at += _BLOCK.size + size + (size & 1)


def _meaning(option: int, suboption: int, data: bytes) -> dict[str, object]:
    match option, suboption:
        case 1, 2 if len(data) >= 4:
            return {"address": str(ipaddress.IPv4Address(data[:4]))}
        case 2, 1:
            return {"vendor": _text(data)}
        case 2, 2:
            return {"name": _text(data)}
        case 2, 3 if len(data) >= 4:
            return {
                "vendor_id": int.from_bytes(data[:2], "big"),
                "device_id": int.from_bytes(data[2:4], "big"),
            }
        case 2, 4 if data:
            return {"role": ", ".join(word for bit, word in _ROLES.items() if data[0] & bit)}
    return {}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").rstrip("\0 ")


async def identify_all(interface: str, seconds: float) -> list[Station]:
    """Asks the segment of ``interface``. Raises Denied without the right to raw frames, OSError for an interface
    that is not there."""
    return await anyio.to_thread.run_sync(_identify, interface, seconds)


def _identify(interface: str, seconds: float) -> list[Station]:
    xid = int.from_bytes(struct.pack("!f", seconds)) ^ 0x57454654
    try:
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
    except (PermissionError, AttributeError) as error:
        raise Denied(
            "PROFINET devices are asked with raw Ethernet frames, which this user may not send.",
            remedy="Run it as root, or give Python the capability CAP_NET_RAW.",
        ) from error
    found: dict[str, Station] = {}
    with raw:
        raw.bind((interface, 0))
        raw.settimeout(0.1)
        raw.send(request(raw.getsockname()[4][:6], xid))
        for frame in _frames(raw, seconds):
            station = response(frame, xid)
            if station is not None:
                found[station.mac] = station
    return list(found.values())


def _frames(raw: socket.socket, seconds: float) -> Iterator[bytes]:
    for _ in range(max(int(seconds / 0.1), 1)):
        try:
            while True:
                yield raw.recv(2048)
        except TimeoutError:
            continue
