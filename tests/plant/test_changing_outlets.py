"""Destinations and connections come, change and go while the plant runs; the others do not feel it."""

from __future__ import annotations

import pytest
from plant import chains
from plant.houses import all_up, living, until
from servers.connect.mqtt.broker import running as mosquitto
from servers.connect.opcua.conftest import Peer

from weft.connect import LineState
from weft.runtime import Invalid

pytestmark = pytest.mark.anyio


@pytest.fixture
def field():
    peer = Peer().start()
    yield peer
    peer.kill()


def plant(tmp_path, field, broker, port):
    return chains.write(
        tmp_path / "plant",
        connections__field=chains.opcua(field.url),
        assets__line=chains.asset(
            "line", "field", {f"counter{i}": chains.near(f"counter{i}") for i in range(3)}
        ),
        destinations__ua=chains.server(port),
        destinations__uns=chains.mqtt(broker.port),
    )


def lives(house, *names):
    """When each of these began to be as it is, and how often its service was restarted."""
    found = [one for one in (*house.destinations(), *house.lines()) if one.name in names]
    assert len(found) == len(names)
    assert all(one.state is LineState.UP for one in found)
    assert not any(service.restarts for service in house.services())
    return {one.name: one.since for one in found}


def named(house, name):
    return next((one for one in house.destinations() if one.name == name), None)


def is_up(house, name):
    found = named(house, name)
    return found is not None and found.state is LineState.UP


async def test_destinations_come_change_and_go(tmp_path, field, broker_of):
    port = chains.free_port()
    async with broker_of() as broker, living(folder := plant(tmp_path, field, broker, port)) as house:
        await until(lambda: all_up(house) and chains.sending(house))
        before = lives(house, "ua", "uns", "field")
        with chains.Auditor(broker.port, tmp_path / "heard", "spare/#", "uns/v1/#") as auditor:
            await field.tell("tick", 0.02, 3)
            await until(lambda: list(auditor.heard()))
            chains.write(folder, destinations__spare=chains.mqtt(broker.port, 'topic = "spare/{path}"\n'))
            await until(lambda: is_up(house, "spare"))
            await until(lambda: auditor.of("spare/weft/test/line/counter1"))
            one = 'signals = ["**/counter0"]\n'
            chains.write(
                folder, destinations__spare=chains.mqtt(broker.port, 'topic = "spare/x/{path}"\n', one)
            )
            await until(lambda: auditor.of("spare/x/weft/test/line/counter0"))
            (folder / "destinations" / "spare.toml").write_text("[mqtt]\nhost = 1\n")
            with pytest.raises(Invalid, match="host"):
                await house.apply()
            assert is_up(house, "spare")
            (folder / "destinations" / "spare.toml").unlink()
            await until(lambda: named(house, "spare") is None)
            chains.write(folder, connections__other=chains.opcua(field.url))
            await until(lambda: len(house.lines()) == 2 and all_up(house))
            (folder / "connections" / "other.toml").unlink()
            await until(lambda: len(house.lines()) == 1)
            await field.tell("still")
            assert lives(house, "ua", "uns", "field") == before
            assert not auditor.of("spare/x/weft/test/line/counter1")
            last = newest(house, "counter2")
            values = await until(lambda: through(auditor.of("uns/v1/weft/test/line/counter2"), last))
            assert values == list(range(values[0], values[-1] + 1)), "one is missing, or came twice"


async def test_other_signals_are_served_without_a_new_session(tmp_path, field, broker_of):
    """A client that is connected sees what the folder adds."""
    port = chains.free_port()
    async with broker_of() as broker, living(folder := plant(tmp_path, field, broker, port)) as house:
        await until(lambda: all_up(house) and chains.sending(house))
        async with chains.client(f"opc.tcp://127.0.0.1:{port}") as client:
            node = "ns=2;s=weft/test/new/load"
            [(_, status, _, _)] = await chains.samples(client, [node])
            assert status == 0x80340000  # BadNodeIdUnknown
            chains.write(folder, assets__new=chains.asset("new", "field", {"load": chains.near("load")}))

            async def served():
                [(variant, status, _, _)] = await chains.samples(client, [node])
                return variant and not status

            await until(served)
            (folder / "assets" / "new.toml").unlink()

            async def gone():
                return (await chains.samples(client, [node]))[0][1] == 0x80340000

            await until(gone)
        assert lives(house, "ua", "uns", "field")


def newest(house, name):
    handle = house.plant().signals[f"weft/test/line/{name}"].handle
    return house.history.snapshot([handle]).value(0)


def through(values, last):
    return values if last in values else None


@pytest.fixture
def broker_of(tmp_path):
    return lambda: mosquitto(tmp_path)
