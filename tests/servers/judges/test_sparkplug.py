"""MQTT and Sparkplug: what our edge node and our host say to a broker, as tshark reads it."""

import re

import anyio
import judge
import pytest
from servers.connect.mqtt.broker import running
from servers.sparkplug_feed import Feed, edge, host, point, signal
from unit.sparkplug.judge import MESSAGES

from weft.connect.api import Write
from weft.model import ValueType, Writable

pytestmark = pytest.mark.anyio
PAYLOAD = "pbf.com.cirruslink.sparkplug.protobuf.Payload"
VALUE = re.compile(rf"{PAYLOAD}\.Metric\.\w+_value")
NOW = 1_767_225_600_123_456_700
SPEED = signal(1, "acme/hall/mill/speed", unit="mm/s", write=Writable())
NAME = signal(2, "acme/hall/saw/name")
COUNT = signal(3, "acme/hall/saw/count")


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_both_ends_at_a_broker(tmp_path, version):
    feed = Feed(
        [SPEED, NAME, COUNT],
        tmp_path,
        [
            (1, NOW, 1.5, ValueType.DOUBLE),
            (2, NOW, "äb", ValueType.STRING),
            (3, NOW, 2**63 + 5, ValueType.UINT64),
        ],
    )
    points = [point(one) for one in feed.signals]
    async with running(tmp_path) as broker, judge.recording(broker.port, 1883) as proxy:
        with anyio.fail_after(40):
            async with (
                host(proxy, points, host_id="P", version=version) as (link, connector),
                edge(proxy, feed, primary_host="P", version=version),
            ):
                await link.until(lambda: len({row.signal for row in link.rows}) == 3)
                feed.put((1, NOW + 10**9, -2.5, ValueType.DOUBLE), (2, NOW + 10**9, "c", ValueType.STRING))
                await link.until(lambda: any(row.value == -2.5 for row in link.rows))
                await connector.write([Write(points[0], 3.5)])
                await feed.until(lambda: bool(feed.commands))
    layers = proxy.judged(tmp_path, *with_names(tmp_path), pardoned=of_a_host)
    births = [told for topic, told in messages(layers) if "/DBIRTH/" in topic]
    assert {"speed": "1.5", "name": "äb", "count": str(2**63 + 5)}.items() <= merged(births).items()
    changed = merged([told for topic, told in messages(layers) if "/DDATA/" in topic])
    assert {"-2.5", "c"} <= set(changed.values())
    commands = [told for topic, told in messages(layers) if "/DCMD/" in topic]
    assert {value for told in commands for value in told.values()} == {"3.5"}
    levels = {level for frame in layers for level in judge.values(frame, "mqtt.ver")}
    assert levels == {"5" if version == "5" else "4"}


def with_names(folder):
    """The options by which tshark knows the fields of a payload."""
    (folder / "sparkplug_b.proto").write_text(proto())
    return (
        *("-o", f'uat:protobuf_search_paths:"{folder}","TRUE"'),
        *("-o", "protobuf.preload_protos:TRUE", "-o", "protobuf.pbf_as_hf:TRUE"),
    )


def proto():
    """The payload's definition, as text; oneofs do not matter to a reader."""
    text = 'syntax = "proto2"; package com.cirruslink.sparkplug.protobuf;\n'
    made = dict.fromkeys(MESSAGES, "")
    for path in sorted(MESSAGES, key=lambda path: -path.count(".")):
        body = made[path]
        for field in MESSAGES[path].split(","):
            kind, name, number = field.lstrip("*|").split()
            rule = "repeated" if field[0] == "*" else "optional"
            body += f"{rule} {kind.rpartition('.')[2]} {name} = {number};\n"
        parent, _, own = path.rpartition(".")
        block = f"message {own} {{\n{body}}}\n"
        if parent:
            made[parent] += block
        else:
            text += block
    return text


def of_a_host(layers):
    """tshark 4.0 wants the name of a node behind STATE, which Sparkplug 3 has not: those messages alone."""
    return set(judge.values(layers, "mqtt.topic")) <= {"spBv1.0/STATE/P"}


def messages(layers):
    """(topic, name -> value) of each Sparkplug message; an alias stands for the name it was born with."""
    names = {}
    for frame in layers:
        found = frame.get("sparkplugb", [])
        topics = [topic for topic in judge.values(frame, "mqtt.topic") if topic.startswith("spBv1.0/")]
        for topic, part in zip(topics, found if isinstance(found, list) else [found], strict=False):
            yield topic, dict(metrics(part, topic.rpartition("/")[2], names))


def metrics(part, device, names):
    for key, told in judge.walk(part):
        if key != f"{PAYLOAD}.metrics_tree":
            continue
        for metric in told if isinstance(told, list) else [told]:
            name, alias = (metric.get(f"{PAYLOAD}.Metric.{field}") for field in ("name", "alias"))
            if name is not None and alias is not None:
                names[device, alias] = name
            value = next((text for field, text in metric.items() if VALUE.fullmatch(field)), None)
            yield name or names[device, alias], value


def merged(tables):
    return {name: value for table in tables for name, value in table.items()}
