"""What storms are tried on: of each protocol a server in a process of its own, and a connector for it."""

from __future__ import annotations

import pathlib
import sys
from contextlib import ExitStack, asynccontextmanager
from typing import Any, NamedTuple

from soak import world
from soak.child import Child, answers, port_of_our_own

from weft.connect import Point

__all__ = ["SOURCES", "Source", "serving"]

HERE = pathlib.Path(__file__).parent
TICK = "0.005"


class Source(NamedTuple):
    """``script`` and ``words`` say how its server is started, PORT and FOLDER put in; behind a ``broker`` it only
    publishes. ``connect`` makes the connector for a port, ``address`` is its signal's."""

    script: str
    words: tuple[str, ...]
    connect: Any
    address: Any
    broker: bool = False


def _opcua():
    from weft.connect.opcua import Address, Config, OpcUa

    def connect(port):
        endpoint = f"opc.tcp://127.0.0.1:{port}"
        return OpcUa(Config(endpoint=endpoint, security="none", publishing_interval=0.05))

    words = ("PORT", "FOLDER/opcua.ledger", TICK, "1")
    return Source("field_opcua.py", words, connect, Address(node="nsu=urn:soak:counters;s=c0"))


def _modbus():
    from weft.connect.modbus import Address, Config, Modbus

    def connect(port):
        return Modbus(Config(host="127.0.0.1", port=port, interval=0.01))

    words = ("PORT", "FOLDER/modbus.ledger")
    return Source("field_modbus.py", words, connect, Address(register=4, type="uint32"))


def _mqtt():
    from weft.connect.mqtt import Address, Config, Mqtt

    def connect(port):
        return Mqtt(Config(host="127.0.0.1", port=port))

    words = ("PORT", "FOLDER/mqtt.ledger", TICK, "1")
    return Source("field_mqtt.py", words, connect, Address(topic="soak/q0", path="v"), broker=True)


def _sparkplug():
    from weft.connect.sparkplug import Address, Config, Sparkplug

    def connect(port):
        return Sparkplug(Config(host="127.0.0.1", port=port, rebirth=0.05))

    address = Address(group="soak", node="storm", device="soak.hall", metric="count")
    return Source("field_sparkplug.py", ("PORT", "FOLDER", TICK), connect, address, broker=True)


def _mtconnect():
    from weft.connect.mtconnect import Address, Config, MtConnect

    def connect(port):
        return MtConnect(Config(url=f"http://127.0.0.1:{port}", interval=0.01))

    return Source("field_mtconnect.py", ("PORT", TICK), connect, Address(id="count"))


def _s7():
    from weft.connect.s7 import S7, Address, Config

    def connect(port):
        return S7(Config(host="127.0.0.1", port=port, interval=0.01))

    return Source("../servers/connect/s7/peer.py", ("PORT",), connect, Address(at="DB1.DBD248"))


SOURCES = {
    "opcua": _opcua,
    "modbus": _modbus,
    "mqtt": _mqtt,
    "sparkplug": _sparkplug,
    "mtconnect": _mtconnect,
    "s7": _s7,
}


@asynccontextmanager
async def serving(name, folder):
    """``(port, connect, points)`` while its server runs."""
    source, port = SOURCES[name](), port_of_our_own()
    words = [word.replace("PORT", str(port)).replace("FOLDER", str(folder)) for word in source.words]
    with ExitStack() as stack:
        if source.broker:
            config = folder / "mosquitto.conf"
            config.write_text(world.BROKER.format(port=port, folder=folder))
            broker = Child("broker", [world.MOSQUITTO, "-c", str(config)], folder / "broker.log")
            stack.callback(broker.stop)
            broker.start()
            await answers(port, broker)
        child = Child(name, [sys.executable, str(HERE / source.script), *words], folder / f"{name}.log")
        stack.callback(child.stop)
        child.start()
        if not source.broker:
            await answers(port, child)
        yield port, source.connect, [Point(1, "soak/hall/count", source.address)]
