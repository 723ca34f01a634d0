"""What becomes of messages when the server is killed or the connection cut."""

import contextlib
import os
import signal

import anyio
import pytest

from weft.bus import LIVE, Address, Draft, NatsBus, NatsServer, Promise, Stream, after
from weft.model import Batch
from weft.runtime import Denied, Invalid, NotFound, Retry, Supervisor

pytestmark = pytest.mark.anyio

SAMPLES = Stream(name="samples", subjects=("uns.v1.>",), max_bytes=256 << 20)


def supervised(server):
    return Supervisor().running([("bus", [server.service()])])


def kill(server):
    os.kill(server.pid, signal.SIGKILL)


async def restarted(server, old):
    """The new child's pid, once it is there."""
    while server.pid in {0, old}:  # noqa: ASYNC110  # the pid is all there is to look at
        await anyio.sleep(0.005)
    return server.pid


async def until_it_fails(bus):
    while True:
        await bus.publish(Draft("uns.v1.a", b"", "1"))


async def insist(bus, *drafts):
    """Publishes as the edge does: the same ids until the bus has taken them."""
    while True:
        try:
            return await bus.publish(*drafts)
        except Retry:
            await anyio.sleep(0.01)


async def test_killed_server_loses_nothing_doubles_nothing_keeps_the_order(tmp_path):
    server = NatsServer(tmp_path / "bus")
    acknowledged, durable, plain, live = [], [], [], []
    total = 600

    async def publish(bus):
        for i in range(total):
            count = 1 + i % 4  # single messages and batches
            drafts = [Draft("uns.v1.a", Batch.doubles([i], [k], [0.0]), f"{i}/{k}") for k in range(count)]
            await insist(bus, *drafts)
            acknowledged.extend((i, k) for k in range(count))

    def key(message):
        return int(message.body.signal[0]), int(message.body.time[0])

    async def follow(bus, into, goal, **start):
        async with bus.subscribe("uns.v1.>", **start) as subscription:
            while len(into) < goal:
                found = await subscription.next(50)
                into.extend(found)
                if start.get("durable"):
                    with contextlib.suppress(Retry):
                        await subscription.ack(found[-1])

    goal = sum(1 + i % 4 for i in range(total))
    with anyio.fail_after(60):
        async with supervised(server), NatsBus.connect(server.address) as bus:
            await bus.declare(SAMPLES)
            async with NatsBus.connect(server.address) as other, anyio.create_task_group() as group:
                group.start_soon(lambda: follow(other, durable, goal, start=after(0), durable="historian"))
                group.start_soon(lambda: follow(other, plain, goal, start=after(0)))
                group.start_soon(lambda: follow(bus, live, goal, start=LIVE))
                group.start_soon(publish, bus)
                for quarter in range(1, 5):
                    while len(acknowledged) < quarter * goal // 6:  # noqa: ASYNC110  # amid the load
                        await anyio.sleep(0.002)
                    old = server.pid
                    kill(server)
                    await restarted(server, old)
            state = (await bus.streams())[0]

    assert [key(m) for m in durable] == acknowledged
    assert [key(m) for m in plain] == acknowledged
    # The subscriber in the publisher's process also sees each once, though acknowledgements were lost.
    assert [key(m) for m in live] == acknowledged
    assert state.messages == goal
    assert state.promise is Promise.POWER
    sequences = [m.sequence for m in durable]
    assert sequences == list(range(1, goal + 1))


async def test_a_live_subscriber_does_not_wait_for_the_disk(tmp_path):
    server = NatsServer(tmp_path / "bus")
    with anyio.fail_after(20):
        async with supervised(server), NatsBus.connect(server.address) as bus:
            await bus.declare(SAMPLES)
            async with bus.subscribe("uns.v1.>") as live, anyio.create_task_group() as group:
                await bus.publish(Draft("uns.v1.a", b"1", "1"))
                os.kill(server.pid, signal.SIGSTOP)  # it stores nothing and answers nothing
                try:
                    group.start_soon(insist, bus, Draft("uns.v1.a", b"2", "2"))
                    assert [(await live.next())[0].body for _ in range(2)] == [b"1", b"2"]
                finally:
                    os.kill(server.pid, signal.SIGCONT)
            assert (await bus.streams())[0].messages == 2


async def test_restart_is_quick_and_keeps_port_store_and_subscriptions(tmp_path):
    server = NatsServer(tmp_path / "bus")
    with anyio.fail_after(20):
        async with (
            supervised(server),
            NatsBus.connect(server.address) as bus,
            NatsBus.connect(server.address) as peer,
        ):
            address = server.address
            await bus.declare(SAMPLES)

            async def echo(message):
                return message.body

            async with (
                peer.subscribe("uns.v1.>") as live,
                peer.subscribe("uns.v1.>", start=after(0)) as stored,
                peer.serve("cmd.v1.echo", echo),
            ):
                await bus.publish(Draft("uns.v1.a", b"1", "1"))
                assert (await live.next())[0].body == (await stored.next())[0].body == b"1"
                old = server.pid
                kill(server)
                with anyio.fail_after(5):  # a tenth of it, on a machine that does nothing else
                    await restarted(server, old)
                    await insist(bus, Draft("uns.v1.a", b"2", "2"))
                    assert (await stored.next())[0].sequence == 2
                assert server.address == address
                # The other process's own connection may have come back after the publish above.
                i = 3
                while True:
                    await insist(bus, Draft("uns.v1.a", b"%d" % i, f"{i}"))
                    with anyio.move_on_after(0.5):
                        await live.next()
                        break
                    i += 1
                assert await bus.request("cmd.v1.echo", b"x") == b"x"


