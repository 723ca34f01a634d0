"""``weft discover``: what answers on the local segment and at the addresses that were given."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import click
import msgspec

from weft.cli.output import document, table
from weft.connect import Place, Scope
from weft.onboard.look import addresses, look

__all__ = ["discover"]


def discover(
    hosts: Sequence[str],
    *,
    ports: Sequence[int],
    protocols: Sequence[str],
    seconds: float,
    listen: bool,
    interface: str,
    as_json: bool,
) -> None:
    given = addresses(hosts)
    scope = Scope(hosts=given, ports=tuple(ports), listen=listen, seconds=seconds)
    if given and not as_json:
        click.echo(f"Asking {len(given):,} address(es), at most 64 at a time, {seconds:g} s each.", err=True)
    places, remarks = anyio.run(_look, scope, tuple(protocols), interface)
    if as_json:
        document({"places": msgspec.to_builtins(places), "remarks": remarks})
        return
    for remark in remarks:
        click.echo(remark, err=True)
    table(["protocol", "address", "what", "how"], [[p.protocol, p.address, p.title, p.how] for p in places])
    click.echo(f"{len(places)} found.", err=True)
    if places:
        click.echo("Next: weft onboard ADDRESS proposes its signals.", err=True)
    elif not given:
        click.echo("Only listened: --host says which addresses may be asked.", err=True)


async def _look(scope: Scope, protocols: Sequence[str], interface: str) -> tuple[list[Place], list[str]]:
    return await look(scope, protocols=protocols, interface=interface)
