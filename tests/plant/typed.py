"""Weft as a person types it: commands as processes of their own, and what they leave behind."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

from anyio.from_thread import start_blocking_portal

from weft import demo

COMMAND = [sys.executable, "-m", "weft.cli"]


def weft(*args, env=None, timeout=30, input=None):
    """One command to its end; its output as text."""
    return subprocess.run(
        [*COMMAND, *map(str, args)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **(env or {})},
    )


def complaint(answer, code=1):
    """What a failed command says: one line and a remedy, no traceback."""
    lines = answer.stderr.strip().splitlines()
    assert answer.returncode == code, answer
    assert "Traceback" not in answer.stderr
    assert 1 <= len(lines) <= 2, answer.stderr
    assert lines[0].startswith("weft: ")
    return " ".join(line.strip() for line in lines)


@contextmanager
def field(folder, **options):
    """The model factory's field, run from a test that waits for programs."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(demo.Field(folder, **options)) as running,
    ):
        yield running


class Up:
    """``weft up`` as a program; ``said`` is all that it has written so far."""

    def __init__(self, plant, log, *, env=None, before=()):
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [*COMMAND, *before, "up", "--plant", str(plant), "--port", "0"],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
            )

    @property
    def said(self):
        return self.log.read_text(encoding="utf-8")

    def until(self, pattern, seconds=40):
        """Waits until something is said; returns what matched."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.said)):
            assert self.process.poll() is None, f"weft up ended: {self.said}"
            assert time.monotonic() < deadline, f"{pattern!r} was not said: {self.said}"
            time.sleep(0.05)
        return found

    def stop(self, how=signal.SIGTERM, seconds=15):
        """Asks it to end; returns the exit code and the seconds that it took."""
        began = time.monotonic()
        self.process.send_signal(how)
        code = self.process.wait(seconds)
        return code, time.monotonic() - began

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.stop()


def descendants(pid):
    """Process ids of everything that a process has started, and what these have."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found


def alive(pids):
    """Those that still run."""
    return [pid for pid in pids if pathlib.Path(f"/proc/{pid}").exists()]
