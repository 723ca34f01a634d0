"""What is no agent, or no longer one: refused with a reason, and never a crash."""

from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import SocketAttribute

from weft.connect.api import Point
from weft.connect.mtconnect import Address, Config, MtConnect
from weft.connect.testing import Recorder
from weft.runtime import NeedsHuman, Retry

pytestmark = pytest.mark.anyio

PROBE = b"""<MTConnectDevices><Header instanceId="1" version="2.0"/><Devices><Device name="d" uuid="u"><DataItems>
<DataItem id="x" type="LOAD" category="SAMPLE"/></DataItems></Device></Devices></MTConnectDevices>"""
HEADER = b'<Header instanceId="1" nextSequence="%d" firstSequence="1" lastSequence="%d"/>'


def streams(following, *observations):
    body = b"".join(observations)
    return (
        b"<MTConnectStreams>" + HEADER % (following, following - 1) + b"<Streams><D><C><Samples>" + body
        + b"</Samples></C></D></Streams></MTConnectStreams>"
    )  # fmt: skip


def load(sequence, text, time=b"2026-01-01T00:00:0%dZ"):
    moment = time % (sequence % 10) if b"%" in time else time
    return b'<Load dataItemId="x" sequence="%d" timestamp="%s">%s</Load>' % (sequence, moment, text)


def whole(body, status=b"200 OK"):
    return b"HTTP/1.1 %s\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (
        status,
        len(body),
        body,
    )


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=b\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def answering(answers):
    """A server that answers by the path's end; the rest is silence."""

    async def handle(stream):
        async with stream:
            try:
                while True:
                    request = await stream.receive()
                    path = request.split(b" ", 2)[1].split(b"?")[0].rpartition(b"/")[2].decode()
                    if path in answers:
                        await stream.send(answers[path])
                        if answers[path].startswith(STREAM):
                            await anyio.sleep_forever()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, handle)
        yield f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        group.cancel_scope.cancel()


async def run(answers, error, match, **settings):
    link = Recorder([Point(1, "x", Address(id="x"))])
    async with answering(answers) as url:
        with anyio.fail_after(10), pytest.raises(error, match=match):
            await MtConnect(Config(url=url, timeout=1, heartbeat=0.1, assets=False, **settings)).run(link)
    return link


@pytest.mark.card("mtconnect", "bad_input")
@pytest.mark.parametrize(
    ("answer", "error", "match"),
    [
        (whole(b"<html>hello</html>"), NeedsHuman, "no MTConnect agent"),
        (whole(b"not xml"), NeedsHuman, "not understood"),
        (whole(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), NeedsHuman, "document type"),
        (whole(b"", b"401 Unauthorized"), NeedsHuman, "let us in"),
        (whole(b"oops", b"500 Error"), Retry, "HTTP 500"),
        (
            whole(b"<MTConnectError><Errors><InternalError/></Errors></MTConnectError>"),
            Retry,
            "INTERNAL_ERROR",
        ),
        (b"nonsense\r\n\r\n", Retry, "No agent answers"),
    ],
)
async def test_what_is_no_agent_is_refused_with_a_reason(answer, error, match):
    await run({"probe": answer}, error, match)


@pytest.mark.card("mtconnect", "bad_input")
async def test_bad_values_cost_themselves_only():
    body = streams(6, load(3, b"1"), load(4, b"x"), load(5, b"3", b"yesterday"))
    part = b"--b\r\nContent-length: %d\r\n\r\n%s\r\n--b\r\nContent-length: 7\r\n\r\n<broken" % (
        len(body),
        body,
    )
    answers = {"probe": whole(PROBE), "current": whole(streams(2, load(1, b"0"))), "sample": STREAM + part}
    link = await run(answers, Retry, "not understood")
    values = [(row.value, row.status >> 30) for row in link.of(1)]
    assert values == [(0.0, 0), (0.0, 0), (1.0, 0), (None, 2), (3.0, 0)]


async def test_a_stream_that_falls_silent_is_lost():
    answers = {"probe": whole(PROBE), "current": whole(streams(2, load(1, b"0"))), "sample": STREAM}
    link = await run(answers, Retry, "silent")
    assert link.details == ["MTConnect 2.0, 1 devices, 1 data items"]
