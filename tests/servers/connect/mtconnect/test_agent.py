"""An agent that restarts, overflows, falls silent, moves on: nothing twice, nothing missing without a word."""

import time

import anyio
import pytest
from servers.connect.mtconnect.conftest import own, reading, serving, store_of

from weft.connect.api import Point, Scope
from weft.connect.line import Line, LineState
from weft.connect.mtconnect import Address, Config, MtConnect
from weft.connect.testing import Recorder
from weft.demo.mtconnect_store import Asset
from weft.model import ARRAY, Flag, Kind, ValueType, instant, quality
from weft.runtime import NeedsHuman, Retry, SystemClock

pytestmark = pytest.mark.anyio

TOOL = '<CuttingTool serialNumber="{0}" toolId="A"><CuttingToolLifeCycle/></CuttingTool>'


def points(*addresses):
    return [
        Point(handle, f"{address.id}-{address.part}", address) for handle, address in enumerate(addresses)
    ]


def put(store, id, text, **attributes):
    moment = time.time_ns()
    store.add(store.model.items[id], instant.text(moment, 9), text, attributes or None)
    return moment


def alarms(link):
    return [
        (data["condition"], "quality" in data or data["active"], data["level"], data["message"])
        for kind, data, _ in link.events
        if kind == Kind.ALARM
    ]


async def test_each_kind_of_observation_has_its_value(devices):
    store = store_of(devices("test_config"))
    link = Recorder(
        points(
            Address(id="c1"),
            Address(id="Xts"),
            Address(id="x1ts", part="array"),
            Address(id="pcount", part="reset"),
            Address(id="p4"),
            Address(id="xlc"),
            Address(id="xlc", part="level"),
        )
    )
    async with serving(store) as (_, url), reading(url, link):
        spindle = put(store, "c1", "120.5")
        last = put(store, "x1ts", "1 2 3 4", sampleCount="4", sampleRate="100")
        put(store, "pcount", "0", resetTriggered="DAY")
        put(store, "p4", "000123")
        store.add(
            store.model.items["xlc"],
            instant.text(last, 9),
            "Too high",
            {"nativeCode": "77", "nativeSeverity": "9", "qualifier": "HIGH"},
            level="FAULT",
        )
        await link.until(lambda: len(own(link, 6)) == 2)
    assert [(r.time, r.value, r.type) for r in own(link, 0)[1:]] == [(spindle, 120.5, ValueType.DOUBLE)]
    assert [(r.time, r.value) for r in own(link, 1)[1:]] == [
        (last - (3 - i) * 10_000_000, float(i + 1)) for i in range(4)
    ]
    assert (own(link, 2)[1].value, own(link, 2)[1].type) == ([1, 2, 3, 4], ValueType.DOUBLE | ARRAY)
    assert own(link, 3)[1].value == "DAY"
    assert (own(link, 4)[1].value, own(link, 4)[1].type) == ("000123", ValueType.STRING)
    assert own(link, 5)[1].value == (
        '{"level":"FAULT","native_code":"77","native_severity":"9","qualifier":"HIGH","message":"Too high"}'
    )
    assert own(link, 6)[1].value == "FAULT"
    assert all(own(link, handle)[0].status == quality.BAD_NO_COMMUNICATION for handle in range(7))
    assert alarms(link) == [("xlc/77", True, "fault", "Too high")]


async def test_sets_and_tables(devices):
    store = store_of(devices("data_set"))
    sets = [
        Address(id="vars"),
        Address(id="vars", part="a"),
        Address(id="wpo"),
        Address(id="wpo", part="G54/X"),
    ]
    link = Recorder(points(*sets, Address(id="vars", part="a/b")))
    v1, table = store.model.items["v1"], store.model.items["wp1"]
    async with serving(store) as (_, url), reading(url, link):
        now = instant.text(time.time_ns(), 9)
        store.add(v1, now, "", entries={"a": "1", "b": "000123", "c": None})
        later = instant.text(time.time_ns(), 9)
        store.add(v1, later, "", {"resetTriggered": "MANUAL"}, entries={"b": "2.50"})
        store.add(table, later, "", entries={"G54": {"X": "1.5", "Y": "a"}})
        await link.until(lambda: len(own(link, 3)) == 2)
    assert [row.value for row in own(link, 0)[1:]] == [
        '{"a":1,"b":"000123","c":null}',
        '{":reset":"MANUAL","b":2.50}',
    ]
    assert [row.value for row in own(link, 1)[1:]] == [1.0]
    assert own(link, 2)[1].value == '{"G54":{"X":1.5,"Y":"a"}}'
    assert own(link, 3)[1].value == 1.5
    assert "no cells" in link.refused["vars-a/b"][1]


