"""Expressions: what they mean, what they refuse, and that columns say what single values say."""

from __future__ import annotations

import contextlib
import math
import pathlib
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.model.expression import (
    FUNCTIONS,
    BadExpression,
    BadValue,
    Columns,
    Reading,
    Unknown,
    parse,
)

GOOD = 0
BAD = 0x80310000


def value_of(text, **values):
    expression = parse(text)
    return expression([Reading(values[name], GOOD, 1.5) for name in expression.signals])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{a} + {b} * 2", 11),
        ("-{a} ** 2", -9.0),
        ("+{a}", 3),
        ("7 // {b} + 7 % {b}", 4),
        ("{a} / 0", math.inf),
        ("-{a} / 0", -math.inf),
        ("{a} // 0 != 1", BadValue),
        ("1 < {a} <= 3 < {b}", True),
        ("not {a} > 5 and {b} == 4", True),
        ("{a} > 5 or {b}", True),
        ("{a} if {b} > 9 else {a} * 10", 30),
        ("{a} in (1, 2, 3)", True),
        ("{a} not in [1, 2]", True),
        ("{s} == 'on'", True),
        ('{s} in ("off", "on")', True),
        ("{s} < 'z'", True),
        ("{s} + 1", BadValue),
        ("{s} > 1", BadValue),
        ("not {s}", BadValue),
        ("abs(-{a}) + min({a}, {b}, 1) + max({a}, {b})", 8),
        ("round(2.5) + round(3.14159, 2)", 5.14),
        ("sqrt({b})", 2.0),
        ("clip({a}, 4, 9)", 4),
        ("clip({a}, 0, 2)", 2),
        ("age({a})", 1.5),
        ("good({a}) and true and not false", True),
        ("9 ** 9 ** 9", math.inf),
        ("(-8) ** 0.5 == 1", BadValue),
        (" {a}\n  + {a} ", 6),
        ("{ a } + 1e3", 1003.0),
    ],
)
def test_what_it_means(text, value):
    if value is BadValue:
        with pytest.raises(BadValue):
            value_of(text, a=3, b=4, s="on")
    else:
        assert value_of(text, a=3, b=4, s="on") == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "empty"),
        ("{a} + ", 1, "Not an expression"),
        ("{a", 1, "single '{'"),
        ("{a} + {}", 7, "no signal between the braces"),
        ("{ä} + b", 7, "'b' is not known here"),
        ("{a} + _00", 7, "not known"),
        ("{a}.real", 1, "not allowed"),
        ("{a}[0]", 1, "not allowed"),
        ("1 + (lambda: 2)()", 5, "no function"),
        ("__import__('os')", 1, "not known"),
        ("print({a})", 1, "no function 'print'"),
        ("{a} is 1", 8, "not with 'is'"),
        ("{a} in {b}", 8, "followed by a list"),
        ("{a} == (1, 2)", 8, "followed by a list"),
        ("{a} in (1, 2) >= 3", 8, "comes last"),
        ("{a} in (1, {b})", 8, "plain values"),
        ("good(3)", 1, "asks about a signal"),
        ("min(1)", 1, "takes 2 to 16"),
        ("abs(x=1)", 1, "takes 1 values"),
        ("round({a}, {b})", 1, "plain number of places"),
        ("[x for x in (1,)]", 1, "not allowed"),
        ("f'{1}'", 1, "not allowed"),
        ("'a\\n'", 1, "quote"),
        ("1; 2", 2, "Not an expression"),
        ("(x := 3)", 2, "not allowed"),
        ("None", 1, "not a value"),
        ("1j", 1, "not a value"),
        ("99999999999999999999", 1, "too large"),
        ("(" * 300, 201, "nested"),
        ("-" * 1_900 + "1", 1, "nested too deeply"),
        ("+".join(["1"] * 300), 1, "nested too deeply"),
        ("1" * 2_001, 2_000, "at most 2,000"),
    ],
)
def test_what_it_refuses(text, column, words):
    with pytest.raises(BadExpression) as refused:
        parse(text)
    assert words in str(refused.value)
    if "nested" not in words:
        assert refused.value.column == column


