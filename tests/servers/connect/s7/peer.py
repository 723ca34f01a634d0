"""An S7 controller made of python-snap7's server, as a process of its own: ``python peer.py PORT``.

DB1: 256 bytes with one value of every type (see MEMORY); DB2: 20 bytes, DB3: 2000 bytes counting up; flags, inputs and
outputs: 64 bytes each. Every 20 ms the counter at DB1.DBD248 goes up.
"""

from __future__ import annotations

import logging
import struct
import sys
import time

from snap7.server import Server
from snap7.type import SrvArea

logging.disable(logging.CRITICAL)


def place(memory: bytearray, offset: int, data: bytes) -> None:
    memory[offset : offset + len(data)] = data


def fill(db: bytearray) -> None:
    place(db, 0, bytes([0b1000_1010]))
    place(db, 1, b"\xfe")  # SINT -2
    place(db, 2, struct.pack(">hHiI", -12, 65535, -123456, 0xDEADBEEF))  # 2, 4, 6, 10
    place(db, 14, struct.pack(">fd", 21.5, 3.141592653589793))  # 14, 18
    place(db, 26, struct.pack(">qQ", -(2**53) - 1, 2**63 + 5))  # 26, 34
    place(db, 42, bytes((10, 6)) + b"000123")  # STRING[10]
    place(db, 54, struct.pack(">HH", 8, 4) + "Größ".encode("utf-16-be"))  # WSTRING[8]
    place(db, 74, bytes((0x24, 0x02, 0x29, 0x13, 0x45, 0x59, 0x12, 0x35)))  # DATE_AND_TIME
    place(db, 82, struct.pack(">HBBBBBBI", 2024, 2, 29, 5, 13, 45, 59, 123456700))  # DTL
    place(db, 94, struct.pack(">i", -90000))  # TIME
    place(db, 98, struct.pack(">5h", 1, -2, 3, -4, 5))  # ARRAY of INT
    place(db, 108, bytes((0x21, 0x23)))  # S5TIME 123 s
    place(db, 110, struct.pack(">H", 12478))  # DATE


class Controller(Server):
    """The library's server writes 0 or 1 into the whole byte when one bit is asked for; a controller does not."""

    def _parse_address_specification(self, spec: bytes) -> dict:
        return super()._parse_address_specification(spec) | {"bit": spec[11] & 7 if len(spec) > 11 else 0}

    def _handle_write_area(self, request: dict, client_address: tuple) -> bytes:
        place = request.get("parameters", {}).get("address_spec", {})
        if place.get("word_len") == 1:
            area = self.memory_areas[(place["area"], place["db_number"])]
            on, mask = request["data"]["data"][0] & 1, 1 << place["bit"]
            byte = area[place["start"]]
            request["data"]["data"] = bytes([byte | mask if on else byte & ~mask])
        return super()._handle_write_area(request, client_address)


def main(port: int) -> None:
    server = Controller(log=False)
    db1, db2, db3 = bytearray(256), bytearray(range(20)), bytearray(i & 255 for i in range(2000))
    fill(db1)
    for number, memory in ((1, db1), (2, db2), (3, db3)):
        server.register_area(SrvArea.DB, number, memory)
    for area in (SrvArea.MK, SrvArea.PE, SrvArea.PA):
        server.register_area(area, 0, bytearray(range(64)))
    server.start_to("127.0.0.1", port)
    count = 0
    while True:
        time.sleep(0.02)
        count += 1
        place(db1, 248, struct.pack(">I", count))


if __name__ == "__main__":
    main(int(sys.argv[1]))
