"""Everything that a campaign lets fail: field servers, brokers, a gateway, and proxies between them."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import sys
import time
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
from faults import Proxy
from plant.houses import until
from soak import plant
from soak.child import Child, answers, port_of_our_own
from soak.ledger import read
from soak.recorder import Recorder

from weft.runtime.settings import state_dir
from weft.web import Access

__all__ = ["World", "living"]

HERE = pathlib.Path(__file__).parent
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/opt/homebrew/sbin")
TICK = 0.02
BROKER = (
    "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {folder}/\n"
    "max_queued_messages 1000000\nmax_inflight_messages 1000\nqueue_qos0_messages true\nuser root\n"
)


EDGE = "gateway-1"
HUB = """
[bus]
listen = "127.0.0.1:{hub}"
[bus.edges.gateway-1]
password = "env:SOAK_PASSWORD"
home = "hall"
"""
LEAF = """
[edge]
name = "gateway-1"
hub = "nats://127.0.0.1:{hub}"
password = "env:SOAK_PASSWORD"
"""


class World:
    """``children``: opcua, modbus, publisher, near, far, gateway; ``proxies``: opcua, modbus, mqtt, far. With ``hub``
    the gateway is a hub that runs the destinations, and a child leaf behind a proxy hub runs the connections.
    ``state`` is where the gateway's lies, ``env`` what it is started with."""

    def __init__(self, folder, *, state=None, env=None, hub=False):
        self.folder, self.hub = folder, hub
        self.ports = {name: port_of_our_own() for name in ("opcua", "modbus", "near", "far", "hub")}
        self.plants = {name: folder / name for name in (("gateway", "leaf") if hub else ("gateway",))}
        self.states = {name: state_dir(plant) for name, plant in self.plants.items()}
        if state:
            self.states["gateway"] = state
        self.children = {**self._field(), **self._brokers()}
        for name, place in self.plants.items():
            up = [sys.executable, "-m", "weft.cli", "up", "--plant", str(place), "--port", "0"]
            more = {"SOAK_PASSWORD": "counting", "WEFT_STATE": str(self.states[name]), **(env or {})}
            self.children[name] = Child(name, up, folder / f"{name}.log", more)
        self.proxies = {}
        self.begun = 0  # ns; what was said before nobody has promised to hear
        self.recorder = Recorder(self.ports["far"])

    def _field(self):
        python, ports = sys.executable, self.ports
        commands = {
            "opcua": ["field_opcua.py", ports["opcua"], "opcua.ledger", TICK, len(plant.OPCUA)],
            "modbus": ["field_modbus.py", ports["modbus"], "modbus.ledger"],
            "publisher": ["field_mqtt.py", ports["near"], "mqtt.ledger", TICK, len(plant.MQTT)],
        }
        return {
            name: Child(
                name,
                [python, str(HERE / script), str(port), str(self.folder / ledger), *map(str, rest)],
                self.folder / f"{name}.log",
            )
            for name, (script, port, ledger, *rest) in commands.items()
        }

    def _brokers(self):
        made = {}
        for name in ("near", "far"):
            folder = self.folder / name
            folder.mkdir(parents=True)
            config = folder / "mosquitto.conf"
            config.write_text(BROKER.format(port=self.ports[name], folder=folder))
            made[name] = Child(name, [MOSQUITTO, "-c", str(config)], self.folder / f"{name}.log")
        return made

    # --- life ---------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def living(self):
        """Everything up and each signal heard at the far side."""
        async with AsyncExitStack() as stack:
            stack.callback(self._end)
            for name in ("near", "far"):
                await self.start(name)
            await stack.enter_async_context(self.recorder.running())
            await self._connect(stack)
            self._write_plants()
            for name in self.plants:
                await self.start(name)
            for name in ("modbus", "opcua", "publisher"):
                await self.start(name)
            await until(self._all_heard, 120)
            self.begun = time.time_ns()
            yield self

    async def start(self, name):
        """Until it answers."""
        child = self.children[name]
        child.start()
        if name in self.plants:
            await self._weft_answers(name)
        elif name in self.ports:
            await answers(self.ports[name], child)

    async def _weft_answers(self, name):
        """Until the page of this life of a Weft is there."""
        access, child = Access(self.states[name]), self.children[name]
        with anyio.fail_after(60):
            while True:
                assert child.alive, f"the gateway has ended: {child.words()}"
                try:
                    await answers(int(access.address.rpartition(":")[2]), child, 1)
                except (Exception, TimeoutError):
                    await anyio.sleep(0.05)
                else:
                    return

    async def rest(self, seconds=30):
        """The field counts no more; returns when the far side has what was said last, or time is over."""
        for name in ("opcua", "modbus", "publisher"):
            self.children[name].signal(signal.SIGUSR1)
        await anyio.sleep(0.5)
        last = {name: said[-1].value for name, said in self.said().items()}
        with contextlib.suppress(TimeoutError):
            await until(lambda: self.has(last), seconds, every=0.1)
        await self._quiet()

    async def _quiet(self, still=3.0, seconds=300):
        """Until nothing has come for a while: backlog comes after what is live, and what is doubled comes last."""
        with anyio.move_on_after(seconds):
            before = -1
            while (count := self.recorder.count) > before:
                before = count
                await anyio.sleep(still)

    def has(self, values):
        """Whether both destinations have delivered these values, by signal, or later ones."""
        newest = self.recorder.newest
        return all(newest(where, name) >= value for name, value in values.items() for where in ("uns", "spb"))

    def said(self):
        """The ledgers since all was up: ``{signal: [Said, …]}``."""
        found = {}
        for name in ("opcua", "modbus", "mqtt"):
            found |= read(self.folder / f"{name}.ledger")
        return {name: [one for one in ones if one.time >= self.begun] for name, ones in found.items()}

    def bus(self, name="gateway"):
        """The pid of a Weft's nats-server, 0 when there is none."""
        mine = os.fsencode(self.states[name])
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"nats-server" in words[0] and any(mine in word for word in words):
                return int(folder.name)
        return 0

    def _all_heard(self):
        return all(self.recorder.newest(where, name) for where in ("uns", "spb") for name in plant.NAMES)

    async def _connect(self, stack):
        targets = {"opcua": "opcua", "modbus": "modbus", "mqtt": "near", "far": "far"}
        targets |= {"hub": "hub"} if self.hub else {}
        for name, target in targets.items():
            self.proxies[name] = await stack.enter_async_context(Proxy(self.ports[target]))

    def _write_plants(self):
        ports = {name: proxy.port for name, proxy in self.proxies.items()}
        edge = EDGE if self.hub else ""
        plant.write(self.plants["gateway"], ports, more=HUB.format(**self.ports) if edge else "", edge=edge)
        if edge:
            plant.write(self.plants["leaf"], ports, more=LEAF.format(**ports), edge=edge)
            shutil.rmtree(self.plants["leaf"] / "destinations")  # the hub's

    def _end(self):
        for name in (*reversed(self.plants), "publisher", "opcua", "modbus", "near", "far"):
            self.children[name].stop()


@asynccontextmanager
async def living(folder, **more):
    folder.mkdir(parents=True, exist_ok=True)
    world = World(folder, **more)
    async with world.living():
        yield world
