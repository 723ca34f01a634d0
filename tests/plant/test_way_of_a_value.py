"""The way of a value, counted: OPC UA bytes on the wire to JSON, three conversions, four hops.

The rooms on the way are wrapped and write into a trace when the followed value passes. The wire form is wrapped
under every name that any module of ours has for it, so that nobody encodes or decodes on the side.
"""

import sys
from collections import Counter

import anyio
import pytest
from plant.houses import all_up, living, until
from servers.connect.opcua.conftest import Peer

from weft import edge
from weft.bus import NatsBus
from weft.bus.publisher import Publisher
from weft.cli.remote import call
from weft.connect.opcua.decode import Decoder
from weft.edge import treatment
from weft.history import Store, forms
from weft.model import Batch, wire
from weft.runtime.settings import state_dir

pytestmark = pytest.mark.anyio

NODES, VALUES, SCALE = 20, 150, 0.5
WAY = [
    "conversion: field bytes to Batch",
    "hop: connector to edge",
    "step: check_times",
    "step: enumerate_states",
    "step: scale",
    "step: to_type",
    "step: sieve",
    "hop: edge to bus",
    "conversion: Batch to wire",
    "one durable publish",
    "conversion: wire to Batch",
    "hop: bus to history",
    "conversion: Batch to JSON",
    "hop: history to reader",
]


class Trace:
    """What the followed value went through, in order; and how many batches went anywhere."""

    def __init__(self, monkeypatch):
        self.way, self.batches, self.calls = [], Counter(), Counter()
        self.values, self.handle = (), -1
        self._patch = monkeypatch

    def follow(self, handle, *values):
        self.handle, self.values = handle, values

    def note(self, name, bodies):
        batches = [body for body in bodies if isinstance(body, Batch)]
        self.calls[name] += bool(batches)
        self.batches[name] += len(batches)
        if any(
            row.value in self.values for batch in batches for row in batch.take(batch.signal == self.handle)
        ):
            self.way.append(name)

    def before(self, owner, attribute, name, bodies):
        """Notes a call when it begins; ``bodies`` picks the batches from its arguments."""
        inner = getattr(owner, attribute)

        def wrapped(*given, **named):
            self.note(name, bodies(given))
            return inner(*given, **named)

        self._patch.setattr(owner, attribute, wrapped)

    def after(self, owner, attribute, name, bodies):
        """Notes a call when it has ended; ``bodies`` picks the batches from its answer."""
        inner = getattr(owner, attribute)

        def wrapped(*given, **named):
            answer = inner(*given, **named)
            self.note(name, bodies(answer))
            return answer

        self._patch.setattr(owner, attribute, wrapped)

    def everywhere(self, function, wrap, name, bodies):
        """Wraps a function under every name that a module of ours has for it."""
        ours = [module for key, module in sys.modules.items() if key.partition(".")[0] == "weft"]
        for module in ours:
            for attribute in [key for key, value in vars(module).items() if value is function]:
                wrap(module, attribute, name, bodies)


def bodies(drafts):
    return [draft.body for draft in drafts]


@pytest.fixture
def trace(monkeypatch):
    found = Trace(monkeypatch)
    found.after(Decoder, "publish", "conversion: field bytes to Batch", lambda note: note.batches)
    found.before(edge.Edge, "accept", "hop: connector to edge", lambda given: [given[1]])
    for name in ("check_times", "enumerate_states", "scale", "to_type"):
        found.after(treatment, name, f"step: {name}", lambda batch: [batch])
    found.after(edge.Sieve, "__call__", "step: sieve", lambda batch: [batch])
    found.before(NatsBus, "publish", "hop: edge to bus", lambda given: bodies(given[1:]))
    found.everywhere(wire.encode, found.before, "conversion: Batch to wire", lambda given: [given[0]])
    found.before(Publisher, "store", "one durable publish", lambda given: bodies(given[2]))
    found.everywhere(wire.decode, found.after, "conversion: wire to Batch", lambda body: [body])
    found.before(Store, "append", "hop: bus to history", lambda given: [given[1]])
    found.before(forms, "snapshot_json", "conversion: Batch to JSON", lambda given: [given[0]])
    return found


