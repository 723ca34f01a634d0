"""Modbus: frames on TCP and on a serial line, answers to questions, registers to values."""

from __future__ import annotations

import contextlib

import numpy as np
from fuzz.target import Target, pieces

from weft.connect.modbus import Address, Config, rtu
from weft.connect.modbus.frames import (
    READ,
    BadFrame,
    DeviceError,
    Frame,
    Splitter,
    encode,
    identification,
    payload,
    read,
    write_coils,
    write_register,
    write_registers,
    written,
)
from weft.connect.modbus.layout import Layout
from weft.connect.modbus.plan import Span, plan

KINDS = ("uint16", "int16", "float32", "uint32", "int64", "float64", "bool", "string")


def _blocks() -> dict[int, tuple[object, Layout]]:
    """For each function a block of values of every kind."""
    made: dict[int, tuple[object, Layout]] = {}
    for table, function in READ.items():
        bits = function < 3
        kinds = ("bool",) * 13 if bits else KINDS
        addresses, at = [], 0
        for kind in kinds:
            more = {"length": 3} if kind == "string" else {}
            addresses.append(Address(table=table, register=at, type=kind, **more))
            at += addresses[-1].place(1).count
        places = [address.place(1) for address in addresses]
        spans = [Span(1, table, p.register, p.register + p.count, i) for i, p in enumerate(places)]
        [block] = plan(spans, Config(host="device"))
        made[function] = (block, Layout([block], places))
    return made


BLOCKS = _blocks()
WRITES = (write_register(1, b"\0\7"), write_registers(1, b"\0\1\0\2"), write_coils(3, [True, False]))


def _tcp_seeds() -> list[bytes]:
    answers = []
    for function, (block, _) in BLOCKS.items():
        count = block.count  # type: ignore[attr-defined]
        size = (count + 7) // 8 if function < 3 else count * 2
        answers.append(bytes((function, size)) + bytes(range(size)))
    objects = b"\0\4weft\1\3x-7\2\0031.0"
    answers += [
        b"\x2b\x0e\1\1\0\0\3" + objects,
        b"\x83\2",
        b"\x82\x0b",
        WRITES[0],
        WRITES[1][:5],
        WRITES[2][:5],
    ]
    seeds = [b"\0" + encode(Frame(1, 1, answer)) for answer in answers]
    return [*seeds, b"\5" + b"".join(seed[1:] for seed in seeds)]


def _tcp_run(data: bytes) -> None:
    """Frames however they are cut, each as the answer to every question."""
    splitter = Splitter()
    try:
        frames = [frame for piece in pieces(data) for frame in splitter.feed(piece)]
    except BadFrame:
        return
    for frame in frames:
        assert Splitter().feed(encode(frame)) == [frame]
        for function, (block, layout) in BLOCKS.items():
            with contextlib.suppress(BadFrame, DeviceError):
                found = payload(frame.pdu, function, block.count)  # type: ignore[attr-defined]
                layout.store(block, block, found)  # type: ignore[arg-type]
                assert len(layout.decode().bits) == len(layout)
        for request in WRITES:
            with contextlib.suppress(BadFrame, DeviceError):
                written(frame.pdu, request)
        with contextlib.suppress(BadFrame, DeviceError):
            identification(frame.pdu)


def _rtu_seeds() -> list[bytes]:
    answers = [
        b"\3\4abcd",
        b"\x81\2",
        b"\2\1\5",
        *WRITES,
        b"\x16" + bytes(6),
        b"\x2b\x0e\1\1\0\0\1\0\1x",
        bytes((9, 9)),
    ]
    frames = [rtu.encode(7, answer) for answer in answers]
    seeds = [bytes((cut,)) + frame for frame in frames for cut in (0, 1)]
    return [*seeds, b"\3" + frames[0] + frames[1], b"\1" + frames[7][:-1] + bytes(200)]


def _rtu_run(data: bytes) -> None:
    """What is cut off so that its checksum cannot fit gets one that does: else nothing but noise would be tried."""
    if len(data) > 4 and data[0] & 0x80:
        data = data[:1] + data[1:] + rtu.crc(data[1:]).to_bytes(2, "little")
    collector = rtu.Collector()
    for piece in pieces(data):
        try:
            found = collector.feed(piece)
            while found is not None:
                unit, pdu = found
                assert rtu.encode(unit, pdu)[-2:]
                for request in (read(3, 0, 2), read(1, 0, 5), *WRITES):
                    rtu.answers(request, pdu)
                found = collector.feed(b"")
        except ValueError:
            return
        assert len(collector.bytes) <= rtu.MOST


np.seterr(all="ignore")  # as the connector does not mind what a register holds
tcp = Target(_tcp_run, _tcp_seeds)
rtu_line = Target(_rtu_run, _rtu_seeds)
