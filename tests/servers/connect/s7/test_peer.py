"""The connector on python-snap7's server: values, refusals, writes, SIGKILL."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from weft.connect import Line, LineState, Recorder, Write
from weft.connect.s7 import S7, Address
from weft.model import ARRAY, Flag, ValueType, quality
from weft.runtime import Retry, SystemClock

pytestmark = pytest.mark.anyio


def ticks(*moment, micros=0):
    passed = datetime(*moment, tzinfo=UTC) - datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    return passed // timedelta(microseconds=1) * 10


V = ValueType
KNOWN = {
    "bit": (Address(at="DB1.DBX0.1"), True, V.BOOLEAN),
    "no bit": (Address(at="DB1.DBX0.0"), False, V.BOOLEAN),
    "byte": (Address(at="DB1.DBB0"), 0b1000_1010, V.BYTE),
    "sint": (Address(at="DB1.DBB1", type="SINT"), -2, V.SBYTE),
    "int": (Address(at="DB1.DBW2", type="INT"), -12, V.INT16),
    "word": (Address(at="DB1.DBW4"), 65535, V.UINT16),
    "dint": (Address(db=1, offset=6, type="DINT"), -123456, V.INT32),
    "dword": (Address(at="DB1.DBD10"), 0xDEADBEEF, V.UINT32),
    "real": (Address(at="DB1.DBD14", type="REAL"), 21.5, V.FLOAT),
    "lreal": (Address(at="DB1.DBB18", type="LREAL"), 3.141592653589793, V.DOUBLE),
    "lint": (Address(at="DB1.DBL26", type="LINT"), -(2**53) - 1, V.INT64),
    "ulint": (Address(at="DB1.DBL34"), 2**63 + 5, V.UINT64),
    "string": (Address(at="DB1.DBB42", type="STRING", length=10), "000123", V.STRING),
    "wstring": (Address(at="DB1.DBB54", type="WSTRING", length=8), "Größ", V.STRING),
    "dt": (
        Address(db=1, offset=74, type="DATE_AND_TIME"),
        ticks(2024, 2, 29, 13, 45, 59, micros=123000),
        V.DATETIME,
    ),
    "dtl": (Address(db=1, offset=82, type="DTL"), ticks(2024, 2, 29, 13, 45, 59) + 1234567, V.DATETIME),
    "time": (Address(at="DB1.DBD94", type="TIME"), -90000, V.INT32),
    "array": (Address(at="DB1.DBB98", type="INT", count=5), [1, -2, 3, -4, 5], V.INT16 | ARRAY),
    "s5time": (Address(at="DB1.DBW108", type="S5TIME"), 123000, V.UINT32),
    "date": (Address(at="DB1.DBW110", type="DATE"), ticks(2024, 3, 1), V.DATETIME),
    "large": (Address(at="DB3.DBB0", count=1500), [i & 255 for i in range(1500)], V.BYTE | ARRAY),
    "far": (Address(at="DB3.DBB1999"), 1999 & 255, V.BYTE),
    "flag": (Address(at="M10.1"), True, V.BOOLEAN),
    "flags": (Address(at="MW12"), 0x0C0D, V.UINT16),
    "input": (Address(at="IB5"), 5, V.BYTE),
    "output": (Address(at="QB7"), 7, V.BYTE),
    "german": (Address(at="E6.1"), True, V.BOOLEAN),
    "bits": (Address(db=1, offset=0, bit=1, type="BOOL", count=7), [1, 0, 1, 0, 0, 0, 1], V.BOOLEAN | ARRAY),
}


@asynccontextmanager
async def running(config, points):
    link, connector = Recorder(points), S7(config)
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, link)
        await link.until(lambda: link.details)
        yield link, connector
        group.cancel_scope.cancel()


@pytest.mark.card("s7", "reads")
@pytest.mark.card("s7", "types")
@pytest.mark.card("s7", "source_time")
@pytest.mark.card("s7", "outside_peer")
@pytest.mark.parametrize("pdu", [240, 480, 960])
async def test_every_type_and_area_is_read(standing, points, pdu):
    async with running(standing.config(pdu=pdu), points(*(a for a, _, _ in KNOWN.values()))) as (link, _):
        await link.until(lambda: link.batches)
    rows = {row.signal: row for row in link.batches[0]}
    got = {name: (rows[i].value, rows[i].type) for i, name in enumerate(KNOWN)}
    assert got == {name: (value, type) for name, (_, value, type) in KNOWN.items()}
    assert all(row.status == 0 and row.flags & Flag.RECEIVE_TIME for row in rows.values())


@pytest.mark.card("s7", "bad_signal")
async def test_what_is_not_there_is_refused_and_the_others_are_read_in_the_same_cycle(standing, points):
    wanted = points("DB2.DBB0", "DB2.DBB19", "DB2.DBW19", "DB77.DBB0", "DB3.DBB5", "MB3")
    async with running(standing.config(gap=200), wanted) as (link, _):
        await link.until(lambda: len(link.refused) == 2 and len(link.batches) >= 2)
    assert {row.signal: row.value for row in link.batches[0]} == {0: 0, 1: 19, 4: 5, 5: 3}
    assert set(link.refused) == {"s2", "s3"}
    assert link.refused["s3"][0] == quality.BAD_NODE_ID_UNKNOWN
    assert link.details[-1].startswith("6 signals in 1 requests")


WRITES = [
    ("DB1.DBX120.3", {}, True),
    ("DB1.DBW122", {"type": "INT"}, -7),
    ("DB1.DBD124", {"type": "REAL"}, 1.5),
    ("DB1.DBB128", {"type": "STRING", "length": 10}, "hello"),
    ("DB1.DBB150", {"type": "DTL"}, ticks(2030, 12, 31, 23, 59, 59) + 1234567),
    ("DB1.DBB162", {"type": "DATE_AND_TIME"}, ticks(2030, 12, 31, 23, 59, 59)),
    ("DB1.DBB170", {"type": "INT", "count": 3}, [1, 2, -3]),
    ("DB1.DBB176", {"type": "LREAL"}, -2.25),
    ("DB1.DBB184", {"type": "WSTRING", "length": 6}, "Maß"),
    ("M40.7", {}, True),
    ("DB1.DBW204", {"type": "S5TIME"}, 12300),
]


async def test_what_is_written_is_read_back(standing, points):
    wanted = points(*(Address(at=at, **more) for at, more, _ in WRITES))
    async with running(standing.config(), wanted) as (_, connector):
        # the room of a text is the controller's to say: without it nothing can be read
        lengths = [Address(db=1, offset=128, type="BYTE"), Address(db=1, offset=184, type="WORD")]
        await connector.write([Write(p, v) for p, v in zip(points(*lengths), (10, 6), strict=True)])
        written = await connector.write(
            [Write(point, value) for point, (_, _, value) in zip(wanted, WRITES, strict=True)]
        )
        batch = await connector.read(wanted)
    assert list(written) == [0] * len(WRITES)
    assert {row.signal: row.value for row in batch} == {i: value for i, (_, _, value) in enumerate(WRITES)}


async def test_a_write_that_cannot_be_has_its_own_status_and_the_others_are_done(standing, points):
    wanted = points(
        Address(at="DB1.DBW210", type="INT"),
        Address(at="DB1.DBW212", type="INT"),
        Address(at="DB99.DBW0", type="INT"),
        Address(at="DB1.DBB214", type="STRING", length=4),
        Address(at="DB1.DBW220", type="INT"),
    )
    async with running(standing.config(), wanted) as (_, connector):
        statuses = await connector.write(
            [Write(p, v) for p, v in zip(wanted, (40000, "x", 1, "too long", 9), strict=True)]
        )
        batch = await connector.read(wanted[-1:])
    assert statuses[0] == quality.BAD_OUT_OF_RANGE
    assert statuses[1] == quality.BAD_TYPE_MISMATCH
    assert statuses[2] >= quality.BAD
    assert statuses[3] >= quality.BAD
    assert statuses[4] == 0
    assert batch[0].value == 9


async def test_nothing_is_written_while_the_line_is_down(standing, points):
    with pytest.raises(Retry, match="nothing was sent"):
        await S7(standing.config()).write([Write(points("MB1")[0], 1)])


@pytest.mark.card("s7", "update_without_reconnect")
async def test_other_points_are_followed_on_the_same_connection(standing, points):
    async with running(standing.config(interval=30.0), points("MB1")) as (link, _):
        await link.until(lambda: link.of(0))
        link.update(points("MB2", "DB1.DBB0"))
        await link.until(lambda: link.of(1))
    assert link.of(0)[-1].value == 2
    assert [row.flags & Flag.FIRST for row in link.of(1)] == [0]


@pytest.mark.card("s7", "reconnect")
@pytest.mark.card("s7", "line_quality")
async def test_a_killed_controller_means_bad_values_and_its_return_good_ones(mortal, points):
    rows, news = [], anyio.Event()

    def forward(batch, _stored):
        nonlocal news
        rows.extend(batch)
        before, news = news, anyio.Event()
        before.set()

    async def until(condition):
        with anyio.fail_after(30):
            while not condition():
                await news.wait()

    clock = SystemClock()
    line = Line(
        "plc", S7(mortal.config()), points("DB1.DBD248"), clock=clock, forward=forward, tell=lambda e: None
    )
    async with anyio.create_task_group() as group:
        group.start_soon(line.run)
        await until(lambda: sum(not row.status for row in rows) >= 3)
        await anyio.to_thread.run_sync(mortal.kill)
        await until(lambda: rows[-1].status == quality.BAD_NO_COMMUNICATION)
        assert line.status.state is LineState.DOWN
        seen = len(rows)
        await anyio.to_thread.run_sync(mortal.start)
        await until(lambda: any(not row.status for row in rows[seen:]))
        group.cancel_scope.cancel()


@pytest.mark.card("s7", "browse")
async def test_data_blocks_are_listed_with_their_sizes(standing):
    found = [item async for item in S7(standing.config()).browse()]
    assert [item.name for item in found] == ["DB1", "DB2", "DB3"]
    assert found[0].description.startswith("256 bytes")
    assert found[0].address == {"db": 1, "offset": 0, "type": "BYTE"}


async def test_who_is_there(standing):
    text = await S7(standing.config()).probe()
    assert text.endswith(f"at 127.0.0.1:{standing.port}")
    assert "CPU" in text


async def test_where_nothing_listens_the_reason_is_plain(mortal):
    await anyio.to_thread.run_sync(mortal.kill)
    with pytest.raises(Retry, match=r"No S7 connection to 127\.0\.0\.1.*rack and slot"):
        await S7(mortal.config()).run(Recorder(()))


@pytest.mark.card("s7", "bad_input")
@pytest.mark.parametrize(
    "answer",
    [
        b"\x03\x00\x00\x07\x02\xf0\x80",  # an empty PDU
        b"\x03\x00\x00\x09\x02\xf0\x80\x72\x01",  # S7CommPlus
        b"\x03\x00\x00\x13\x02\xf0\x80\x32\x03\x00\x00\x00\x01\x00\xff\x00\xff\x00\x00",  # lengths that lie
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"",
    ],
)
async def test_rubbish_instead_of_an_answer_drops_the_connection(answer):
    confirm = bytes.fromhex("0300001611d00001000100c0010ac1020100c2020201")

    async def serve(stream):
        async with stream:
            try:
                await stream.receive()
                await stream.send(confirm)
                while True:
                    await stream.receive()
                    if not answer:
                        return
                    await stream.send(answer)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    from weft.connect.s7 import Config

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        with anyio.fail_after(10), pytest.raises(Retry):
            await S7(Config(host="127.0.0.1", port=port, timeout=0.5)).run(Recorder(()))
        group.cancel_scope.cancel()
