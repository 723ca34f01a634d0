"""A line that is killed, frozen, or not there."""

import signal

import pytest

from weft.connect import LineState
from weft.connect.opcua import OpcUa
from weft.connect.opcua.decode import Decoder
from weft.model import Flag, concat, quality
from weft.runtime import Retry

pytestmark = pytest.mark.anyio


@pytest.mark.card("opcua", "reconnect")
@pytest.mark.card("opcua", "line_quality")
async def test_killed_server_gives_bad_quality_and_its_return_samples_again(make_peer, kit):
    peer = make_peer()
    async with kit.line(kit.config(peer.url), kit.points("load", "Int32")) as line:
        await line.until(lambda: line.status.samples >= 2)
        peer.kill()
        await line.until(lambda: line.status.state is LineState.DOWN)
        assert peer.url in line.status.reason
        peer.start()
        await line.until(lambda: line.status.state is LineState.UP and line.status.samples >= 6)
    rows = [row for row in concat(line.batches) if row.signal == 0]
    assert [(row.value, row.status) for row in rows[:3]] == [
        (1.5, 0),
        (None, quality.BAD_NO_COMMUNICATION),
        (1.5, 0),
    ]
    assert rows[0].flags == Flag.FIRST
    assert rows[1].flags == Flag.SYNTHETIC
    assert rows[2].flags & Flag.FIRST
    assert max(rows[:-1], key=lambda row: row.time).status == 0, (
        "a value that stands again must not look lost"
    )


@pytest.mark.card("opcua", "line_quality")
async def test_frozen_server_is_found_out_by_its_silence(make_peer, kit, monkeypatch):
    monkeypatch.setattr("weft.connect.opcua.subscription.KEEP_ALIVE", 0.4)
    peer = make_peer()
    async with kit.line(kit.config(peer.url, timeout=1.0), kit.points("load")) as line:
        await line.until(lambda: line.status.samples >= 1)
        peer.signal(signal.SIGSTOP)
        await line.until(lambda: line.status.state is LineState.DOWN)
        assert "sent nothing" in line.status.reason or "in time" in line.status.reason
        peer.signal(signal.SIGCONT)
        await line.until(lambda: line.status.state is LineState.UP)


async def test_idle_server_keeps_the_line(make_peer, kit, monkeypatch):
    """Nothing but keep-alives: the line stays up, and nothing is asked for again."""
    monkeypatch.setattr("weft.connect.opcua.subscription.KEEP_ALIVE", 0.1)
    told = []
    monkeypatch.setattr(
        "weft.connect.opcua.subscription.Subscription._republish", lambda self, *a: told.append(a)
    )
    heard = []
    publish = Decoder.publish
    peer = make_peer()
    async with kit.line(kit.config(peer.url, timeout=2.0), kit.points("load")) as line:

        def hear(*message):
            heard.append(publish(*message))
            line.tell()
            return heard[-1]

        monkeypatch.setattr(Decoder, "publish", hear)
        await line.until(lambda: sum(note.keep_alive for note in heard) >= 5)
        assert line.status.state is LineState.UP
        assert not told


async def test_nobody_there(kit):
    with pytest.raises(Retry, match="Nobody listens"):
        await OpcUa(kit.config("opc.tcp://127.0.0.1:1")).probe()
