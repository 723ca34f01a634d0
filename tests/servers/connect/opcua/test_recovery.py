"""Outages of all kinds while counters count: no value missing, none twice, or a gap written down."""

import itertools
import signal

import anyio
import pytest
from faults import Proxy

from weft.connect import LineState
from weft.connect.opcua.subscription import Subscription
from weft.model import Flag, concat

pytestmark = pytest.mark.anyio

MADE_UP = Flag.SYNTHETIC | Flag.REPEATED
TICK = 0.02


def counted(batches, handle):
    return [row for row in concat(batches) if row.signal == handle and not row.flags & MADE_UP]


def check(rows, first=None):
    """Each value once, in order, none missing."""
    values = [row.value for row in rows]
    assert values == list(range(values[0], values[0] + len(values))), _wrong(values)
    assert len({row.time for row in rows}) == len(rows)


def _wrong(values):
    return [(a, b) for a, b in itertools.pairwise(values) if b != a + 1][:10]


async def reach(watch, more):
    """So many more values of the first counter, after what was queued."""
    seen = len(counted(watch.batches, 0))
    await watch.until(lambda: len(counted(watch.batches, 0)) >= seen + more)


def gaps(watch):
    return [event for event in watch.events if event.kind == "weft.data.gap"]


@pytest.mark.card("opcua", "reconnect")
async def test_a_cut_of_8_seconds_loses_nothing(make_peer, kit):
    """Cuts of 20 and 60 seconds: `make soak`."""
    peer = make_peer()
    await peer.tell("tick", str(TICK), "3")
    seconds = 8.0
    async with Proxy(peer.options["port"]) as proxy:
        config = kit.config(f"opc.tcp://127.0.0.1:{proxy.port}")
        async with kit.line(config, kit.points("counter0", "counter1", "counter2", "load")) as watch:
            await watch.until(lambda: len(counted(watch.batches, 2)) > 20)
            proxy.cut()
            await watch.until(lambda: watch.status.state is LineState.DOWN)
            await anyio.sleep(seconds)
            proxy.resume()
            await watch.until(lambda: watch.status.state is LineState.UP)
            await reach(watch, int(seconds / TICK * 0.6))
    for handle in range(3):
        check(counted(watch.batches, handle))
    assert any(row.flags & Flag.REPLAYED for row in concat(watch.batches))
    assert not gaps(watch)
    still = [row for row in concat(watch.batches) if row.signal == 3]
    assert [row.status for row in still][:3] == [0, 0x80310000, 0]
    assert [row.flags for row in still][2] & Flag.REPEATED
    assert still[2].time > still[1].time


async def test_many_short_cuts(make_peer, kit):
    peer = make_peer()
    await peer.tell("tick", str(TICK), "1")
    async with Proxy(peer.options["port"]) as proxy:
        config = kit.config(f"opc.tcp://127.0.0.1:{proxy.port}")
        async with kit.line(config, kit.points("counter0")) as watch:
            for _ in range(4):
                await watch.until(lambda: watch.status.state is LineState.UP)
                await reach(watch, 5)
                proxy.cut()
                await watch.until(lambda: watch.status.state is LineState.DOWN)
                proxy.resume()
            await watch.until(lambda: watch.status.state is LineState.UP)
            await reach(watch, 30)
    check(counted(watch.batches, 0))
    assert not gaps(watch)


async def test_a_line_that_only_stands_still(make_peer, kit, monkeypatch):
    monkeypatch.setattr("weft.connect.opcua.subscription.KEEP_ALIVE", 0.2)
    peer = make_peer()
    await peer.tell("tick", str(TICK), "1")
    async with Proxy(peer.options["port"]) as proxy:
        config = kit.config(f"opc.tcp://127.0.0.1:{proxy.port}", timeout=1.0)
        async with kit.line(config, kit.points("counter0")) as watch:
            await reach(watch, 20)
            proxy.stall()
            await watch.until(lambda: watch.status.state is LineState.DOWN)
            proxy.resume()
            await watch.until(lambda: watch.status.state is LineState.UP)
            await reach(watch, 60)
    check(counted(watch.batches, 0))
    assert not gaps(watch)


async def test_a_frozen_server_goes_on(make_peer, kit, monkeypatch):
    monkeypatch.setattr("weft.connect.opcua.subscription.KEEP_ALIVE", 0.2)
    peer = make_peer()
    await peer.tell("tick", str(TICK), "1")
    async with kit.line(kit.config(peer.url, timeout=1.0), kit.points("counter0")) as watch:
        await reach(watch, 20)
        peer.signal(signal.SIGSTOP)
        await watch.until(lambda: watch.status.state is LineState.DOWN)
        peer.signal(signal.SIGCONT)
        await watch.until(lambda: watch.status.state is LineState.UP)
        await reach(watch, 40)
    check(counted(watch.batches, 0))


