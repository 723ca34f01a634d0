"""The model factory: a field of its own, with real protocol servers, to try Weft on.

A mill, a washer and a packing machine make parts, three energy meters and the incoming supply watch them. One
seeded simulation says what happens; each field process runs the whole of it and serves only its own machine, so
that the processes agree without talking to each other and a restarted one is where it would have been anyway.
Nothing here knows Weft beyond its vocabulary: both ends of a connection are never the same code.
"""

from weft.demo import plant, truth
from weft.demo.field import PROCESSES, Field, FieldFailed, Ports

__all__ = ["PROCESSES", "Field", "FieldFailed", "Ports", "plant", "truth"]
