"""Strategies for payloads of every form."""

import numpy as np
from hypothesis import strategies as st

from weft.sparkplug.payload import (
    Cell,
    DataSet,
    MetaData,
    Metric,
    Parameter,
    Payload,
    PropertySet,
    PropertyValue,
    Template,
)

u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
singles = st.floats(width=32, allow_nan=False)
doubles = st.floats(allow_nan=False)
maybe = st.one_of


def optional(strategy):
    return st.none() | strategy


def scalar(first):
    """``(field, value)`` of a oneof whose int is number ``first``."""
    kinds = [u32, u64, singles, doubles, st.booleans(), text]
    chosen = [st.tuples(st.just(first + i), kind) for i, kind in enumerate(kinds)]
    return st.one_of(st.just((0, None)), *chosen)


def of(cls, oneof=None, **fields):
    made = st.fixed_dictionaries(fields)
    if oneof is None:
        return made.map(lambda values: cls(**values))
    return st.tuples(made, oneof).map(lambda both: cls(**both[0], field=both[1][0], value=both[1][1]))


metadata = of(
    MetaData,
    is_multi_part=optional(st.booleans()),
    content_type=optional(text),
    size=optional(u64),
    seq=optional(u64),
    file_name=optional(text),
    file_type=optional(text),
    md5=optional(text),
    description=optional(text),
)


def property_sets(depth=2):
    nested = [st.tuples(st.just(9), property_sets(depth - 1))] if depth else []
    lists = [st.tuples(st.just(10), st.lists(property_sets(depth - 1), max_size=2))] if depth else []
    value = of(
        PropertyValue,
        st.one_of(scalar(3), *nested, *lists),
        type=optional(u32),
        is_null=optional(st.booleans()),
    )
    return of(PropertySet, keys=st.lists(text, max_size=3), values=st.lists(value, max_size=3))


data_sets = of(
    DataSet,
    num_of_columns=optional(u64),
    columns=st.lists(text, max_size=3),
    types=st.lists(u32, max_size=3),
    rows=st.lists(st.lists(of(Cell, scalar(1)), max_size=3), max_size=3),
)


def templates(depth):
    return of(
        Template,
        version=optional(text),
        metrics=st.lists(metrics(depth - 1), max_size=2),
        parameters=st.lists(of(Parameter, scalar(3), name=optional(text), type=optional(u32)), max_size=2),
        template_ref=optional(text),
        is_definition=optional(st.booleans()),
    )


def metrics(depth=2):
    heaped = [st.tuples(st.just(16), st.binary(max_size=9)), st.tuples(st.just(17), data_sets)]
    if depth:
        heaped.append(st.tuples(st.just(18), templates(depth)))
    return of(
        Metric,
        st.one_of(scalar(10), *heaped),
        name=optional(text),
        alias=optional(u64),
        timestamp=optional(u64),
        datatype=optional(u32),
        is_historical=optional(st.booleans()),
        is_transient=optional(st.booleans()),
        is_null=optional(st.booleans()),
        metadata=optional(metadata),
        properties=optional(property_sets()),
    )


payloads = of(
    Payload,
    timestamp=optional(u64),
    metrics=st.lists(metrics(), max_size=4),
    seq=optional(u64),
    uuid=optional(text),
    body=optional(st.binary(max_size=9)),
)


@st.composite
def plain_columns(draw):
    """A seed for columns of plain metrics, of all widths."""
    n = draw(st.integers(0, 60))
    kinds = draw(st.lists(st.sampled_from([0, 10, 11, 12, 13, 14]), min_size=1, max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return n, kinds, rng
