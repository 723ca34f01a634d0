import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.bus import escape, events_subject, matches, parse_events, parse_samples, samples_subject, unescape
from weft.bus.subjects import check_pattern, check_subject, covers, overlap
from weft.runtime import Invalid

# Surrogates stand for the bytes of names that came in no known encoding.
texts = st.text(st.characters(exclude_categories=()), max_size=20)
names = st.text(st.characters(exclude_categories=(), exclude_characters="/"), max_size=12)
tokens = st.sampled_from(["a", "b", "c"])
subjects = st.lists(tokens, min_size=1, max_size=4).map(".".join)
patterns = st.builds(
    lambda parts, tail: ".".join([*parts, *tail]),
    st.lists(st.sampled_from(["a", "b", "c", "*"]), min_size=1, max_size=4),
    st.sampled_from([[], [">"]]),
)


@given(texts)
def test_any_text_is_one_token_and_comes_back(text):
    token = escape(text)
    assert re.fullmatch(r"[A-Za-z0-9_~%-]+", token)
    assert unescape(token) == text
    assert check_subject(f"a.{token}.b")


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("", "%"),
        ("%", "%25"),
        ("Spindle-1_a", "Spindle-1_a"),
        ("a b.c*d>e/f", "a%20b%2Ec%2Ad%3Ee%2Ff"),
        ("Öl", "%C3%96l"),
        ("\x00\n", "%00%0A"),
        ("+#$", "%2B%23%24"),
    ],
)
def test_escaping(text, token):
    assert escape(text) == token
    assert unescape(token) == text


@given(texts, texts)
def test_different_texts_are_different_tokens(one, other):
    assert (one == other) == (escape(one) == escape(other))


@pytest.mark.parametrize("token", ["%41", "%2f", "a%", "%zz", "a b", "%C3", "", "ö"])
def test_what_escape_never_makes_is_refused(token):
    with pytest.raises(Invalid):
        unescape(token)


@given(st.lists(names, min_size=1, max_size=6), texts)
def test_samples_subject_comes_back(path, connection):
    home = "/".join(path)
    subject = samples_subject(home, connection)
    assert parse_samples(subject) == (home, connection)
    assert matches("uns.v1.>", subject)
    assert check_subject(subject)


def test_samples_subject_is_readable():
    assert samples_subject("acme/berlin/milling", "cnc 1") == "uns.v1.acme.berlin.milling._raw.cnc%201"


@given(st.lists(names, min_size=1, max_size=4).map(".".join), texts)
def test_events_subject_comes_back(kind, source):
    assert parse_events(events_subject(kind, source)) == (kind, source)


def test_events_of_one_kind_have_one_pattern():
    subject = events_subject("weft.connection.state", "cnc.1")
    assert subject == "events.v1.weft.connection.state.cnc%2E1"
    assert matches("events.v1.weft.connection.>", subject)


@pytest.mark.parametrize(
    "subject", ["", "uns.v1", "uns.v1.a", "uns.v1.a._raw", "uns.v2.a._raw.c", "x.v1.a._raw.c"]
)
def test_other_subjects_are_not_of_samples(subject):
    with pytest.raises(Invalid):
        parse_samples(subject)
    with pytest.raises(Invalid):
        parse_events(subject)


def as_regex(pattern):
    parts = ["[^.]+" if t == "*" else ".+" if t == ">" else re.escape(t) for t in pattern.split(".")]
    return re.compile(r"\.".join(parts))


@given(patterns, subjects)
def test_matching_is_the_regular_expression(pattern, subject):
    assert matches(pattern, subject) == bool(as_regex(pattern).fullmatch(subject))


@given(patterns, patterns, subjects)
def test_covering_and_overlapping_agree_with_matching(one, other, subject):
    both = matches(one, subject) and matches(other, subject)
    if both:
        assert overlap(one, other)
        assert overlap(other, one)
    if covers(one, other):
        assert overlap(one, other)
        if matches(other, subject):
            assert matches(one, subject)


@given(patterns, patterns)
def test_not_covering_has_a_witness(one, other):
    # A token that no pattern names stands for "any other token", and deep enough for every tail.
    if not covers(one, other):
        base = [t if t not in {"*", ">"} else "z" for t in other.split(".")]
        tails = [[], ["z"], ["z"] * 2, ["z"] * 3, ["z"] * 4] if other.endswith(">") else [[]]
        assert any(not matches(one, ".".join(base + tail)) for tail in tails)


@pytest.mark.parametrize(
    "wrong", ["", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\nb", "a.>.b", "a*", ">a", "a" * 3000]
)
def test_what_is_no_subject(wrong):
    with pytest.raises(Invalid):
        check_pattern(wrong)


def test_a_pattern_is_no_subject():
    for pattern in ("a.*", "a.>", "*"):
        assert check_pattern(pattern) == pattern
        with pytest.raises(Invalid):
            check_subject(pattern)
