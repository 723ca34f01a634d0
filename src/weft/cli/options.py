"""What the commands share: options, and how they log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

__all__ = ["Logging", "json_option", "plant_option", "port_number", "positive"]

plant_option = click.option(
    "-p",
    "--plant",
    "plant",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    envvar="WEFT_PLANT",
    help="The plant's folder; the current one by default.",
)
positive = click.FloatRange(min=0, min_open=True)
port_number = click.IntRange(0, 65_535)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document, for programs.")


class Logging(click.Command):
    """A command that logs as it should: what runs a plant tells what happens, a tool only what went wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        from weft.cli.output import enough
        from weft.runtime import configure_log

        usual = "info" if self.name in {"up", "demo"} else "error"
        configure_log(level="debug" if ctx.obj["verbose"] else usual)
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would make it a failure
            enough()
