"""Values by cyclic reads: every change, once, with its time; texts, bad nodes, lost lines, servers that are slow."""

from itertools import pairwise

import anyio
import pytest

from weft.connect import LineState, Point
from weft.connect.opcua import Address, polling, profile
from weft.model import ARRAY, Flag, ValueType, quality

pytestmark = pytest.mark.anyio


async def test_all_types_are_as_a_subscription_brings_them(peer, kit):
    names = ["Boolean", "SByte", "Int32", "UInt64", "Float", "Double", "String", "DateTime", "Guid", "ByteString",
             "StatusCode", "LocalizedText", "ExtensionObject", "Doubles", "Texts", "Matrix", "Mixed"]  # fmt: skip
    points = kit.points(*names)

    async def values(mode):
        async with kit.running(kit.config(peer.url, mode=mode), points) as link:
            await link.until(lambda: len({row.signal for row in link.rows}) == len(points))
        return {row.signal: (row.value, row.type, row.status, row.time) for row in link.rows}

    polled = await values("read")
    assert polled == await values("subscribe")
    assert polled[6][:2] == ("000123", ValueType.STRING)
    assert polled[13][:2] == ([1.0, 2.5], ValueType.DOUBLE | ARRAY)


async def test_every_change_once_and_nothing_twice(peer, kit):
    points = kit.points(*[f"counter{i}" for i in range(20)])
    async with kit.running(kit.config(peer.url, mode="read", publishing_interval=0.02), points) as link:
        await link.until(lambda: len(link.rows) >= 20)
        for value in range(5000, 5005):
            await peer.tell("count", 20, 1, value)
            await link.until(lambda v=value: sum(row.value == v for row in link.rows) == 20)
        assert [row.value for row in link.of(3)][-5:] == list(range(5000, 5005))
        assert all(a.time < b.time for point in points for a, b in pairwise(link.of(point.handle)))
        assert [row.flags & Flag.FIRST for row in link.of(3)][1:] == [0] * (len(link.of(3)) - 1)
        assert "20 of 20 signals read in batches" in link.details[0]


async def test_bad_nodes_fail_nobody_else(peer, kit):
    points = [*kit.points("Int32", "Missing", "String"), Point(9, "p/path", Address(path="2:Nowhere"))]
    async with kit.running(kit.config(peer.url, mode="read"), points) as link:
        await link.until(lambda: len(link.rows) >= 2 and len(link.refused) == 2)
    assert link.refused["p/Missing"][0] == quality.BAD_NODE_ID_UNKNOWN
    assert link.refused["p/path"][0] == 0x806F0000
    assert {row.value for row in link.rows} == {-12, "000123"}


async def test_every_reading_where_it_is_wanted_but_no_sample_twice(peer, kit):
    """The peer's values keep their source time: reading them again brings the same sample."""
    points = [*kit.points("Int32"), Point(1, "p/time", Address(node="i=2258"))]
    config = kit.config(peer.url, mode="read", publishing_interval=0.02, only_changes=False)
    async with kit.running(config, points) as link:
        await link.until(lambda: len(link.of(1)) >= 3)
    assert len(link.of(0)) == 1


async def test_deadbands_are_kept_where_the_server_is_not_asked(peer, kit):
    points = kit.points("counter0", deadband=5.0)
    async with kit.running(kit.config(peer.url, mode="read", publishing_interval=0.02), points) as link:
        await link.until(lambda: len(link.rows) >= 1)
        await peer.tell("count", 1, 1, 9000)
        await link.until(lambda: link.rows[-1].value == 9000)
        for value in (9004, 9005, 9010):
            await peer.tell("count", 1, 1, value)
            await anyio.sleep(0.1)
        await link.until(lambda: link.rows[-1].value == 9010)
    assert [row.value for row in link.rows][-2:] == [9000, 9010]


async def test_other_signals_without_reconnecting(peer, kit):
    async with kit.running(kit.config(peer.url, mode="read"), kit.points("Int32")) as link:
        await link.until(lambda: len(link.rows) == 1)
        link.update([*kit.points("Int32"), *kit.points("Double", first=5)])
        await link.until(lambda: bool(link.of(5)))
    assert len(link.details) == 2
    assert len(link.of(0)) == 1


async def test_a_lost_line_and_its_return(make_peer, kit):
    peer = make_peer()
    async with kit.line(
        kit.config(peer.url, mode="read", timeout=2.0), kit.points("Int32", "String")
    ) as watch:
        await watch.until(lambda: sum(len(batch) for batch in watch.batches) >= 2)
        peer.kill()
        await watch.until(lambda: watch.status.state is LineState.DOWN)
        peer.start()
        await watch.until(lambda: watch.status.state is LineState.UP)
        await watch.until(lambda: quality.good(watch.batches[-1].status).all())
    rows = [row for batch in watch.batches for row in batch]
    for signal in (0, 1):
        statuses = [row.status for row in rows if row.signal == signal]
        assert statuses[0] == 0
        assert quality.BAD_NO_COMMUNICATION in statuses


async def test_more_signals_than_fit_into_one_call(peer, kit, monkeypatch):
    monkeypatch.setitem(profile.known(), "auto", profile.Profile(read=3, growth=1))
    points = kit.points(*[f"counter{i}" for i in range(20)], "String", "Text", "Guid")
    async with kit.running(kit.config(peer.url, mode="read", profile="auto"), points) as link:
        await link.until(lambda: len({row.signal for row in link.rows}) == 22 and "p/Text" in link.refused)


async def test_a_measured_size_is_remembered(peer, kit, monkeypatch):
    monkeypatch.setattr(polling, "SETTLED", 0.05)
    clock = [Point(0, "p/time", Address(node="i=2258"))]  # it changes all the time
    async with kit.running(kit.config(peer.url, mode="read"), clock) as link:
        await link.until(lambda: link.memory.get("read_size", 0) > 0)
