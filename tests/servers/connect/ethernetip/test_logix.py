"""The connector on a Logix-like controller: values, refusals, writes, listing, SIGKILL."""

from contextlib import asynccontextmanager

import anyio
import pytest

from weft.connect import Line, LineState, Recorder, Write
from weft.connect.ethernetip import Address, Config, EtherNetIp
from weft.model import ARRAY, Flag, ValueType, quality
from weft.runtime import NeedsHuman, Retry, SystemClock

pytestmark = pytest.mark.anyio
V = ValueType
KNOWN = {
    "Running": (Address(tag="Running"), True, V.BOOLEAN),
    "Small": (Address(tag="Small"), -2, V.SBYTE),
    "Count": (Address(tag="Count"), -123456, V.INT32),
    "bit": (Address(tag="Count.6"), True, V.BOOLEAN),
    "Total": (Address(tag="Total"), -(2**53) - 1, V.INT64),
    "Precise": (Address(tag="Precise"), 3.141592653589793, V.DOUBLE),
    "text": (Address(tag="Recipe"), "000123", V.STRING),
    "member": (Address(tag="Drive.Speed"), 1480.5, V.FLOAT),
    "element of a member": (Address(tag="Drive.Currents[1]"), 2.5, V.FLOAT),
    "element": (Address(tag="Counts[37]"), 37 * 37, V.INT32),
    "large": (Address(tag="Counts", count=1500), [i * i for i in range(1500)], V.INT32 | ARRAY),
    "two dimensions": (Address(tag="Table[2,3]"), 11, V.INT16),
    "packed bit": (Address(tag="Flags[63]"), True, V.BOOLEAN),
    "program": (Address(tag="Program:Main.Speed"), 99.5, V.FLOAT),
    "attribute": (Address(class_id=4, instance=100, attribute=3), bytes(range(8)), V.BYTESTRING),
    "part": (Address(class_id=4, instance=100, attribute=3, offset=2, type="UINT"), 0x0302, V.UINT16),
    "parts": (
        Address(class_id=4, instance=100, attribute=3, type="USINT", count=3),
        [0, 1, 2],
        V.BYTE | ARRAY,
    ),
}


@asynccontextmanager
async def running(config, points):
    link, connector = Recorder(points), EtherNetIp(config)
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, link)
        await link.until(lambda: link.details)
        yield link, connector
        group.cancel_scope.cancel()


@pytest.mark.card("ethernetip", "reads")
@pytest.mark.card("ethernetip", "types")
@pytest.mark.card("ethernetip", "source_time")
async def test_every_type_is_read_in_one_batch(standing, points):
    async with running(standing.config(), points(*(a for a, _, _ in KNOWN.values()))) as (link, _):
        await link.until(lambda: len(link.batches) >= 2)
    rows = {row.signal: row for row in link.batches[0]}
    got = {name: (rows[i].value, rows[i].type) for i, name in enumerate(KNOWN)}
    assert got == {name: (value, type) for name, (_, value, type) in KNOWN.items()}
    assert all(row.flags == Flag.RECEIVE_TIME | Flag.FIRST for row in rows.values())


@pytest.mark.card("ethernetip", "bad_signal")
async def test_what_is_not_there_is_refused_and_the_others_are_read(standing, points):
    wanted = points(
        "Running",
        "Nope",
        "Drive",
        "Counts[1500]",
        Address(class_id=4, instance=7, attribute=3),
        "Program:Other.X",
        "Small",
    )
    async with running(standing.config(), wanted) as (link, _):
        await link.until(lambda: len(link.batches) >= 2)
    assert {row.signal: row.value for row in link.batches[1]} == {0: True, 6: -2}
    assert {row.signal for row in link.batches[0] if not row.status} == {0, 6}
    assert {path: status for path, (status, _) in link.refused.items()} == {
        "s1": quality.BAD_NODE_ID_UNKNOWN,
        "s2": quality.BAD_TYPE_MISMATCH,
        "s3": link.refused["s3"][0],
        "s4": quality.BAD_NODE_ID_UNKNOWN,
        "s5": quality.BAD_NODE_ID_UNKNOWN,
    }
    assert link.refused["s3"][0] >= quality.BAD
    assert "Drive.Member" in link.refused["s2"][1]


