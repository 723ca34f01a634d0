"""The command line. Commands import what they need when they run: ``weft --help`` answers at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from weft.cli.machines import browse, call, discover, import_, onboard, write
from weft.cli.options import Logging, json_option, plant_option, port_number, positive
from weft.cli.types import types

__all__ = ["main"]

EXAMPLES = """
\b
Examples:
  weft demo                        a model factory with Weft on it, in a browser
  weft init plant && cd plant      a plant of your own
  weft check                       every mistake in it, with file and line
  weft up                          run it
  weft discover --host 10.0.0.0/28  what answers there
  weft onboard opc.tcp://10.0.0.5  its signals, named and with units, into the plant
  weft tail 'line1/**'
  weft query "select * from sample limit 5"

\b
Exit codes: 0 done, 1 something was found or failed, 2 wrong usage.
"""


@click.group(epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="weft", message="%(prog)s %(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Tell more in the log.")
def app(verbose: bool) -> None:
    """Weft connects machines, keeps their data and shows it."""
    click.get_current_context().obj = {"verbose": verbose}


app.command_class = Logging
for command in (discover, onboard, browse, import_, types, write, call):
    app.add_command(command)


@app.command(short_help="Run the model factory with Weft on it.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to keep it; ./demo-plant by default.")
@click.option("--speed", type=positive, default=1.0, show_default=True, help="Times faster than real time.")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same factory.")
@click.option(
    "--port",
    type=port_number,
    default=8080,
    show_default=True,
    help="Of the page; the next free one if taken.",
)
@click.option("--for", "seconds", type=positive, help="Stop after so many seconds.")
@click.option("--no-browser", is_flag=True, help="Only print the link.")
@click.option("--verify", "check", is_flag=True, help="At the end compare every true value with history.")
def demo(**options: Any) -> None:
    """Run the model factory with Weft on it.

    A CNC mill and a robot cell (OPC UA), a washer and energy meters (Modbus), a lathe (MTConnect), a press (S7), an
    inspection station (Sparkplug B), packing (MQTT), a palletiser (EtherNet/IP) and a cart (VDA 5050) run as
    programs of their own; Weft reads them over the network, keeps every value and shows them on a page.

    \b
    Examples:
      weft demo
      weft demo --speed 10 --for 60 --no-browser --verify
    """
    from weft.cli.demo import run

    run(**options)


@app.command(short_help="Make a folder that describes a plant.")
@click.argument("folder", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Make FOLDER with a small plant in it: commented, correct, yours to change.

    \b
    Examples:
      weft init plant && cd plant && weft check
    """
    from weft.cli.plant import init as make

    make(folder)


@app.command(short_help="Name every mistake in a plant's folder.")
@plant_option
@json_option
def check(plant: Path, as_json: bool) -> None:
    """Name every mistake in a plant's folder, with file, line and remedy. Exit code 1 when there are any.

    \b
    Examples:
      weft check
      weft check --plant /srv/plant --json
    """
    from weft.cli.plant import check as look

    look(plant, as_json)


@app.command(short_help="Bring the running plant to what its folder says.")
@plant_option
@json_option
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
def apply(plant: Path, as_json: bool, dry_run: bool) -> None:
    """Bring the running plant to what its folder says. Only what differs is touched.

    A running plant also does this by itself when a file is saved.

    \b
    Examples:
      weft apply --dry-run
      weft apply
    """
    from weft.cli.plant import apply as bring

    bring(plant, as_json, dry_run)


@app.command(short_help="Run a plant.")
@plant_option
@click.option("--host", help="Address to listen on; loopback by default.")
@click.option("--port", type=port_number, help="Of the page; the next free one if taken.")
def up(plant: Path, host: str | None, port: int | None) -> None:
    """Run a plant until Ctrl-C: connect, keep, show.

    \b
    Examples:
      weft up
      weft up --plant /srv/plant --port 8090
    """
    from weft.cli.up import up as run

    run(plant, host=host, port=port)


@app.command(short_help="Print a link that lets a browser in.")
@plant_option
def link(plant: Path) -> None:
    """Print a link that lets one browser in, once and within 30 minutes.

    \b
    Examples:
      weft link
      weft link --plant /srv/plant
    """
    from weft.cli.remote import link as give

    give(plant)


