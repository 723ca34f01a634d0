"""What a birth declares outlives the value that it happens to tell: a null, or one of another type."""

import pytest

from weft.destinations.sparkplug import plan as plans
from weft.destinations.sparkplug.messages import birth
from weft.model import Row, Signal, ValueType
from weft.model.values import ARRAY
from weft.sparkplug.decode import decode
from weft.sparkplug.encode import encode
from weft.sparkplug.kinds import datatype_of
from weft.sparkplug.payload import Payload
from weft.sparkplug.sample import Sample, declared_type, metric_of, sample_of

NULL = (ValueType.NULL, None)
TEXT = (ValueType.LOCALIZEDTEXT, {"locale": "de", "text": None})
MATRIX = (ValueType.INT32 | ARRAY, [[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
NO_BYTES = (ValueType.BYTESTRING, None)


@pytest.mark.parametrize("later", [TEXT, MATRIX, NO_BYTES])
@pytest.mark.parametrize("first", [None, NULL, (ValueType.STRING, "x"), (ValueType.DOUBLE, 1.5), "itself"])
@pytest.mark.parametrize("status", [0, 0x80340000, 0x408F0000])
def test_what_comes_later_is_of_the_declared_type(first, later, status):
    kind = int(later[0])
    signal = Signal(handle=1, path="plant/line/odd", connection="c", address=None)
    metric = plans.Metric(signal, "line", "odd", 1, kind, datatype_of(kind))
    first = later if first == "itself" else first
    newest = {} if first is None else {1: Row(1, 1_000_000_123, first[1], first[0], status, 0)}
    (told,) = decode(birth([metric], newest, 1, 2_000_000_000, exact_time=True)).metrics
    assert declared_type(told) == kind
    if first is not None:
        present = sample_of(told, int(told.datatype), declared_type(told))
        assert (present.type, present.value, present.status) == (*first, status)
    data = metric_of(Sample(kind, later[1], status, 3_000_000_456, 0), metric.datatype, kind)
    (come,) = decode(encode(Payload(timestamp=3000, seq=2, metrics=[data]))).metrics
    found = sample_of(come, metric.datatype, declared_type(told))
    assert (found.type, found.value, found.status, found.time) == (kind, later[1], status, 3_000_000_456)
