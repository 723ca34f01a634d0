"""Our own host application and edge node, judged by the statements of the specification."""

from functools import partial

import anyio
import pytest
from servers.connect.mqtt.broker import running
from servers.sparkplug_feed import Feed, broker_of, edge, host, point, signal
from servers.sparkplug_proxy import recording

from weft.connect.api import Write
from weft.model import ValueType, Writable
from weft.mqtt.broker import Broker
from weft.mqtt.session import Session
from weft.sparkplug.state import encode_state
from weft.sparkplug.tck import Verdict, check, read_recording, write_recording

pytestmark = pytest.mark.anyio
T = ValueType
NOW = 1_767_225_600_123_456_700
SPEED = signal(1, "acme/hall/mill/speed", unit="mm/s", write=Writable())
NAME = signal(2, "acme/hall/saw/name")


async def session_of(broker, feed, version):
    """A life with all that happens in it: births, data, backlog, a rebirth, a write, deaths, and once more."""
    points = [point(SPEED), point(NAME)]
    async with recording(broker) as proxy:
        for _ in range(2):
            async with host(proxy, points, host_id="P", version=version) as (link, connector):
                async with edge(proxy, feed, primary_host="P", version=version):
                    await link.until(lambda: len({row.signal for row in link.rows}) == 2)
                    feed.put((1, NOW + 5, 2.5, T.DOUBLE, 0x80310000), (2, NOW + 5, "b", T.STRING))
                    feed.put((1, NOW - 99, 0.5, T.DOUBLE), live=False)
                    await link.until(lambda: any(row.value == 0.5 for row in link.rows))
                    await connector.write([Write(points[0], 3.5)])
                    await feed.until(lambda: bool(feed.commands))
                    link.update([*points, point(signal(3, "acme/hall/saw/other"))])
                    await link.until(lambda: len(link.of(2)) > 1)
                    births = len(feed.details)
                    await feed.until(partial(more, feed, births))
                    await mislead(proxy, version)
                    feed.update([SPEED])
                    await anyio.sleep(0.3)
                    feed.update([SPEED, NAME])
                    await anyio.sleep(0.3)
                await link.until(lambda: link.rows[-1].status == 0x408F0000)
                feed.again()
        return proxy.entries


def more(feed, births):
    return len(feed.details) > births


async def mislead(proxy, version):
    """Somebody says, with an old word, that the host is away: nobody leaves, and the host says that it is there."""
    where = Broker(**{**broker_of(proxy), "version": version})
    stranger = Session(where, "stranger", where.user, "", clean=True)
    await stranger.open()
    await stranger.publish("spBv1.0/STATE/P", encode_state(online=False, timestamp=1), retain=True)
    await stranger.close()
    await anyio.sleep(0.2)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_no_statement_fails_on_our_own_traffic(tmp_path, version):
    feed = Feed([SPEED, NAME], tmp_path, [(1, NOW, 1.5, T.DOUBLE), (2, NOW, "a", T.STRING)])
    async with running(tmp_path) as broker:
        with anyio.fail_after(60):
            entries = await session_of(broker, feed, version)
    file = tmp_path / "session.jsonl"
    write_recording(file, entries)
    findings = {finding.id: finding for finding in check(read_recording(file))}
    failed = {name: f.why for name, f in findings.items() if f.verdict is Verdict.FAIL}
    assert failed == {}
    passed = [name for name, finding in findings.items() if finding.verdict is Verdict.PASS]
    unseen = sorted(name for name, finding in findings.items() if finding.verdict is Verdict.NOT_SEEN)
    # Weft sends no templates and data sets, and each version of MQTT has a few statements of its own.
    others = [
        n
        for n in unseen
        if not any(w in n for w in ("template", "dataset", "-311", "-50", "mqtt311", "mqtt50", "aware"))
    ]
    print(len(passed), others)
    assert len(passed) > 200
