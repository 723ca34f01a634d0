"""Lines of keys: known ones, and the law that every key tomllib knows is found where it stands."""

from __future__ import annotations

import json
import tomllib
from textwrap import dedent

from hypothesis import given
from hypothesis import strategies as st

from weft.catalog.located import locate


def lines(text):
    text = dedent(text).lstrip("\n")
    tomllib.loads(text)
    return locate(text)


def test_tables_keys_and_elements():
    found = lines(
        """
        # a comment with [brackets] and = signs
        a = 1  # [not] a = table
        b.c."d.e" = 'x = [1]'
        [t] # after
        text = \"\"\"
        [no] = table
        \\\"\"\" still \"\"\"
        after = '''
        # no comment'''
        list = [ 1,
          { x = 2, y = [3,
             4] }, # comment ]
          "]" ]
        when = 1979-05-27 07:32:00
        [[many]]
        k = 1
        [many.sub]
        s = 1
        [[many]]
        k = 2
        [ "q.r" . 's t' ]
        z = true
        """
    )
    assert found[("a",)] == 2
    assert found[("b", "c", "d.e")] == 3
    assert found[("t",)] == 4
    assert found[("t", "after")] == 8
    assert found[("t", "list", 1, "y", 1)] == 12
    assert found[("t", "list", 2)] == 13
    assert found[("t", "when")] == 14
    assert found[("many", 0, "sub", "s")] == 18
    assert found[("many", 1, "k")] == 20
    assert found[("q.r", "s t", "z")] == 22


def test_a_header_goes_before_what_implied_it():
    found = lines(
        """
        ["mill".signals.door]
        x = 1
        ["mill"]
        y = 1
        """
    )
    assert found[("mill",)] == 3
    assert found[("mill", "signals")] == 1


KEYS = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,6}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=6),
)
LEAVES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
GAPS = st.sampled_from(["", " ", "\n", "  # c ] } = \" '\n", "\n\n\t"])


def quoted(text):
    """A JSON text is a TOML basic string but for the escapes of surrogates and DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def written(draw, value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{quoted(k)} = {written(draw, v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ",".join(draw(GAPS) + written(draw, v) + draw(GAPS) for v in value) + "]"
    if isinstance(value, str):
        return (
            f'"""{draw(st.sampled_from(["", chr(10)]))}{quoted(value)[1:-1]}"""'
            if draw(st.booleans())
            else quoted(value)
        )
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return (
            repr(value)
            if "." in repr(value) or "e" in repr(value) or "inf" in repr(value)
            else f"{value!r}.0"
        )
    return str(value)


@st.composite
def documents(draw):
    """(text, the line at which each path of two keys was written)"""
    out, places = [], {}
    line = 1
    for table, body in draw(
        st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=4)
    ).items():
        header = f"[{quoted(table)}]{draw(st.sampled_from(['', ' # [x]']))}\n"
        places[(table,)] = line
        out.append(header)
        line += 1
        for key, value in body.items():
            text = f"{draw(st.sampled_from(['', '  ']))}{quoted(key)} = {written(draw, value)}\n"
            places[(table, key)] = line
            out.append(text)
            line += text.count("\n")
    return "".join(out), places


def paths(value, above=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*above, key)
        yield from paths(inner, (*above, key))


@given(documents())
def test_every_key_is_found_at_its_line(document):
    text, places = document
    data = tomllib.loads(text)
    found = locate(text)
    assert set(found) == set(paths(data))
    assert {path: found[path] for path in places} == places
