"""A small disk of our own that can be filled."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager

__all__ = ["NotAllowed", "small"]


class NotAllowed(Exception):
    """This user may not mount."""


@contextmanager
def small(folder, megabytes=64):
    """A memory disk of that size at ``folder``, while it lasts. Raises NotAllowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "soak", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise NotAllowed("there is no mount") from error
    if done.returncode:
        raise NotAllowed(done.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