async def test_what_is_written_is_read_back(mortal, points):
    values = {
        "Running": False,
        "Level": -77,
        "Temperature": 1.25,
        "Recipe": "hello",
        "Drive.Starts": 12,
        "Program:Main.Step": 9,
        "Table[1,1]": 44,
        "Count.2": True,
        "Flags[5]": True,
    }
    whole = Address(tag="Counts", count=400)
    wanted = points(*values, whole)
    async with running(mortal.config(), wanted) as (_, connector):
        written = await connector.write(
            [Write(p, v) for p, v in zip(wanted, [*values.values(), list(range(400))], strict=True)]
        )
        batch = await connector.read(wanted)
    assert list(written) == [0] * len(wanted)
    assert {wanted[row.signal].path: row.value for row in batch} == {
        **{f"s{i}": value for i, value in enumerate(values.values())},
        f"s{len(values)}": list(range(400)),
    }


async def test_a_write_that_cannot_be_has_its_own_status_and_the_others_are_done(mortal, points):
    wanted = points("Level", "Level", "Nope", "Small")
    async with running(mortal.config(), wanted) as (_, connector):
        statuses = await connector.write(
            [Write(p, v) for p, v in zip(wanted, (70000, "x", 1, 5), strict=True)]
        )
        [row] = await connector.read(wanted[3:])
    assert list(statuses) == [
        quality.BAD_OUT_OF_RANGE,
        quality.BAD_TYPE_MISMATCH,
        quality.BAD_NODE_ID_UNKNOWN,
        quality.GOOD,
    ]
    assert row.value == 5


async def test_nothing_is_written_while_the_line_is_down(standing, points):
    with pytest.raises(Retry, match="nothing was sent"):
        await EtherNetIp(standing.config()).write([Write(points("Level")[0], 1)])


@pytest.mark.card("ethernetip", "update_without_reconnect")
async def test_other_points_are_followed_on_the_same_connection(standing, points):
    async with running(standing.config(interval=30.0), points("Running")) as (link, _):
        await link.until(lambda: link.of(0))
        link.update(points("Small", "Precise"))
        await link.until(lambda: link.of(1))
    assert link.of(0)[-1].value == -2
    assert not link.of(1)[0].flags & Flag.FIRST


@pytest.mark.card("ethernetip", "reconnect")
@pytest.mark.card("ethernetip", "line_quality")
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

    connector = EtherNetIp(mortal.config())
    line = Line(
        "plc", connector, points("Running"), clock=SystemClock(), forward=forward, tell=lambda e: None
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


@pytest.mark.card("ethernetip", "browse")
async def test_tags_are_listed_with_types_and_values(standing):
    found = {item.address["tag"]: item async for item in EtherNetIp(standing.config()).browse()}
    assert found["Running"].value is True
    assert (found["Recipe"].type, found["Recipe"].value) == (V.STRING, "000123")
    assert found["Drive.Currents"].address == {"tag": "Drive.Currents", "count": 3}
    assert found["Drive.Currents"].value == [1.5, 2.5, 3.5]
    assert (found["Flags"].type, found["Flags"].address["count"]) == (V.BOOLEAN, 64)
    assert found["Counts"].value is None  # too long to show
    assert found["Program:Main.Speed"].folder == "Program:Main"
    assert all(item.writable for item in found.values())
    some = [item.name async for item in EtherNetIp(standing.config()).browse("Program:Main")]
    assert some == ["Speed", "Step"]


async def test_who_is_there(standing):
    text = await EtherNetIp(standing.config()).probe()
    assert text == f"1756-L83E/B 32.11, serial 00C0FFEE, at 127.0.0.1:{standing.port}"


async def test_where_nothing_listens_the_reason_is_plain(mortal):
    await anyio.to_thread.run_sync(mortal.kill)
    with pytest.raises(Retry, match=r"No EtherNet/IP session with 127\.0\.0\.1.*slot or path"):
        await EtherNetIp(mortal.config()).run(Recorder(()))


@pytest.mark.card("ethernetip", "bad_input")
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x65\x00\xff\xff" + bytes(20),  # a length that nothing follows
        b"\x65\x00\x04\x00" + bytes(24),  # session 0
        bytes(24),
    ],
)
async def test_rubbish_instead_of_an_answer_ends_the_attempt_in_time(answer):
    async def serve(stream):
        async with stream:
            try:
                while True:
                    await stream.receive()
                    if not answer:
                        return
                    await stream.send(answer)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    config = Config(host="127.0.0.1", port=listener.extra(anyio.abc.SocketAttribute.local_port), timeout=0.3)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        with anyio.fail_after(10), pytest.raises((Retry, NeedsHuman)):
            await EtherNetIp(config).run(Recorder(()))
        group.cancel_scope.cancel()
