"""From the edge's stream to the hub's, through every fault: nothing lost, nothing doubled, in order."""

import time

import anyio
import msgspec
import pytest
from authority import Issuer, key_pem, pem
from servers.destinations.forward.site import EDGE, HOME, SAMPLES, SUBJECT, Site, kill, restarted, running

from weft.bus import Draft, Edge, Gate, NatsBus, after
from weft.connect import LineState
from weft.model import Batch, Event
from weft.runtime import Denied, Invalid, Retry

pytestmark = pytest.mark.anyio


async def until(condition, seconds=15):
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110  # looks at what is public
            await anyio.sleep(0.01)


async def test_samples_and_events_arrive_renumbered_and_once(tmp_path):
    async with Site(tmp_path).up() as site, running(site.forwarder()) as forwarder:
        await site.publish(300)
        event = Event(kind="weft.data.gap", source="mill", time=1, recorded=2, data={"a": 1})
        await site.edge.publish(Draft("events.v1.weft.data.gap.mill", event, event.id))
        assert await site.hub_values(300) == list(range(300))
        async with site.hub.subscribe("uns.v1.>", start=after(0)) as subscription:
            first = (await subscription.next())[0]
        assert (first.subject, first.id) == (SUBJECT, "gateway-1/mill:0")
        assert first.body.source == "mill"
        assert int(first.body.signal[0]) == site.numbering.handles[f"{HOME}/mill/s3"]
        async with site.hub.subscribe("events.v1.>", start=after(0)) as subscription:
            assert (await subscription.next())[0].body == event
        await until(lambda: forwarder.status.state is LineState.UP)
        await until(lambda: site.reception.statuses()[0].state is LineState.UP)
        assert forwarder.status.samples == 300


async def test_hub_edge_and_link_fail_in_turn(tmp_path, capsys):
    """Each is killed or cut twice under load, one after the other and in the middle of the others' recovery."""
    rounds, done = 2, anyio.Event()
    faults = []

    async def load(site):
        while not done.is_set():
            await site.publish(1 + site.published % 7)

    async def kill_and_wait(server, name):
        faults.append((time.monotonic(), name))
        old = server.pid
        kill(server)
        await restarted(server, old)
        await anyio.sleep(0.3)

    async with Site(tmp_path).up() as site, running(site.forwarder()):
        async with anyio.create_task_group() as group:
            group.start_soon(load, site)
            await until(lambda: site.published > 300)
            for _ in range(rounds):
                await kill_and_wait(site.hub_server, "hub killed")
                faults.append((time.monotonic(), "link cut"))
                site.proxy.cut()
                await anyio.sleep(0.7)
                site.proxy.resume()
                await anyio.sleep(0.3)
                await kill_and_wait(site.edge_server, "edge's bus killed")
            faults.append((time.monotonic(), "link stalled"))
            site.proxy.cut()
            await anyio.sleep(0.5)
            site.proxy.resume()
            over = time.monotonic()
            before = site.published
            found = await site.hub_values(before)
            caught_up = time.monotonic() - over
            done.set()
        found = await site.hub_values(site.published)
    assert found == list(range(site.published)), "0 lost, 0 doubled, in order"
    with capsys.disabled():
        print(f"\n  {site.published} values through {len(faults)} faults: 0 lost, 0 doubled, in order;")
        print(f"  {before} of them caught up {caught_up:.2f} s after the last fault was over")


async def test_a_forwarder_that_dies_begins_where_it_stopped(tmp_path):
    async with Site(tmp_path).up() as site:
        for _ in range(6):
            async with running(site.forwarder()):
                await site.publish(100)
                with anyio.move_on_after(0.15):
                    await site.hub_values(site.published)
        async with running(site.forwarder()):
            assert await site.hub_values(600) == list(range(600))
            await anyio.sleep(0.3)
            states = {state.name: state.messages for state in await site.hub.streams()}
            assert states["samples"] == 600


async def test_a_repeat_after_the_hub_forgot_the_ids_is_not_stored_again(tmp_path):
    """An answer lost before an outage that is longer than ids are remembered."""
    async with Site(tmp_path).up() as site:
        await site.publish(20)
        async with running(site.forwarder()):
            assert await site.hub_values(20) == list(range(20))
        # The hub has 20 under ids that it no longer knows; the edge's position is that before the last batch.
        position = b'{"sequence":7,"created":"%s"}' % (await created(site)).encode()
        session = await site.edge._connection.session()
        await session.ask("weft.position.samples.hub", position)
        await forget_ids(site)
        await site.publish(5)
        async with running(site.forwarder()):
            assert await site.hub_values(25) == list(range(25))
            await anyio.sleep(0.3)
            assert {s.name: s.messages for s in await site.hub.streams()}["samples"] == 25


async def created(site):
    return next(state.created for state in await site.edge.streams() if state.name == "samples")


async def forget_ids(site):
    """A window of a tenth of a second: all ids are forgotten."""
    await site.hub.declare(msgspec.structs.replace(SAMPLES, duplicate_window=0.1))
    await anyio.sleep(0.5)