@app.command(short_help="Print values as they come.")
@click.argument("pattern", default="**")
@click.option("--for", "seconds", type=positive, help="Stop after so many seconds.")
@plant_option
@json_option
def tail(pattern: str, seconds: float | None, plant: Path, as_json: bool) -> None:
    """Print values as they come. PATTERN picks signals: ``*`` within one name, ``**`` across names.

    \b
    Examples:
      weft tail
      weft tail '**/mill/spindle-*' --for 10
      weft tail --json | jq .value
    """
    from weft.cli.data import tail as follow

    follow(pattern, seconds=seconds, plant=plant, as_json=as_json)


@app.command(short_help="Show what has happened.")
@click.argument("kind", default="*")
@click.option("--source", default="*", help="Only of these: a connection, a signal; ``*`` is any text.")
@click.option(
    "--since", default="1d", show_default=True, help="30m, 8h, 7d, or a time such as 2026-01-31T06:00:00Z."
)
@click.option("-f", "--follow", is_flag=True, help="And what happens from now on.")
@click.option("--for", "seconds", type=positive, help="Stop after so many seconds.")
@plant_option
@json_option
def events(kind: str, since: str, **options: Any) -> None:
    """Show what has happened: connections, gaps, alarms, commands and who gave them, clocks. KIND picks some, with or
    without ``weft.`` before it.

    \b
    Examples:
      weft events
      weft events 'command.*' --since 7d
      weft events alarm --source mill --follow --json
    """
    from weft.cli.events import events as show

    show(kind, since_text=since, **options)


@app.command(short_help="Ask the history in SQL.")
@click.argument("sql")
@plant_option
@json_option
def query(sql: str, plant: Path, as_json: bool) -> None:
    """Ask the history in SQL: views ``sample`` and ``signal``. Works whether the plant runs or not.

    \b
    Examples:
      weft query "select path, count(*) from sample join signal using (signal) group by path"
      weft query --json "select max(time) from sample"
    """
    from weft.cli.data import query as ask

    ask(sql, plant=plant, as_json=as_json)


@app.command(short_help="Look for what is wrong, and how to mend it.")
@plant_option
@json_option
def doctor(plant: Path, as_json: bool) -> None:
    """Look for what is wrong with a plant and this machine, each finding with its remedy. Exit code 1 when
    something is.

    \b
    Examples:
      weft doctor
      weft doctor --json | jq '.[] | select(.ok | not)'
    """
    from weft.cli.doctor import doctor as examine

    examine(plant, as_json)


@app.group(short_help="Sparkplug sessions, judged by the specification.")
def sparkplug() -> None:
    """Look at Sparkplug B."""


sparkplug.command_class = Logging


@sparkplug.command("check", short_help="Judge a session by the specification's statements.")
@click.argument("recording", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--broker", default="", help="mqtt://[user@]host[:port] to listen to; password: WEFT_MQTT_PASSWORD."
)
@click.option("--seconds", type=positive, default=10.0, show_default=True, help="How long to listen.")
@click.option(
    "--save", type=click.Path(path_type=Path, dir_okay=False), help="Keep the recording in this file."
)
@click.option("--all", "everything", is_flag=True, help="Also what was not seen or cannot be checked.")
@json_option
def sparkplug_check(
    recording: Path | None, broker: str, seconds: float, save: Path | None, everything: bool, as_json: bool
) -> None:
    """Judge a recorded session, or what a broker passes on, by Sparkplug 3.0.

    \b
    Examples:
      weft sparkplug check session.jsonl
      weft sparkplug check --broker mqtt://10.0.0.9 --seconds 60 --save session.jsonl
    """
    from weft.cli.sparkplug import check_session

    check_session(recording, broker, seconds, save, everything=everything, as_json=as_json)


@app.command(short_help="Measure, as ratios against peers.")
@click.argument("names", nargs=-1)
@click.option("--seconds", default=5.0, show_default=True, help="Length of each measurement.")
@json_option
def bench(names: tuple[str, ...], seconds: float, as_json: bool) -> None:
    """Measure this machine. Ratios against peers in the same run are what counts.

    \b
    Examples:
      weft bench
      weft bench bus opcua --seconds 10
    """
    from weft.cli.bench import bench as measure

    measure(names, seconds, as_json)


def main() -> None:
    """The entry point: errors of ours become one clear line, not a traceback."""
    from weft.cli.output import Failing

    with Failing():
        app(prog_name="weft", standalone_mode=False)
    sys.exit(0)
