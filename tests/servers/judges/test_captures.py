"""Recorded traffic of real machines through our decoders, compared with what tshark reads in the same frames.

Modbus has its own test, against readings that were kept (tests/unit/connect/modbus/test_captures.py).
"""

import judge
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary

from weft.connect.s7 import pdu
from weft.connect.s7.pdu import BadPdu, Item, RequestError
from weft.onboard import dcp
from weft.ua.guard import FAULTS
from weft.ua.variant import Reader

# Of each capture: answers to reads, values in them that were compared, and answers to writes.
S7 = {
    "s7comm_varservice_libnodavedemo.pcap": (3, 3, 4),
    "snap7_s300_everything.pcapng": (2, 6, 2),
    "wincc_s400_production.pcapng": (84, 84, 27),
    "step7_s300_rwVarTab.pcapng": (0, 0, 0),
    "s7comm_reading_plc_status.pcap": (0, 0, 0),
    "S7-1511_db2_var1_HMI.pcap": (0, 0, 0),
}


def payload(layers):
    return bytes.fromhex("".join(judge.values(layers.get("tcp", {}), "tcp.payload")).replace(":", ""))


def packets(data):
    """The S7 PDUs of a segment: out of TPKT (RFC 1006) and COTP."""
    while len(data) > 7 and data[0] == 3:
        size = int.from_bytes(data[2:4], "big")
        head = 5 + data[4]
        if data[5] == 0xF0 and size > head:
            yield data[head:size]
        data = data[size:] if size else b""


@pytest.mark.parametrize("name", S7)
def test_an_s7_capture(reference, name):
    frames = judge.dissected(reference / "machines" / "pcaps" / "s7" / name)
    asked, reads, values, writes = {}, 0, 0, 0
    for frame in frames:
        told = frame.get("s7comm")
        for data in packets(payload(frame)):
            if not isinstance(told, dict) or judge.values(told, "s7comm.header.rosctr") != ["3"]:
                remember(told, asked)
                refused(data)
                continue
            number = int(judge.values(told, "s7comm.header.pduref")[0])
            function, codes = (
                judge.values(told, "s7comm.param.func"),
                judge.values(told, "s7comm.data.returncode"),
            )
            if function == ["0x04"]:
                reads += 1
                values += compared(data, number, asked.pop(number, None), told)
            elif function == ["0x05"]:
                writes += 1
                assert pdu.writes(data, number, len(codes)) == [int(code, 16) for code in codes]
    assert (reads, values, writes) == S7[name]


def remember(told, asked):
    """The items of a question, as tshark reads them."""
    if not isinstance(told, dict) or judge.values(told, "s7comm.param.func") != ["0x04"]:
        return
    sizes = {"1": 1, "2": 1, "4": 2, "6": 4, "8": 4, "5": 2, "7": 4, "3": 1, "28": 2, "29": 2}
    kinds = judge.values(told, "s7comm.param.item.transp_size")
    counts = judge.values(told, "s7comm.param.item.length")
    number = int(judge.values(told, "s7comm.header.pduref")[0])
    asked.pop(number, None)  # numbers are used again
    if judge.values(told, "s7comm.param.itemcount") != [str(len(counts))]:
        return  # some are addressed in a way of their own, which says no size
    asked[number] = [
        Item(0x84, 0, 0, int(count) * sizes.get(kind, 1)) for kind, count in zip(kinds, counts, strict=True)
    ]


def compared(data, number, items, told):
    """How many contents our reading and tshark's agree on. Of a question in a form of its own (WinCC's, several areas
    in one item) the sizes are taken from tshark."""
    codes = [int(code, 16) for code in judge.values(told, "s7comm.data.returncode")]
    contents = [bytes.fromhex(text.replace(":", "")) for text in judge.values(told, "s7comm.resp.data")]
    if items is None:
        sizes = iter(contents)
        items = [Item(0x84, 0, 0, len(next(sizes)) if code == pdu.DONE else 1) for code in codes]
    found = pdu.reads(data, number, items)
    assert [one for one in found if isinstance(one, bytes)] == contents
    assert [pdu.DONE if isinstance(one, bytes) else one for one in found] == codes
    return len(contents)


def refused(data):
    """What is no answer to a read is called that and nothing else."""
    for number in (1, int.from_bytes(data[4:6], "big")):
        with pytest.raises((BadPdu, RequestError)):
            pdu.reads(data, number, [Item(0x84, 1, 0, 1)])


def test_an_opc_ua_capture(reference):
    """Two sessions with method calls, one of them malformed: the type of each message, and a refusal."""
    path = reference / "machines" / "pcaps" / "opc-ua" / "opc-ua-ap-method-wireshark-freeze.pcap"
    types = 0
    for frame in judge.dissected(path, "-d", "tcp.port==12001,opcua"):
        joined = "".join(judge.values(frame, "tcp.reassembled.data")).replace(":", "")
        data = bytes.fromhex(joined) or payload(frame)
        theirs = judge.values(frame.get("opcua", {}), "opcua.servicenodeid.numeric")
        if data[:3] != b"MSG" or not (theirs or judge.faults(frame)):
            continue
        if judge.faults(frame):
            with pytest.raises(FAULTS):
                struct_from_binary(ua.CallRequest, Buffer(data[28:]))
            continue
        assert Reader(data, 24).node() == f"i={theirs[0]}"
        types += 1
    assert types == 13


@pytest.mark.parametrize("name", ["ChangeIPUsingDCP.pcap", "PROFINET-RT.pcap"])
def test_a_profinet_capture(reference, name):
    """Answers to Identify are stations with tshark's name and address; nothing else is taken for one."""
    path = reference / "machines" / "pcaps" / "other" / name
    for layers, frame in zip(judge.dissected(path), judge.frames_of(path.read_bytes()), strict=True):
        found = layers.get("pn_dcp", {})
        [xid] = judge.values(found, "pn_dcp.xid") or ["0"]
        station = dcp.response(frame, int(xid, 16))
        identify = judge.values(found, "pn_dcp.service_id") == ["5"] and judge.values(
            found, "pn_dcp.service_type"
        ) == ["1"]
        assert (station is not None) == identify
        if station is not None:
            assert station.name == "".join(judge.values(found, "pn_dcp.suboption_device_nameofstation"))
