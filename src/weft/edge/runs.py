"""Rows that depend on those before them, in the order that costs least.

A signal's samples depend on each other, different signals' do not. So the first sample of every signal is judged
at once, then the second of those that have one, and so on, as long as a turn is wide enough for columns to pay;
what is left are long runs of few signals, which are walked one by one.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["split"]

NARROWEST: Final = 48  # rows; below, forty calls of numpy cost more than a walk

Rows = npt.NDArray[np.intp]


def split(signals: npt.NDArray[np.int32]) -> tuple[list[Rows], list[Rows]]:
    """Positions in ``signals`` (n): turns, in each of which every signal occurs once, then runs of one signal each,
    to be walked after the turns. All in arrival order."""
    n = len(signals)
    order = np.argsort(signals, kind="stable")
    ordered = signals[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    if len(starts) == n:
        return [np.arange(n)], []
    lengths = np.diff(np.append(starts, n))
    # How many signals have more than k samples, for k = 0, 1, …: the widths of the turns, which never grow.
    widths = len(starts) - np.cumsum(np.bincount(lengths))[:-1]
    turns = int(np.count_nonzero(widths >= NARROWEST))
    wide = [np.sort(order[starts[lengths > k] + k]) for k in range(turns)]
    long = np.flatnonzero(lengths > turns)
    return wide, [order[starts[i] + turns : starts[i] + lengths[i]] for i in long.tolist()]
