"""What is fuzzed: a decoder, the errors that it declares, and inputs that a real encoder has made."""

from __future__ import annotations

import importlib
import resource
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

SLOWEST = 0.5  # s of one input
LARGEST = 200  # MB of memory above the start


class Hang(AssertionError):
    """One input took longer than it may."""


class Target(NamedTuple):
    """``run`` takes one input and raises nothing for it: declared errors it catches itself, broken laws assert."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]


class Entry(NamedTuple):
    """Where a target is and which modules decode: their branches are counted, new ones are looked for."""

    place: str
    decoders: tuple[str, ...]
    longest: int = 4096


TARGETS = {
    "opcua-publish": Entry(
        "opcua:publish",
        (
            "weft.connect.opcua.decode",
            "weft.connect.opcua.change",
            "weft.connect.opcua.walk",
            "weft.connect.opcua.layout",
            "weft.ua.variant",
        ),
        8192,
    ),
    "opcua-variant": Entry("opcua:variant", ("weft.ua.variant", "weft.ua.definition", "weft.ua.structure")),
    "opcua-services": Entry("opcua:services", ("weft.connect.opcua.decode", "weft.ua.variant")),
    "opcua-stack": Entry("opcua:stack", ("weft.ua.guard", "weft.ua.structure", "asyncua.ua.ua_binary")),
    "opcua-channel": Entry("opcua:channel", ("weft.connect.opcua.channel", "asyncua.common.connection")),
    "modbus-tcp": Entry("modbus:tcp", ("weft.connect.modbus.frames", "weft.connect.modbus.layout")),
    "modbus-rtu": Entry("modbus:rtu_line", ("weft.connect.modbus.rtu",), 600),
    "shdr": Entry(
        "mtconnect:shdr",
        (
            "weft.connect.shdr.reader",
            "weft.connect.shdr.tokens",
            "weft.connect.shdr.values",
            "weft.connect.shdr.dataset",
        ),
    ),
    "mtconnect": Entry(
        "mtconnect:documents",
        (
            "weft.connect.mtconnect.document",
            "weft.connect.mtconnect.model",
            "weft.connect.mtconnect.router",
            "weft.connect.mtconnect.values",
            "weft.connect.mtconnect.units",
            "weft.runtime.xml",
        ),
    ),
    "multipart": Entry("mtconnect:multipart", ("weft.connect.mtconnect.multipart",)),
    "mqtt-payload": Entry("messages:mqtt", ("weft.connect.mqtt.router", "weft.connect.payload")),
    "webhook-body": Entry("messages:webhook", ("weft.connect.webhook.bodies", "weft.connect.payload")),
    "vda5050": Entry(
        "messages:vda5050",
        (
            "weft.connect.vda5050.heard",
            "weft.connect.vda5050.desk",
            "weft.connect.vda5050.errors",
            "weft.connect.payload",
        ),
    ),
    "commands": Entry("messages:commands", ("weft.app.commands",)),
    "sparkplug": Entry(
        "sparkplug:payload",
        (
            "weft.sparkplug.decode",
            "weft.sparkplug.scan",
            "weft.sparkplug.wire",
            "weft.sparkplug.sample",
            "weft.sparkplug.value",
            "weft.sparkplug.arrays",
            "weft.sparkplug.state",
        ),
    ),
    "sparkplug-host": Entry(
        "sparkplug:host",
        (
            "weft.connect.sparkplug.host",
            "weft.connect.sparkplug.node",
            "weft.connect.sparkplug.samples",
            "weft.connect.sparkplug.births",
            "weft.connect.sparkplug.convert",
            "weft.sparkplug.scan",
            "weft.sparkplug.value",
        ),
    ),
    "s7": Entry("controllers:s7", ("weft.connect.s7.pdu", "weft.connect.s7.kinds")),
    "cip-values": Entry("controllers:cip", ("weft.connect.ethernetip.types",)),
    "cip-session": Entry("controllers:session", ("weft.connect.ethernetip.driver", "pycomm3")),
    "profinet-dcp": Entry("controllers:dcp", ("weft.onboard.dcp",), 1500),
    "wire": Entry("plant:wire", ("weft.model.wire",)),
    "expression": Entry("plant:expressions", ("weft.model.expression", "weft.model._operators"), 2100),
    "plant-toml": Entry(
        "plant:toml",
        (
            "weft.catalog.folder",
            "weft.catalog.header",
            "weft.catalog.hierarchy",
            "weft.catalog.signals",
            "weft.catalog.shape",
            "weft.catalog.connections",
            "weft.catalog.destinations",
            "weft.catalog.formulas",
            "weft.catalog.logic",
            "weft.catalog.located",
            "weft.catalog.mistakes",
            "weft.catalog.placeholders",
        ),
    ),
    "plant-csv": Entry("plant:table", ("weft.catalog.rows", "weft.catalog.located")),
    "nodeset": Entry("plant:nodeset", ("weft.nodeset", "weft.runtime.xml"), 8192),
    "foreign": Entry(
        "plant:exports",
        (
            "weft.onboard.foreign",
            "weft.onboard.kepware",
            "weft.onboard.ignition",
            "weft.onboard.telegraf",
            "weft.onboard.benthos",
            "weft.onboard.sheet",
            "weft.onboard.registers",
            "weft.onboard.draft",
        ),
    ),
}


def load(name: str) -> Target:
    """The target; its decoders are imported with it."""
    module, _, attribute = TARGETS[name].place.partition(":")
    found: Target = getattr(importlib.import_module(f"fuzz.{module}"), attribute)
    return found


def judged(target: Target, data: bytes) -> float:
    """Runs one input; returns the seconds of processor it took. Raises Hang, and what ``run`` raises."""
    begun = time.thread_time()
    target.run(data)
    taken = time.thread_time() - begun
    if taken > SLOWEST:
        raise Hang(f"{taken:.2f} s for {len(data)} bytes")
    return taken


def peak() -> float:
    """The most memory this process has had so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def pieces(data: bytes) -> list[bytes]:
    """Input cut as a network might, into 64 pieces at most: the first byte says how."""
    if not data:
        return []
    size, rest = data[0], data[1:]
    step = max(size, len(rest) // 64)
    return [rest] if not size else [rest[i : i + step] for i in range(0, len(rest), step)]