@pytest.mark.card("mtconnect", "bad_signal")
async def test_an_unknown_data_item_costs_only_its_signal(devices):
    link = Recorder(points(Address(id="nix"), Address(id="mode"), Address(id="mode", device="Device2")))
    store = store_of(devices("two_devices"))
    async with serving(store) as (_, url), reading(url, link):
        put(store, "d2-4", "AUTOMATIC")
        await link.until(lambda: len(own(link, 2)) == 2)
    assert link.refused["nix-"][0] == quality.BAD_NODE_ID_UNKNOWN
    assert "d1-4" in link.refused["mode-"][1]
    assert own(link, 2)[1].value == "AUTOMATIC"


async def test_a_restart_of_ours_goes_on_where_stored(devices):
    store = store_of(devices("test_config"))
    link = Recorder(points(Address(id="c1")))
    async with serving(store) as (agent, url):
        async with reading(url, link):
            for value in range(5):
                put(store, "c1", str(value))
            await link.until(lambda: len(own(link, 0)) == 6)
        for value in range(5, 300):
            put(store, "c1", str(value))
        async with reading(url, link, count=50):
            put(store, "c1", "300")
            await link.until(lambda: len(own(link, 0)) == 302)
    assert [row.value for row in own(link, 0)][1:] == [float(value) for value in range(301)]
    assert not link.gaps
    assert len([target for target in agent.requests if "from=" in target and "interval" not in target]) >= 6


async def test_what_is_stored_is_not_told_again_when_the_memory_is_old(devices):
    store = store_of(devices("test_config"))
    link = Recorder(points(Address(id="c1")))
    async with serving(store) as (_, url):
        async with reading(url, link):
            old = dict(link.memory)
            for value in range(5):
                put(store, "c1", str(value))
            await link.until(lambda: len(own(link, 0)) == 6)
        link.memory = old  # as after a kill: it was written now and then
        put(store, "c1", "5")
        async with reading(url, link):
            await link.until(lambda: len(own(link, 0)) == 7)
    assert [row.value for row in own(link, 0)][1:] == [0, 1, 2, 3, 4, 5]


async def test_what_the_agent_s_buffer_lost_is_a_gap(devices):
    store = store_of(devices("test_config"), size=64)
    link = Recorder(points(Address(id="c1"), Address(id="mode")))
    async with serving(store) as (_, url):
        async with reading(url, link):
            seen = put(store, "c1", "1")
            await link.until(lambda: len(own(link, 0)) == 2)
        put(store, "p2", "AUTOMATIC")
        times = [put(store, "c1", str(value)) for value in range(2, 102)]
        async with reading(url, link):
            await link.until(lambda: own(link, 0)[-1].value == 101)
    [(first, last, cause, _)] = link.gaps
    assert (first, last) == (seen, times[-64])
    assert "buffer" in cause
    assert [row.value for row in own(link, 0)][2:] == [float(value) for value in range(38, 102)]
    assert (
        own(link, 1)[-1].value == "AUTOMATIC"
    )  # lost itself, and known from the state at the first one kept


