"""Commands about machines: what answers, what it offers, how it becomes part of the plant, and telling it something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from weft.cli.options import Logging, json_option, plant_option, positive

__all__ = ["browse", "call", "discover", "import_", "onboard", "write"]

field_option = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A field of the connection."
)


@click.command(cls=Logging, short_help="Look for machines.")
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="ADDRESS",
    help="May be asked: a host, 10.0.0.0/28, 10.0.0.5-20.",
)
@click.option(
    "--port",
    "ports",
    multiple=True,
    type=click.IntRange(1, 65_535),
    help="Only these; each protocol's own by default.",
)
@click.option("--protocol", "protocols", multiple=True, help="Only this one; may be repeated.")
@click.option(
    "--seconds", type=positive, default=3.0, show_default=True, help="How long to wait for answers."
)
@click.option(
    "--listen/--no-listen", default=True, show_default=True, help="Hear what announces itself (mDNS)."
)
@click.option("--interface", default="", help="Ask PROFINET devices on this network interface, too.")
@json_option
def discover(hosts: tuple[str, ...], **options: Any) -> None:
    """Look for machines: OPC UA, Modbus, MQTT and Sparkplug, MTConnect, S7, EtherNet/IP, PROFINET.

    Only the addresses that you give are asked, and nothing is ever written to them; without any, Weft just listens
    to what announces itself on the local network.

    \b
    Examples:
      weft discover
      weft discover --host 10.0.0.0/28 --host plc7.local
      weft discover --host 10.0.0.5 --port 4840 --protocol opcua --json
    """
    from weft.cli.discover import discover as look

    look(hosts, **options)


@click.command(cls=Logging, short_help="From an address to signals of the plant.")
@click.argument("address")
@click.option("--asset", default="", help="Path below the site; the connection's name by default.")
@click.option("--name", default="", help="Of the connection; from the address by default.")
@click.option(
    "--like", multiple=True, metavar="PATTERN", help="Only what fits, such as '**/Temp*'; may be repeated."
)
@click.option("--start", default="", help="Only below this place, in the protocol's own notation.")
@click.option(
    "--most", type=click.IntRange(min=1), default=10_000, show_default=True, help="Stop after so many."
)
@click.option("--yes", is_flag=True, help="Take what is proposed without asking.")
@click.option("--dry-run", is_flag=True, help="Only say what would be written.")
@field_option
@plant_option
@json_option
def onboard(address: str, **options: Any) -> None:
    """Browse ADDRESS, propose its signals with names, units and types, and write those that you accept into the plant.

    A running Weft takes them up at once. What the plant has already stays as it is.

    \b
    Examples:
      weft onboard opc.tcp://10.0.0.5:4840
      weft onboard 10.0.0.5 --asset machining/mill --yes
      weft onboard mqtt://10.0.0.9 --like 'factory/**' --dry-run
    """
    from weft.cli.onboard import onboard as take

    take(address, **options)


@click.command(cls=Logging, short_help="List what a machine offers.")
@click.argument("target")
@click.option("--start", default="", help="Only below this place, in the protocol's own notation.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A field of the connection.")
@click.option(
    "--most", type=click.IntRange(min=1), default=1000, show_default=True, help="Stop after so many."
)
@plant_option
@json_option
def browse(target: str, start: str, settings: tuple[str, ...], most: int, plant: Path, as_json: bool) -> None:
    """List what a machine offers. TARGET is an address, or the name of a connection of the plant.

    \b
    Examples:
      weft browse opc.tcp://127.0.0.1:4840 --set security=none
      weft browse mqtt://127.0.0.1:1883
      weft browse shdr://127.0.0.1:7878
      weft browse mill --start "ns=2;s=Spindle"
    """
    from weft.cli.browse import browse as walk

    walk(target, start=start, settings=settings, most=most, plant=plant, as_json=as_json)


@click.command("import", cls=Logging, short_help="Take over what another product has written.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option(
    "--format",
    type=click.Choice(["auto", "kepware", "ignition", "umh", "telegraf", "excel", "csv"]),
    default="auto",
    show_default=True,
    help="Whose file it is; auto tells by what is in it.",
)
@click.option("--name", default="", help="Of the list that is written; the file's by default.")
@click.option("--connection", default="", help="For rows of a list that name none.")
@click.option("--dry-run", is_flag=True, help="Only say what would be written.")
@plant_option
@json_option
def import_(**options: Any) -> None:
    """Take over tags of Kepware (CSV, JSON), Ignition (JSON), UMH (YAML), Telegraf (TOML) or a spreadsheet.

    What the plant has already stays as it is; everything that is not taken over is named.

    \b
    Examples:
      weft import Channel1.Device1.csv --dry-run
      weft import tags.json
      weft import signals.xlsx --connection plc1
    """
    from weft.cli.imports import import_ as take

    take(**options)


@click.command(
    cls=Logging, short_help="Write a value to a machine.", context_settings={"ignore_unknown_options": True}
)
@click.argument("path")
@click.argument("value")
@click.option("--reason", default="", help="Why; written down with it.")
@click.option("--dry-run", is_flag=True, help="Only say what would come of it.")
@plant_option
@json_option
def write(path: str, value: str, reason: str, dry_run: bool, plant: Path, as_json: bool) -> None:
    """Write VALUE to the signal PATH of the running plant, if its folder allows that. Exit code 1 when it
    was refused or is not sure.

    \b
    Examples:
      weft write line1/mill/feed-override 80 --reason "chatter"
      weft write line1/mill/mode auto --dry-run
      weft write line1/mill/offset -0.5
    """
    from weft.cli.write import write as send

    send(path, value, reason=reason, dry_run=dry_run, plant=plant, as_json=as_json)


@click.command(
    cls=Logging, short_help="Call a method of a machine.", context_settings={"ignore_unknown_options": True}
)
@click.argument("connection")
@click.argument("target")
@click.argument("method")
@click.argument("arguments", nargs=-1)
@click.option("--reason", default="", help="Why; written down with it.")
@plant_option
@json_option
def call(
    connection: str,
    target: str,
    method: str,
    arguments: tuple[str, ...],
    reason: str,
    plant: Path,
    as_json: bool,
) -> None:
    """Call METHOD of TARGET, both as the protocol writes them, over a CONNECTION of the running plant whose file
    allows that. Exit code 1 when it was refused or is not sure.

    \b
    Examples:
      weft call robot "ns=2;s=Robot" "ns=2;s=Robot.Start" 3 --reason "shift begins"
    """
    from weft.cli.write import call as send

    send(connection, target, method, arguments, reason=reason, plant=plant, as_json=as_json)