async def test_an_edge_may_do_what_it_must_and_nothing_else(tmp_path):
    other = Edge(name="gateway-2", password="secret-of-2", home="acme/berlin/hall2")
    async with Site(tmp_path, (EDGE, other)).up() as site:
        async with NatsBus.connect(site.login()) as bus:
            with anyio.fail_after(5):
                await bus.publish(Draft(SUBJECT, b"", "1"))
            for subject in ("uns.v1.acme.berlin.hall2._raw.x", "cmd.v1.write", "weft.edge.gateway-2.hello"):
                with anyio.move_on_after(0.5) as scope, pytest.raises((Retry, Invalid, Denied)):
                    await bus.request(subject, b"", timeout=0.3)
                assert not scope.cancelled_caught
            with anyio.move_on_after(0.5):
                async with bus.subscribe("uns.v1.>") as live:
                    await site.hub.publish(Draft("uns.v1.acme.berlin.hall2._raw.x", b"secret", "2"))
                    await live.next()
                    raise AssertionError("it heard what is not for it")
        for wrong in (site.login(password="guess"), site.login(user="weft"), site.login(user="gateway-9")):
            with pytest.raises(Denied):
                async with NatsBus.connect(wrong):
                    pass


async def test_what_an_edge_says_wrong_ends_nothing_for_the_others(tmp_path):
    async with Site(tmp_path).up() as site, NatsBus.connect(site.login()) as bus:
        subject = f"weft.edge.{EDGE.name}"
        for kind, said in (("hello", b"\x81\xa7waiting\xa1\xff"), ("numbers", b"\x81\xa5paths\x91\xa1\xff")):
            for wrong in (b"", b"\xc1", said):
                with pytest.raises(Invalid):
                    await bus.request(f"{subject}.{kind}", wrong, timeout=5)
        answer = await bus.request(f"{subject}.numbers", msgspec.msgpack.encode({"paths": []}), timeout=5)
        assert msgspec.msgpack.decode(answer)


async def test_signals_that_are_not_below_its_home_are_left_out_and_counted(tmp_path):
    foreign = {3: "acme/berlin/hall2/saw/x", 4: f"{HOME}/mill/y"}
    async with Site(tmp_path).up() as site:
        forwarder = site.forwarder()
        forwarder._numbers._path_of = foreign.get
        async with running(forwarder):
            await site.publish(10)
            assert await site.hub_values(5) == [1, 3, 5, 7, 9]
            assert forwarder.status.lost == 5
        assert list(site.numbering.handles) == [f"{HOME}/mill/y"]


async def test_what_the_edge_measures_of_itself_lies_at_its_home(tmp_path):
    async with Site(tmp_path).up() as site, running(site.forwarder()):
        await site.publish(1, subject="uns.v1.acme.berlin._raw._silence")
        assert await site.hub_values(1) == [0]
        last = await site.hub.last("uns.v1.acme.berlin.hall1._raw._silence")
        assert last is not None


async def test_a_hub_without_weft_or_with_a_wrong_password_is_named(tmp_path):
    async with Site(tmp_path).up() as site:
        forwarder = site.forwarder()
        forwarder.hub = NatsBus(site.login(password="guess"))
        async with running(forwarder):
            await until(lambda: forwarder.status.state is LineState.NEEDS_HUMAN)
            assert "login" in forwarder.status.reason


async def test_over_tls_with_a_certificate_by_file(tmp_path):
    authority = Issuer("root")
    certificate, key = authority.server()
    files = {name: tmp_path / f"{name}.pem" for name in ("certificate", "key", "ca")}
    files["certificate"].write_bytes(pem(certificate))
    files["key"].write_bytes(key_pem(key))
    files["ca"].write_bytes(pem(authority.certificate))
    gate = {name: str(files[name]) for name in ("certificate", "key")}
    async with Site(tmp_path, **gate).up() as site:
        secure = {
            "url": f"tls://localhost:{site.proxy.port}",
            "ca": str(files["ca"]),
            "handshake_first": True,
        }
        async with NatsBus.connect(site.login(**secure)) as bus:
            await bus.publish(Draft(SUBJECT, Batch.doubles([1], [1], [1.0]), "1"))
            session = await bus._connection.session()
            assert session._client._transport._io_writer.get_extra_info("ssl_object") is not None
        with pytest.raises(Retry):
            async with NatsBus.connect(site.login(**{**secure, "ca": ""}), timeout=2.0):
                pass


def test_a_gate_to_the_network_needs_a_certificate():
    for listen in ("0.0.0.0:7422", "192.0.2.1:7422", ":7422"):
        with pytest.raises(Invalid, match="without encryption"):
            Gate(listen=listen)
    for listen in ("7422", "127.0.0.1:x", "127.0.0.1:0"):
        with pytest.raises(Invalid, match="no address"):
            Gate(listen=listen)
    assert Gate(listen="127.0.0.1:7422").settings() == {}