async def test_an_agent_that_restarts_is_read_from_its_beginning(devices):
    text = devices("test_config")
    link = Recorder(points(Address(id="c1")))
    first = store_of(text, instance=111)
    async with serving(first) as (agent, url):
        connector = MtConnect(Config(url=url, interval=0.01, heartbeat=0.5))
        async with reading(url, link, connector):
            known = put(first, "c1", "1")
            await link.until(lambda: len(own(link, 0)) == 2)
            agent.store = second = store_of(text, instance=222)
            begun = instant.parse_instant(second.current({"c1"})[0].time)
            put(second, "c1", "2")
            first.news.set()
            await link.until(lambda: own(link, 0)[-1].value == 2)
            put(second, "c1", "3")
            await link.until(lambda: own(link, 0)[-1].value == 3)
    assert [row.value for row in own(link, 0)] == [None, 1, None, 2, 3]
    [(start, end, cause, _)] = link.gaps
    assert start == known
    assert known < end <= begun
    assert "restarted" in cause


@pytest.mark.card("mtconnect", "reconnect")
@pytest.mark.card("mtconnect", "line_quality")
async def test_a_killed_agent_leaves_bad_quality_and_its_return_is_complete(devices):
    store = store_of(devices("test_config"))
    kept, stored = [], []
    pointed = points(Address(id="c1"))

    def forward(batch, done):
        kept.extend(batch)
        if done is not None:
            done()

    async with anyio.create_task_group() as group:
        async with serving(store) as (_, url):
            line = Line(
                "lathe",
                MtConnect(Config(url=url, interval=0.01, heartbeat=0.5)),
                pointed,
                clock=SystemClock(),
                forward=forward,
                tell=stored.append,
            )
            group.start_soon(line.run)
            put(store, "c1", "1")
            await until(lambda: any(row.value == 1 for row in kept))
        await until(lambda: line.status.state is LineState.DOWN)
        lost = kept[-1]
        put(store, "c1", "2")
        async with serving(store, port=int(url.rpartition(":")[2])):
            await until(lambda: any(row.value == 2 for row in kept))
            await until(lambda: line.status.state is LineState.UP)
            group.cancel_scope.cancel()
    assert (lost.status, lost.flags) == (quality.BAD_NO_COMMUNICATION, Flag.SYNTHETIC)
    assert [row.value for row in kept if row.value is not None and not row.flags & Flag.REPEATED] == [1, 2]
    newest = max((row for row in kept if not row.flags & Flag.SYNTHETIC), key=lambda row: row.time)
    assert newest.value == 2
    assert newest.time > lost.time


async def test_an_agent_that_does_not_stream_is_polled(devices):
    store = store_of(devices("test_config"))
    link = Recorder(points(Address(id="c1")))
    async with serving(store, streams=False) as (_, url), reading(url, link):
        for value in range(3):
            put(store, "c1", str(value))
            await link.until(lambda value=value: own(link, 0)[-1].value == value)
    assert [row.value for row in own(link, 0)] == [None, 0, 1, 2]


async def test_conditions_are_alarms_that_come_and_go_also_while_we_are_away(devices):
    store = store_of(devices("test_config"))
    link = Recorder(points(Address(id="mode")))
    item = store.model.items["clc"]

    def set_to(level, code="", text=""):
        store.add(
            item, instant.text(time.time_ns(), 9), text, {"nativeCode": code} if code else None, level=level
        )

    async with serving(store) as (_, url):
        async with reading(url, link):
            set_to("WARNING", "1", "warm")
            set_to("WARNING", "1", "warm")
            set_to("FAULT", "1", "hot")
            set_to("FAULT", "2", "broken")
            set_to("NORMAL", "1")
            await link.until(lambda: len(alarms(link)) == 4)
        set_to("NORMAL")
        async with reading(url, link):
            await link.until(lambda: len(alarms(link)) == 5)
            set_to("FAULT", "3", "again")
            set_to("UNAVAILABLE")
            await link.until(lambda: len(alarms(link)) == 7)
    assert alarms(link) == [
        ("clc/1", True, "warning", "warm"),
        ("clc/1", True, "fault", "hot"),
        ("clc/2", True, "fault", "broken"),
        ("clc/1", False, "normal", ""),
        ("clc/2", False, "normal", ""),
        ("clc/3", True, "fault", "again"),
        ("clc/3", True, "unavailable", ""),
    ]


