"""``weft bench``: measurements as ratios against peers of the same run."""

from __future__ import annotations

import os
import platform
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import Any, Final

import anyio
import click

from weft import __version__
from weft.cli.output import document
from weft.runtime import NotFound

__all__ = ["bench"]

BENCHES: Final = {
    "bus": "durable samples through the bus, beside one message per sample",
    "opcua": "CPU per OPC UA value, beside asyncua's handler and node-opcua's client",
    "browse": "names, types, values and units of 100,000 OPC UA nodes, beside asyncua's browsing",
    "opcua_server": "CPU per change of Weft's OPC UA server, beside asyncua's",
    "modbus": "500 Modbus devices of 30 values every 0.5 s, 5 % dead, beside pymodbus",
    "sparkplug": "Sparkplug B metrics encoded and decoded, beside Google's protobuf (upb)",
    "chain": "OPC UA, mapped, fsynced, in history, at 200,000 values/s",
    "latency": "from a value's source time to its subscribers, 10,000 signals ten times a second",
    "logic": "local logic, from a change in the field to the write, with the bus and without",
    "start": "from the command to the first value on the page",
}


def bench(names: Sequence[str], seconds: float, as_json: bool) -> None:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise NotFound(f"There is no benchmark {unknown[0]!r}.", remedy=f"There are: {', '.join(BENCHES)}.")
    results: dict[str, Any] = {"machine": _machine()}
    for name in names or BENCHES:
        if not as_json:
            click.secho(f"\n{name}: {BENCHES[name]}", bold=True)
        run: Callable[[float], Awaitable[dict[str, Any]]] = import_module(f"weft.bench.{name}").run
        results[name] = anyio.run(run, seconds)
        if not as_json:
            _print(results[name])
    if as_json:
        document(results)


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, Weft {__version__}"


def _print(found: dict[str, Any], indent: str = "  ") -> None:
    for key, value in found.items():
        label = key.replace("_", " ")
        if isinstance(value, dict):
            click.echo(f"{indent}{label}")
            _print(value, indent + "  ")
        elif value is None:
            click.echo(f"{indent}{label:<28} not installed")
        else:
            shown = f"{value:,}" if isinstance(value, (int, float)) else value
            click.echo(f"{indent}{label:<28} {shown}")
