"""What the reader reads the writer writes: for every built-in type and its arrays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.model import ARRAY, ValueType
from weft.model.values import RANGES, type_name
from weft.ua import writer
from weft.ua.variant import Reader

NAMES = st.text(st.characters(codec="utf-8", exclude_characters=":;"), min_size=1, max_size=20)
NODES = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda i: f"i={i}"),
    st.builds(lambda ns, i: f"ns={ns};i={i}", st.integers(1, 65535), st.integers(0, 2**32 - 1)),
    st.builds(lambda ns, text: f"ns={ns};s={text}", st.integers(1, 65535), NAMES),
    st.uuids().map(lambda one: f"ns=3;g={one}"),
)
TEXTS = st.fixed_dictionaries({"locale": st.none() | NAMES, "text": st.none() | NAMES})
PLAIN = {
    **{int(kind): st.integers(*limits) for kind, limits in RANGES.items() if kind != ValueType.BOOLEAN},
    1: st.booleans(),
    10: st.floats(width=32, allow_nan=False),
    11: st.floats(allow_nan=False),
    12: st.none() | st.text(st.characters(codec="utf-8")),
    14: st.uuids().map(str),
    15: st.none() | st.binary(),
    16: st.none() | NAMES,
    17: NODES,
    18: NODES | st.builds(lambda server, uri, i: f"svr={server};nsu=urn:{uri};i={i}", st.integers(1, 9), st.uuids(), st.integers(0, 9)),
    20: NAMES | st.builds(lambda ns, name: f"{ns}:{name}", st.integers(1, 65535), NAMES),
    21: TEXTS,
    22: st.none() | st.fixed_dictionaries({"type": st.just("ns=4;i=77"), "body": st.none() | st.binary()}),
    25: st.none() | st.fixed_dictionaries({"symbolic_id": st.integers(0, 9), "inner": st.just({"locale": 2})}),
}  # fmt: skip
SCALARS = st.sampled_from(sorted(PLAIN)).flatmap(lambda kind: st.tuples(st.just(kind), PLAIN[kind]))
INNER = SCALARS.map(lambda pair: {"type": type_name(pair[0]), "value": pair[1]})
MORE = st.sampled_from([{}, {"status": 0}, {"status": 0x40000000, "source_time": 5, "server_picoseconds": 7}])
DATA = st.builds(lambda inner, more: {**inner, **more}, INNER, MORE)


@given(SCALARS | st.tuples(st.just(24), INNER) | st.tuples(st.just(23), DATA))
def test_scalars(pair):
    assert Reader(writer.variant(*pair)).variant() == pair


@given(
    st.sampled_from(sorted(PLAIN)).flatmap(
        lambda kind: st.tuples(st.just(kind), st.none() | st.lists(PLAIN[kind], max_size=5))
    )
)
def test_arrays(pair):
    kind, value = pair
    assert Reader(writer.variant(kind | ARRAY, value)).variant() == (kind | ARRAY, value)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_matrices(a, b, c):
    value = [[[i * 100 + j * 10 + k for k in range(c)] for j in range(b)] for i in range(a)]
    assert Reader(writer.variant(6 | ARRAY, value)).variant() == (6 | ARRAY, value)


@pytest.mark.parametrize(
    "body",
    [
        {"type": "Range", "body": {"Low": 1.0, "High": 2.0}},
        {"type": "Argument", "body": {"Name": "x", "DataType": "i=3", "ValueRank": -1, "ArrayDimensions": [], "Description": {"locale": None, "text": "d"}}},
        {"type": "EnumValueType", "body": {"Value": -4, "DisplayName": {"locale": "de", "text": "a"}, "Description": {"locale": None, "text": None}}},
    ],
)  # fmt: skip
def test_known_structures_are_written_by_their_names(body):
    assert Reader(writer.variant(22, body)).variant() == (22, body)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (3, 256),
        (2, "x"),
        (12, 5),
        (14, "no guid"),
        (17, "no node"),
        (6 | ARRAY, 5),
        (6 | ARRAY, [[1], [1, 2]]),
        (22, {"type": "Nonsense", "body": {}}),
        (24, {"type": "Nonsense", "value": 1}),
        (21, 5),
    ],
)
def test_what_is_not_of_its_type_is_named(kind, value):
    with pytest.raises(writer.Unwritable):
        writer.variant(kind, value)


def test_nesting_has_an_end():
    value = {"type": "Int32", "value": 1}
    for _ in range(150):
        value = {"type": "Variant", "value": value}
    with pytest.raises(writer.Unwritable, match="deeper"):
        writer.variant(24, value)


@pytest.mark.parametrize("index", ["65536", "9" * 5000, "01", "²"])
def test_what_is_no_index_belongs_to_the_name(index):
    """Also one of more digits than Python makes a number of."""
    data = writer.qualified_name(f"{index}:x")
    assert Reader(data).qualified_name() == f"{index}:x"
    assert data[:2] == b"\0\0"
