"""The child server: who may log in, what lies in its folder, how it ends with its parent."""

import contextlib
import importlib.util
import os
import pathlib
import signal
import stat
import subprocess
import sys

import anyio
import pytest

from weft.bus import Address, Draft, NatsBus, NatsServer, Promise, Stream, binary
from weft.bus.session import Session
from weft.runtime import Conflict, NeedsHuman, Retry

pytestmark = pytest.mark.anyio

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def alive(pid):
    try:
        return b"nats-server" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


async def gone(pid):
    with anyio.fail_after(10):
        while alive(pid):  # noqa: ASYNC110  # somebody else's child
            await anyio.sleep(0.01)


def start(*command):
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def listening(pid):
    """(address, port) of the listening sockets of a process, as /proc/net/tcp writes them."""
    targets = []
    for path in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed in the meantime
            targets.append(str(path.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in targets:
                found.add(tuple(fields[1].split(":")))
    return found


def modes(folder):
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in [folder, *folder.rglob("*")]
    }


async def test_nothing_in_the_folder_is_for_others(tmp_path):
    folder = tmp_path / "state" / "bus"
    async with NatsServer(folder, mqtt_port=0) as server, NatsBus.connect(server.address) as bus:
        await bus.declare(Stream(name="samples", subjects=("uns.v1.>",), max_bytes=1 << 20))
        await bus.publish(Draft("uns.v1.a", b"x"), Draft("uns.v1.a", b"y"))
        found = modes(folder)
    assert {"login.json", "server.conf", "server.log", "store", "lock"} <= set(found)
    assert [name for name, mode in found.items() if mode & 0o077] == []
    assert found["."] == 0o700
    assert found["login.json"] == found["server.conf"] == 0o600


@linux
async def test_secrets_are_neither_in_arguments_nor_in_logs(tmp_path):
    async with NatsServer(tmp_path / "bus", mqtt_port=0) as server:
        with pytest.raises(Exception, match="refuses the login"):
            await Session.dial(Address(url=server.address.url, user="weft", password="a guess"))
        secrets = [server.login.password, server.login.device_password]
        process = pathlib.Path(f"/proc/{server.pid}")
        spoken = (process / "cmdline").read_text() + (process / "environ").read_text()
        spoken += (tmp_path / "bus" / "server.log").read_text() + repr(server.address) + repr(server.login)
        assert len(set(secrets)) == 2
        assert all(len(secret) > 30 and secret not in spoken for secret in secrets)


@linux
async def test_it_listens_on_loopback_only(tmp_path):
    async with NatsServer(tmp_path / "bus", mqtt_port=0) as server:
        login = server.login
        ports = {f"{login.port:04X}", f"{login.mqtt_port:04X}"}
        assert listening(server.pid) == {("0100007F", port) for port in ports}
        assert all(20_000 <= port < 30_000 for port in (login.port, login.mqtt_port))


async def test_credentials_and_port_are_the_same_in_the_next_life(tmp_path):
    async with NatsServer(tmp_path / "bus") as server:
        first = server.address
        assert NatsServer(tmp_path / "bus").address == first  # another process asks
    async with NatsServer(tmp_path / "bus") as server:
        assert server.address == first


async def test_messages_are_there_in_the_next_life(tmp_path):
    stream = Stream(name="samples", subjects=("uns.v1.>",), max_bytes=1 << 20)
    for life in range(2):
        async with NatsServer(tmp_path / "bus") as server, NatsBus.connect(server.address) as bus:
            await bus.declare(stream)
            ack = await bus.publish(Draft("uns.v1.a", b"1", "1"), Draft("uns.v1.a", b"2", "2"))
            assert (ack.sequence, ack.duplicate) == (2, life == 1)


async def test_two_do_not_share_a_folder(tmp_path):
    async with NatsServer(tmp_path / "bus") as server:
        with pytest.raises(Conflict):
            async with NatsServer(tmp_path / "bus"):
                pass
        async with NatsBus.connect(server.address):
            pass


async def test_a_taken_port_is_told(tmp_path):
    async with NatsServer(tmp_path / "one") as first:
        port = first.login.port
        with anyio.fail_after(10), pytest.raises(Retry, match="in use"):
            async with NatsServer(tmp_path / "two", port=port):
                pass


PARENT = """
import anyio, pathlib, sys
from weft.bus import NatsServer
from weft.runtime import configure_log
async def main():
    configure_log()
    async with NatsServer(pathlib.Path(sys.argv[1])) as server:
        print(server.pid, flush=True)
        await anyio.sleep_forever()
anyio.run(main)
"""


@linux
async def test_it_ends_with_a_killed_parent(tmp_path):
    async with await anyio.open_process(
        [sys.executable, "-c", PARENT, str(tmp_path / "bus")], stderr=subprocess.DEVNULL
    ) as parent:
        with anyio.fail_after(15):
            pid = int(await parent.stdout.receive())
        assert alive(pid)
        parent.kill()
        await parent.wait()
        await gone(pid)


@linux
async def test_an_orphan_is_ended_and_its_store_taken_over(tmp_path):
    stream = Stream(name="samples", subjects=("uns.v1.>",), max_bytes=1 << 20)
    async with NatsServer(tmp_path / "bus") as server, NatsBus.connect(server.address) as bus:
        await bus.declare(stream)
        await bus.publish(Draft("uns.v1.a", b"1", "1"))
    program = await binary.find()
    # Without its leash, as on a system where children outlive their parents.
    orphan = start(str(program), "-c", str(tmp_path / "bus" / "server.conf"))
    try:
        with anyio.fail_after(10):
            while not listening(orphan.pid):  # noqa: ASYNC110  # another process
                await anyio.sleep(0.01)
        async with NatsServer(tmp_path / "bus") as server, NatsBus.connect(server.address) as bus:
            assert await anyio.to_thread.run_sync(orphan.wait, 5) in {0, 1}
            assert server.pid != orphan.pid
            assert (await bus.last("uns.v1.a")).body == b"1"
    finally:
        orphan.kill()
        orphan.wait()


@linux
async def test_others_who_read_the_configuration_are_left_alone(tmp_path):
    async with NatsServer(tmp_path / "bus"):
        pass
    bystander = start(
        sys.executable, "-c", "import time; time.sleep(60)", str(tmp_path / "bus" / "server.conf")
    )
    try:
        async with NatsServer(tmp_path / "bus"):
            assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def script(folder, version):
    folder.mkdir()
    path = folder / "nats-server"
    path.write_text(f"#!/bin/sh\necho 'nats-server: {version}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version", ["v2.9.10", "v2.14.9", "nonsense"])
async def test_an_old_system_binary_is_refused(tmp_path, monkeypatch, capsys, version):
    ours = await binary.find()
    old = script(tmp_path / "bin", version)
    monkeypatch.setenv("PATH", str(old.parent))
    found = await binary.find()
    assert found != old
    assert found.name == ours.name
    said = capsys.readouterr()
    assert "too old" in said.out + said.err
    assert str(old) in said.out + said.err


async def test_a_new_system_binary_comes_first(tmp_path, monkeypatch):
    new = script(tmp_path / "bin", "v2.16.0")
    monkeypatch.setenv("PATH", str(new.parent))
    assert await binary.find() == new


async def test_without_any_binary_a_person_must_act(tmp_path, monkeypatch):
    old = script(tmp_path / "bin", "v2.9.10")
    monkeypatch.setenv("PATH", str(old.parent))
    monkeypatch.setattr(binary, "_PACKAGE", "no-such-package")
    with pytest.raises(NeedsHuman, match="2.15"):
        await binary.find()


def packet(kind, *parts):
    body = b"".join(parts)
    return bytes([kind, len(body)]) + body


def text(value):
    return len(value).to_bytes(2, "big") + value.encode()


async def publish_by_mqtt(login, topic, password):
    """MQTT 3.1.1, clause 3.1 and 3.3: connects and publishes with QoS 1. The return code of CONNACK, and
    whether PUBACK came."""
    async with await anyio.connect_tcp("127.0.0.1", login.mqtt_port) as stream:
        connect = packet(
            0x10, text("MQTT"), b"\x04\xc2\x00\x3c", text("probe"), text(login.device_user), text(password)
        )
        await stream.send(connect)
        code = (await stream.receive())[3]
        if code:
            return code, False
        await stream.send(packet(0x32, text(topic), b"\x00\x01", b"{}"))
        with anyio.move_on_after(0.5):
            return code, (await stream.receive())[:1] == b"\x40"
        return code, False


async def test_devices_reach_their_own_topics_only(tmp_path):
    async with NatsServer(tmp_path / "bus", mqtt_port=0) as server, NatsBus.connect(server.address) as bus:
        await bus.declare(Stream(name="all", subjects=("uns.v1.>", "packing.>"), max_bytes=1 << 20))
        login = server.login
        with anyio.fail_after(10):
            assert await publish_by_mqtt(login, "packing/state", login.device_password) == (0, True)
            assert await publish_by_mqtt(login, "packing/state", "guess") == (5, False)
            assert await publish_by_mqtt(login, "packing/state", login.password) == (5, False)
            await publish_by_mqtt(login, "uns/v1/forged", login.device_password)
        assert [state.messages for state in await bus.streams()] == [1]


async def heard_by_mqtt(login, topic, act):
    """Subscribes with QoS 0, lets ``act`` happen; the granted QoS (128: refused) and what came in a while."""
    async with await anyio.connect_tcp("127.0.0.1", login.mqtt_port) as stream:
        credentials = text("probe"), text(login.device_user), text(login.device_password)
        await stream.send(packet(0x10, text("MQTT"), b"\x04\xc2\x00\x3c", *credentials))
        assert (await stream.receive())[3] == 0
        await stream.send(packet(0x82, b"\x00\x01", text(topic), b"\x00"))
        granted = (await stream.receive())[4]
        await act()
        came = b""
        with anyio.move_on_after(0.5):
            while True:
                came += await stream.receive()
        return granted, came


async def test_devices_do_not_hear_the_answers_of_others(tmp_path):
    """Who hears an answer hears the samples in it, and can forge the next one."""
    async with NatsServer(tmp_path / "bus", mqtt_port=0) as server, NatsBus.connect(server.address) as bus:
        await bus.declare(Stream(name="all", subjects=("packing.>",), max_bytes=1 << 20))

        async def store():
            await bus.publish(Draft("packing.state", b"secret", ""))

        with anyio.fail_after(10):
            assert await heard_by_mqtt(server.login, "_INBOX/#", store) == (128, b"")
            granted, came = await heard_by_mqtt(server.login, "#", store)
        assert granted == 0
        assert b"packing/state" in came
        assert b"_INBOX" not in came


async def test_a_server_that_does_not_end_is_ended_by_force(tmp_path, monkeypatch):
    monkeypatch.setattr("weft.bus.server.GRACE", 0.2)
    async with NatsServer(tmp_path / "bus") as server:
        pid = server.pid
        os.kill(pid, signal.SIGSTOP)  # it hears no SIGTERM
    assert server.pid == 0
    assert not alive(pid)


async def test_no_room_for_a_stream_needs_a_person(tmp_path):
    async with (
        NatsServer(tmp_path / "bus", max_store=1 << 20) as server,
        NatsBus.connect(server.address) as bus,
    ):
        with pytest.raises(NeedsHuman):
            await bus.declare(Stream(name="large", subjects=("x",), max_bytes=1 << 30))
        await bus.declare(Stream(name="m", subjects=("m",), promise=Promise.NONE, max_bytes=1 << 10))
        with pytest.raises(Conflict):
            await bus.declare(Stream(name="m", subjects=("m",), promise=Promise.POWER, max_bytes=1 << 10))


async def test_a_file_of_credentials_needs_its_package(tmp_path):
    address = Address(url="nats://127.0.0.1:1", credentials=str(tmp_path / "x.creds"))
    if importlib.util.find_spec("nkeys") is None:
        with pytest.raises(NeedsHuman, match="nkeys"):
            address.options()
    else:
        assert address.options()["user_credentials"] == str(tmp_path / "x.creds")
