"""``weft doctor``: what is wrong with a plant and its machine, each finding with its remedy."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import anyio
import click
import msgspec

from weft import catalog
from weft.app import state_of
from weft.bus import binary
from weft.cli.output import FOUND, document, printable
from weft.cli.remote import call
from weft.runtime import NotFound, WeftError
from weft.runtime.settings import state_dir

__all__ = ["doctor"]

ENOUGH_DISK: Final = 2 << 30


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at; ``remedy`` only where it is not well."""

    ok: bool
    what: str
    remedy: str = ""


def doctor(plant: Path, as_json: bool) -> None:
    state_of(plant)
    findings = [
        finding if not finding.ok else Finding(True, finding.what)
        for look in _LOOKS
        for finding in look(plant)
    ]
    if as_json:
        document(msgspec.to_builtins(findings))
    else:
        for finding in findings:
            mark, colour = ("✓", "green") if finding.ok else ("✗", "red")
            click.echo(f"{click.style(mark, fg=colour)} {printable(finding.what)}")
            if finding.remedy:
                click.echo(f"    {printable(finding.remedy)}")
    if not all(finding.ok for finding in findings):
        sys.exit(FOUND)


def _python(_plant: Path) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(sys.version_info >= (3, 11), f"Python {version}", "Weft needs Python 3.11 or later.")


def _folder(plant: Path) -> Iterator[Finding]:
    loaded = catalog.load(plant)
    errors = len(loaded.findings)
    if loaded.plant is None:
        yield Finding(False, f"{plant.resolve()}: {errors} finding(s)", "`weft check` names them.")
        return
    found = loaded.plant
    yield Finding(True, f"{found.name}: {len(found.signals)} signals, {len(found.connections)} connections")


def _state(plant: Path) -> Iterator[Finding]:
    state = state_dir(plant)
    home = state if state.exists() else plant
    writable = os.access(home, os.W_OK)
    yield Finding(writable, f"{home} can be written", f"chown -R {os.getuid()} {home}")
    if state.exists():
        mode = state.stat().st_mode & 0o077
        yield Finding(mode == 0, f"{state} is closed to others", f"chmod 700 {state}")
    free = shutil.disk_usage(home).free
    yield Finding(
        free > ENOUGH_DISK,
        f"{free / 2**30:.1f} GiB free",
        "Make room, or move the plant's folder to another disk.",
    )


def _bus(_plant: Path) -> Iterator[Finding]:
    try:
        path = anyio.run(binary.find)
        number = ".".join(map(str, anyio.run(binary.version, path)))
    except WeftError as error:
        yield Finding(False, error.message, error.remedy)
    else:
        yield Finding(True, f"nats-server {number} ({path})")


def _loopback(_plant: Path) -> Iterator[Finding]:
    try:
        with socket.create_server(("127.0.0.1", 0)):
            yield Finding(True, "loopback can be listened on")
    except OSError as error:
        yield Finding(
            False, f"loopback cannot be listened on: {error}", "Check the machine's network settings."
        )


def _running(plant: Path) -> Iterator[Finding]:
    try:
        status: dict[str, Any] = call(state_dir(plant), "GET", "/api/v1/status")
    except NotFound as error:
        yield Finding(True, f"not running: {error.message}")
        return
    except WeftError as error:
        yield Finding(False, error.message, error.remedy)
        return
    yield Finding(True, f"{status['plant']} runs")
    for line in status["connections"]:
        yield from _connection(line)
    for outlet in status.get("destinations", ()):
        yield from _destination(outlet)
    for service in status["services"]:
        if service["state"] != "running":
            yield Finding(False, f"service {service['name']} is {service['state']}", service["failure"])


def _connection(line: dict[str, Any]) -> Iterator[Finding]:
    up = line["state"] == "up"
    words = f"connection {line['name']} is {line['state']}"
    yield Finding(
        up, words + (f": {line['reason']}" if line["reason"] else ""), "Is the machine on and reachable?"
    )
    for path, reason in line["refused"].items():
        yield Finding(False, f"signal {path}: {reason}", "Correct its address in the plant's folder.")


def _destination(outlet: dict[str, Any]) -> Iterator[Finding]:
    words = f"destination {outlet['name']} is {outlet['state']}"
    waiting = f", {outlet['waiting_samples']:,} samples wait" if outlet["waiting_samples"] else ""
    yield Finding(
        outlet["state"] == "up",
        words + (f": {outlet['reason']}" if outlet["reason"] else "") + waiting,
        "Is the other side on and reachable? What waits is sent when it is.",
    )
    if outlet["lost"]:
        yield Finding(
            False,
            f"destination {outlet['name']} missed {outlet['lost']:,} messages",
            "It was away for longer than the stream keeps.",
        )


_LOOKS: Final[tuple[Callable[[Path], Iterator[Finding]], ...]] = (
    _python,
    _folder,
    _state,
    _bus,
    _loopback,
    _running,
)
