"""Whatever a field says is named, marked and kept, and everything else arrives; whatever a browser sends is
answered and never with a fault of ours."""

import random
import re
from collections import Counter

import anyio
import anyio.to_thread
import httpx
import pytest
from plant import hostile
from plant.houses import living, until

from weft.connect import LineState
from weft.history.columns import from_table
from weft.model import Batch, Flag, ValueType, instant, quality

pytestmark = pytest.mark.anyio

ALL = (instant.MIN_NS + 1, instant.MAX_NS)
SITE = "acme/odd/hall"


async def rows_of(house, name):
    handle = house.plant().signals[f"{SITE}/{name}"].handle
    return list(from_table(await house.history.raw([handle], *ALL)))


async def _has(house, name, time):
    return any(row.time == time for row in await rows_of(house, name))


def status(house, name):
    return next(line for line in house.lines() if line.name == name)


async def test_a_hostile_field_harms_nobody(tmp_path):
    async with hostile.field(tmp_path) as (plant, mqtt, adapter), living(plant) as house:
        await until(lambda: all(status(house, n).state is LineState.UP for n in ("broker", "lathe", "mill")))
        begin, times = await anyio.to_thread.run_sync(hostile.speak, mqtt.port)
        lathe = await hostile.speak_shdr(adapter)

        async def arrived():
            odd = await rows_of(house, "press/odd")
            return [r for r in odd if r.value == 42.0] and len(
                await rows_of(house, "press/bare")
            ) >= hostile.GOOD

        await until(arrived)
        last = lathe + (hostile.GOOD - 1) * hostile.SECOND
        await until(lambda: _has(house, "lathe/x", last))
        good = await rows_of(house, "press/good")
        assert {r.time: (r.value, r.status) for r in good} == {t: ((t - begin) // 10**6, 0) for t in times}
        assert [r.value for r in await rows_of(house, "press/bare")] == list(range(hostile.GOOD))
        await _look_at_odd_messages(house)
        await _look_at_the_lathe(house, lathe)
        await _look_at_the_meter(house)
        await _look_at_the_mill(house)
        await _look_at_the_pages(house)


async def _look_at_odd_messages(house):
    odd = await rows_of(house, "press/odd")
    by_arrival = [quality.status_name(row.status) for row in odd if row.status]
    assert by_arrival == [name for _, name in hostile.ODD]
    by_value = {row.value: row for row in odd if not row.status}
    for text, value in hostile.HELD.items():
        assert by_value[value].time == instant.parse_instant(text)
        assert by_value[value].flags & Flag.CLOCK_SUSPECT
    for i, _ in enumerate(hostile.UNHELD):
        assert by_value[float(i)].flags & Flag.RECEIVE_TIME
    assert len(odd) == len(hostile.ODD) + len(hostile.HELD) + len(hostile.UNHELD) + 1


async def _look_at_the_lathe(house, begin):
    found = {row.time: row for row in await rows_of(house, "lathe/x")}
    for i in range(hostile.GOOD):
        row = found.pop(begin + i * hostile.SECOND)
        assert (row.value, row.status, row.flags & ~Flag.FIRST) == (i + 0.5, 0, 0)
    assert all(row.flags & Flag.RECEIVE_TIME for row in found.values())
    assert {quality.severity(row.status) for row in found.values() if row.value != 9.0} == {"bad"}


async def _look_at_the_meter(house):
    line = status(house, "meter")
    assert line.state is LineState.DOWN
    assert "no Modbus answer" in line.reason
    assert "127.0.0.1:" in line.reason
    rows = await rows_of(house, "meter/power")
    assert rows
    assert all(quality.severity(row.status) == "bad" and row.value is None for row in rows)


async def _look_at_the_mill(house):
    line = status(house, "mill")
    assert set(line.refused) == {f"{SITE}/mill/unknown", f"{SITE}/mill/stranger"}
    for path, reason in line.refused.items():
        assert ("Mill1.Nowhere" if path.endswith("unknown") else "urn:nobody:here") in reason
        (row,) = await rows_of(house, path.removeprefix(f"{SITE}/"))
        assert quality.severity(row.status) == "bad"

    async def moves():
        return len([row for row in await rows_of(house, "mill/load") if not row.status]) > 1

    await until(moves)


async def _look_at_the_pages(house):
    """With times from 1700 to 2200 in history, and lines that are down."""
    every = [("signal", f"{SITE}/press/odd"), ("signal", f"{SITE}/mill/load")]
    spans = [
        {},
        {"start": "1677-10-01T00:00:00Z", "end": "2262-01-01T00:00:00Z"},
        {"start": "2199-01-01T00:00:00Z", "end": "2201-01-01T00:00:00Z"},
    ]
    asked = [("/", []), ("/api/v1/status", []), ("/api/v1/snapshot", [("signal", "**")])]
    for span in spans:
        asked += [(path, [*every, *span.items()]) for path in ("/trend", "/api/v1/raw", "/console/series")]
        asked.append(("/api/v1/summary", [*every, *span.items(), ("interval", "52w")]))
    async with httpx.AsyncClient(base_url=house.address, timeout=20) as client:
        await client.get(house.access.new_link(), follow_redirects=True)
        for path, params in asked:
            answer = await client.get(path, params=params)
            assert answer.status_code == 200, (path, params, answer.text[:500])
        page = await client.get("/")
        assert "no communication" in page.text or "not connected" in page.text


async def test_a_time_from_far_ahead_does_not_hide_what_comes_after_it(tmp_path):
    hostile.write(tmp_path / "plant", 1, 1, 1, 1)
    async with living(tmp_path / "plant") as house:
        await until(lambda: status(house, "broker").state is LineState.DOWN)
        handle = house.plant().signals[f"{SITE}/press/odd"].handle
        for time in (instant.parse_instant("2200-01-01T00:00:00Z"), house.clock.now()):
            rows = Batch.of([(handle, time, 42.0, ValueType.DOUBLE)], source="broker", sequence=time)
            house._edge.accept(rows.replace(received=house.clock.now()))

        async def both():
            return len([row for row in await rows_of(house, "press/odd") if row.value == 42.0]) == 2

        await until(both)
        assert house.history.snapshot([handle])[0].time < 2 * 10**18


# --- HTTP -------------------------------------------------------------------------------------------------------

SEEDS = [
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: COOKIE\r\n\r\n",
    b"GET /trend?signal=acme/odd/hall/press/good&range=1h HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: COOKIE\r\n\r\n",
    b"GET /api/v1/raw?signal=**/good&start=-1h&end=now HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    b"GET /api/v1/summary?signal=**&interval=1m HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    b"GET /api/v1/snapshot?signal=** HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    b"GET /console/series?signal=acme/odd/hall/press/good&pixels=100 HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: COOKIE\r\n\r\n",
    b"GET /static/console.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET /enter?key=abcdefghijklmnopqrstuvwx HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET /api/v1/plant HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    (
        b"POST /api/v1/sql HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\n"
        b'Content-Length: 43\r\n\r\n{"query": "select 1 from sample limit 100"}'
    ),
    b"POST /api/v1/apply?dry_run=true HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer TOKEN\r\nContent-Length: 0\r\n\r\n",
]
SPICES = [
    b"%00", b"%", b"%ff%fe", b"\x00", b"\xff", b"../", b"%2e%2e%2f", b"\r\n", b"9" * 400, b"-1", b"NaN", b"1e999",
    b"[", b"**/**/**/**/**/**", b"&", b"=", b"'", b"<script>", b"0001-01-01", b"9999-12-31T23:59:59Z", b"\xc3\x28",
    b"%F0%9F%92%A9", b"null", b"{}", b"-999999999999w",
]  # fmt: skip
WORDS = [spice for spice in SPICES if not {*spice} & {0, 13, 32, *range(128, 256)}]
REQUESTS = 2000


def mutated(chance, request):
    """The request with one to three wrong places: half of them only in what it asks for, so that it gets past
    the parser."""
    if chance.random() < 0.5:
        head, blank, rest = request.partition(b" HTTP")
        return _spiced(chance, head) + blank + rest
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(request) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            request = request[:at] + chance.choice(SPICES) + request[at:]
        elif kind == 1:
            request = request[:at] + request[at + chance.randint(1, 8) :]
        elif kind == 2:
            request = request[:at] + bytes([chance.randrange(256)]) + request[at + 1 :]
        else:
            request = request[:at] + request[chance.randrange(len(request) + 1) :]
    return request


def _spiced(chance, target):
    ends = [match.end() for match in re.finditer(rb"[=/?&:*]", target)]
    at = chance.choice(ends)
    return target[:at] + chance.choice(WORDS) + target[chance.choice([at, at, len(target)]) :]


async def answer_to(port, request, patience=10.0):
    """The status of the first answer; None when the server waits for more or closes without one."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        data = b""
        try:
            await stream.send(request)
            with anyio.move_on_after(patience):
                while not re.match(rb"HTTP/1\.1 (\d{3}) ", data):
                    data += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            pass
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", data)
    return int(found[1]) if found else None


async def test_no_request_is_answered_with_a_fault_of_ours(tmp_path):
    hostile.write(tmp_path / "plant", 1, 1, 1, 1)  # nobody is there: the pages must stand that, too
    chance = random.Random(1601)
    async with living(tmp_path / "plant") as house:
        async with httpx.AsyncClient(base_url=house.address) as client:
            await client.get(house.access.new_link(), follow_redirects=True)
            cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items()).encode()
        token, port = house.access.token.encode(), int(house.address.rpartition(":")[2])
        seeds = [seed.replace(b"COOKIE", cookie).replace(b"TOKEN", token) for seed in SEEDS]
        for seed in seeds:
            assert await answer_to(port, seed) in {200, 201, 403, 404}, seed
        requests = [mutated(chance, chance.choice(seeds)) + b"\r\n\r\n" for _ in range(REQUESTS)]
        seen = Counter()

        async def some(part):
            for request in part:
                code = await answer_to(port, request, 1.0)
                seen[code] += 1
                assert code is None or code < 500, (code, request)

        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                for i in range(8):
                    group.start_soon(some, requests[i::8])
        assert seen[200] > 20, seen
        assert seen[400] > 20, seen
        async with httpx.AsyncClient(base_url=house.address) as client:
            assert (
                await client.get("/api/v1/status", headers={"Authorization": f"Bearer {token.decode()}"})
            ).is_success
        assert all(service.restarts == 0 for service in house.services()), "something fell over"
