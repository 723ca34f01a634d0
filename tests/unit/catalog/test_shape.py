"""Data against Structs: all problems, at their paths, and what remains without them."""

from __future__ import annotations

import enum
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.catalog.redact import redacted
from weft.catalog.shape import convert


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    number: int
    ratio: float | None = None


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    inner: Inner | None = None
    many: list[Inner] = []
    named: dict[str, Inner] = {}
    states: dict[int, str] = {}
    colour: Colour | None = None
    mode: Literal["on", "off"] = "on"
    port: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    either: int | str = 0
    pair: tuple[int, int] | None = None

    def __post_init__(self):
        if self.name == "never":
            raise ValueError("a name of 'never' is not possible")


def problems(data):
    return [(problem.path, problem.message) for problem in convert(data, Outer, "a thing")[1]]


def test_everything_at_once():
    value, found = convert(
        {
            "nmae": "x",
            "inner": {"number": "1", "ratoi": 2},
            "many": [{"number": 1}, {"number": 1.5}, 7],
            "named": {"a": {}},
            "states": {"x": "a", "1": 2},
            "colour": "gren",
            "mode": "of",
            "port": 10,
            "either": [],
            "pair": [1, "a"],
        },
        Outer,
        "a thing",
    )
    assert value is None
    assert [(p.path, p.message, p.remedy) for p in found] == [
        (("nmae",), "'nmae' is not a key of a thing.", "Did you mean 'name'?"),
        ((), "A thing needs 'name'.", "Add name = …"),
        (("inner", "ratoi"), "'ratoi' is not a key of 'inner'.", "Did you mean 'ratio'?"),
        (("inner", "number"), "'number' should be a whole number, not text.", ""),
        (("many", 1, "number"), "'number' should be a whole number, not a number.", ""),
        (("many", 2), "Element 3 should be a table, not a whole number.", ""),
        (("named", "a"), "'a' needs 'number'.", "Add number = …"),
        (("states", "x"), "'x' should be a whole number, not text.", ""),
        (("states", "1"), "'1' should be text, not a whole number.", ""),
        (("colour",), "'gren' is not a 'colour'.", "Did you mean 'green'?"),
        (("mode",), "'of' is not a 'mode'.", "Did you mean 'off'?"),
        (("port",), "'port' should be a whole number <= 9.", ""),
        (("either",), "'either' should be a whole number or text, not a list.", ""),
        (("pair",), "'pair' should be a whole number, not text.", ""),
    ]


def test_what_remains_can_be_checked_further():
    value, found = convert(
        {"name": "n", "port": "x", "inner": {"number": 1, "y": 2}, "z": 0}, Outer, "a thing"
    )
    assert len(found) == 3
    assert (value.name, value.port, value.inner.number) == ("n", 1, 1)


def test_a_struct_that_refuses_as_a_whole():
    assert problems({"name": "never"}) == [((), "A name of 'never' is not possible.")]


def test_cells_of_a_list_are_text():
    assert convert({"number": "7", "ratio": "1.5"}, Inner, "it", strict=False) == (Inner(7, 1.5), [])


@pytest.mark.parametrize("data", [3, "x", [], None, True])
def test_no_table_at_all(data):
    assert len(problems(data)) == 1


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 20)
    | st.floats(allow_nan=False)
    | st.sampled_from(["on", "red", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*Outer.__struct_fields__, *Inner.__struct_fields__, "1", "zz"]),
            inner,
            max_size=5,
        )
    ),
)


@given(JSON)
def test_problems_are_found_exactly_when_there_are_any(data):
    value, found = convert(data, Outer, "a thing")
    try:
        expected = msgspec.convert(data, Outer, str_keys=True)
    except msgspec.ValidationError:
        assert found
    else:
        assert (value, found) == (expected, [])


def test_redacting():
    config = {
        "password": "x", "api_key": "x", "key": "x", "token": ["x"], "user": "u", "keepalive": 3, "monkey": "m",
        "password_in_clear": True, "private_key_file": "x", "empty_secret": "", "nested": [{"passphrase": "x"}],
        "url": "mqtt://u:x@h/p", "plain": "a:b@c",
    }  # fmt: skip
    assert redacted(config) == {
        "password": "***", "api_key": "***", "key": "***", "token": "***", "user": "u", "keepalive": 3, "monkey": "m",
        "password_in_clear": True, "private_key_file": "***", "empty_secret": "", "nested": [{"passphrase": "***"}],
        "url": "mqtt://u:***@h/p", "plain": "a:b@c",
    }  # fmt: skip
