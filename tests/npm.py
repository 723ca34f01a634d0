"""Outside peers from npm: a folder each in tests/peers, installed from its lock file where that was not done yet."""

from __future__ import annotations

import functools
import pathlib
import shutil
import subprocess

import pytest

PEERS = pathlib.Path(__file__).parent / "peers"
# As tools/peers does it. A registry that is out of reach is found out once, and soon.
INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
PATIENCE = 300.0


def installed(name: str) -> pathlib.Path:
    """The folder of a peer, ready to run. Skips the test, and says why, where it cannot be had."""
    if reason := _missing(name):
        pytest.skip(reason)
    return PEERS / name


@functools.cache
def _missing(name: str) -> str:
    folder = PEERS / name
    if shutil.which("node") is None:
        return f"the peer {name} needs node, which is not installed"
    if _fresh(folder):
        return ""
    if shutil.which("npm") is None:
        return f"the peer {name} needs npm, which is not installed"
    try:
        done = subprocess.run(INSTALL, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return f"npm ci in tests/peers/{name} did not end within {PATIENCE:.0f} s"
    said = done.stderr.strip().splitlines()
    return f"npm ci in tests/peers/{name} failed: {said[-1:]}" if done.returncode else ""


def _fresh(folder: pathlib.Path) -> bool:
    """npm writes this file last, so an installation that was interrupted does not count."""
    done, lock = folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"
    return done.is_file() and done.stat().st_mtime >= lock.stat().st_mtime
