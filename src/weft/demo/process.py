"""A field process: what each is told on its command line, and that it never outlives its parent."""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import anyio

from weft.demo import broker
from weft.demo.commands import Commands
from weft.demo.display import Display
from weft.demo.factory import Factory
from weft.demo.layout import (
    MILL_NAME,
    PACKING_PATH,
    PATHS,
    ROBOT_NAME,
    STATIONS,
    meter_sensors,
    washer_sensors,
)
from weft.demo.machine import STEP, STEP_NS, steps
from weft.demo.registers import Bank
from weft.demo.timeline import Timeline
from weft.demo.truth import Truth, last_time

__all__ = ["PROCESSES", "main"]

PROCESSES: Final = ("mill", "washer", "meters", "packing", "broker", *STATIONS)
HOLDING, INPUT = 3, 4
_PR_SET_PDEATHSIG: Final = 1


def main(arguments: list[str] | None = None) -> None:
    """Runs one process of the field until it is killed."""
    options = _parser().parse_args(arguments)
    if options.parent:
        _die_with(options.parent)
    if options.process == "broker":
        broker.serve(options.folder, options.port)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its children
    anyio.run(_run, options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m weft.demo", description="One process of the model factory."
    )
    parser.add_argument("process", choices=PROCESSES)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 to serve on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=int, help="simulated time of the first step, ns UTC (now)")
    parser.add_argument(
        "--origin", type=int, help="wall time of the first step, ns UTC (--start at speed 1, else now)"
    )
    parser.add_argument("--gate", type=Path, help="wait for this file; it holds the origin")
    parser.add_argument("--speed", type=float, default=1.0, help="simulated seconds per second")
    parser.add_argument(
        "--pace", choices=("time", "read"), default="time", help="read: Modbus waits for its reader"
    )
    parser.add_argument("--until", type=float, help="simulated seconds after which time stands still")
    parser.add_argument("--truth", type=Path, help="folder for what was really shown")
    parser.add_argument("--broker", default="", help="mqtt://user@host:port, of packing, inspection, cart")
    parser.add_argument("--password-file", type=Path, help="the broker's password")
    parser.add_argument("--host", default="", help="Sparkplug host application that inspection waits for")
    parser.add_argument("--commands", type=Path, help="file by which all processes learn of commands")
    parser.add_argument("--folder", type=Path, default=Path(), help="the broker's private folder")
    parser.add_argument("--parent", type=int, default=0, help="die with this process")
    return parser


async def _run(options: argparse.Namespace) -> None:
    timeline = _timeline(options)
    factory = Factory(options.seed, commands=Commands(options.commands))
    with Truth(options.truth, options.process) as truth:
        async with anyio.create_task_group() as tasks:
            if options.parent and sys.platform != "linux":
                tasks.start_soon(_watch, options.parent)
            await _SERVE[options.process](options, factory, timeline, truth)


def _timeline(options: argparse.Namespace) -> Timeline:
    now = time.time_ns()
    start = now if options.start is None else options.start
    origin = options.origin
    if origin is None and options.gate is None:
        origin = start if options.speed == 1.0 else now
    last = None if options.until is None else round(options.until / STEP)
    return Timeline(start, origin, speed=options.speed, last=last, gate=options.gate)


def _display(factory: Factory, timeline: Timeline, truth: Truth, name: str, sensors: Any) -> Display:
    return Display(factory, timeline, truth, name=name, path=PATHS[name], sensors=sensors)


