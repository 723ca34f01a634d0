"""Runs a program that ends when its starter does: ``_leash.py <starter's pid> <program> <argument>…``.

Linux tells a child when its parent dies, but only a child that asked for it before it became the program. A
function between fork and exec could ask; in a process with threads it may deadlock, so this script does.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    starter, program, *arguments = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(starter):
            sys.exit("the starter ended before its child began")
    os.umask(0o077)  # whatever it stores is its owner's only
    os.execv(program, [program, *arguments])  # noqa: S606  # no shell is wanted