async def test_a_server_that_was_killed_has_lost_its_values_and_that_is_written_down(make_peer, kit):
    peer = make_peer()
    await peer.tell("tick", str(TICK), "1")
    async with kit.line(kit.config(peer.url), kit.points("counter0")) as watch:
        await reach(watch, 20)
        last = counted(watch.batches, 0)[-1]
        peer.kill()
        await watch.until(lambda: watch.status.state is LineState.DOWN)
        peer.start()
        await watch.until(lambda: watch.status.state is LineState.UP)
        await watch.until(lambda: bool(gaps(watch)))
        await peer.tell("tick", str(TICK), "1")
        await reach(watch, 20)
    [gap] = gaps(watch)
    assert gap.data["signals"] == ["p/counter0"]
    assert gap.data["first"] >= last.time
    assert gap.data["first"] < gap.data["last"]


async def test_history_fills_the_hole_when_the_subscription_is_gone(make_peer, kit, monkeypatch):
    """The queue at the server holds 5 values only, but it keeps a history of the first counter."""
    peer = make_peer(history=True)
    await peer.tell("tick", str(TICK), "2")
    async with Proxy(peer.options["port"]) as proxy:
        config = kit.config(f"opc.tcp://127.0.0.1:{proxy.port}", queue_size=5)
        async with kit.line(config, kit.points("counter0", "counter1")) as watch:
            await reach(watch, 20)
            proxy.cut()
            await watch.until(lambda: watch.status.state is LineState.DOWN)
            await anyio.sleep(2)
            proxy.resume()
            await watch.until(lambda: watch.status.state is LineState.UP)
            await watch.until(lambda: bool(gaps(watch)))
            await reach(watch, 20)
    rows = counted(watch.batches, 0)
    check(rows)
    assert sum(bool(row.flags & Flag.HISTORY) for row in rows) > 50
    [gap] = gaps(watch)
    assert gap.data["signals"] == ["p/counter1"]
    other = counted(watch.batches, 1)
    at = next(i for i, row in enumerate(other) if row.flags & Flag.OVERFLOW)
    assert (gap.data["first"], gap.data["last"]) == (other[at - 1].time, other[at].time)


async def test_our_own_kill_loses_nothing(make_peer, kit, tmp_path):
    peer = make_peer()
    await peer.tell("tick", str(TICK), "3")
    kept = await kit.killed(peer.url, tmp_path, "nsu=urn:peer:plant;s=")
    for handle in range(3):
        check([row for row in kept if row.signal == handle])


async def test_our_own_kill_loses_nothing_at_node_opcua(node_peer, kit, tmp_path):
    await node_peer.tell("tick", "20", "3", "0")
    kept = await kit.killed(node_peer.url, tmp_path, "nsu=urn:node:plant;s=")
    for handle in range(3):
        check([row for row in kept if row.signal == handle])


async def test_cuts_at_node_opcua(node_peer, kit):
    await node_peer.tell("tick", "20", "3", "0")
    async with Proxy(int(node_peer.url.rpartition(":")[2])) as proxy:
        config = kit.config(f"opc.tcp://127.0.0.1:{proxy.port}")
        points = kit.points(
            "counter0", "counter1", "counter2", space="nsu=urn:node:plant;s=", sampling_interval=0.0
        )
        async with kit.line(config, points) as watch:
            for seconds in (0, 3):
                await watch.until(lambda: watch.status.state is LineState.UP)
                await reach(watch, 20)
                proxy.cut()
                await watch.until(lambda: watch.status.state is LineState.DOWN)
                await anyio.sleep(seconds)
                proxy.resume()
            await watch.until(lambda: watch.status.state is LineState.UP)
            await reach(watch, 200)
    for handle in range(3):
        check(counted(watch.batches, handle))
    assert not gaps(watch)


async def test_a_subscription_that_outlives_its_session_is_taken_over(node_peer, kit, monkeypatch):
    """The session's time runs out during the cut, the subscription's does not: TransferSubscriptions, then what its
    queues hold."""
    monkeypatch.setattr("weft.connect.opcua.session.SHORTEST", 1.0)
    monkeypatch.setattr("weft.connect.opcua.session.SPARE", 0.5)
    taken = []
    transfer = Subscription.transfer

    async def noted(self):
        await transfer(self)
        taken.append(self.id)

    monkeypatch.setattr(Subscription, "transfer", noted)
    await node_peer.tell("tick", "20", "3", "0")
    async with Proxy(int(node_peer.url.rpartition(":")[2])) as proxy:
        config = kit.config(f"opc.tcp://127.0.0.1:{proxy.port}", outage_budget=1.0, queue_size=2000)
        points = kit.points("counter0", "counter1", space="nsu=urn:node:plant;s=", sampling_interval=0.0)
        async with kit.line(config, points) as watch:
            await reach(watch, 20)
            proxy.cut()
            await watch.until(lambda: watch.status.state is LineState.DOWN)
            await anyio.sleep(4)
            proxy.resume()
            await watch.until(lambda: watch.status.state is LineState.UP)
            await reach(watch, 250)
    assert len(taken) == 1
    for handle in range(2):
        check(counted(watch.batches, handle))
    assert not gaps(watch)
