"""PROFINET discovery over a real, virtual cable: our question, a station's answer, tshark's reading of both."""

import json
import os
import shutil
import socket
import struct
import subprocess
import threading

import anyio
import judge
import pytest

from weft.onboard.dcp import identify_all

pytestmark = pytest.mark.anyio

STATION = bytes.fromhex("001b1baabbcc")


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True)


@pytest.fixture
def cable():
    """Two interfaces, joined."""
    if not shutil.which("ip") or os.geteuid() != 0:
        pytest.skip("a virtual cable needs root and Debian's iproute2")
    ends = (f"wfta{os.getpid() % 9999}", f"wftb{os.getpid() % 9999}")
    done = ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
    if done.returncode:
        pytest.skip(f"no virtual cable here: {done.stderr.strip()}")
    for end in ends:
        ip("link", "set", end, "up")
    yield ends
    ip("link", "del", ends[0])


def station(end, asked):
    """Answers one question the way IEC 61158-6-10 says."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x8892)) as raw:
        raw.bind((end, 0))
        raw.settimeout(10)
        asked.ready.set()
        while True:
            frame = raw.recv(2048)
            if frame[14:16] == b"\xfe\xfe":
                break
        asked.frame = frame
        xid = frame[18:22]
        name = b"press-7"
        blocks = struct.pack("!BBHH", 2, 2, len(name) + 2, 0) + name + b"\0"
        blocks += struct.pack(
            "!BBHH4s4s4s", 1, 2, 14, 1, bytes([10, 1, 2, 3]), bytes([255, 0, 0, 0]), bytes(4)
        )
        answer = frame[6:12] + STATION + b"\x88\x92" + b"\xfe\xff\x05\x01" + xid + b"\0\0"
        answer += struct.pack("!H", len(blocks)) + blocks
        asked.answer = answer.ljust(60, b"\0")
        raw.send(asked.answer)


class Asked:
    def __init__(self):
        self.ready = threading.Event()
        self.frame = self.answer = b""


async def test_a_station_answers(cable, tmp_path):
    asked = Asked()
    thread = threading.Thread(target=station, args=(cable[1], asked))
    thread.start()
    await anyio.to_thread.run_sync(asked.ready.wait)
    with anyio.fail_after(20):
        (found,) = await identify_all(cable[0], 1.0)
    thread.join()
    assert (found.mac, found.name, found.address) == ("00:1b:1b:aa:bb:cc", "press-7", "10.1.2.3")
    if judge.PROGRAM:
        question, answer = judge.read([asked.frame, asked.answer], tmp_path / "dcp.pcap")
        assert question["pn_dcp"]["pn_dcp.service_id"] == "5"
        assert "10.1.2.3" in json.dumps(answer["pn_dcp"])
