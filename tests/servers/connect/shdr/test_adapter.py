"""The connection to an adapter: heartbeat, loss, return, other signals meanwhile, bad lines."""

import anyio
import pytest
from servers.connect.shdr.replay import Adapter, serving

from weft.connect import Line, LineState
from weft.connect.api import Browses, Point, Probes
from weft.connect.shdr import Address, Category, Config, Shdr
from weft.connect.testing import Recorder
from weft.model import Flag, quality
from weft.runtime import Retry, SystemClock

pytestmark = pytest.mark.anyio

BURST = (
    b"* manufacturer: Weaver\n"
    b"2026-01-01T00:00:00.0000001Z|avail|AVAILABLE|Xpos|1.5\n"
    b"2026-01-01T00:00:00Z|sys|FAULT|17|HIGH|LOW|oil\n"
)
X = Point(1, "x", Address(key="Xpos", category=Category.SAMPLE))
AVAIL = Point(2, "avail", Address(key="avail"))
SYSTEM = Point(3, "sys", Address(key="sys", category=Category.CONDITION))


def shdr(adapter, **more):
    return Shdr(Config(host="127.0.0.1", port=adapter.port, **more))


class Lines:
    """A line at work, and what it forwards."""

    def __init__(self, adapter, *points):
        self.batches = []
        self._news = anyio.Event()
        self.line = Line(
            "lathe", shdr(adapter), points, clock=SystemClock(), forward=self._take, tell=self._tell
        )

    def _take(self, batch, stored=None):
        self.batches.append(batch)
        self._tell()

    def _tell(self, event=None):
        news, self._news = self._news, anyio.Event()
        news.set()

    async def until(self, condition):
        with anyio.fail_after(10):
            while not condition():
                await self._news.wait()

    @property
    def rows(self):
        return [row for batch in self.batches for row in batch]


async def test_values_arrive_with_what_the_adapter_says_of_itself():
    async with serving(Adapter(BURST)) as adapter, anyio.create_task_group() as group:
        link = Recorder([X, AVAIL, SYSTEM])
        group.start_soon(shdr(adapter).run, link)
        await link.until(lambda: len(link.rows) == 3)
        await link.until(lambda: "heartbeat 10 s" in link.details[-1])
        group.cancel_scope.cancel()
    first, second, third = link.rows
    assert (first.value, second.value, second.time) == ("AVAILABLE", 1.5, 1_767_225_600_000_000_100)
    assert third.value == (
        '{"level":"FAULT","native_code":"17","native_severity":"HIGH","qualifier":"LOW","message":"oil"}'
    )
    assert {row.flags for row in link.rows} == {Flag.FIRST}
    assert "manufacturer Weaver" in link.details[-1]


@pytest.mark.card("shdr", "reconnect")
@pytest.mark.card("shdr", "line_quality")
async def test_a_killed_adapter_leaves_bad_quality_and_its_return_is_noticed():
    async with anyio.create_task_group() as group:
        async with serving(Adapter(BURST)) as adapter:
            lines = Lines(adapter, X)
            group.start_soon(lines.line.run)
            await lines.until(lambda: lines.line.status.state is LineState.UP)
            port = adapter.port
        await lines.until(lambda: lines.line.status.state is LineState.DOWN)
        assert lines.rows[-1].status == quality.BAD_NO_COMMUNICATION
        assert lines.rows[-1].flags == Flag.SYNTHETIC
        assert "closed the connection" in lines.line.status.reason
        async with serving(Adapter(BURST), port):
            await lines.until(lambda: lines.line.status.state is LineState.UP and not lines.rows[-1].status)
            assert lines.rows[-1].value == 1.5
            group.cancel_scope.cancel()


async def test_two_silent_heartbeats_end_the_connection():
    async with serving(Adapter(BURST, heartbeat=100)) as adapter, anyio.create_task_group() as group:
        group.start_soon(_mute_after, adapter, 3)
        with anyio.fail_after(10), pytest.raises(Retry, match=r"silent for 0\.2 s"):
            await shdr(adapter).run(Recorder([X]))
    assert adapter.pings >= 3


async def _mute_after(adapter, pings):
    await adapter.until(lambda: adapter.pings >= pings)
    adapter.heartbeat = None


async def test_an_adapter_without_heartbeat_may_be_silent():
    async with serving(Adapter(BURST, heartbeat=None)) as adapter, anyio.create_task_group() as group:
        link = Recorder([X])
        group.start_soon(shdr(adapter, heartbeat=0.05).run, link)
        await adapter.until(lambda: adapter.pings >= 5)
        await adapter.send(b"|Xpos|2.5\n")
        await link.until(lambda: link.rows[-1:] != [] and link.rows[-1].value == 2.5)
        assert link.rows[-1].flags == Flag.RECEIVE_TIME
        assert adapter.connections == 1
        group.cancel_scope.cancel()


