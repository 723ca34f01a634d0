"""Many devices in one connection: dead ones are bad and cost the others nothing."""

import anyio
import pytest

from weft.connect import Recorder, Write
from weft.connect.modbus import Address, Config, Device, Modbus
from weft.connect.modbus.frames import Splitter
from weft.model import quality
from weft.runtime import Retry

pytestmark = pytest.mark.anyio


async def device(listener, right, silent):
    async def serve(stream):
        splitter = Splitter()
        async with stream:
            try:
                while True:
                    for frame in splitter.feed(await stream.receive()):
                        if not silent:
                            await stream.send(right(frame))
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return

    async with listener:
        await listener.serve(serve)


@pytest.mark.card("modbus", "bad_signal")
@pytest.mark.card("modbus", "line_quality")
async def test_dead_devices_are_bad_and_the_others_go_on(right, points):
    kinds = {"a": "live", "b": "silent", "c": "refused", "d": "live"}
    devices = []
    async with anyio.create_task_group() as group:
        for name, kind in kinds.items():
            listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            devices.append(Device(name=name, host="127.0.0.1", port=port, unit=3))
            if kind == "refused":
                await listener.aclose()
            else:
                group.start_soon(device, listener, right, kind == "silent")
        config = Config(devices=tuple(devices), interval=0.05, timeout=0.2)
        wanted = points(
            *(Address(register=10 * i + k, device=name) for i, name in enumerate(kinds) for k in range(3)),
            Address(register=1, device="e"),
        )
        link, connector = Recorder(wanted), Modbus(config)
        group.start_soon(connector.run, link)
        await link.until(
            lambda: len(link.of(0)) >= 15 and len(link.of(9)) >= 15 and link.of(3) and link.of(6), 30
        )
        assert {row.value for row in link.of(0)} == {0}
        assert {row.value for row in link.of(11)} == {32}
        assert {row.status for row in link.of(4)} <= {quality.BAD_NO_COMMUNICATION, quality.BAD_NOT_CONNECTED}
        assert {row.status for row in link.of(7)} == {quality.BAD_NOT_CONNECTED}
        assert link.refused["s12"][1] == "The connection has no device 'e'."
        await link.until(lambda: any("silent" in detail for detail in link.details), 30)
        with pytest.raises(Retry, match="nothing was written"):
            await connector.write([Write(wanted[7], 1)])
        batch = await connector.read([wanted[1], wanted[9]])
        assert {row.signal: row.value for row in batch} == {1: 1, 9: 30}
        link.update(wanted[:2])
        seen = len(link.batches)
        await link.until(lambda: len(link.batches) > seen + 3)
        assert {row.signal for row in link.batches[-1]} <= {0, 1}
        group.cancel_scope.cancel()


async def test_when_none_answers_the_line_is_lost():
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    await listener.aclose()
    devices = tuple(Device(name=f"d{i}", host="127.0.0.1", port=port) for i in range(3))
    # three names behind one address are one line
    with anyio.fail_after(10), pytest.raises(Retry, match="No connection"):
        await Modbus(Config(devices=devices, interval=0.05)).run(Recorder(()))
    far = (*devices[:1], Device(name="x", host="127.0.0.2", port=port))
    with anyio.fail_after(10), pytest.raises(Retry, match="None of 2 devices answers"):
        await Modbus(Config(devices=far, interval=0.05)).run(Recorder(()))
