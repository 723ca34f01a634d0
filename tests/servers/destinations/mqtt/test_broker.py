"""The unified namespace on mosquitto and on Weft's own bus: every value counted, through the broker's death."""

import json
from contextlib import asynccontextmanager

import anyio
import pytest
from servers.connect.mqtt.broker import Mosquitto
from servers.connect.mqtt.broker import running as mosquitto
from unit.destinations.field import OURS, STREAM, Source, outlet, running, signal

from weft.bus import NatsBus, NatsServer
from weft.connect import LineState
from weft.destinations.mqtt import Mqtt
from weft.destinations.mqtt.config import Config
from weft.mqtt.broker import Broker
from weft.mqtt.session import Session

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def plant(tmp_path):
    async with NatsServer(tmp_path / "bus") as server, NatsBus.connect(server.address) as bus:
        await bus.declare(STREAM)
        yield bus


class Reader:
    """A subscriber whose session the broker keeps, so that it misses nothing while either is away."""

    def __init__(self, port, filter="uns/v1/#", **login):
        self.config = Broker(host="127.0.0.1", port=port)
        self.filter = filter
        self.login = login
        self.messages = []
        self.news = anyio.Event()

    async def run(self, *, task_status=anyio.TASK_STATUS_IGNORED):
        while True:
            session = Session(
                self.config, "reader", self.login.get("user", ""), self.login.get("password", ""), clean=False
            )
            try:
                await session.open()
                await session.subscribe([self.filter])
                task_status.started()
                task_status = anyio.TASK_STATUS_IGNORED
                while True:
                    found = await session.receive()
                    self.messages += found
                    session.acknowledge(found)
                    news, self.news = self.news, anyio.Event()
                    news.set()
            except Exception:
                await anyio.sleep(0.05)
            finally:
                await session.close()

    async def has(self, condition):
        with anyio.fail_after(20):
            while not condition():
                await self.news.wait()

    @property
    def values(self):
        return [json.loads(m.payload)["value"] for m in self.messages]


def to(port, **keys):
    return Mqtt(Config(host="127.0.0.1", port=port, **keys))


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_values_arrive_in_order_and_the_last_one_is_retained(tmp_path, version):
    ours = [signal(OURS, "acme/berlin/cnc 1/temp.ist", unit="Cel")]
    async with mosquitto(tmp_path) as broker, plant(tmp_path) as bus, anyio.create_task_group() as group:
        reader = Reader(broker.port)
        await group.start(reader.run)
        source = Source(bus)
        made = outlet(bus, tmp_path, to(broker.port, version=version, retain=True), signals=ours)
        async with running(made):
            await source.publish(30, rows=10)
            await reader.has(lambda: len(reader.messages) >= 300)
            assert reader.values == list(range(300))
            body = json.loads(reader.messages[0].payload)
            assert reader.messages[0].topic == "uns/v1/acme/berlin/cnc%201/temp%2Eist"
            assert body["unit"] == "Cel"
            assert made.status.state is LineState.UP
            late = Reader(broker.port)
            late.config = Broker(host="127.0.0.1", port=broker.port, client_id="late")
            session = Session(late.config, "late", "", "", clean=True)
            await session.open()
            await session.subscribe(["uns/v1/#"])
            with anyio.fail_after(5):
                [kept] = await session.receive()
            assert (json.loads(kept.payload)["value"], kept.retained) == (299, True)
            await session.close()
        group.cancel_scope.cancel()


