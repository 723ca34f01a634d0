"""What can go wrong: each trouble breaks one part of a world for a while and makes it whole again."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

import anyio
from plant.houses import until

__all__ = ["Trouble", "all_kinds", "drawn", "of_hub_and_leaf"]


class Trouble(NamedTuple):
    """``run(world)`` returns when the part is whole again."""

    name: str
    run: Callable[[Any], Any]


def cut(place, seconds):
    """Connections are reset and new ones hung up on."""

    async def run(world):
        world.proxies[place].cut()
        await anyio.sleep(seconds)
        world.proxies[place].resume()

    return Trouble(f"cut {place} {seconds:g} s", run)


def stall(place, seconds):
    """Half open: connections stay, nothing goes through."""

    async def run(world):
        world.proxies[place].stall()
        await anyio.sleep(seconds)
        world.proxies[place].resume()

    return Trouble(f"stall {place} {seconds:g} s", run)


def freeze(name, seconds):
    """The process stands still (SIGSTOP)."""

    async def run(world):
        world.children[name].signal(signal.SIGSTOP)
        await anyio.sleep(seconds)
        world.children[name].signal(signal.SIGCONT)

    return Trouble(f"freeze {name} {seconds:g} s", run)


def kill(name, seconds):
    """SIGKILL, and started again after a while."""

    async def run(world):
        world.children[name].kill()
        await anyio.sleep(seconds)
        await world.start(name)

    return Trouble(f"kill {name}", run)


def stop(name, seconds):
    """In order, and started again after a while."""

    async def run(world):
        await anyio.to_thread.run_sync(world.children[name].stop)
        await anyio.sleep(seconds)
        await world.start(name)

    return Trouble(f"stop {name} {seconds:g} s", run)


def kill_bus(of="gateway"):
    """SIGKILL of a Weft's nats-server; whole again as soon as it is gone: its Weft mends it."""

    async def run(world):
        old = await until(lambda: world.bus(of), 10)
        os.kill(old, signal.SIGKILL)
        await until(lambda: world.bus(of) != old, 10)

    return Trouble("kill bus" if of == "gateway" else f"kill bus of {of}", run)


def freeze_bus(seconds):
    async def run(world):
        bus = await until(world.bus, 10)
        os.kill(bus, signal.SIGSTOP)
        await anyio.sleep(seconds)
        os.kill(bus, signal.SIGCONT)

    return Trouble(f"freeze bus {seconds:g} s", run)


def disk_full(seconds):
    """The rest of the disk of the gateway's state is taken. The world's ``state`` must be a small mount."""

    async def run(world):
        ballast = world.states["gateway"] / "ballast"
        with ballast.open("wb") as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
                    file.flush()
            except OSError:
                pass
        await anyio.sleep(seconds)
        ballast.unlink()

    return Trouble(f"disk full {seconds:g} s", run)


def clock_jump(seconds, stay):
    """The gateway's clock jumps, and back. The world's gateway must run under :func:`soak.clock.faked`."""

    async def run(world):
        world.clock.jump(seconds)
        await anyio.sleep(stay)
        world.clock.jump(0)

    return Trouble(f"clock {seconds:+g} s for {stay:g} s", run)


def together(*troubles):
    """All at once; whole again with the last."""

    async def run(world):
        async with anyio.create_task_group() as group:
            for trouble in troubles:
                group.start_soon(trouble.run, world)

    return Trouble(" + ".join(trouble.name for trouble in troubles), run)


def all_kinds():
    """Each kind of trouble once, as long as it makes sense."""
    return [
        *(cut(place, seconds) for place in ("opcua", "modbus", "mqtt") for seconds in (1, 5)),
        *(stall(place, 8) for place in ("opcua", "modbus", "mqtt", "far")),
        *(freeze(name, 8) for name in ("opcua", "modbus", "near", "far", "gateway")),
        *(kill(name, 1) for name in ("gateway", "opcua", "modbus", "near")),
        kill_bus(),
        freeze_bus(8),
        cut("far", 20),
        stop("far", 10),
        stop("near", 5),
    ]


def of_hub_and_leaf():
    """What can go wrong between an edge and its hub."""
    return [
        cut("hub", 10),
        stall("hub", 10),
        kill("leaf", 1),
        kill("gateway", 1),
        kill_bus(),
        kill_bus("leaf"),
    ]


def drawn(seed, count):
    """So many troubles or pairs of them, as the seed says."""
    chance = random.Random(seed)
    kinds, found = all_kinds(), []
    while len(found) < count:
        one, other = chance.sample(kinds, 2)
        apart = one.name.split()[1] != other.name.split()[1]
        found.append(together(one, other) if apart and chance.random() < 0.5 else one)
    return found
