"""S7 and EtherNet/IP: our frames, and the values in them, as tshark reads them."""

import struct

import anyio
import judge
import pytest
from servers.connect.ethernetip.conftest import Peer as Logix
from servers.connect.s7.conftest import Peer as S7Peer

from weft.connect import Point, Recorder, Write
from weft.connect.ethernetip import Address as TagAddress
from weft.connect.ethernetip import Config as LogixConfig
from weft.connect.ethernetip import EtherNetIp
from weft.connect.s7 import S7, Address, Config

pytestmark = pytest.mark.anyio
# Where a value lies, and how its bytes are read without any code of ours.
PLACES = [
    (Address(at="DB1.DBB1", type="SINT"), "b"),
    (Address(at="DB1.DBW2", type="INT"), ">h"),
    (Address(at="DB1.DBD10"), ">I"),
    (Address(at="DB1.DBD14", type="REAL"), ">f"),
    (Address(at="DB1.DBB18", type="LREAL"), ">d"),
    (Address(at="DB1.DBL26", type="LINT"), ">q"),
    (Address(at="DB3.DBW1200"), ">H"),
    (Address(at="MW12"), ">H"),
    (Address(at="IB5"), "B"),
    (Address(at="QB7"), "B"),
]


async def once(connector, link, write):
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(connector.run, link)
            await link.until(lambda: link.batches)
            await connector.write([write])
            group.cancel_scope.cancel()
    return {row.signal: row.value for row in link.batches[0]}


async def test_variables_of_an_s7(tmp_path):
    link = Recorder([Point(i, f"s{i}", address) for i, (address, _) in enumerate(PLACES)])
    write = Write(Point(99, "w", Address(at="DB1.DBW240", type="INT")), -7)
    peer = S7Peer()
    peer.start()
    try:
        async with judge.recording(peer.port, 102) as proxy:
            config = Config(host="127.0.0.1", port=proxy.port, interval=0.05, timeout=3.0)
            ours = await once(S7(config), link, write)
    finally:
        peer.kill()
    memory, written = s7_memory(proxy.judged(tmp_path))
    for i, (address, form) in enumerate(PLACES):
        place = address.place
        raw = bytes(memory[place.area, place.db, place.offset + n] for n in range(struct.calcsize(form)))
        assert ours[i] == struct.unpack(form, raw)[0], address
    assert written == [(1, 240, "ff:f9")]


def s7_memory(layers):
    """(area, block, byte) -> byte as tshark reads the answers; and (block, byte, content) of what was written."""
    asked, memory, written = {}, {}, []
    for frame in layers:
        s7 = frame.get("s7comm")
        if s7 is None:
            continue
        number, kind = s7["s7comm.header"]["s7comm.header.pduref"], judge.values(s7, "s7comm.header.rosctr")
        function = judge.values(s7, "s7comm.param.func")
        items = list(
            zip(
                *(judge.values(s7, f"s7comm.param.item.{field}") for field in ("area", "db", "address.byte")),
                strict=True,
            )
        )
        content = judge.values(s7, "s7comm.resp.data")
        if kind == ["1"] and function == ["0x04"]:
            asked[number] = items
        elif kind == ["1"] and function == ["0x05"]:
            written += [
                (int(db), int(byte), data) for (_, db, byte), data in zip(items, content, strict=True)
            ]
        elif function == ["0x04"]:
            assert set(judge.values(s7, "s7comm.data.returncode")) == {"0xff"}
            for (area, db, byte), data in zip(asked[number], content, strict=True):
                for n, octet in enumerate(bytes.fromhex(data.replace(":", ""))):
                    memory[int(area, 16), int(db), int(byte) + n] = octet
    return memory, written


# CIP's elementary types by their code (CIP volume 1, appendix C).
CIP = {0xC1: "?", 0xC2: "<b", 0xC3: "<h", 0xC4: "<i", 0xC5: "<q", 0xCA: "<f", 0xCB: "<d"}
TAGS = ["Running", "Small", "Count", "Total", "Temperature", "Precise", "Drive.Speed"]


async def test_tags_of_a_logix_controller(tmp_path):
    wanted = [*TAGS, "Recipe"]
    addresses = [*(TagAddress(tag=tag) for tag in wanted), TagAddress(class_id=4, instance=100, attribute=3)]
    link = Recorder([Point(i, f"s{i}", address) for i, address in enumerate(addresses)])
    peer = Logix()
    peer.start()
    try:
        async with judge.recording(peer.port, 44818) as proxy:
            config = LogixConfig(host="127.0.0.1", port=proxy.port, interval=0.05, timeout=3.0)
            write = Write(Point(99, "w", TagAddress(tag="Level")), -7)
            ours = await once(EtherNetIp(config), link, write)
    finally:
        peer.kill()
    layers = proxy.judged(tmp_path)
    assert all(status == "0x00000000" for status in judge.values(layers, "enip.status"))
    assert set(judge.values(layers, "cip.genstat")) == {"0x00"}
    answers = cip_answers(layers)
    for i, tag in enumerate(TAGS):
        raw = answers[tag]
        assert ours[i] == struct.unpack(CIP[raw[0]], raw[2:])[0], tag
    assert ours[7].encode() in answers["Recipe"]
    assert ours[8].hex(":") in judge.values(layers, "cip.data")
    assert "c3:00:01:00:f9:ff" in judge.values(layers, "cip.data")


def cip_answers(layers):
    """Tag -> type and content, of the answers that name a tag and are whole."""
    found, names = {}, []
    for frame in layers:
        if not judge.values(frame, "cip.genstat"):
            continue
        for key, value in judge.walk(frame.get("cip", {})):
            if key == "cip.service":
                names = []
            elif key == "cip.symbol":
                names += value if isinstance(value, list) else [value]
            elif key == "cip.data" and names:
                found[".".join(names)] = bytes.fromhex(value.replace(":", ""))
                names = []
    return found
