"""A field that does everything wrong at once, beside machines that do it right."""

from __future__ import annotations

import json
import random
import time
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketAttribute
from servers.connect.mqtt import broker
from servers.connect.shdr.replay import Adapter, serving

from weft import demo
from weft.demo.opcua_nodes import NAMESPACE

SECOND = 10**9

ASSETS = f"""
["hall/press"]
connection = "broker"
["hall/press".signals.good]
address = {{ topic = "press/good", path = "v", time = "ts" }}
["hall/press".signals.odd]
type = "Double"
address = {{ topic = "press/odd", path = "v", time = "ts" }}
["hall/press".signals.bare]
address = {{ topic = "press/bare" }}

["hall/lathe"]
connection = "lathe"
["hall/lathe".signals.x]
address = {{ key = "Xpos", category = "sample" }}

["hall/meter"]
connection = "meter"
["hall/meter".signals.power]
address = {{ register = 0, type = "float32" }}

["hall/mill"]
connection = "mill"
["hall/mill".signals.load]
address = {{ node = "nsu={NAMESPACE};s=Mill1.SpindleLoad" }}
["hall/mill".signals.unknown]
address = {{ node = "nsu={NAMESPACE};s=Mill1.Nowhere" }}
["hall/mill".signals.stranger]
address = {{ node = "nsu=urn:nobody:here;s=x" }}
"""

# What a press says on a bad day, and what becomes of it: status name, then the value where one is kept.
ODD = [
    (b"{", "BadDecodingError"),
    (b"", "BadDecodingError"),
    (b"\xff\xfe\x00", "BadDecodingError"),
    (b"[" * 5000, "BadDecodingError"),
    (b'{"v": NaN}', "BadDecodingError"),
    (b'{"w": 1}', "BadNodeIdUnknown"),
    (b'{"v": null}', "BadSensorFailure"),
    (b'{"v": "abc"}', "BadTypeMismatch"),
    (b'{"v": [1, 2]}', "BadTypeMismatch"),
    (b'{"v": {"a": 1}}', "BadTypeMismatch"),
    (b'{"v": true}', "BadTypeMismatch"),
    (b'{"v": 123456789012345678901234567890}', "BadOutOfRange"),
]
# Times that cannot be: kept when int64 ns can hold them, else the time of receipt.
HELD = {"1700-06-01T00:00:00Z": 1700.0, "1971-01-01T00:00:00Z": 1971.0, "2200-01-01T00:00:00Z": 2200.0}
UNHELD = ["1601-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "yesterday", "", 1e30, [], "2026-02-30T00:00:00Z"]

JUNK = b"\xff\xfe\x00|||\n|\n\n@@@@\nnot a time|Xpos|abc\n1601-01-01T00:00:00Z|Xpos|9\n||||||||\n* PONG x\n"
GOOD = 200


def write(folder, mqtt, adapter, modbus, mill):
    files = {
        "plant.toml": '[plant]\nname = "Odd"\nenterprise = "acme"\nsite = "odd"\n',
        "assets/hall.toml": ASSETS,
        "connections/broker.toml": f'[mqtt]\nhost = "127.0.0.1"\nport = {mqtt}\n',
        "connections/lathe.toml": f'[shdr]\nhost = "127.0.0.1"\nport = {adapter}\n',
        "connections/meter.toml": f'[modbus]\nhost = "127.0.0.1"\nport = {modbus}\ninterval = 0.05\ntimeout = 0.2\n',
        "connections/mill.toml": (
            f'[opcua]\nendpoint = "opc.tcp://127.0.0.1:{mill}/model-factory"\nsecurity = "none"\n'
        ),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@asynccontextmanager
async def garbage():
    """A "Modbus device" that answers every question with something else."""
    chance = random.Random(7)

    async def handle(stream):
        async with stream:
            try:
                while True:
                    question = await stream.receive()
                    await stream.send(_nonsense(chance, question))
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, handle)
        try:
            yield listener.extra(SocketAttribute.local_port)
        finally:
            group.cancel_scope.cancel()


def _nonsense(chance, question):
    kind = chance.randrange(4)
    if kind == 0:
        return chance.randbytes(chance.randrange(1, 300))
    if kind == 1:  # the right transaction, another function
        return question[:4] + b"\x00\x03" + question[6:7] + b"\x55\x00"
    if kind == 2:  # a length that promises more than may be
        return question[:4] + b"\xff\xff" + question[6:]
    return b"HTTP/1.1 400 Bad Request\r\n\r\n"


@asynccontextmanager
async def field(folder):
    """Everything up, nothing said yet. Yields the plant's folder, and what misbehaves: broker and adapter."""
    folder.mkdir(parents=True, exist_ok=True)
    adapter = Adapter()
    async with (
        broker.running(folder) as mqtt,
        serving(adapter),
        garbage() as modbus,
        demo.Field(folder / "mill", processes=["mill"]) as machine,
    ):
        write(folder / "plant", mqtt.port, adapter.port, modbus, machine.ports.mill)
        yield folder / "plant", mqtt, adapter


def speak(port):
    """Odd and good messages, mixed; returns the times of the good ones."""
    begin = time.time_ns() // 10**6 * 10**6 - GOOD * 10**6
    times = [begin + i * 10**6 for i in range(GOOD)]
    with broker.Publisher(port) as out:
        for i, (payload, _) in enumerate(ODD):
            out.publish("press/odd", payload)
            _say_good(out, times[i::50], begin)
        for text, value in HELD.items():
            out.publish("press/odd", json.dumps({"v": value, "ts": text}))
        for i, stamp in enumerate(UNHELD):
            out.publish("press/odd", json.dumps({"v": float(i), "ts": stamp}))
        for i in range(len(ODD), 50):
            _say_good(out, times[i::50], begin)
        out.publish("press/bare", *(str(i) for i in range(GOOD)))
        out.publish("press/odd", json.dumps({"v": 42.0, "ts": _text(begin + GOOD * 10**6)}))
    return begin, times


def _say_good(out, times, begin):
    out.publish("press/good", *(json.dumps({"v": (t - begin) // 10**6, "ts": _text(t)}) for t in times))


def _text(ns):
    from weft.model import instant

    return instant.text(ns)


async def speak_shdr(adapter):
    """Junk and good lines, mixed."""
    begin = time.time_ns() // SECOND * SECOND - GOOD * SECOND
    for i in range(GOOD):
        line = f"{_text(begin + i * SECOND)}|Xpos|{i}.5\n".encode()
        await adapter.send(JUNK + line if i % 10 == 0 else line)
    return begin
