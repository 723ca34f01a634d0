"""What the kernel says about a process (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["child", "cpu", "memory"]

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """Seconds of CPU, user and system, that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory(pid: int) -> dict[str, int]:
    """Resident memory in MB, now and at most."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        "mb": int(status["VmRSS"].split()[0]) // 1024,
        "mb_most": int(status["VmHWM"].split()[0]) // 1024,
    }


def child(parent: int, name: str) -> int:
    """The process that ``parent`` has started under this name. Raises LookupError."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")
                command = (entry / "comm").read_text().strip()
            except OSError:
                continue
            if command == name and int(fields[2].split()[1]) == parent:
                return int(entry.name)
    raise LookupError(f"process {parent} has no child {name}")