async def test_stream_in_memory_is_declared_again_and_says_that_it_promises_nothing(tmp_path):
    server = NatsServer(tmp_path / "bus")
    with anyio.fail_after(20):
        async with supervised(server), NatsBus.connect(server.address) as bus:
            await bus.declare(Stream(name="m", subjects=("m.>",), promise=Promise.NONE, max_bytes=1 << 20))
            await bus.declare(Stream(name="p", subjects=("p.>",), promise=Promise.PROCESS, max_bytes=1 << 20))
            async with bus.subscribe("m.>", start=after(0)) as subscription:
                await bus.publish(Draft("m.a", b"1"), Draft("m.a", b"2"))
                assert [m.body for m in await subscription.next(2)] == [b"1", b"2"]
                old = server.pid
                kill(server)
                await restarted(server, old)
                await insist(bus, Draft("m.a", b"3"))
                assert [(m.body, m.sequence) for m in await subscription.next(2)] == [(b"3", 1)]
            promises = {state.name: state.promise for state in await bus.streams()}
            assert promises == {"m": Promise.NONE, "p": Promise.POWER}


async def test_without_a_server_calls_say_retry(tmp_path):
    async with NatsServer(tmp_path / "bus") as server:
        address = server.address
        async with NatsBus.connect(address) as bus:
            await bus.declare(SAMPLES)
            kill(server)
            with anyio.fail_after(8), pytest.raises(Retry):
                await until_it_fails(bus)
    with anyio.fail_after(8), pytest.raises(Retry):
        async with NatsBus.connect(address, timeout=0.3):
            pass


async def test_unreadable_messages_are_skipped(server, bus):
    await bus.declare(SAMPLES)
    async with foreign(server) as client, bus.subscribe("uns.v1.>") as live:
        await client.publish("uns.v1.a", b"\xff not ours")
        await client.flush()
        await bus.publish(Draft("uns.v1.a", b"ours", "1"))
        async with bus.subscribe("uns.v1.>", start=after(0)) as stored:
            with anyio.fail_after(5):
                found = await stored.next(2)
                assert [(m.body, m.sequence) for m in found] == [(b"ours", 2)]
                assert [m.body for m in await live.next(2)] == [b"ours"]
        await client.publish("uns.v1.b", b"\xff")
        await client.flush()
        assert await bus.last("uns.v1.b") is None


async def test_too_large_is_told_before_it_is_sent(bus):
    await bus.declare(SAMPLES)
    for drafts in (
        [Draft("uns.v1.a", bytes(9 << 20))],
        [Draft("uns.v1.a", b""), Draft("uns.v1.a", bytes(9 << 20))],
    ):
        with pytest.raises(Invalid):
            await bus.publish(*drafts)
    with pytest.raises(Invalid):
        await bus.request("cmd.v1.x", bytes(9 << 20))
    await bus.publish(Draft("uns.v1.a", bytes((8 << 20) - 2_000)))


async def test_many_publishers_at_once(bus):
    await bus.declare(SAMPLES)

    async def publish(name):
        for i in range(3):
            await bus.publish(*(Draft(f"uns.v1.{name}", b"%d" % k, f"{name}/{i}/{k}") for k in range(20)))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for n in range(25):
                group.start_soon(publish, f"p{n}")
    assert (await bus.streams())[0].messages == 25 * 3 * 20


async def test_stream_of_another_process_is_noticed(bus, peer):
    await bus.publish(Draft("late.a", b"live"))
    await peer.declare(Stream(name="late", subjects=("late.>",), max_bytes=1 << 20))
    with anyio.fail_after(5):
        while not (await bus.publish(Draft("late.a", b"stored"))).sequence:  # noqa: ASYNC110  # told by the server
            await anyio.sleep(0.01)


async def test_own_settings_of_the_administrator_stay(server, bus, peer):
    await bus.declare(SAMPLES)
    async with foreign(server) as client:
        stream = await client.jetstream().stream_info("samples")
        await client.jetstream().update_stream(stream.config, description="of the administrator")
        await peer.declare(Stream(name="samples", subjects=("uns.v1.>", "x.y"), max_bytes=1 << 20))
        stream = await client.jetstream().stream_info("samples")
    assert stream.config.description == "of the administrator"
    assert stream.config.subjects == ["uns.v1.>", "x.y"]


async def test_wrong_password_is_denied(server):
    address = server.address
    for wrong in (
        Address(url=address.url),
        Address(url=address.url, user="weft", password="guess"),
        Address(url=address.url, user="device", password=server.login.device_password),
    ):
        with anyio.fail_after(5), pytest.raises(Denied):
            async with NatsBus.connect(wrong):
                pass


async def test_external_server_promises_only_what_is_known(server, tmp_path):
    url = server.address.url.replace("//", f"//weft:{server.address.password}@")
    async with NatsServer(tmp_path / "unused", url=url) as external, NatsBus.connect(external.address) as bus:
        assert external.pid == 0
        assert not (tmp_path / "unused").exists()
        assert server.address.password not in repr(external.address)
        await bus.declare(SAMPLES)
        assert (await bus.streams())[0].promise is Promise.PROCESS
    with pytest.raises(NotFound):
        assert NatsServer(tmp_path / "unused").address


def foreign(server):
    """A NATS client that is not ours."""
    import nats.aio.client

    class Client(nats.aio.client.Client):
        async def __aenter__(self):
            await self.connect(server.address.url, user="weft", password=server.address.password)
            return self

    return Client()
