"""Posts by curl: stored before they are answered, refused with the reason, never lost under pressure."""

import hashlib
import hmac
import json
import shutil
import socket
from contextlib import asynccontextmanager

import anyio
import pytest

from weft.connect.api import Point
from weft.connect.testing import Recorder
from weft.connect.webhook import Address, Config, Webhook
from weft.model import Flag, ValueType, instant, quality
from weft.runtime import NeedsHuman

pytestmark = pytest.mark.anyio

CURL = shutil.which("curl")
BODY = {"ts": "2026-11-21T06:00:00.123456789Z", "press": {"force": 12.5, "serial": "000123"}, "n": 2**63}


@asynccontextmanager
async def listening(link, **settings):
    """(connector, url) while it listens."""
    connector = Webhook(Config(port=0, **settings))
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, link)
        await link.until(lambda: bool(link.details))
        try:
            yield f"http://127.0.0.1:{connector.port}"
        finally:
            group.cancel_scope.cancel()


async def curl(url, data, *headers, method="POST", form="application/json"):
    """(status, document) of the answer."""
    if CURL is None:
        pytest.skip("curl is not installed")
    text = data if isinstance(data, (str, bytes)) else json.dumps(data)
    command = [CURL, "-s", "-X", method, "-w", "\n%{http_code} %{content_type}", "--data-binary", "@-", url]
    for header in (f"Content-Type: {form}", *headers):
        command += ["-H", header]
    with anyio.fail_after(15):
        done = await anyio.run_process(command, input=text if isinstance(text, bytes) else text.encode())
    answer, _, end = done.stdout.decode().rpartition("\n")
    status, kind = end.split(" ", 1)
    assert kind == ("application/json" if status == "202" else "application/problem+json")
    return int(status), json.loads(answer)


def point(handle, path="", type=None, **more):
    return Point(handle, f"s{handle}", Address(source=more.pop("source", "/press"), path=path, **more), type)


@pytest.mark.card("webhook", "reads")
@pytest.mark.card("webhook", "types")
@pytest.mark.card("webhook", "source_time")
@pytest.mark.card("webhook", "outside_peer")
async def test_a_post_becomes_samples_with_its_own_time(tmp_path):
    link = Recorder(
        [
            point(0, "press.force", time="ts"),
            point(1, "/press/serial", time="ts"),
            point(2, "n", ValueType.UINT64),
            point(3, "press.force", where={"press.serial": "7"}),
            point(4, "gone", optional=True),
        ]
    )
    async with listening(link) as url:
        assert await curl(f"{url}/press", BODY) == (202, {"samples": 3})
    [force], [serial], [number] = link.of(0), link.of(1), link.of(2)
    assert (force.value, force.type, force.time) == (
        12.5,
        ValueType.DOUBLE,
        instant.parse_instant(BODY["ts"]),
    )
    assert (serial.value, serial.type, serial.flags) == ("000123", ValueType.STRING, Flag.FIRST)
    assert (number.value, number.flags) == (2**63, Flag.RECEIVE_TIME | Flag.FIRST)
    assert not link.of(3) + link.of(4)


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ([{"t": 1, "v": 1}, {"t": 2, "v": 2}], "application/json"),
        ('{"t": 1, "v": 1}\n\n{"t": 2, "v": 2}\n', "application/x-ndjson"),
        ("t,v\r\n1,1\r\n2,2\r\n", "text/csv; charset=utf-8"),
    ],
)
async def test_many_in_one_body(body, form):
    link = Recorder([point(0, "v", ValueType.INT32, time="t", time_unit="s")])
    async with listening(link) as url:
        assert await curl(f"{url}/press", body, form=form) == (202, {"samples": 2})
    assert [(row.time, row.value) for row in link.of(0)] == [(10**9, 1), (2 * 10**9, 2)]


