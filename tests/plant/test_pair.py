"""Two gateways as programs of their own at one hub: the active one is killed, stopped, frozen and woken."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest
from plant.houses import until
from servers.connect.mqtt.broker import free_port

from weft.bus import NatsBus, NatsServer, after
from weft.model import Kind

pytestmark = pytest.mark.anyio

TICK = 20_000_000
SOURCES = Path(__file__).parent / "ticker"


class Wefts:
    """Programs ``weft up``, and the hub's bus to look at."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.programs = {}
        info = folder / "sources" / "ticker_source-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ticker-source\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[weft.connectors]\nticker = ticker_source:Ticker\n")
        (folder / "secret").write_text("of both")

    def describe(self, name, tables, files=()):
        folder = self.folder / name
        files = {
            "plant.toml": f'[plant]\nname = "P"\nenterprise = "acme"\nsite = "berlin"\n{tables}',
            **dict(files),
        }
        for file, text in files.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def hub(self):
        login = f'password = "file:{self.folder}/secret"\nhome = "hall1"\npair = "hall1"\n'
        tables = f'[bus]\nlisten = "127.0.0.1:{self.port}"\n'
        self.describe("hub", tables + "".join(f"[bus.edges.{name}]\n{login}" for name in ("a", "b")))

    def gateway(self, name):
        edge = f'[edge]\nname = "{name}"\npair = "hall1"\nhub = "nats://127.0.0.1:{self.port}"\n'
        files = {
            "connections/source.toml": 'edge = "hall1"\n[ticker]\n',
            "assets/hall.toml": f'["hall1/mill"]\nconnection = "source"\n["hall1/mill".signals.tick]\n'
            f'["hall1/mill".signals.only-{name}]\n',
        }
        self.describe(name, f'{edge}password = "file:{self.folder}/secret"\n', files)

    def start(self, name):
        command = [sys.executable, "-m", "weft.cli", "up", "--plant", str(self.folder / name), "--port", "0"]
        paths = [str(SOURCES), str(self.folder / "sources"), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": ":".join(filter(None, paths))}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.programs[name] = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=log, env=environment
            )

    def signal(self, name, sign):
        os.kill(self.programs[name].pid, sign)

    def end(self):
        for name, program in self.programs.items():
            if program.poll() is None:
                self.signal(name, signal.SIGCONT)
                program.terminate()
        for program in self.programs.values():
            program.wait(20)


async def read(bus, pattern, into):
    async with bus.subscribe(pattern, start=after(0)) as subscription:
        while True:
            into += await subscription.next(256)


class Seen:
    """What the hub has got."""

    def __init__(self):
        self.samples = []
        self.events = []

    def of(self, name):
        return [m for m in self.samples if m.id.startswith(f"{name}/source:")]

    def roles(self):
        found = [m.body for m in self.events if m.body.kind == Kind.ROLE]
        return [(e.source, e.data["role"]) for e in found]

    def gaps(self):
        found = [m.body for m in self.events if m.body.kind == Kind.DATA_GAP and m.body.source == "hall1"]
        return [(e.data["first"], e.data["last"]) for e in found]

    def ticks(self, handle, name=""):
        found = []
        for message in self.of(name) if name else self.samples:
            batch = message.body
            rows = (batch.signal == handle) & (batch.type != 0)
            found += (batch.time[rows] // TICK).tolist()
        return found


@pytest.mark.anyio
async def test_killed_stopped_and_frozen_nothing_is_doubled_and_no_hole_is_silent(tmp_path, capsys):
    wefts, seen = Wefts(tmp_path), Seen()
    wefts.hub()
    for name in ("a", "b"):
        wefts.gateway(name)
    took = []

    async def taken_over(by, begun):
        before = len(seen.of(by))
        await until(lambda: len(seen.of(by)) > before + 20, 15)
        first = seen.of(by)[before].time / 1e9
        took.append(first - begun)

    try:
        wefts.start("hub")
        await until((tmp_path / "hub/.weft/bus/login.json").exists, 20)
        async with NatsBus.connect(NatsServer(tmp_path / "hub/.weft/bus").address, timeout=20) as bus:
            with anyio.fail_after(100):
                await until(lambda: bus.is_up)
                async with anyio.create_task_group() as group:
                    while len(await bus.streams()) < 2:  # noqa: ASYNC110  # the hub is starting
                        await anyio.sleep(0.05)
                    group.start_soon(read, bus, "uns.v1.>", seen.samples)
                    group.start_soon(read, bus, "events.v1.>", seen.events)
                    wefts.start("a")
                    await until(lambda: len(seen.of("a")) > 50, 20)
                    wefts.start("b")
                    await until(lambda: ("b", "standby") in seen.roles(), 20)
                    wefts.signal("a", signal.SIGKILL)
                    wefts.programs["a"].wait()
                    await taken_over("b", time.time())
                    wefts.start("a")
                    await until(lambda: seen.roles().count(("a", "standby")) == 1, 20)
                    wefts.signal("b", signal.SIGSTOP)
                    await taken_over("a", time.time())
                    wefts.signal("b", signal.SIGCONT)
                    await until(lambda: seen.roles().count(("b", "standby")) == 2, 20)
                    wefts.programs["a"].terminate()
                    await taken_over("b", time.time())
                    await anyio.sleep(0.5)
                    group.cancel_scope.cancel()
    finally:
        wefts.end()
    table = (tmp_path / "hub/.weft/handles.tsv").read_text().splitlines()
    handle = next(int(line.split("\t")[0]) for line in table if line.endswith("/mill/tick"))
    ticks = seen.ticks(handle)
    assert len(ticks) == len(set(ticks)), "0 doubled"
    everything = set(range(min(ticks), max(ticks) + 1))
    missing = sorted(everything - set(ticks))
    silent = [t for t in missing if not any(f - TICK <= t * TICK <= last + TICK for f, last in seen.gaps())]
    assert silent == [], "every hole is told"
    assert ticks == sorted(ticks), "in order"
    with capsys.disabled():
        print(
            f"\n  {len(ticks)} values, 0 doubled, in order; {len(missing)} missing, all in {len(seen.gaps())} told gaps"
        )
        print("  takeover after kill, freeze, stop: " + ", ".join(f"{seconds:.2f} s" for seconds in took))
    assert all(seconds < 10 for seconds in took)
