"""The connector in a process that is killed: what it is given it writes down, with fsync, and only then says so.
argv: endpoint, file of samples, file of what the line remembers, number of counters, node prefix."""

import os
import pathlib
import sys

import anyio

from weft.connect import Line, Point
from weft.connect.opcua import Address, Config, OpcUa
from weft.model import Flag, quality
from weft.runtime import SystemClock

MADE_UP = Flag.SYNTHETIC | Flag.REPEATED


def main(endpoint, kept, memory, counters, prefix):
    newest = {}
    if pathlib.Path(kept).exists():
        for line in pathlib.Path(kept).read_text().splitlines():
            signal, time, *_, status, flags = line.split()
            if int(status) < quality.UNCERTAIN and not int(flags) & MADE_UP:
                newest[int(signal)] = max(newest.get(int(signal), 0), int(time))
    with pathlib.Path(kept).open("a", encoding="utf-8") as file:

        def forward(batch, stored):
            for row in batch:
                print(row.signal, row.time, row.value, row.status, row.flags, file=file)
            file.flush()
            os.fsync(file.fileno())
            if stored is not None:
                stored()

        def tell(event):
            if event.kind == "weft.data.gap":
                print("gap", file=sys.stderr, flush=True)

        config = Config(endpoint=endpoint, security="none", publishing_interval=0.05, sampling_interval=0.0)
        points = [Point(i, f"p/{i}", Address(node=f"{prefix}counter{i}")) for i in range(int(counters))]
        line = Line(
            "victim",
            OpcUa(config),
            points,
            clock=SystemClock(),
            forward=forward,
            tell=tell,
            measured=lambda: newest,
            memory=pathlib.Path(memory),
        )
        anyio.run(line.run)


if __name__ == "__main__":
    main(*sys.argv[1:])