async def test_a_broker_killed_again_and_again_misses_nothing(tmp_path, capsys):
    """Nothing is missing, and only what was not acknowledged when the broker died may come twice."""
    broker = Mosquitto(tmp_path, "allow_anonymous true\nautosave_interval 1\nautosave_on_changes true")
    await broker.start()
    kills, goal = 3, 4_000
    try:
        async with plant(tmp_path) as bus, anyio.create_task_group() as group:
            acknowledged = []
            made = outlet(bus, tmp_path, Recording(to(broker.port), acknowledged), pace={"batch_rows": 200})
            async with running(made):
                source = Source(bus)
                for number in range(goal // 10):
                    await source.publish(1, rows=10)
                    if number % (goal // 10 // (kills + 1)) == 50:
                        broker.kill()
                        await anyio.sleep(0.2)
                        await broker.start()
                with anyio.fail_after(20):
                    while made.status.samples < goal:  # noqa: ASYNC110  # looks at what is public
                        await anyio.sleep(0.02)
            group.cancel_scope.cancel()
    finally:
        broker.stop()
    settled = [value for values in acknowledged for value in values]
    assert settled == list(range(goal)), "each settled once, in order"
    with capsys.disabled():
        print(f"\n  {goal} values, broker killed {kills} times: 0 missing")


class Recording:
    """The destination, and what it settled."""

    Config = Config

    def __init__(self, inner, settled):
        self._inner, self._settled = inner, settled

    async def run(self, feed):
        settle = feed.settle

        async def recorded(delivery):
            self._settled.append([int(v) for v in delivery.batch.values()])
            await settle(delivery)

        feed.settle = recorded
        try:
            await self._inner.run(feed)
        finally:
            feed.settle = settle


async def test_what_waited_while_the_broker_was_away_comes_marked_and_after_live(tmp_path):
    broker = Mosquitto(tmp_path)
    async with plant(tmp_path) as bus, anyio.create_task_group() as group:
        source = Source(bus)
        await source.publish(20)
        pace = {"begin": "oldest", "backlog_rate": 40.0, "batch_rows": 2}
        made = outlet(bus, tmp_path, to(broker.port), pace=pace)
        async with running(made):
            with anyio.fail_after(10):
                while made.status.state is not LineState.DOWN:  # noqa: ASYNC110  # as above
                    await anyio.sleep(0.01)
            assert "No broker answers" in made.status.reason
            await broker.start()
            reader = Reader(broker.port)
            await group.start(reader.run)
            await reader.has(lambda: reader.messages)
            await source.publish(5)
            await reader.has(lambda: len(reader.messages) >= 25)
            bodies = [json.loads(m.payload) for m in reader.messages]
            live = [b["value"] for b in bodies if "historical" not in b]
            old = [b["value"] for b in bodies if "historical" in b]
            assert live == [20, 21, 22, 23, 24]
            assert old == list(range(20))
            assert bodies.index(next(b for b in bodies if b["value"] == 24)) < len(bodies) - 1
        group.cancel_scope.cancel()
    broker.stop()


async def test_weft_s_own_broker_takes_it_too(tmp_path):
    """Names with spaces and dots: the server's own listener would hang up on them unescaped."""
    ours = [signal(OURS, "acme/berlin/cnc 1/temp.ist")]
    async with NatsServer(tmp_path / "hub", mqtt_port=0) as server:
        login = server.login
        password = tmp_path / "password"
        password.write_text(login.device_password)
        async with plant(tmp_path) as bus, anyio.create_task_group() as group:
            reader = Reader(
                login.mqtt_port, "plant/#", user=login.device_user, password=login.device_password
            )
            await group.start(reader.run)
            keys = {"user": login.device_user, "password": f"file:{password}", "topic": "plant/{path}"}
            async with running(outlet(bus, tmp_path, to(login.mqtt_port, **keys), signals=ours)):
                await Source(bus).publish(10)
                await reader.has(lambda: len(reader.messages) >= 10)
            assert reader.values == list(range(10))
            assert {m.topic for m in reader.messages} == {"plant/acme/berlin/cnc%201/temp%2Eist"}
            group.cancel_scope.cancel()


async def test_a_password_that_is_wrong_needs_a_person(tmp_path):
    password = tmp_path / "passwords"
    password.write_text("")
    password.chmod(0o600)
    async with (
        mosquitto(tmp_path, f"allow_anonymous false\npassword_file {password}") as broker,
        plant(tmp_path) as bus,
    ):
        made = outlet(bus, tmp_path, to(broker.port))
        async with running(made):
            with anyio.fail_after(10):
                while made.status.state is not LineState.NEEDS_HUMAN:  # noqa: ASYNC110  # as above
                    await anyio.sleep(0.01)
            assert "password" in made.status.reason