@pytest.mark.card("shdr", "update_without_reconnect")
async def test_other_signals_are_read_on_the_same_connection_from_their_last_value():
    async with serving(Adapter(BURST)) as adapter, anyio.create_task_group() as group:
        link = Recorder([X])
        group.start_soon(shdr(adapter).run, link)
        await link.until(lambda: bool(link.of(1)))
        link.update([AVAIL, SYSTEM])
        await link.until(lambda: bool(link.of(2) and link.of(3)))
        assert link.of(2)[0][1:3] == (1_767_225_600_000_000_100, "AVAILABLE")
        await adapter.send(b"2026-01-01T00:00:01Z|Xpos|9|avail|UNAVAILABLE\n")
        await link.until(lambda: len(link.of(2)) == 2)
        assert link.of(2)[1].status == quality.BAD_NO_COMMUNICATION
        assert len(link.of(1)) == 1
        assert adapter.connections == 1
        group.cancel_scope.cancel()


@pytest.mark.card("shdr", "bad_input")
@pytest.mark.card("shdr", "bad_signal")
async def test_junk_between_good_lines_harms_nothing():
    junk = (
        b"\xff\xfe\x00|||\n|\n\n@@@@\nnot a time|Xpos|abc\n2026-01-01T00:00:00Z|@ASSET@|x\n"
        b"9999-99-99T99:99:99Z|Xpos|1\n2026-01-01T00:00:00Z|Xpos\n" + b"z" * 3_000_000 + b"\n"
    )
    wrong = Point(4, "wrong", Address(key="avail", part="colour"))
    async with serving(Adapter(BURST)) as adapter, anyio.create_task_group() as group:
        link = Recorder([X, wrong])
        group.start_soon(shdr(adapter).run, link)
        await adapter.send(junk)
        await adapter.send(b"2026-01-01T00:00:09Z|Xpos|7\n")
        await link.until(lambda: bool(link.rows) and link.rows[-1].value == 7)
        group.cancel_scope.cancel()
    statuses = [(row.value, row.status) for row in link.of(1)]
    assert statuses == [
        (1.5, quality.GOOD),
        (None, quality.BAD_TYPE_MISMATCH),
        (1.0, quality.GOOD),
        (None, quality.BAD_DECODING_ERROR),
        (7.0, quality.GOOD),
    ]
    assert link.of(1)[2].flags & Flag.RECEIVE_TIME
    status, reason = link.refused["wrong"]
    assert status == quality.BAD_CONFIGURATION_ERROR
    assert "duration" in reason


@pytest.mark.card("shdr", "browse")
async def test_browse_lists_keys_with_a_category_and_probe_says_who_answers():
    async with serving(Adapter(BURST)) as adapter:
        connector = shdr(adapter)
        assert isinstance(connector, Browses)
        assert isinstance(connector, Probes)
        listed = {item.name: item async for item in connector.browse()}
        assert {name: item.address["category"] for name, item in listed.items()} == {
            "Xpos": "sample",
            "avail": "event",
            "sys": "condition",
        }
        assert (listed["Xpos"].value, listed["sys"].value) == (1.5, "FAULT|17|HIGH|LOW|oil")
        assert [item.name async for item in connector.browse("X")] == ["Xpos"]
        assert "manufacturer Weaver, 3 keys" in await connector.probe()


async def test_under_pressure_lines_wait_at_the_adapter():
    count = 300_000
    burst = b"".join(b"|Xpos|%d\n" % n for n in range(count))
    async with serving(Adapter(burst)) as adapter, anyio.create_task_group() as group:
        link = Recorder([X])
        link.pressure = 1.0
        group.start_soon(shdr(adapter).run, link)
        await link.until(lambda: bool(link.batches))
        await anyio.sleep(0.2)  # time to do it wrong
        assert len(link.batches) == 1
        link.pressure = 0.0
        await link.until(lambda: sum(map(len, link.batches)) == count, 30)
        group.cancel_scope.cancel()
    values = [value for batch in link.batches for value in batch.values()]
    assert values == list(range(count))


async def test_nobody_there_is_a_retry():
    async with serving(Adapter()) as adapter:
        port = adapter.port
    connector = Shdr(Config(host="127.0.0.1", port=port))
    with pytest.raises(Retry, match="No adapter answers"):
        await connector.run(Recorder([X]))
    with pytest.raises(Retry):
        await connector.probe()
