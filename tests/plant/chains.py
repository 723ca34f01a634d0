"""Plants that publish, plants that read what others publish, and what stands at either end, byte for byte."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from contextlib import asynccontextmanager

from asyncua import Client, ua
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, variant_from_binary
from plant.houses import until

from weft.connect import LineState
from weft.model import instant

SPACE = "nsu=urn:peer:plant;s="
SITE = "weft/test"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def write(folder, **files):
    """Files of a plant's folder by path without suffix: ``connections__peer="…"``."""
    head = '[plant]\nname = "Chain"\nenterprise = "weft"\nsite = "test"\n'
    head += files.pop("settings", "")
    for name, text in {"plant": head, **files}.items():
        path = folder / (name.replace("__", "/") + ".toml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def opcua(url, **more):
    said = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'[opcua]\nendpoint = "{url}"\nsecurity = "none"\npublishing_interval = 0.05\n{said}'


def server(port, extra=""):
    """A file of destinations/ for an OPC UA server that everybody may read, and one user may write to."""
    return (
        f"[opcua]\nport = {port}\ninsecure = true\nanonymous = true\n{extra}"
        '[opcua.users.mes]\npassword = "warp and weft"\nwrite = true\n'
    )


def edge(port, extra="", head=""):
    return f'{head}[sparkplug]\nhost = "127.0.0.1"\nport = {port}\ngroup = "G"\nnode = "E"\n{extra}'


def mqtt(port, extra="", head=""):
    return f'{head}[mqtt]\nhost = "127.0.0.1"\nport = {port}\n{extra}'


def host(port, extra=""):
    return f'[sparkplug]\nhost = "127.0.0.1"\nport = {port}\nrebirth = 0.5\n{extra}'


def asset(name, connection, signals):
    """An asset's file: ``signals`` are name -> lines of TOML."""
    tables = "".join(f'["{name}".signals."{signal}"]\n{lines}\n' for signal, lines in signals.items())
    return f'["{name}"]\nconnection = "{connection}"\n{tables}'


def near(node, extra=""):
    return f'address = {{ node = "{SPACE}{node}" }}\n{extra}'


def far(device, metric, extra=""):
    return f'address = {{ group = "G", node = "E", device = "{device}", metric = "{metric}" }}\n{extra}'


@asynccontextmanager
async def client(url, user=""):
    one = Client(url, timeout=10)
    if user:
        one.set_user(user)
        one.set_password("warp and weft")
    async with one:
        yield one


async def samples(client, nodes):
    """Of each node: the Variant's bytes, status, source time in 100 ns since 1601, and what is below, in 10 ps; cut
    from the response as it came, as asyncua's own times end at microseconds."""
    request = ua.ReadRequest()
    request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
    for node in nodes:
        value = ua.ReadValueId()
        value.NodeId = node if isinstance(node, ua.NodeId) else ua.NodeId.from_string(node)
        value.AttributeId = ua.AttributeIds.Value
        request.Parameters.NodesToRead.append(value)
    data = await client.uaclient.protocol.send_request(request)
    nodeid_from_binary(data)
    header = struct_from_binary(ua.ResponseHeader, data)
    header.ServiceResult.check()
    return [_data_value(data) for _ in range(_number(data, 4))]


def _data_value(data):
    """OPC 10000-6, 5.2.2.17."""
    mask = _number(data, 1)
    before = bytes(data)
    if mask & 1:
        variant_from_binary(data)
    variant = before[: len(before) - len(bytes(data))]
    variant = b"" if variant == b"\0" else variant  # a null, said or left out
    status, time, rest, _, _ = (
        _number(data, width) if mask & bit else 0
        for bit, width in ((2, 4), (4, 8), (0x10, 2), (8, 8), (0x20, 2))
    )
    return variant, status, time, rest


def _number(data, width):
    return int.from_bytes(data.read(width), "little")


def sending(house):
    return all(one.state is LineState.UP for one in house.destinations())


async def equal(client, nodes, names, expected, seconds=10.0):
    """Waits until the samples are these; says which are not."""
    found = []

    async def same():
        found[:] = await samples(client, nodes)
        return found == expected

    with contextlib.suppress(TimeoutError):
        await until(same, seconds, 0.1)
    differ = [trio for trio in zip(names, expected, found, strict=True) if trio[1] != trio[2]]
    assert not differ, differ


class Auditor:
    """mosquitto's own subscriber with a session that outlives connections: every message, in the order of arrival."""

    def __init__(self, port, log, *topics):
        self._log = log
        self._command = [
            "mosquitto_sub",
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-q",
            "1",
            "-c",
            "-i",
            "auditor",
        ]
        self._command += ["-k", "5", "-F", "%t\t%p"]
        for topic in topics or ("uns/v1/#",):
            self._command += ["-t", topic]

    def __enter__(self):
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(self._command, stdout=out, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *error):
        self._process.kill()
        self._process.wait()

    def heard(self):
        """``(topic, time in ns, value, historical)`` of each message."""
        for line in self._log.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                topic, _, payload = line.partition("\t")
                found = json.loads(payload)
                time = instant.parse_instant(found["time"])
                yield topic, time, found["value"], found.get("historical", False)

    def of(self, topic):
        """The values of a topic."""
        return [value for one, _, value, _ in self.heard() if one == topic]