def _resumed(options: argparse.Namespace, timeline: Timeline) -> int:
    """The step that was shown last before this process was killed."""
    shown = last_time(options.truth, options.process)
    return 0 if shown is None else max(0, (shown - timeline.start) // STEP_NS)


async def _mill(options: argparse.Namespace, factory: Factory, timeline: Timeline, truth: Truth) -> None:
    from weft.demo.mill_signals import MILL
    from weft.demo.opcua_server import OpcUaServer

    server = OpcUaServer(_display(factory, timeline, truth, "mill", MILL), name=MILL_NAME)
    await server.run(options.port)


async def _robot(options: argparse.Namespace, factory: Factory, timeline: Timeline, truth: Truth) -> None:
    from weft.demo.opcua_server import OpcUaServer
    from weft.demo.robot_signals import METHODS, ROBOT

    display = _display(factory, timeline, truth, "robot", ROBOT)
    await OpcUaServer(display, name=ROBOT_NAME, methods=METHODS).run(options.port)


async def _press(options: argparse.Namespace, factory: Factory, timeline: Timeline, truth: Truth) -> None:
    from weft.demo.press_signals import BLOCK, PERIOD, PRESS, SIZE
    from weft.demo.s7_server import S7Server

    factory.press.epoch = timeline.start
    display = _display(factory, timeline, truth, "press", PRESS)
    server = S7Server(display, block=BLOCK, size=SIZE, period=PERIOD, lockstep=options.pace == "read")
    await server.run(options.port, _resumed(options, timeline))


async def _palletiser(
    options: argparse.Namespace, factory: Factory, timeline: Timeline, truth: Truth
) -> None:
    from weft.demo.logix import LogixServer
    from weft.demo.palletiser_signals import PALLETISER, PERIOD

    display = _display(factory, timeline, truth, "palletiser", PALLETISER)
    server = LogixServer(display, period=PERIOD, lockstep=options.pace == "read")
    await server.run(options.port, _resumed(options, timeline))


async def _lathe(options: argparse.Namespace, factory: Factory, timeline: Timeline, truth: Truth) -> None:
    from weft.demo.lathe_agent import LatheAgent
    from weft.demo.lathe_signals import LATHE

    await LatheAgent(_display(factory, timeline, truth, "lathe", LATHE)).run(options.port)


async def _inspection(
    options: argparse.Namespace, factory: Factory, timeline: Timeline, truth: Truth
) -> None:
    from weft.demo.inspection_signals import INSPECTION
    from weft.demo.sparkplug_node import SparkplugNode

    display = _display(factory, timeline, truth, "inspection", INSPECTION)
    broker, password = _broker(options)
    await SparkplugNode(display, broker, password=password, host=options.host).run()


async def _cart(options: argparse.Namespace, factory: Factory, timeline: Timeline, truth: Truth) -> None:
    from weft.demo.cart_node import CartNode
    from weft.demo.cart_signals import CART

    broker, password = _broker(options)
    await CartNode(_display(factory, timeline, truth, "cart", ()), broker, CART, password=password).run()


def _broker(options: argparse.Namespace) -> tuple[SplitResult, str]:
    """Where it is, and the password there."""
    password = options.password_file.read_text(encoding="utf-8").strip() if options.password_file else ""
    return urlsplit(options.broker), password


async def _washer(options: argparse.Namespace, factory: Factory, timeline: Timeline, truth: Truth) -> None:
    from weft.demo.washer_signals import CLOCK_REGISTER, PERIOD

    bank = Bank(1, HOLDING, CLOCK_REGISTER, washer_sensors())
    await _modbus(options, factory, timeline, truth, banks=[bank], period=PERIOD, machine=factory.washer)


async def _meters(options: argparse.Namespace, factory: Factory, timeline: Timeline, truth: Truth) -> None:
    from weft.demo.meter_signals import CLOCK_REGISTER, METER_SIGNALS, PERIOD

    banks = [Bank(i + 1, INPUT, CLOCK_REGISTER, meter_sensors(i)) for i in range(len(METER_SIGNALS))]
    await _modbus(options, factory, timeline, truth, banks=banks, period=PERIOD, machine=factory.meters)


async def _modbus(
    options: argparse.Namespace,
    factory: Factory,
    timeline: Timeline,
    truth: Truth,
    *,
    banks: list[Bank],
    period: float,
    machine: Any,
) -> None:
    from weft.demo.modbus_server import ModbusServer

    def load(bank: Bank, moment: int) -> None:
        bank.load(machine, moment)

    server = ModbusServer(
        banks,
        factory,
        timeline,
        truth,
        period=steps(period),
        load=load,
        lockstep=options.pace == "read",
    )
    await server.run(options.port, _resumed(options, timeline))


async def _packing(options: argparse.Namespace, factory: Factory, timeline: Timeline, truth: Truth) -> None:
    from weft.demo.mqtt_publisher import MqttPublisher
    from weft.demo.mqtt_writer import MqttWriter
    from weft.demo.packing_signals import MESSAGES, PACKING, PREFIX

    url, password = _broker(options)
    writer = MqttWriter(
        url.hostname or "127.0.0.1",
        url.port or 1883,
        client=f"model-factory-packing-{options.seed}",
        user=url.username or "",
        password=password,
    )
    publisher = MqttPublisher(
        factory,
        timeline,
        truth,
        writer,
        path=PACKING_PATH,
        prefix=PREFIX,
        messages=MESSAGES,
        sensors=PACKING,
    )
    await publisher.run()


_SERVE: Final = {
    "mill": _mill,
    "washer": _washer,
    "meters": _meters,
    "packing": _packing,
    "lathe": _lathe,
    "press": _press,
    "robot": _robot,
    "inspection": _inspection,
    "palletiser": _palletiser,
    "cart": _cart,
}


def _die_with(parent: int) -> None:
    """Asks the kernel to end this process, and what it becomes, with its parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(f"the parent process {parent} has already ended")


async def _watch(parent: int) -> None:
    """Where the kernel cannot be asked: looks."""
    while os.getppid() == parent:  # noqa: ASYNC110  # nobody tells
        await anyio.sleep(1.0)
    os.kill(os.getpid(), signal.SIGKILL)
