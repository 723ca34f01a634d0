"""Random batches of every type."""

from hypothesis import strategies as st

from weft.model import ARRAY, Batch, ValueType
from weft.model.values import RANGES

INT64 = st.integers(-(2**63), 2**63 - 1)


def _values(type_):
    if type_ in RANGES:
        low, high = RANGES[type_]
        return st.booleans() if type_ == ValueType.BOOLEAN else st.integers(low, high)
    if type_ in (ValueType.FLOAT, ValueType.DOUBLE):
        return st.floats(width=32 if type_ == ValueType.FLOAT else 64)
    if type_ == ValueType.NULL:
        return st.none()
    if type_ == ValueType.BYTESTRING:
        return st.none() | st.binary(max_size=20)
    return st.none() | st.text(max_size=20)


@st.composite
def rows(draw, handles=st.integers(0, 6), times=st.integers(-5, 5) | INT64):
    type_ = draw(st.sampled_from(list(ValueType)))
    value = draw(_values(type_))
    code = int(type_)
    if type_ == ValueType.INT32 and draw(st.booleans()):
        code, value = code | ARRAY, draw(st.lists(st.integers(-9, 9), max_size=4))
    status = draw(st.sampled_from([0, 0x40000000, 0x80310000, 0x480, 2**32 - 1]))
    return (draw(handles), draw(times), value, code, status, draw(st.integers(0, 511)))


@st.composite
def batches(draw, **kwargs):
    listed = draw(st.lists(rows(**kwargs), max_size=30))
    return Batch.of(listed, source=draw(st.text(max_size=5)), sequence=draw(INT64), received=draw(INT64))