async def test_assets_come_as_documents_once_per_version(devices):
    store = store_of(devices("data_set"))
    link = Recorder(points(Address(id="mode")))

    def documents():
        return [(d["id"], d["state"], "text" in d) for kind, d, _ in link.events if kind == Kind.DOCUMENT]

    def asset(id, serial):
        return Asset(id, "CuttingTool", "LinuxCNC", instant.text(time.time_ns(), 6), TOOL.format(serial))

    async with serving(store) as (_, url):
        store.put_asset(asset("old", "1"))
        async with reading(url, link):
            await link.until(lambda: documents() == [("old", "present", True)])
            store.put_asset(asset("T 1/2", "2"))
            await link.until(lambda: len(documents()) == 2)
            store.remove_asset("old", instant.text(time.time_ns(), 6))
            await link.until(lambda: len(documents()) == 3)
        async with reading(url, link):
            store.put_asset(asset("T 1/2", "3"))
            await link.until(lambda: len(documents()) == 4)
    assert documents() == [
        ("old", "present", True),
        ("T 1/2", "present", True),
        ("old", "removed", False),
        ("T 1/2", "present", True),
    ]
    assert 'serialNumber="3"' in link.events[-1][1]["text"]


@pytest.mark.card("mtconnect", "update_without_reconnect")
async def test_other_signals_begin_with_their_present_value_on_the_same_stream(devices):
    store = store_of(devices("test_config"))
    first, second = points(Address(id="c1"), Address(id="program"))
    link = Recorder([first])
    async with serving(store) as (agent, url):
        put(store, "p4", "O1234")
        async with reading(url, link):
            link.update([first, second])
            await link.until(lambda: bool(link.of(1)))
            put(store, "p4", "O5678")
            await link.until(lambda: len(link.of(1)) == 2)
        assert len([target for target in agent.requests if "interval" in target]) == 1
    assert [row.value for row in link.of(1)] == ["O1234", "O5678"]
    assert link.of(1)[0].flags & Flag.FIRST


@pytest.mark.card("mtconnect", "browse")
async def test_browse_lists_data_items_with_type_unit_and_value(devices):
    store = store_of(devices("test_config"))
    async with serving(store) as (_, url):
        put(store, "x1", "12.5")
        connector = MtConnect(Config(url=url))
        found = {item.address["id"]: item async for item in connector.browse()}
        axes = [item async for item in connector.browse("LinuxCNC/Axes/X")]
        assert await connector.probe() == "MTConnect agent 1.2.0.0 with 34 data items of LinuxCNC"
        port = int(url.rpartition(":")[2])
        scope = Scope(hosts=("127.0.0.1",), ports=(port, 1), seconds=2)
        assert [place.config async for place in MtConnect.discover(scope)] == [{"url": url}]
    x = found["x1"]
    assert (x.name, x.folder, x.unit, x.type, x.value) == (
        "Xact",
        "LinuxCNC/Axes/X",
        "mm",
        ValueType.DOUBLE,
        12.5,
    )
    assert x.description == "Position, actual, average, sample"
    assert (found["x3"].limits.minimum, found["x3"].limits.maximum) == (0, 200)
    assert found["c1"].unit == "/min"
    assert (found["pcount"].type, found["clc"].type) == (ValueType.INT64, ValueType.STRING)
    assert found["c1"].status == quality.BAD_NO_COMMUNICATION
    assert {item.address["id"] for item in axes} == {"x1", "x1ts", "x2", "x3", "xlc"}


async def test_faults_say_what_to_do(devices):
    store = store_of(devices("test_config"))
    async with serving(store) as (_, url):
        with pytest.raises(NeedsHuman, match="NO_DEVICE"):
            await MtConnect(Config(url=url, device="nobody")).run(Recorder([]))
    with pytest.raises(Retry, match="No agent answers"):
        await MtConnect(Config(url=url)).probe()


async def until(condition, seconds=10.0):
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110  # a line has no event for this
            await anyio.sleep(0.005)
