"""Addresses that are asked: at their interval, each for itself."""

import functools
import http.server
import threading
from contextlib import asynccontextmanager, contextmanager

import anyio
import pytest

from weft.connect.api import Point
from weft.connect.line import Line, LineState
from weft.connect.testing import Recorder
from weft.connect.webhook import Address, Config, Poll, Webhook
from weft.model import Flag, ValueType, quality
from weft.runtime import NeedsHuman, Retry, SystemClock

pytestmark = pytest.mark.anyio


@contextmanager
def folder(path, port=0):
    """Python's own file server on a folder: software of others."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), functools.partial(Quiet, directory=path))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@asynccontextmanager
async def at_work(link, **polls):
    connector = Webhook(Config(poll=polls, timeout=2))
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, link)
        try:
            yield connector
        finally:
            group.cancel_scope.cancel()


def point(handle, source, path, type=None, **more):
    return Point(handle, f"s{handle}", Address(source=source, path=path, **more), type)


async def test_a_poll_that_does_not_answer_costs_only_its_own_signals(tmp_path):
    (tmp_path / "press.json").write_text('{"force": 12.5, "time": 1700000000123}')
    link = Recorder(
        [point(0, "press", "force", time="time"), point(1, "oven", "temperature", ValueType.FLOAT)]
    )
    with folder(tmp_path) as url:
        polls = {name: Poll(url=f"{url}/{name}.json", interval=0.1) for name in ("press", "oven")}
        async with at_work(link, **polls):
            await link.until(lambda: len(link.of(0)) > 1)
            (tmp_path / "oven.json").write_text('{"temperature": 200}')
            await link.until(lambda: len(link.of(1)) > 1)
            (tmp_path / "oven.json").write_text("<html>")
            await link.until(lambda: link.of(1)[-1].status == quality.BAD_NO_COMMUNICATION)
    assert (link.of(0)[0].value, link.of(0)[0].time) == (12.5, 1_700_000_000_123_000_000)
    assert link.of(1)[0].status == quality.BAD_NO_COMMUNICATION
    assert (link.of(1)[1].value, link.of(1)[1].type) == (200.0, ValueType.FLOAT)
    assert any("1 of 2 polls answer" in detail for detail in link.details)
    assert any("2 of 2 polls answer" in detail for detail in link.details)


@pytest.mark.card("webhook", "reconnect")
@pytest.mark.card("webhook", "line_quality")
async def test_a_killed_server_leaves_bad_quality_and_is_asked_again(tmp_path):
    (tmp_path / "v.json").write_text('{"v": 1}')
    kept, stored = [], []

    def forward(batch, done):
        kept.extend(batch)
        if done is not None:
            done()
        news.set()

    news = anyio.Event()

    async def until(condition):
        nonlocal news
        with anyio.fail_after(10):
            while not condition():
                await news.wait()
                news = anyio.Event()

    async with anyio.create_task_group() as group:
        with folder(tmp_path) as url:
            config = Config(poll={"p": Poll(url=f"{url}/v.json", interval=0.1)})
            line = Line(
                "rest", Webhook(config), [point(0, "p", "v")], clock=SystemClock(), forward=forward,
                tell=stored.append,
            )  # fmt: skip
            group.start_soon(line.run)
            await until(lambda: any(row.value == 1 for row in kept))
        await until(lambda: kept[-1].status == quality.BAD_NO_COMMUNICATION)
        assert kept[-1].flags & Flag.SYNTHETIC
        (tmp_path / "v.json").write_text('{"v": 2}')
        with folder(tmp_path, int(url.rpartition(":")[2])):
            await until(lambda: any(row.value == 2 for row in kept))
            assert line.status.state is not LineState.STOPPED
            group.cancel_scope.cancel()


@pytest.mark.card("webhook", "browse")
async def test_browse_opens_a_poll_s_answer(tmp_path):
    (tmp_path / "p.json").write_text('[{"ts": "2026-01-01T00:00:00Z", "a": {"b": 1.5, "c.d": "x"}}]')
    with folder(tmp_path) as url:
        connector = Webhook(Config(poll={"p": Poll(url=f"{url}/p.json")}))
        found = [item async for item in connector.browse()]
        assert await connector.probe() == "1 polls answer"
    assert [(item.address, item.value, item.type) for item in found] == [
        ({"source": "p", "path": "a.b", "time": "ts"}, 1.5, ValueType.DOUBLE),
        ({"source": "p", "path": "/a/c.d", "time": "ts"}, "x", ValueType.STRING),
    ]


async def test_faults_of_polls_are_told(tmp_path):
    with folder(tmp_path) as url, pytest.raises(Retry, match="HTTP 404"):
        await Webhook(Config(poll={"p": Poll(url=f"{url}/none")})).probe()
    with anyio.fail_after(10), pytest.raises(Retry, match="does not answer"):
        await Webhook(Config(poll={"p": Poll(url=url)})).run(Recorder([]))
    with pytest.raises(NeedsHuman, match="authority file"):
        await Webhook(Config(poll={"p": Poll(url=url, ca="/none")})).probe()