def test_too_many_signals():
    with pytest.raises(BadExpression, match="More than 64 signals"):
        parse("max({a}, 1)" + "".join(f" + {{s{i}}}" for i in range(70)))


def test_a_value_that_is_not_there_is_unknown_but_its_quality_can_be_asked():
    bad = Reading(3.0, BAD, 9.0)
    with pytest.raises(Unknown):
        parse("{a} > 1")([bad])
    assert parse("good({a})")([bad]) is False
    assert parse("{a} if good({a}) else 7")([bad]) == 7
    assert parse("good({a}) and {a} > 1")([bad]) is False
    assert parse("age({a})")([bad]) == 9.0
    with pytest.raises(BadValue):
        parse("not {a} > 80")([Reading(math.nan, GOOD, 0.0)])


def test_other_names_in_its_braces():
    expression = parse("{a} + '{a}' == {b} * {c}")
    assert expression.renamed({"a": "=x/y"}, {"c": "(2.5)"}) == "{=x/y} + '{a}' == {b} * (2.5)"


def test_signals_are_named_once_in_order():
    expression = parse("{b/c} + {a} * { b/c } if good({a}) else 0")
    assert (expression.signals, expression.asked) == (("b/c", "a"), frozenset({1}))


@given(st.text(max_size=60) | st.text("{}ab+-*/()<>=., '\"andornotgood1e9_\\", max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        expression = parse(text)
    except BadExpression as refused:
        assert 1 <= refused.column <= max(len(text), 1)
        return
    with contextlib.suppress(Unknown, BadValue):
        expression([Reading(1.0, GOOD, 1.0)] * len(expression.signals))


# Random expressions over three signals, as text.
def _grow(inner):
    return st.one_of(
        st.tuples(
            inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "<", "<=", ">", "==", "!="]), inner
        ).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda t: f"(not {t})"),
        inner.map(lambda t: f"(-{t})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(st.sampled_from(["abs", "sqrt", "round"]), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"min({t[0]}, {t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"clip({t[0]}, {t[1]}, {t[2]})"),
        inner.map(lambda t: f"({t} in (0, 1, 2.5))"),
    )


TEXTS = st.recursive(
    st.sampled_from(["{a}", "{b}", "{c}", "0", "1", "2.5", "good({a})", "age({b})"]), _grow, max_leaves=8
)
NUMBERS = st.sampled_from([0.0, 1.0, -1.0, 2.5, 3.0, -7.25, 1e6, None])


@given(
    TEXTS,
    st.lists(st.tuples(*[st.tuples(NUMBERS, st.sampled_from([0, 0, BAD]))] * 3), min_size=1, max_size=5),
)
@settings(deadline=None, max_examples=200)
def test_columns_say_what_single_values_say(text, moments):
    expression = parse(text)
    places = ["abc".index(name) for name in expression.signals]
    columns = []
    for place in places:
        given_ = [moment[place] for moment in moments]
        usable = np.array([math.nan if v is None or s >= BAD else v for v, s in given_])
        columns.append(
            Columns(usable, np.array([s < 0x40000000 for _, s in given_]), np.full(len(moments), 1.5))
        )
    found = expression.over(columns, len(moments))
    for moment, got in zip(moments, found.tolist(), strict=True):
        try:
            expected = float(expression([Reading(*moment[place], 1.5) for place in places]))
        except (Unknown, BadValue):
            expected = math.nan
        assert got == pytest.approx(expected, nan_ok=True), (text, moment)


def test_every_function_is_described():
    page = pathlib.Path(__file__).parents[3] / "docs" / "reference" / "expressions.md"
    table = page.read_text(encoding="utf-8").split("<!-- functions -->\n")[1].split("\n\n")[0]
    assert sorted(set(re.findall(r"`(\w+)\(", table))) == sorted(FUNCTIONS)