@pytest.fixture
def flushes(monkeypatch):
    """What the edge has taken for one publish each."""
    taken, inner = [], edge.Edge._take

    def take(self):
        parcel = inner(self)
        taken.extend([parcel] if parcel else [])
        return parcel

    monkeypatch.setattr(edge.Edge, "_take", take)
    return taken


def plant_folder(folder, url):
    signals = (
        f'["line".signals.counter{i}]\nscale = {SCALE}\naddress = {{ node = "nsu=urn:peer:plant;s=counter{i}" }}\n'
        for i in range(NODES)
    )
    files = {
        "plant.toml": '[plant]\nname = "Way"\nenterprise = "weft"\nsite = "test"\n',
        "connections/peer.toml": f'[opcua]\nendpoint = "{url}"\nsecurity = "none"\npublishing_interval = 0.05\n',
        "assets/line.toml": '["line"]\nconnection = "peer"\n' + "".join(signals),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def server():
    peer = Peer().start()
    yield peer
    peer.kill()


def newest(house):
    handles = [signal.handle for signal in house.plant().signals_of("peer")]
    return {row.signal: row.value for row in house.history.snapshot(handles)}


async def settled(house, value):
    """Every counter is at this raw value in history."""
    await until(lambda: list(newest(house).values()) == [value * SCALE] * NODES, 30)


async def test_a_value_is_converted_three_times_and_handed_over_four_times(tmp_path, trace, server):
    folder = plant_folder(tmp_path / "plant", server.url)
    async with living(folder) as house:
        await until(lambda: all_up(house), 30)
        await settled(house, -1)
        signal = house.plant().signals["weft/test/line/counter0"]
        trace.follow(signal.handle, 777, 777 * SCALE)
        await server.tell("count", 1, 1, 777)
        await until(lambda: newest(house)[signal.handle] == 777 * SCALE, 30)
        path = f"/api/v1/snapshot?signal={signal.path}"
        answer = await anyio.to_thread.run_sync(call, state_dir(folder), "GET", path)
    assert answer["samples"][0]["value"] == 777 * SCALE
    assert [*trace.way, "hop: history to reader"] == WAY


async def test_a_flush_is_one_publish_and_a_batch_is_encoded_once(tmp_path, trace, flushes, server):
    published, heard = [], []

    async def listen(house):
        async with house.bus.subscribe("uns.v1.>") as live:
            while True:
                heard.extend(message.body for message in await live.next(100))

    def publish(given):
        published.extend(body for body in bodies(given[1:]) if isinstance(body, Batch))
        return []

    trace.before(NatsBus, "publish", "", publish)
    folder = plant_folder(tmp_path / "plant", server.url)
    async with living(folder) as house, anyio.create_task_group() as group:
        group.start_soon(listen, house)
        await until(lambda: all_up(house), 30)
        await settled(house, -1)
        await server.tell("count", NODES, VALUES, 0)
        await settled(house, VALUES - 1)
        await until(lambda: heard and heard[-1] is published[-1])
        samples, batches, calls = house.lines()[0].samples, Counter(trace.batches), Counter(trace.calls)
        taken, count = len(flushes), len(published)
        group.cancel_scope.cancel()
    assert batches["conversion: Batch to wire"] == batches["one durable publish"] == count
    assert calls["hop: edge to bus"] == calls["one durable publish"] == taken
    assert batches["conversion: wire to Batch"] == batches["hop: bus to history"] == count
    assert taken * 5 < samples, "values do not travel in batches"
    # Who listens in this process has the very objects, whatever came before it began to listen.
    assert [id(body) for body in heard] == [id(body) for body in published[count - len(heard) : count]]