@pytest.mark.card("webhook", "bad_input")
@pytest.mark.parametrize(
    ("path", "data", "settings", "status", "says"),
    [
        ("/press", "{", {}, 400, "no JSON"),
        ("/other", "{}", {}, 404, "No signal reads '/other'"),
        ("/press", "{}", {"method": "PATCH"}, 405, "PATCH"),
        ("/press", "{}", {"form": "image/png"}, 415, "image/png"),
        ("/press", b"x" * 2000, {}, 413, "1,000 bytes"),
        ("/press", "a,a\n1,2", {"form": "text/csv"}, 400, "each column once"),
        ("/press", "a,b\n1", {"form": "text/csv"}, 400, "Line 2"),
        ("/press", '{"a":1}\n{', {"form": "application/jsonl"}, 400, "Line 2"),
    ],
)
async def test_a_mistake_is_named_and_nothing_is_stored(path, data, settings, status, says):
    link = Recorder([point(0, "v")])
    async with listening(link, max_body=1000) as url:
        code, problem = await curl(url + path, data, **settings)
        assert (code, problem["status"]) == (status, status)
        assert says in problem["detail"]
        assert not link.rows
        assert (await curl(f"{url}/press", {"v": 1}))[0] == 202


@pytest.mark.card("webhook", "bad_signal")
async def test_a_value_that_cannot_be_read_costs_itself_only():
    link = Recorder(
        [point(0, "a", ValueType.INT16), point(1, "b"), point(2, "c"), point(3, source="nowhere")]
    )
    async with listening(link) as url:
        assert await curl(f"{url}/press", {"a": 70000, "b": 1}) == (202, {"samples": 3})
    statuses = [link.of(handle)[0].status for handle in range(3)]
    assert statuses == [quality.BAD_OUT_OF_RANGE, quality.GOOD, quality.BAD_NODE_ID_UNKNOWN]
    assert "no poll" in link.refused["s3"][1]


async def test_tokens_and_signatures(monkeypatch):
    monkeypatch.setenv("HOOK_TOKEN", "t0ken")
    monkeypatch.setenv("HOOK_SECRET", "s3cret")
    link = Recorder([point(0, "v")])
    body = '{"v": 1}'
    signature = hmac.new(b"s3cret", body.encode(), hashlib.sha256).hexdigest()
    bearer = "Authorization: Bearer t0ken"
    async with listening(link, token="env:HOOK_TOKEN", secret="env:HOOK_SECRET") as base:
        url = f"{base}/press"
        for headers in (
            (),
            ("Authorization: Bearer wrong",),
            ("Authorization: Basic t0ken",),
            (bearer,),
            (bearer, f"X-Signature-256: sha256={signature[1:]}0"),
        ):
            code, problem = await curl(url, body, *headers)
            assert code == 401, problem
        assert (await curl(url, body, bearer, f"X-Signature-256: sha256={signature}"))[0] == 202
        assert (await curl(url + "x", body))[0] == 401  # who may not post learns no paths
    assert len(link.rows) == 1


class Slow(Recorder):
    """Takes samples and never stores them."""

    def emit(self, batch, stored=None):
        super().emit(batch)


async def test_what_is_not_stored_is_not_acknowledged():
    link = Slow([point(0, "v")])
    async with listening(link, timeout=0.2) as url:
        code, problem = await curl(f"{url}/press", {"v": 1})
        assert code == 503
        assert "again" in problem["detail"]
        link.pressure = 1.0
        assert (await curl(f"{url}/press", {"v": 1}))[0] == 429


@pytest.mark.card("webhook", "update_without_reconnect")
async def test_other_signals_are_read_by_the_same_listener():
    link = Recorder([point(0, "v")])
    async with listening(link) as url:
        link.update([point(1, "v", source="/new")])
        assert (await curl(f"{url}/new", {"v": 1}))[0] == 202
        assert (await curl(f"{url}/press", {"v": 1}))[0] == 404
    assert [row.signal for row in link.rows] == [1]


async def test_a_taken_port_needs_a_person():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        connector = Webhook(Config(port=other.getsockname()[1]))
        with anyio.fail_after(10), pytest.raises(NeedsHuman, match="is taken"):
            await connector.run(Recorder([]))


async def test_a_half_sent_body_does_not_hold_the_others():
    link = Recorder([point(0, "v")])
    async with listening(link, timeout=0.3) as url:
        port = int(url.rpartition(":")[2])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(b"POST /press HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
            assert (await curl(f"{url}/press", {"v": 1}))[0] == 202
            assert b" 408 " in await stream.receive()


async def test_a_token_of_any_letters_is_meant_as_utf8(monkeypatch):
    monkeypatch.setenv("TOKEN", "schlüssel-ключ")
    link = Recorder([point(0, "force")])
    async with listening(link, token="env:TOKEN") as url:
        status, _ = await curl(f"{url}/press", {"force": 1}, "Authorization: Bearer schlüssel-ключ")
    assert status == 202
