"""``weft types``: the commands; what they do is in ``models``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from weft.cli.options import Logging, json_option, plant_option

__all__ = ["types"]


@click.group(short_help="Types of machines from companion models.")
def types() -> None:
    """Types of machines from companion models: OPC UA NodeSet2 files, or folders of them."""


types.command_class = Logging
nodeset_files = click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True), metavar="FILE..."
)


@types.command("list", short_help="Show what the files offer.")
@nodeset_files
@click.option("--all", "every", is_flag=True, help="Also types of models that others of the files need.")
@json_option
def types_list(files: tuple[Path, ...], every: bool, as_json: bool) -> None:
    """Show what the files offer. Models may be given in any order; what is missing is named.

    \b
    Examples:
      weft types list Opc.Ua.MachineTool.NodeSet2.xml Opc.Ua.Di.NodeSet2.xml Opc.Ua.NodeSet2.xml
      weft types list ua-nodeset/ --all
    """
    from weft.cli.models import list_

    list_(files, every=every, as_json=as_json)


@types.command("import", short_help="Write types of the files into the plant.")
@nodeset_files
@click.option("--type", "names", multiple=True, metavar="NAME", help="Only this one; may be repeated.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder; the plant's types/ by default.",
)
@click.option("--mandatory", is_flag=True, help="Only signals that every such machine must have.")
@click.option("--no-properties", is_flag=True, help="Without properties: serial numbers and the like.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@plant_option
def types_import(
    plant: Path, into: Path | None, mandatory: bool, no_properties: bool, **options: Any
) -> None:
    """Write types of the files into the plant, one file each: signals with type, unit, limits, states and
    meaning, found on each machine by their names.

    \b
    Examples:
      weft types import ua-nodeset/ --type MachineToolType
      weft types import Opc.Ua.PackML.NodeSet2.xml Opc.Ua.NodeSet2.xml --mandatory
    """
    from weft.cli.models import import_
    from weft.nodeset import Wanted

    wish = Wanted(optional=not mandatory, properties=not no_properties)
    import_(
        options["files"],
        names=options["names"],
        into=into or plant / "types",
        wish=wish,
        force=options["force"],
    )
